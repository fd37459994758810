import type { Driver } from '../driver.js'

/** A change of one input line's level. */
export interface SwitchEdge {
  readonly kind: 'edge'
  /** Number of the line on its chip. */
  readonly line: number
  /** The level after the change, as it is on the wire. */
  readonly level: 'high' | 'low'
  /** When the kernel saw it, seconds of its monotonic clock. */
  readonly monotonic: number
  /** System clock then, seconds since 1970 UTC. */
  readonly systemTime: number
  /** Edges dropped since the one before, because the receiver did not keep up. */
  readonly dropped: number
}

/** Input lines of one chip. Edges come in order, with the kernel's time stamps, and are not debounced. */
export type DigitalInputs = Driver<SwitchEdge>
