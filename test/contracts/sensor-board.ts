import type { Test } from 'tap'
import type { Measurement, Quantity, SensorBoard } from '../../drivers/sensor-board/sensor-board.js'
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
  /** Lets go of everything. */
  end(): Promise<void>
}

/** An implementation of the sensor-board contract, as the suite needs it: not plugged in. */
export interface SensorBoardSubject {
  readonly title: string
  make(): Promise<SensorBoardScene>
}

/** Every implementation of the sensor-board contract has to pass this. */
export function sensorBoardContract(t: Test, subject: SensorBoardSubject): void {
  t.test(subject.title, async t => {
    const scene = await subject.make()
    await t.test('absent', async t => endingContract(t, () => scene.board, 1))
    await scene.end()

    t.test('reports absence and return once each, and measures what the sensors meet between them', async t => {
      const scene = await subject.make()
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
      await scene.end()
    })
  })
}
