/** How long alerts may stand in line on their way to the hub, seconds. */
const target = 0.03
/** The line is as long as the shortest wait within so many seconds: what comes in batches, or is held up once, is no line. */
const interval = 0.1
const growth = 16
const least = 8

/**
 * How many alerts of a stream may be on their way to the hub. A hub that verifies takes far fewer a second than a broker
 * passes on, and all that is under way stands in line before a new gunshot; so the window gives way to the delay of
 * acknowledgements, long before there are none. A standing line is told from a burst as CoDel does (Nichols and Jacobson, ACM
 * Queue 10(5), 2012; RFC 8289), and the window grows by addition and shrinks by multiplication (Chiu and Jain, Computer
 * Networks and ISDN Systems 17, 1989).
 */
export class HubWindow {
  readonly #most: number
  #size = 0
  #shortest = Number.POSITIVE_INFINITY
  #since = Number.NEGATIVE_INFINITY

  /** At most `most` alerts. */
  constructor(most: number) {
    this.#most = most
    this.reset()
  }

  get size(): number {
    return Math.floor(this.#size)
  }

  /**
   * An acknowledgement came at `now`, so many seconds after the last alert that it covers was sent. It covers `covered` alerts and
   * leaves `left`: where none are left nothing stands in line, however long a hub that acknowledges by a timer took.
   */
  answered(delay: number, covered: number, left: number, now: number): void {
    this.#shortest = Math.min(this.#shortest, left === 0 ? 0 : delay)
    if (left > 0 && now - this.#since < interval) return
    if (this.#shortest > target) this.#size *= Math.max(0.5, target / this.#shortest)
    // A window that was not used says nothing of a wider one (RFC 7661).
    else if (covered + left >= this.#size / 2) this.#size += Math.min(growth, this.#size / 4)
    this.#size = Math.min(this.#most, Math.max(least, this.#size))
    this.#shortest = Number.POSITIVE_INFINITY
    this.#since = now
  }

  /** Another connection, perhaps to another hub. */
  reset(): void {
    this.#size = Math.min(this.#most, 4 * growth)
    this.#shortest = Number.POSITIVE_INFINITY
    this.#since = Number.NEGATIVE_INFINITY
  }
}
