import type { Measurement } from '../../drivers/sensor-board/sensor-board.js'
import type { SensorBoardSettings } from '../config/schema.js'
import { PolewatchError } from '../errors.js'
import { keepGoing } from '../health/keep-going.js'
import { pinMapOf, sensorBoard } from './devices.js'
import type { MeasuredAir } from './measured-air.js'
import type { Role } from './role.js'
import { report } from './role-health.js'
import { Tampers } from './tamper.js'

/** A battery that was low is no longer when it has so much more than the limit, as a share of it. */
const recovered = 0.02
/** So many measurements in a row must say the same before a fault is told or over: one may be noise. */
const lasting = 3
/** A board that neither measures nor says why for so long, or thrice as long as it may, hangs, seconds; its driver tells of silence sooner. */
const leastSilence = 60

const reasons = {
  disconnected: 'its wire gives no such voltage',
  'out-of-range': 'no such value exists outdoors',
  stuck: 'it has not moved for too long',
} as const

/**
 * Listens to the sensor boards until the signal aborts.
 *
 * @param open makes the driver of a board
 */
export async function watchBoards(
  role: Role,
  air: MeasuredAir,
  signal: AbortSignal,
  open = sensorBoard,
): Promise<void> {
  const { sensorBoards, gateway } = role.configuration
  const watch = async (settings: SensorBoardSettings, signal: AbortSignal): Promise<void> => {
    const heading = settings.heading ?? gateway.heading
    const watched = new BoardWatch(role, { ...settings, heading }, air, () => role.clock.monotonic())
    const board = await open(settings)
    const { sensors } = await pinMapOf(settings)
    const often = Math.min(...sensors.map(({ interval }) => interval))
    role.expect(settings.name, Math.max(leastSilence, 3 * often))
    for await (const reading of board.readings(signal)) {
      if (reading.kind === 'state') report(role, settings.name, reading)
      else {
        role.delivered(settings.name)
        watched.take(reading)
      }
    }
  }
  await Promise.all(
    sensorBoards.map(settings => {
      const run = (own: AbortSignal): Promise<void> => watch(settings, own)
      return keepGoing(role, { name: settings.name, required: false, run }, signal)
    }),
  )
}

/** What the measurements of one board mean for the gateway. */
export class BoardWatch {
  readonly #role: Role
  readonly #settings: Pick<SensorBoardSettings, 'name' | 'batteryLow'> & { readonly heading: number }
  readonly #air: MeasuredAir
  readonly #monotonic: () => number
  readonly #tampers: Tampers
  /** How often in a row a sensor has said the same thing of itself. */
  readonly #said = new Map<string, { what: string; times: number }>()
  readonly #values = new Map<string, number>()
  #dropped = 0

  constructor(
    role: Role,
    settings: Pick<SensorBoardSettings, 'name' | 'batteryLow'> & { readonly heading: number },
    air: MeasuredAir,
    monotonic: () => number,
  ) {
    this.#role = role
    this.#settings = settings
    this.#air = air
    this.#monotonic = monotonic
    this.#tampers = new Tampers(role, `board-${settings.name}`)
  }

  take(measurement: Measurement): void {
    const { sensor, quantity, value, fault, dropped } = measurement
    const key = `${sensor} ${quantity}`
    this.#dropped += dropped
    this.#judge(measurement)
    if (value === null || fault !== null) this.#values.delete(key)
    else {
      this.#values.set(key, Math.round(value * 100) / 100)
      this.#use(measurement, value)
    }
    this.#role.count(this.#settings.name, { dropped: this.#dropped })
    this.#role.measure(this.#settings.name, Object.fromEntries(this.#values))
  }

  #judge({ sensor, quantity, fault }: Measurement): void {
    const part = this.#part(sensor, quantity)
    if (!this.#lasts(part, fault ?? 'good')) return
    if (fault === null) {
      this.#role.ready(part, 'It measures.')
      return
    }
    const error = new PolewatchError('PW_BOARD_SENSOR', { part, sensor, quantity, why: reasons[fault] })
    this.#role.raise(part, 'faulty', `sensor-${fault}`, error.message, error.code)
  }

  #use({ sensor, quantity }: Measurement, value: number): void {
    const now = this.#monotonic()
    if (quantity === 'temperature') this.#air.temperature(value, now)
    else if (quantity === 'humidity') this.#air.humidity(value, now)
    else if (quantity === 'wind-speed') this.#air.windSpeed(value, now)
    else if (quantity === 'wind-direction') this.#air.windFrom(value + this.#settings.heading, now)
    else if (quantity === 'battery') this.#battery(sensor, value)
    else if (quantity === 'tilt') {
      this.#tell(sensor, 'tilted', value === 1, ['The pole or its mast leans.', 'It stands upright again.'])
    } else if (quantity === 'tamper') {
      this.#tell(sensor, 'opened', value === 1, ['The enclosure was opened.', 'The enclosure is closed again.'])
    }
  }

  #tell(sensor: string, tamper: string, alarm: boolean, [raised, cleared]: readonly [string, string]): void {
    const part = this.#part(sensor)
    if (alarm) this.#tampers.raise(part, tamper, raised)
    else this.#tampers.clear(part, tamper, cleared)
  }

  #battery(sensor: string, volts: number): void {
    const { name, batteryLow } = this.#settings
    if (batteryLow === null) return
    const part = this.#part(sensor, 'level')
    const low = volts < batteryLow ? 'low' : volts > batteryLow * (1 + recovered) ? 'good' : 'between'
    if (low === 'between' || !this.#lasts(part, low)) return
    if (low === 'good') {
      this.#role.ready(part, 'The battery is charged.')
      return
    }
    const error = new PolewatchError('PW_BATTERY_LOW', { part: name, volts: volts.toFixed(1), limit: batteryLow })
    this.#role.raise(part, 'faulty', 'battery-low', error.message, error.code)
  }

  /** Messages hold names of 64 characters. */
  #part(...names: readonly string[]): string {
    return [this.#settings.name, ...names].join(' ').slice(0, 64)
  }

  #lasts(key: string, what: string): boolean {
    const said = this.#said.get(key)
    const times = said?.what === what ? said.times + 1 : 1
    this.#said.set(key, { what, times })
    return times >= lasting
  }
}
