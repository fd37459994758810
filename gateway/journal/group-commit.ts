import { performance } from 'node:perf_hooks'

const batchLimit = 128
const waitingLimit = 10_000
/** Longest pause that a slow commit leaves to the event loop before the next, milliseconds. */
const longestPause = 20

/**
 * Gathers what is to be committed. The first item goes at the end of the current turn; those that come within a pause as
 * long as the last commit took share the next one, so that a slow disk never has the event loop for more than half the time.
 */
export class GroupCommit<Item> {
  static readonly waitingLimit = waitingLimit
  readonly #commit: (batch: readonly Item[]) => void
  readonly #waiting: Item[] = []
  #scheduled = false
  #next = 0

  /** `commit` is given at most 128 items, in the order they came. */
  constructor(commit: (batch: readonly Item[]) => void) {
    this.#commit = commit
  }

  /** Whether the item was taken; not when 10,000 wait. */
  push(item: Item): boolean {
    if (this.#waiting.length >= waitingLimit) return false
    this.#waiting.push(item)
    this.#schedule()
    return true
  }

  /** Commits all that waits, now. */
  drain(): void {
    while (this.#waiting.length > 0) this.#flush()
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return
    this.#scheduled = true
    const pause = this.#next - performance.now()
    const flush = () => {
      this.#scheduled = false
      this.#flush()
    }
    if (pause <= 0) queueMicrotask(flush)
    else if (pause < 1) setImmediate(flush)
    else setTimeout(flush, pause)
  }

  #flush(): void {
    if (this.#waiting.length === 0) return
    const started = performance.now()
    try {
      this.#commit(this.#waiting.splice(0, batchLimit))
    } finally {
      const ended = performance.now()
      this.#next = ended + Math.min(ended - started, longestPause)
      this.#schedule()
    }
  }
}
