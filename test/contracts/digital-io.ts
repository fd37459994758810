import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import type { DigitalIo, InputLevel, SwitchEdge } from '../../drivers/digital-io/digital-io.js'
import type { Level } from '../../drivers/digital-io/drive.js'
import type { StateReport } from '../../drivers/driver.js'
import { Contract, type Excuses, leavesNothing } from './contract.js'
import { endingContract } from './driver.js'

/** The lines of every scene: two inputs, an output that is low without current, and one that is high then. */
export const sceneLines = {
  inputs: [1, 2],
  outputs: [
    { line: 3, released: 'low' },
    { line: 4, released: 'high' },
  ],
} as const

/** A chip and the hands that plug it in, move its inputs and measure its outputs. */
export interface DigitalIoScene {
  readonly io: DigitalIo
  /** Where it can be renamed, it comes back under another number. */
  plug(): Promise<void>
  unplug(): Promise<void>
  /** Inputs are low when the chip is plugged in. */
  move(line: number, level: Level): Promise<void>
  levelOf(line: number): Promise<Level>
  /** Lets go of everything. */
  end(): Promise<void>
}

/** An implementation of the digital-io contract, as the suite needs it. */
export interface DigitalIoSubject {
  readonly title: string
  /** Not plugged in; at most 16 edges may wait. */
  make(): Promise<DigitalIoScene>
  /** How often the lines are opened again in a quick run. */
  readonly reopenings: number
  readonly excused: Excuses
}

type Item = InputLevel | SwitchEdge | StateReport

/** Every implementation of the digital-io contract has to pass this. */
export function digitalIoContract(t: Test, subject: DigitalIoSubject): void {
  t.test(subject.title, async t => {
    const contract = new Contract(t, 'digital-io', subject.title, subject.excused)
    const told = ['absent', 'appears', 'unplugged', 'renamed', 'buffers'] as const
    contract.test(
      told,
      'tells levels first and then every edge with its time, between absence and return, and drives outputs',
      async t => {
        const scene = await subject.make()
        const kept: { readonly item: Item; readonly copy: Item }[] = []
        const reader = new Reader(scene.io, item => kept.push({ item, copy: structuredClone(item) }))
        t.match(await reader.next(), { kind: 'state', state: 'absent', fault: 'device-absent' })
        scene.io.set(3, { level: 'high', changes: [] })
        await scene.plug()
        t.match(await reader.next(), { kind: 'state', state: 'ready', fault: null })
        t.match(await reader.next(), { kind: 'level', line: 1, level: 'low' })
        t.match(await reader.next(), { kind: 'level', line: 2, level: 'low' })
        t.equal(await scene.levelOf(3), 'low', 'what was set while it was absent is not in force')
        t.equal(await scene.levelOf(4), 'high')
        await edges(t, scene, reader)
        await outputs(t, scene)

        await scene.unplug()
        t.match(await reader.next(), { kind: 'state', state: 'absent', fault: 'device-absent' })
        await scene.plug()
        t.match(await reader.next(), { kind: 'state', state: 'ready' })
        t.match(await reader.next(), { kind: 'level', line: 1, level: 'low' })
        t.match(await reader.next(), { kind: 'level', line: 2, level: 'low' })
        t.same([await scene.levelOf(3), await scene.levelOf(4)], ['low', 'high'], 'released on return')
        await scene.move(1, 'high')
        t.match(await reader.next(), { kind: 'edge', line: 1, level: 'high' })

        scene.io.set(3, { level: 'high', changes: [] })
        scene.io.set(4, { level: 'low', changes: [0.05, 0.05] })
        await comesTo(scene, 3, 'high')
        await comesTo(scene, 4, 'low')
        await reader.end()
        t.same([await scene.levelOf(3), await scene.levelOf(4)], ['low', 'high'], 'released at the end')
        const again = new Reader(scene.io)
        t.match(
          [await again.next(), await again.next()],
          [{ state: 'ready' }, { kind: 'level', line: 1, level: 'high' }],
        )
        await again.end()
        for (const { item, copy } of kept) t.same(item, copy, 'what was handed over stays as it was')
        await scene.end()
      },
    )

    contract.test(['silent'], 'lines that rest are no fault, however long', async t => {
      const scene = await subject.make()
      const reader = new Reader(scene.io)
      await scene.plug()
      for (let item = await reader.next(); item.kind !== 'level' || item.line !== 2; ) item = await reader.next()
      const next = reader.next()
      t.equal(await Promise.race([next, pause(1500, 'nothing')]), 'nothing')
      await scene.move(2, 'high')
      t.match(await next, { kind: 'edge', line: 2, level: 'high' })
      await reader.end()
      await scene.end()
    })

    contract.test(
      ['flooding', 'queue'],
      'a line that moves faster than anybody listens costs edges, which are counted, and ends at its level',
      async t => {
        const scene = await subject.make()
        const reader = new Reader(scene.io)
        await scene.plug()
        for (let item = await reader.next(); item.kind !== 'level' || item.line !== 2; ) item = await reader.next()
        const moves = 101
        for (let move = 0; move < moves; move += 1) await scene.move(1, move % 2 === 0 ? 'high' : 'low')
        await scene.move(2, 'high')
        const seen: SwitchEdge[] = []
        // Edges of two lines may overtake each other.
        const levelOf = (line: number) => seen.findLast(edge => edge.line === line)?.level
        while (levelOf(1) !== 'high' || levelOf(2) !== 'high') {
          const item = await reader.next()
          if (item.kind === 'edge') seen.push(item)
        }
        const dropped = seen.reduce((sum, edge) => sum + edge.dropped, 0)
        t.ok(seen.length <= 18, `${seen.length} waited`)
        t.ok(seen.length + dropped <= moves + 1, `${seen.length} seen, ${dropped} dropped`)
        await reader.end()
        await scene.end()
      },
    )

    contract.test(['abort'], 'ending', async t => {
      const scene = await subject.make()
      await t.test('absent', async t => endingContract(t, () => scene.io, 1))
      await scene.plug()
      await t.test('plugged in', async t => endingContract(t, () => scene.io, 3))
      await scene.end()
    })

    contract.reopened(subject.reopenings, async (t, times) => {
      const scene = await subject.make()
      await scene.plug()
      await leavesNothing(t, scene.io, ({ kind }) => kind === 'level', { times })
      await scene.end()
    })
    contract.end()
  })
}

