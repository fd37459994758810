import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Measurement, Quantity, SensorBoard } from '../../drivers/sensor-board/sensor-board.js'
import { Contract, type Excuses, leavesNothing } from './contract.js'
import { endingContract } from './driver.js'

/** A board and the hands that plug it in and make its weather. Its cover and mast are at rest at first. */
export interface SensorBoardScene {
  readonly board: SensorBoard
  plug(): Promise<void>
  unplug(): Promise<void>
  /** Sets what the sensor called `sensor` meets, in the unit of its quantity. */
  meet(sensor: string, quantity: Quantity, value: number): void
  /** The wire of the thermometer is cut. */
  cutThermometer(): void
  /** Bytes that nobody meant; null where the implementation has no line. */
  readonly noise: (() => void) | null
  /** Unplugs it and plugs it in as another device, below the name that stays; null where it has but one. */
  readonly rename: (() => Promise<void>) | null
  /** It stops saying anything, without being unplugged; null where nobody would notice. */
  readonly halt: (() => void) | null
  /** Lets go of everything. */
  end(): Promise<void>
}

/** An implementation of the sensor-board contract, as the suite needs it: not plugged in. */
export interface SensorBoardSubject {
  readonly title: string
  /**
   * At most `capacity` measurements may wait. `silentSeconds`: a board that says nothing for so long is silent; `greetingSeconds`: one that
   * does not introduce itself.
   */
  make(options: {
    readonly capacity: number
    readonly silentSeconds: number
    readonly greetingSeconds: number
  }): Promise<SensorBoardScene>
  readonly excused: Excuses
  /** How often it is opened again in a quick run. */
  readonly reopenings: number
}

/** The emulator may get a small part of a busy machine, so nothing is called late. */
const usual = { capacity: 256, silentSeconds: 120, greetingSeconds: 120 }

/** Every implementation of the sensor-board contract has to pass this. */
export function sensorBoardContract(t: Test, subject: SensorBoardSubject): void {
  t.test(subject.title, async t => {
    const contract = new Contract(t, 'sensor-board', subject.title, subject.excused)
    const told = ['absent', 'appears', 'unplugged', 'wrong', 'buffers'] as const
    contract.test(told, 'reports absence and return once each, and measures what the sensors meet', async t => {
      const scene = await subject.make(usual)
      const kept: { readonly value: unknown; readonly copy: unknown }[] = []
      const controller = new AbortController()
      const readings = scene.board.readings(controller.signal)[Symbol.asyncIterator]()
      const expectState = async (state: string, fault: string | null) => {
        for (;;) {
          const { value } = await readings.next()
          if (value?.kind === 'measurement') continue
          t.match(value, { kind: 'state', state, fault })
          return
        }
      }
      const until = async (sensor: string, holds: (measurement: Measurement) => boolean) => {
        for (;;) {
          const { value } = await readings.next()
          if (value?.kind !== 'measurement') throw new Error(`${sensor} was expected, not ${JSON.stringify(value)}`)
          t.ok(Number.isFinite(value.systemTime))
          kept.push({ value, copy: structuredClone(value) })
          if (value.fault !== null) t.equal(value.value, null, 'what cannot be believed has no value')
          if (value.sensor === sensor && holds(value)) return
        }
      }
      const near = (wanted: number, error: number) => (measurement: Measurement) =>
        measurement.value !== null && Math.abs(measurement.value - wanted) <= error
      await expectState('absent', 'device-absent')
      for (const temperature of [20, -5]) {
        await scene.plug()
        await expectState('ready', null)
        scene.meet('air', 'temperature', temperature)
        await until('air', near(temperature, 0.6))
        scene.meet('cups', 'wind-speed', 8)
        await until('cups', near(8, 0.2))
        scene.meet('supply', 'battery', 11.2)
        await until('supply', near(11.2, 0.05))
        scene.noise?.()
        scene.meet('cover', 'tamper', 1)
        await until('cover', ({ value }) => value === 1)
        scene.meet('mast', 'tilt', 1)
        await until('mast', ({ value }) => value === 1)
        scene.meet('cover', 'tamper', 0)
        await until('cover', ({ value }) => value === 0)
        scene.cutThermometer()
        await until('air', ({ fault }) => fault === 'disconnected')
        scene.meet('air', 'temperature', 31)
        await until('air', near(31, 0.6))
        await scene.unplug()
        await expectState('absent', 'device-absent')
      }
      const pending = readings.next()
      controller.abort()
      t.ok((await pending).done)
      for (const { value, copy } of kept) t.same(value, copy, 'what was handed over stays as it was')
      await scene.end()
    })

    contract.test(['renamed'], 'comes back as another device under the name that stays', async t => {
      const { scene, state, end } = await ready(subject, usual)
      await scene.rename?.()
      t.match(await state(), { state: 'absent', fault: 'device-absent' })
      t.match(await state(), { state: 'ready' })
      await end()
    })

    contract.test(['silent'], 'that stops is silent', async t => {
      const { scene, state, end } = await ready(subject, { ...usual, silentSeconds: 5 })
      scene.halt?.()
      t.match(await state(), { state: 'faulty', fault: 'silent' })
      await end()
    })

    contract.test(
      ['flooding', 'queue'],
      'gives a slow reader the newest measurements, and counts the others',
      async t => {
        const { scene, next, end } = await ready(subject, { ...usual, capacity: 4 })
        for (let round = 0; round < 40; round += 1) {
          scene.meet('supply', 'battery', 10 + round / 40)
          await pause(50)
        }
        const seen: Measurement[] = []
        while (seen.length < 8) {
          const item = await next()
          if (item.kind === 'measurement') seen.push(item)
          scene.meet('supply', 'battery', 12)
        }
        t.ok(seen.slice(0, 5).reduce((sum, { dropped }) => sum + dropped, 0) > 4, 'drops are counted')
        const times = seen.map(({ systemTime }) => systemTime)
        t.same(times, [...times].sort(), 'in order')
        await end()
      },
    )

    contract.test(['abort'], 'ending', async t => {
      const scene = await subject.make(usual)
      await t.test('absent', async t => endingContract(t, () => scene.board, 1))
      await scene.plug()
      await t.test('plugged in', async t => endingContract(t, () => scene.board, 1))
      await scene.end()
    })

    contract.reopened(subject.reopenings, async (t, times) => {
      const scene = await subject.make({ ...usual, greetingSeconds: 0 })
      await scene.plug()
      scene.halt?.()
      await leavesNothing(t, scene.board, () => true, { times })
      await scene.end()
    })
    contract.end()
  })
}

/** A board that is plugged in and has said so. */
async function ready(subject: SensorBoardSubject, options: typeof usual) {
  const scene = await subject.make(options)
  await scene.plug()
  const readings = scene.board.readings(new AbortController().signal)[Symbol.asyncIterator]()
  const next = async () => {
    const { value, done } = await readings.next()
    if (done === true) throw new Error('the readings have ended')
    return value
  }
  const state = async () => {
    for (;;) {
      const item = await next()
      if (item.kind === 'state') return item
    }
  }
  for (let item = await state(); item.state !== 'ready'; ) item = await state()
  const end = async () => {
    await readings.return?.()
    await scene.end()
  }
  return { scene, next, state, end }
}
