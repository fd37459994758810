import { type Range, RangeSet } from './ranges.js'

/** A stream's place as it is kept over restarts: only what the application has settled. */
export interface StreamState {
  readonly source: string
  readonly epoch: string
  /** The number before the first that counts; null while a hub that began in mid-stream does not know it. */
  readonly base: number | null
  readonly settled: readonly Range[]
  readonly shed: readonly Range[]
}

/** What became of an event that was offered. */
export interface Offered<Item> {
  readonly duplicate: boolean
  /** In order, the event offered and those that waited for it, or none yet. */
  readonly released: readonly { readonly item: Item; readonly late: boolean }[]
  /** Named gaps that are now filled. */
  readonly closed: readonly Range[]
}

const nothing: readonly never[] = []

/**
 * One stream of one epoch at the hub: puts events in order, drops what comes twice, names what is missing and knows how far
 * everything has arrived. What is out of order waits; what waits too long goes out behind a named gap, and what comes
 * after its gap was named goes out at once, as late. No event that was not seen before is ever dropped.
 */
export class IncomingStream<Item> {
  readonly source: string
  readonly epoch: string
  readonly #holdLimit: number
  readonly #seen: RangeSet
  /** Settled or shed: never to be sent again. */
  readonly #done: RangeSet
  readonly #settled: RangeSet
  readonly #shed: RangeSet
  /** Shed, or recorded by another hub of the group: nobody waits for these. */
  readonly #accounted: RangeSet
  readonly #held = new Map<number, Item>()
  readonly #gaps: Range[] = []
  #base: number | null
  #decided: number
  #heldSince = 0

  constructor(state: StreamState, holdLimit = 1000) {
    this.source = state.source
    this.epoch = state.epoch
    this.#holdLimit = holdLimit
    this.#base = state.base
    this.#seen = new RangeSet(state.settled)
    this.#settled = new RangeSet(state.settled)
    this.#shed = new RangeSet(state.shed)
    this.#accounted = new RangeSet(state.shed)
    this.#done = new RangeSet([...state.settled, ...state.shed])
    this.#decided = this.#done.last ?? state.base ?? 0
    for (const range of this.#done.missing((state.base ?? this.#decided) + 1, this.#decided)) this.#gaps.push(range)
  }

  /** A stream of which the hub remembers nothing, met at `sequence`. Numbers begin at 1, so only that is surely the first. */
  static begin<Item>(source: string, epoch: string, sequence: number, holdLimit?: number): IncomingStream<Item> {
    const state = { source, epoch, base: sequence === 1 ? 0 : null, settled: [], shed: [] }
    const stream = new IncomingStream<Item>(state, holdLimit)
    stream.#decided = sequence - 1
    return stream
  }

  /** Up to where everything from the base on is settled or shed; null where nothing can be said yet. */
  get acknowledged(): number | null {
    if (this.#base === null) return null
    const end = this.#done.runEnd(this.#base + 1)
    return end !== null && end > 0 ? end : null
  }

  /** The first number that counts; null while a hub that began in mid-stream does not know it. */
  get first(): number | null {
    return this.#base === null ? null : this.#base + 1
  }

  /** The ranges between two numbers of which nothing has come and nothing is known. */
  unknown(first: number, last: number): readonly Range[] {
    return this.#seen.missing(first, last)
  }

  get waiting(): boolean {
    return this.#held.size > 0
  }

  /** `redelivered`: the broker sent it again by itself, so it says nothing of where the sender stands. */
  offer(sequence: number, item: Item, now: number, redelivered = false): Offered<Item> {
    // A sender that goes back starts at the first number that it knows no acknowledgement of.
    if (this.#base === null && sequence === 1) this.#base = 0
    else if (this.#base === null && !redelivered && sequence <= (this.#seen.last ?? 0)) this.#base = sequence - 1
    if (this.#seen.has(sequence)) return { duplicate: true, released: nothing, closed: nothing }
    this.#seen.add(sequence)
    if (sequence <= this.#decided) {
      return { duplicate: false, released: [{ item, late: true }], closed: this.#fill(sequence, sequence) }
    }
    if (this.#held.size === 0) this.#heldSince = now
    this.#held.set(sequence, item)
    return { duplicate: false, released: this.#drain(), closed: nothing }
  }

  /** Whether events have waited for an earlier one for longer than `hold` seconds, or are too many. */
  overdue(now: number, hold: number): boolean {
    return this.#held.size > 0 && (now - this.#heldSince >= hold || this.#held.size > this.#holdLimit)
  }

  /**
   * Gives up waiting for what is missing before the first held event and releases what comes after. What is missing from the
   * number `named` on is named.
   */
  skip(
    now: number,
    named = 0,
  ): {
    readonly missing: readonly Range[]
    readonly released: readonly { item: Item; late: boolean }[]
  } {
    let first = Number.POSITIVE_INFINITY
    for (const sequence of this.#held.keys()) first = Math.min(first, sequence)
    const missing = this.#accounted.missing(Math.max(named, this.#decided + 1), first - 1)
    for (const range of missing) this.#gaps.push(range)
    this.#decided = first - 1
    this.#heldSince = now
    return { missing, released: this.#drain() }
  }

  /** These numbers will never come. Returns what that released and which gaps it closed. */
  account(first: number, last: number): Omit<Offered<Item>, 'duplicate'> {
    this.#shed.add(first, last)
    this.#accounted.add(first, last)
    this.#done.add(first, last)
    return { closed: this.#fill(first, last), released: this.#drain() }
  }

  /** Another hub of the group tells that the group has everything up to `last`. What that released, and which gaps it closed. */
  recorded(last: number, now: number): Omit<Offered<Item>, 'duplicate'> {
    if (last <= (this.acknowledged ?? 0)) return { closed: nothing, released: nothing }
    this.#base = 0
    this.#settled.add(1, last)
    this.#done.add(1, last)
    this.#seen.add(1, last)
    this.#accounted.add(1, last)
    // The group goes on, so what still waits is not late yet.
    this.#heldSince = now
    return { closed: this.#fill(1, last), released: this.#drain() }
  }

  /** The application has it; it need not come again. */
  settle(sequence: number): void {
    this.#settled.add(sequence)
    this.#done.add(sequence)
  }

  state(): StreamState {
    return {
      source: this.source,
      epoch: this.epoch,
      base: this.#base,
      settled: this.#settled.toJSON(),
      shed: this.#shed.toJSON(),
    }
  }

  #drain(): { item: Item; late: boolean }[] {
    const released: { item: Item; late: boolean }[] = []
    for (;;) {
      const next = this.#decided + 1
      const item = this.#held.get(next)
      if (item !== undefined) {
        this.#held.delete(next)
        released.push({ item, late: false })
        this.#decided = next
        continue
      }
      const end = this.#accounted.runEnd(next)
      if (end === null) return released
      this.#decided = this.#beforeHeld(next, end)
    }
  }

  // What came although it was shed is in order too.
  #beforeHeld(first: number, end: number): number {
    let stop = end
    for (const sequence of this.#held.keys()) if (sequence >= first && sequence <= stop) stop = sequence - 1
    return stop
  }

  #fill(first: number, last: number): Range[] {
    const closed = this.#gaps.filter(gap => first <= gap[1] && gap[0] <= last && this.#filled(gap))
    for (const gap of closed) this.#gaps.splice(this.#gaps.indexOf(gap), 1)
    return closed
  }

  #filled([first, last]: Range): boolean {
    return this.#accounted.missing(first, last).every(([from, to]) => this.#seen.missing(from, to).length === 0)
  }
}
