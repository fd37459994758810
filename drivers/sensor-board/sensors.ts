import type firmata from 'firmata-io'
import type five from 'johnny-five'
import { calibrated, Plausibility } from './calibration.js'
import type { SensorBoardMap, SensorSettings } from './pin-map.js'
import type { Measurement, Quantity } from './sensor-board.js'

export type FirmataIo = InstanceType<typeof firmata.Firmata>
export type JohnnyFive = typeof five

/** What is measured, before anybody's clock is read. */
export type Measured = Pick<Measurement, 'sensor' | 'quantity' | 'value' | 'fault'>

export interface SensorHands {
  readonly five: JohnnyFive
  readonly board: InstanceType<typeof five.Board>
  readonly io: FirmataIo
  readonly map: SensorBoardMap
  /** Seconds of a clock that never steps. */
  readonly monotonic: () => number
}

/** A sensor that was set up; asked for its values once an interval, and let go of when the board is. */
export interface Sensor {
  readonly interval: number
  /** Empty as long as nothing has come. */
  take(): Measured[]
  /** The libraries keep every component for ever, so it must hold nothing. */
  release(): void
}

type Settings<Kind extends SensorSettings['kind']> = Extract<SensorSettings, { kind: Kind }>

export function sensorOf(settings: SensorSettings, hands: SensorHands): Sensor {
  switch (settings.kind) {
    case 'analog':
      return analogSensor(settings, hands)
    case 'switch':
      return switchSensor(settings, hands)
    case 'pulse':
      return pulseSensor(settings, hands)
    case 'i2c':
      return i2cSensor(settings, hands)
  }
}

function analogSensor(settings: Settings<'analog'>, { five, board, map, monotonic }: SensorHands): Sensor {
  const { name: sensor, quantity, interval, channel, calibration, connected } = settings
  const component = new five.Sensor({ board, pin: `A${channel}`, freq: interval * 1000 })
  const plausibility = new Plausibility(settings)
  let median: number | null = null
  component.on('data', (value: number) => {
    // The component says zero before any conversion has come.
    if (component.raw !== null) median = value
  })
  return {
    interval,
    take() {
      if (median === null) return []
      const volts = (median / 1023) * map.referenceVolts
      if (connected !== undefined && !(volts >= connected[0] && volts <= connected[1])) {
        return [{ sensor, quantity, value: null, fault: 'disconnected' }]
      }
      const value = calibrated(calibration, volts, map.referenceVolts)
      return [judged(sensor, quantity, value, plausibility, monotonic())]
    },
    release() {
      component.disable()
      letGo(component)
    },
  }
}

function switchSensor(settings: Settings<'switch'>, { five, board }: SensorHands): Sensor {
  const { name: sensor, quantity, pin, alarmWhen, interval } = settings
  const component = new five.Switch({ board, pin, type: 'NO' })
  return {
    interval,
    take() {
      if (!component.isOpen && !component.isClosed) return []
      const alarm = component.isOpen === (alarmWhen === 'open')
      return [{ sensor, quantity, value: alarm ? 1 : 0, fault: null }]
    },
    release: () => letGo(component),
  }
}

/** Pulses counted over less than this say little of the wind, seconds. */
const leastCounted = 2

/** The board tells changes of a pin, as fast as some hundred a second; johnny-five has no counter, so they are counted here. */
function pulseSensor(settings: Settings<'pulse'>, { io, monotonic }: SensorHands): Sensor {
  const { name: sensor, quantity, pin, perHertz, offset, interval } = settings
  const plausibility = new Plausibility(settings)
  let level: number | null = null
  let pulses = 0
  let since = monotonic()
  // Older firmware knows no pull-up as a mode; a high level on an input turns it on in old and new.
  io.pinMode(pin, io.MODES.INPUT)
  io.digitalWrite(pin, 1)
  io.digitalRead(pin, now => {
    if (level === null) since = monotonic()
    else if (level === 1 && now === 0) pulses += 1
    level = now
  })
  return {
    interval,
    take() {
      const now = monotonic()
      if (level === null || now - since < Math.min(leastCounted, interval)) return []
      const value = pulses === 0 ? 0 : (pulses / (now - since)) * perHertz + offset
      pulses = 0
      since = now
      return [judged(sensor, quantity, value, plausibility, now)]
    },
    release() {},
  }
}

function i2cSensor(settings: Settings<'i2c'>, { five, board, monotonic }: SensorHands): Sensor {
  const { name: sensor, controller, address, interval } = settings
  const { made: component, timers } = withTimers(
    () => new five.Multi({ board, controller, address, freq: interval * 1000 }),
  )
  const began = monotonic()
  const quantities: Quantity[] =
    controller === 'BME280' ? ['temperature', 'pressure', 'humidity'] : ['temperature', 'pressure']
  const plausibilities = quantities.map(quantity => new Plausibility({ ...settings, quantity }))
  let heard = false
  component.on('data', () => {
    heard = true
  })
  const value = (quantity: Quantity): number => {
    if (quantity === 'temperature') return component.thermometer.celsius
    // Kilopascal there, hectopascal here.
    if (quantity === 'pressure') return component.barometer.pressure * 10
    return component.hygrometer?.relativeHumidity ?? Number.NaN
  }
  return {
    interval,
    take() {
      if (!heard) {
        if (monotonic() - began < Math.max(2 * interval, 5)) return []
        return quantities.map(quantity => ({ sensor, quantity, value: null, fault: 'disconnected' }))
      }
      return quantities.flatMap((quantity, index) => {
        const plausibility = plausibilities[index]
        return plausibility === undefined ? [] : [judged(sensor, quantity, value(quantity), plausibility, monotonic())]
      })
    },
    release() {
      for (const timer of timers) clearInterval(timer)
      letGo(component)
    },
  }
}

/** The parts of a Multi start timers that johnny-five itself keeps no hold of, and would tick for ever: they are taken as it is made. */
function withTimers<Made>(make: () => Made): { made: Made; timers: readonly NodeJS.Timeout[] } {
  const timers: NodeJS.Timeout[] = []
  const genuine = globalThis.setInterval
  globalThis.setInterval = Object.assign((...parameters: Parameters<typeof genuine>) => {
    const timer = genuine(...parameters)
    timers.push(timer)
    return timer
  }, genuine)
  try {
    return { made: make(), timers }
  } finally {
    globalThis.setInterval = genuine
  }
}

function judged(sensor: string, quantity: Quantity, value: number, plausibility: Plausibility, now: number): Measured {
  const fault = plausibility.judge(value, now)
  return { sensor, quantity, value: fault === null ? value : null, fault }
}

function letGo(component: { io: unknown; board: unknown; removeAllListeners(): unknown }): void {
  component.removeAllListeners()
  component.io = null
  component.board = null
}
