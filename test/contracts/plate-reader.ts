import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import type { PlateRead, PlateReader } from '../../drivers/plate-reader/plate-reader.js'
import { Contract, type Excuses, leavesNothing } from './contract.js'
import { endingContract, isState } from './driver.js'

/** A reader and the hands that plug it in and drive cars past it. */
export interface PlateReaderScene {
  readonly reader: PlateReader
  plug(): Promise<void>
  unplug(): Promise<void>
  send(text: string): Promise<void>
  /** What is no frame of this reader, more than may come without being told of; null where nothing but reads can come. */
  readonly noise: (() => Promise<void>) | null
  /** Unplugs it and plugs it in as another device, below the name that stays; null where it has but one. */
  readonly rename: (() => Promise<void>) | null
  /** Lets go of everything. */
  end(): Promise<void>
}

/** An implementation of the plate-reader contract, as the suite needs it. */
export interface PlateReaderSubject {
  readonly title: string
  /** Not plugged in. What will be sent, and when the reader will be plugged in and out, is `plateReaderScene`. */
  make(options: { readonly capacity: number }): Promise<PlateReaderScene>
  readonly excused: Excuses
  /** Whether bytes of noise are a fault; else they are counted only. */
  readonly noiseIsFault: boolean
  /** Whether it can tell how many reads were dropped; else only that some were. */
  readonly countsReads: boolean
  /** How often it is opened again in a quick run. */
  readonly reopenings: number
}

const usual = { capacity: 256 }

/** What happens in the suite's scene, for implementations that have to know beforehand. */
export const plateReaderScene = [
  { do: 'plug' },
  { do: 'send', text: 'ABC1234' },
  { do: 'send', text: '46HVR9' },
  { do: 'unplug' },
  { do: 'plug' },
  { do: 'send', text: 'XYZ987' },
] as const

/** Every implementation of the plate-reader contract has to pass this. */
export function plateReaderContract(t: Test, subject: PlateReaderSubject): void {
  t.test(subject.title, async t => {
    const contract = new Contract(t, 'plate-reader', subject.title, subject.excused)
    const told = ['absent', 'appears', 'unplugged', 'buffers'] as const
    contract.test(told, 'reports absence and return once each, and gives every plate between them', async t => {
      const scene = await subject.make(usual)
      const kept: { readonly value: unknown; readonly copy: unknown }[] = []
      const controller = new AbortController()
      const readings = scene.reader.readings(controller.signal)[Symbol.asyncIterator]()
      const expectState = async (state: string, fault: string | null) => {
        const { value } = await readings.next()
        t.match(value, { kind: 'state', state, fault })
      }
      await expectState('absent', 'device-absent')
      let reads = 0
      for (const step of plateReaderScene) {
        if (step.do === 'plug') {
          await scene.plug()
          await expectState('ready', null)
        } else if (step.do === 'unplug') {
          await scene.unplug()
          await expectState('absent', 'device-absent')
        } else {
          await scene.send(step.text)
          const { value } = await readings.next()
          checkRead(t, value, step.text)
          kept.push({ value, copy: structuredClone(value) })
          reads += 1
        }
      }
      t.equal(reads, 3)
      const pending = readings.next()
      controller.abort()
      t.ok((await pending).done)
      for (const { value, copy } of kept) t.same(value, copy, 'what was handed over stays as it was')
      await scene.end()
    })

    contract.test(['renamed'], 'comes back as another device under the name that stays', async t => {
      const { scene, next, end } = await ready(subject)
      await scene.rename?.()
      t.match(await next(), { state: 'absent', fault: 'device-absent' })
      t.match(await next(), { state: 'ready' })
      await scene.send('ABC1234')
      checkRead(t, await next(), 'ABC1234')
      await end()
    })

    contract.test(['silent'], 'may be silent for as long as no car comes, and is no fault meanwhile', async t => {
      const { scene, next, end } = await ready(subject)
      const first = next()
      t.equal(await Promise.race([first, pause(1500, 'nothing')]), 'nothing')
      await scene.send('ABC1234')
      checkRead(t, await first, 'ABC1234')
      await end()
    })

    contract.test(['wrong'], 'makes no read of noise, counts it, and reads the next good frame', async t => {
      const { scene, next, end } = await ready(subject)
      await scene.noise?.()
      if (subject.noiseIsFault) t.match(await next(), { state: 'faulty', fault: 'line-noise' })
      await scene.send('ABC1234')
      if (subject.noiseIsFault) t.match(await next(), { state: 'ready', fault: null })
      const read = await next()
      if (!isReading(read)) throw new Error(`a read was expected, not ${JSON.stringify(read)}`)
      t.equal(read.text, 'ABC1234')
      t.ok(read.discarded.bytes + read.discarded.frames > 0, 'what was no read is counted')
      await end()
    })

    contract.test(
      ['flooding', 'queue'],
      'floods a slow receiver with the newest reads, and counts the others',
      async t => {
        const { scene, next, end } = await ready(subject, { capacity: 16 })
        const total = 1000
        for (let read = 1; read < total; read += 1) await scene.send(`N${read}`)
        await pause(100)
        await scene.send('LAST1')
        let [received, dropped] = [0, 0]
        for (let text = ''; text !== 'LAST1'; ) {
          const read = await next()
          if (!isReading(read)) throw new Error(`a read was expected, not ${JSON.stringify(read)}`)
          received += 1
          dropped += read.discarded.reads + read.discarded.frames
          text = read.text
        }
        t.ok(subject.countsReads ? received + dropped === total : received + dropped <= total, `${received} received`)
        t.ok(dropped > 0, `${dropped} dropped`)
        await end()
      },
    )

    contract.test(['abort'], 'ending', async t => {
      const scene = await subject.make(usual)
      await t.test('absent', async t => endingContract(t, () => scene.reader, 1))
      await scene.plug()
      await t.test('plugged in', async t => endingContract(t, () => scene.reader, 1))
      await scene.end()
    })

    contract.reopened(subject.reopenings, async (t, times) => {
      const scene = await subject.make(usual)
      await scene.plug()
      await leavesNothing(t, scene.reader, isState, { times })
      await scene.end()
    })
    contract.end()
  })
}

/** A reader that is plugged in and has said so. */
async function ready(subject: PlateReaderSubject, options = usual) {
  const scene = await subject.make(options)
  const readings = scene.reader.readings(new AbortController().signal)[Symbol.asyncIterator]()
  const next = async (): Promise<unknown> => {
    const { value, done } = await readings.next()
    if (done === true) throw new Error('the readings have ended')
    return value
  }
  await scene.plug()
  for (let item = await readings.next(); ; item = await readings.next()) {
    if (item.done === true) throw new Error('the readings have ended')
    if (item.value.kind === 'state' && item.value.state === 'ready') break
  }
  const end = async () => {
    await readings.return?.()
    await scene.end()
  }
  return { scene, next, end }
}

function checkRead(t: Test, value: unknown, text: string): void {
  if (!isReading(value)) {
    t.fail('a read was expected', { found: value })
    return
  }
  t.equal(value.text, text)
  t.same(value.discarded, { frames: 0, bytes: 0, reads: 0 })
  t.ok(Number.isFinite(value.systemTime))
  t.ok(value.confidence === null || (value.confidence >= 0 && value.confidence <= 1))
  const known = [value.country, value.state, value.lane, value.direction]
  t.ok(
    known.every(field => field === null || field.length > 0),
    'what is not known is null, not empty',
  )
}

function isReading(value: unknown): value is PlateRead {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    typeof value.kind === 'string' &&
    !isState({ kind: value.kind })
  )
}
