/** How long to wait between attempts to open a device, seconds. */
export interface BackOffOptions {
  /** The first wait; 0.5 unless given. */
  readonly first?: number
  /** No wait is longer; 30 unless given. */
  readonly longest?: number
  /** 0 to 1, evenly spread; passed in by tests. */
  readonly random?: () => number
}

const settledSeconds = 5

/**
 * Waits that double after each failure and are spread over their upper half, so that the devices of one hub do not all
 * come back in the same instant.
 */
export class BackOff {
  readonly #first: number
  readonly #longest: number
  readonly #random: () => number
  #failures = 0

  constructor(options: BackOffOptions = {}) {
    this.#first = options.first ?? 0.5
    this.#longest = options.longest ?? 30
    this.#random = options.random ?? Math.random
  }

  /** Seconds to wait before the next attempt. */
  next(): number {
    const wait = Math.min(this.#longest, this.#first * 2 ** Math.min(this.#failures, 30))
    this.#failures += 1
    return wait * (0.5 + 0.5 * this.#random())
  }

  /**
   * To be called when the device has worked and does not any longer: the waits start anew where it did so for five seconds. One that
   * works for a moment only, again and again, is a failing one.
   *
   * @param seconds how long it worked
   */
  worked(seconds: number): void {
    if (seconds >= settledSeconds) this.#failures = 0
  }
}
