/**
 * Lets few refusals a minute be recorded and answered, so that whoever sends rubbish fills no journal and no network; the others
 * are counted and told with the next that is let through.
 */
export class RefusalLimit {
  readonly #burst: number
  readonly #interval: number
  #tokens: number
  #filled: number
  #suppressed = 0

  /** `burst` at once, then one every `interval` seconds. `now` is of a clock that never steps, seconds. */
  constructor(now: number, burst = 20, interval = 6) {
    this.#burst = burst
    this.#interval = interval
    this.#tokens = burst
    this.#filled = now
  }

  /** Refusals suppressed since the last one let through. */
  get suppressed(): number {
    return this.#suppressed
  }

  /** How many were suppressed before this one, where it may be told; null where it is suppressed itself. */
  pass(now: number): number | null {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#filled) / this.#interval)
    this.#filled = now
    if (this.#tokens < 1) {
      this.#suppressed += 1
      return null
    }
    this.#tokens -= 1
    const before = this.#suppressed
    this.#suppressed = 0
    return before
  }
}
