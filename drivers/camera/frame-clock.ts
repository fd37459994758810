import type { DriverClock } from '../driver.js'

/** How long after the picture was taken it arrives: a property of the kind of camera, since no camera tells. Seconds. */
export interface Delay {
  readonly mean: number
  /** One standard deviation. */
  readonly error: number
}

/** Arrivals that are off by more than this have another zero, seconds: the stream began anew. */
const jump = 2
/** The camera's clock may run faster than this machine's by this, seconds a second. */
const drift = 0.001

/**
 * Places frames in time by the stream's own time stamps: these are even, while arrivals are late by what network and decoder
 * happen to take. The least late arrival so far ties both together.
 */
export class FrameClock {
  readonly #clock: DriverClock
  readonly #delay: Delay
  #offset = Number.NaN
  #last = 0

  constructor(clock: DriverClock, delay: Delay) {
    this.#clock = clock
    this.#delay = delay
  }

  /**
   * To be called when a frame has arrived.
   *
   * @param stamp the stream's time of the frame from any zero, seconds; null where it has none
   */
  place(stamp: number | null): { systemTime: number; systemTimeError: number } {
    const arrived = this.#clock.monotonic()
    const system = this.#clock.system()
    const { mean, error } = this.#delay
    if (stamp === null) return { systemTime: system - mean, systemTimeError: error }
    const offset = arrived - stamp
    const grown = this.#offset + drift * Math.max(0, arrived - this.#last)
    // Written this way round so that the first frame, without an offset to compare with, sets it.
    this.#offset = Math.abs(offset - this.#offset) < jump ? Math.min(offset, grown) : offset
    this.#last = arrived
    return { systemTime: system - (arrived - (stamp + this.#offset)) - mean, systemTimeError: error }
  }
}