async function edges(t: Test, scene: DigitalIoScene, reader: Reader): Promise<void> {
  let last = 0
  for (const [line, level] of [
    [1, 'high'],
    [1, 'low'],
    [2, 'high'],
    [1, 'high'],
    [2, 'low'],
  ] as const) {
    const before = Date.now() / 1000
    await scene.move(line, level)
    const edge = await reader.next()
    t.match(edge, { kind: 'edge', line, level, dropped: 0 })
    if (edge.kind !== 'edge') return
    t.ok(edge.monotonic >= last, 'in order')
    t.ok(edge.systemTime > before - 0.05 && edge.systemTime < Date.now() / 1000 + 0.05, 'the time is that of the edge')
    last = edge.monotonic
  }
}

async function outputs(t: Test, scene: DigitalIoScene): Promise<void> {
  t.throws(() => scene.io.set(1, { level: 'high', changes: [] }), RangeError, 'an input is not driven')
  scene.io.set(3, { level: 'high', changes: [] })
  await comesTo(scene, 3, 'high')
  t.equal(await scene.levelOf(4), 'high', 'the other one stays')
  scene.io.set(3, { level: 'low', changes: [0.2, 0.2] })
  for (const level of ['low', 'high', 'low', 'high'] as const) await comesTo(scene, 3, level)
  scene.io.set(4, { level: 'low', changes: [] })
  await comesTo(scene, 4, 'low')
  for (const level of ['low', 'high', 'low'] as const) await comesTo(scene, 3, level)
}

async function comesTo(scene: DigitalIoScene, line: number, level: Level): Promise<void> {
  while ((await scene.levelOf(line)) !== level) await pause(5)
}

/** Takes what a driver yields, one at a time. */
class Reader {
  readonly #controller = new AbortController()
  readonly #readings: AsyncIterator<Item>

  readonly #seen: (item: Item) => void

  constructor(io: DigitalIo, seen: (item: Item) => void = () => {}) {
    this.#seen = seen
    this.#readings = io.readings(this.#controller.signal)[Symbol.asyncIterator]()
  }

  async next(): Promise<Item> {
    const { value, done } = await this.#readings.next()
    if (done === true) throw new Error('the readings have ended')
    this.#seen(value)
    return value
  }

  async end(): Promise<void> {
    const pending = this.#readings.next()
    this.#controller.abort()
    for (let last = await pending; last.done !== true; ) last = await this.#readings.next()
  }
}
