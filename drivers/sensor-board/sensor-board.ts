import type { Driver } from '../driver.js'

/**
 * What a board can measure: `temperature` in Celsius, `humidity` in per cent, `pressure` in hectopascal, `wind-speed` in metres
 * a second, `wind-direction` in degrees clockwise from the board's mark that the wind comes from, `battery` in volts, `light` in
 * lux; `tilt` and `tamper` are 1 while the alarm is on, else 0.
 */
export const quantities = [
  ...(['temperature', 'humidity', 'pressure', 'wind-speed', 'wind-direction', 'battery', 'light'] as const),
  ...(['tilt', 'tamper'] as const),
] as const

export type Quantity = (typeof quantities)[number]

/** `disconnected`: no such voltage comes from the sensor; `out-of-range`: no such weather; `stuck`: it never changes. */
export type SensorFault = 'disconnected' | 'out-of-range' | 'stuck'

/** What one sensor of a board says. */
export interface Measurement {
  readonly kind: 'measurement'
  /** Name of the sensor in the pin map. */
  readonly sensor: string
  readonly quantity: Quantity
  /** In the quantity's unit; null where it cannot be believed, and `fault` says why. */
  readonly value: number | null
  readonly fault: SensorFault | null
  /** System clock when it was measured, seconds since 1970 UTC. */
  readonly systemTime: number
  /** Measurements dropped since the one before, because the receiver did not keep up. */
  readonly dropped: number
}

/**
 * A microcontroller with sensors. Faults of the board: `device-absent`, `device-busy`, `device-refused`, `silent` when nothing
 * comes, `wrong-firmware` when what comes is not Firmata. Faults of one sensor come with its measurements.
 */
export type SensorBoard = Driver<Measurement>
