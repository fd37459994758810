/**
 * The numbers of a stream that the broker refuses for what they are, such as too large. One of them is tried again after each
 * pause, each in its turn; when the broker takes it, the next is tried at once. Times are seconds of a clock that never steps.
 */
export class RefusedAlerts {
  readonly #pause: number
  readonly #numbers = new Set<number>()
  #due = 0
  #tried: number | null = null

  constructor(pause: number) {
    this.#pause = pause
  }

  get size(): number {
    return this.#numbers.size
  }

  /** The lowest; infinite without any. */
  get first(): number {
    let first = Number.POSITIVE_INFINITY
    for (const sequence of this.#numbers) first = Math.min(first, sequence)
    return first
  }

  has(sequence: number): boolean {
    return this.#numbers.has(sequence)
  }

  add(sequence: number, now: number): void {
    this.#numbers.add(sequence)
    this.#due = now + this.#pause
  }

  /** Takes out the one to try now; null while it is not time. */
  take(now: number): number | null {
    const [sequence] = this.#numbers
    if (sequence === undefined || now < this.#due) return null
    this.#numbers.delete(sequence)
    this.#due = now + this.#pause
    this.#tried = sequence
    return sequence
  }

  /** The broker took `sequence`. */
  taken(sequence: number): void {
    if (sequence === this.#tried) this.#due = Number.NEGATIVE_INFINITY
  }

  /** Forgets all up to `sequence`, or all. */
  forget(sequence = Number.POSITIVE_INFINITY): void {
    for (const each of this.#numbers) if (each <= sequence) this.#numbers.delete(each)
  }
}
