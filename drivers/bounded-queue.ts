import type { DeviceState, StateReport } from './driver.js'

/**
 * Carries readings and state reports, in order, from callbacks to one `for await` loop.
 *
 * Holds at most `capacity` readings: the oldest is dropped and counted, because a fresh reading is worth more than one that
 * has waited. A state that follows an unread state replaces it, so a flapping device cannot fill the queue; a state equal
 * to the one last delivered is not delivered again.
 */
export class BoundedQueue<Reading extends { readonly kind: string }> {
  readonly #capacity: number
  #items: (Reading | StateReport)[] = []
  #readings = 0
  #dropped = 0
  #wake: (() => void) | null = null
  #delivered: StateReport | null = null

  /** @param capacity readings, at least 1 */
  constructor(capacity: number) {
    this.#capacity = Math.max(1, capacity)
  }

  push(reading: Reading): void {
    if (this.#readings >= this.#capacity) {
      const oldest = this.#items.findIndex(item => item.kind !== 'state')
      const between = this.#items[oldest - 1]?.kind === 'state' && this.#items[oldest + 1]?.kind === 'state'
      this.#items.splice(between ? oldest - 1 : oldest, between ? 2 : 1)
      this.#dropped += 1
    } else {
      this.#readings += 1
    }
    this.#items.push(reading)
    this.#wake?.()
  }

  report(state: DeviceState, fault: string | null, detail: string): void {
    const report: StateReport = { kind: 'state', state, fault, detail }
    if (this.#items.at(-1)?.kind === 'state') this.#items.pop()
    this.#items.push(report)
    this.#wake?.()
  }

  /** Readings dropped since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
  }

  /** Yields what was pushed until the signal aborts; what is unread then is forgotten. For one loop at a time. */
  async *take(signal: AbortSignal): AsyncGenerator<Reading | StateReport, void, void> {
    const wake = () => this.#wake?.()
    signal.addEventListener('abort', wake)
    try {
      while (!signal.aborted) {
        const item = this.#items.shift()
        if (item === undefined) {
          await new Promise<void>(resolve => {
            this.#wake = resolve
          })
          this.#wake = null
          continue
        }
        if (isState(item)) {
          if (item.state === this.#delivered?.state && item.fault === this.#delivered.fault) continue
          this.#delivered = item
        } else {
          this.#readings -= 1
        }
        yield item
      }
    } finally {
      signal.removeEventListener('abort', wake)
    }
  }

  /**
   * As `take`, of what `feed` pushes meanwhile: its signal aborts when the loop is over, and it has ended before this returns.
   * Throws what `feed` throws.
   */
  async *takeFrom(
    feed: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): AsyncGenerator<Reading | StateReport, void, void> {
    const stop = new AbortController()
    const onAbort = () => stop.abort()
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) stop.abort()
    const failures: unknown[] = []
    const feeding = feed(stop.signal).catch((error: unknown) => {
      failures.push(error)
      stop.abort()
    })
    try {
      yield* this.take(stop.signal)
    } finally {
      signal.removeEventListener('abort', onAbort)
      stop.abort()
      await feeding
    }
    if (failures.length > 0) throw failures[0]
  }
}

function isState(item: { readonly kind: string }): item is StateReport {
  return item.kind === 'state'
}
