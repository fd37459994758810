import type { Driver } from '../driver.js'
import type { Drive, Level } from './drive.js'

/** What an input is at when the watch begins; it comes once for each, right after `ready` and before any edge. */
export interface InputLevel {
  readonly kind: 'level'
  /** Number of the line on its chip. */
  readonly line: number
  readonly level: Level
  /** When it was read, seconds of the kernel's monotonic clock. */
  readonly monotonic: number
  /** System clock then, seconds since 1970 UTC. */
  readonly systemTime: number
}

/** A change of one input line's level. */
export interface SwitchEdge {
  readonly kind: 'edge'
  /** Number of the line on its chip. */
  readonly line: number
  /** The level after the change. */
  readonly level: Level
  /** When the kernel saw it, seconds of its monotonic clock; where the interface has no stamps, when the program did. */
  readonly monotonic: number
  /** System clock then, seconds since 1970 UTC. */
  readonly systemTime: number
  /** Edges dropped since the one before, because the receiver did not keep up. */
  readonly dropped: number
}

export interface OutputLine {
  readonly line: number
  /** The level without current, which has to be the safe one. */
  readonly released: Level
}

/** The lines of one chip that a driver has to itself; a line is either an input or an output. */
export interface ChipLines {
  readonly inputs: readonly number[]
  readonly outputs: readonly OutputLine[]
}

/** What the hardware has between an input and its supply when nobody drives it. */
export const pulls = ['as-is', 'up', 'down', 'off'] as const
export type Pull = (typeof pulls)[number]

/** Lines of one chip. The edges of a line come in order, with their times, and are not debounced. */
export interface DigitalIo extends Driver<InputLevel | SwitchEdge> {
  /**
   * Drives an output until it is set again: at a level, or blinking. Outputs are released when the readings begin and end, and whenever the device comes back:
   * who wants another level then sets it after `ready`. Without effect while the device is not ready.
   *
   * @throws RangeError when the line is no output
   */
  set(line: number, drive: Drive): void
}

/** @throws RangeError */
export function mustBeOutput({ outputs }: ChipLines, line: number): void {
  if (!outputs.some(output => output.line === line)) throw new RangeError(`line ${line} is no output`)
}
