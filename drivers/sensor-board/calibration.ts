import type { Calibration } from './pin-map.js'
import type { Quantity, SensorFault } from './sensor-board.js'

/** What no weather exceeds, in the unit of the quantity. */
const usuallyPlausible: Readonly<Record<Quantity, readonly [number, number]>> = {
  temperature: [-60, 70],
  humidity: [0, 100],
  pressure: [500, 1100],
  'wind-speed': [0, 75],
  'wind-direction': [0, 360],
  battery: [0, 60],
  light: [0, 200_000],
  tilt: [0, 1],
  tamper: [0, 1],
}

/**
 * The value that a voltage stands for, in the unit of the quantity; NaN where there is none.
 *
 * A thermistor follows 1/T = 1/298.15 + ln(R/R25)/B, T in kelvin.
 *
 * @param volts at the pin
 * @param reference volts at which the converter is full
 */
export function calibrated(calibration: Calibration, volts: number, reference: number): number {
  switch (calibration.kind) {
    case 'linear':
      return calibration.scale * volts + calibration.offset
    case 'thermistor': {
      const { resistance, beta, divider } = calibration
      const ohms = (divider * volts) / (reference - volts)
      return 1 / (1 / 298.15 + Math.log(ohms / resistance) / beta) - 273.15
    }
    case 'table':
      return interpolated(calibration.points, volts)
  }
}

function interpolated(points: readonly (readonly [number, number])[], volts: number): number {
  const upper = points.findIndex(([at], index) => index > 0 && volts <= at)
  const [below, above] = upper < 0 ? points.slice(-2) : points.slice(upper - 1, upper + 1)
  if (below === undefined || above === undefined) return Number.NaN
  const share = (volts - below[0]) / (above[0] - below[0])
  return below[1] + share * (above[1] - below[1])
}

export interface PlausibilityOptions {
  readonly quantity: Quantity
  readonly plausible?: readonly [number, number] | undefined
  /** A value that stays the very same for so long is stuck, seconds; never unless given. */
  readonly stuckSeconds?: number | undefined
}

/** Whether the values of one sensor can be believed. */
export class Plausibility {
  readonly #span: readonly [number, number]
  readonly #stuckSeconds: number
  #last = Number.NaN
  #since = 0

  constructor({ quantity, plausible, stuckSeconds }: PlausibilityOptions) {
    this.#span = plausible ?? usuallyPlausible[quantity]
    this.#stuckSeconds = stuckSeconds ?? Number.POSITIVE_INFINITY
  }

  /** @param now seconds of a clock that never steps */
  judge(value: number, now: number): SensorFault | null {
    const [least, most] = this.#span
    if (!(value >= least && value <= most)) return 'out-of-range'
    if (value !== this.#last) {
      this.#last = value
      this.#since = now
    }
    return now - this.#since > this.#stuckSeconds ? 'stuck' : null
  }
}
