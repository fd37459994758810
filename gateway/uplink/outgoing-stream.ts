import { HubWindow } from './hub-window.js'
import { RefusedAlerts } from './refused-alerts.js'

/** One alert as it is stored: its number and the final bytes. `topic` is below `polewatch/v1/{site}/{gateway}/`. */
export interface StoredAlert {
  readonly sequence: number
  readonly topic: string
  readonly bytes: Uint8Array
}

export interface OutgoingStreamOptions {
  readonly source: string
  readonly epoch: string
  readonly rank: number
  /** The hub (or, by choice, the broker) has everything up to here. */
  readonly acknowledged: number
  /** Most alerts sent and not acknowledged; fewer while the hub takes long to acknowledge them. */
  readonly window: number
  /** Seconds of silence until the first is sent again; doubled each time up to the longest. */
  readonly firstRetry: number
  readonly longestRetry: number
  /** At most `limit` alerts after a number, in order; numbers may be missing where alerts were shed. */
  readonly read: (after: number, limit: number) => readonly StoredAlert[]
}

interface Sent {
  readonly sequence: number
  readonly at: number
}

const readAhead = 64

/**
 * Where the delivery of one stream stands. Times are seconds of a clock that never steps.
 *
 * Invariants: what is in `#sent` is above `acknowledged`, ascending, and below `#next`. Silence sends again the first
 * unacknowledged alert only, so that a hub that is away costs one message a retry; when an acknowledgement ends the silence
 * short of what was sent, everything after it is sent again. What the broker refuses is in `#refused` instead of `#sent`, and
 * those behind it go on without it; one of them is tried again at the longest retry, all of them after a reconnect.
 */
export class OutgoingStream {
  readonly source: string
  readonly epoch: string
  readonly rank: number
  readonly #options: OutgoingStreamOptions
  acknowledged: number
  last = 0
  #next: number
  #rows: readonly StoredAlert[] = []
  #row = 0
  #sent: Sent[] = []
  readonly #window: HubWindow
  /** Taken by the broker, where its word counts, while an earlier one is not: no longer in `#sent`, and never sent again. */
  readonly #confirmed = new Set<number>()
  readonly #refused: RefusedAlerts
  #retry: number
  #deadline: number | null = null
  /** Since when the first of `#sent` waits, without an acknowledgement of anything and without being sent again. */
  #waitingSince = Number.NEGATIVE_INFINITY
  #askAt: number | null = null
  #probing = false
  #deserted = false
  #probe: StoredAlert | null = null
  /** Rises whenever what was sent is taken back; an answer to an older send says nothing. */
  generation = 0

  constructor(options: OutgoingStreamOptions) {
    this.#options = options
    this.source = options.source
    this.epoch = options.epoch
    this.rank = options.rank
    this.acknowledged = options.acknowledged
    this.#next = options.acknowledged + 1
    this.#retry = options.firstRetry
    this.#window = new HubWindow(options.window)
    this.#refused = new RefusedAlerts(options.longestRetry)
  }

  /** Sent and not acknowledged, those that the broker refused included. */
  get outstanding(): number {
    return this.#sent.length + this.#refused.size
  }

  get waiting(): number {
    return Math.max(0, this.last - this.acknowledged)
  }

  /** True while nobody has answered for at least one retry. */
  get silent(): boolean {
    return this.#probing || this.#deserted
  }

  hasWork(): boolean {
    return this.#probe !== null || (this.#next <= this.last && this.#sent.length < this.#limit())
  }

  /** The alert to send now; null when there is none after all. */
  take(now: number): { alert: StoredAlert; again: boolean } | null {
    const probe = this.#probe
    if (probe !== null) {
      this.#probe = null
      this.#waitingSince = now
      return { alert: probe, again: true }
    }
    const alert = this.#read()
    if (alert === null) return null
    this.#next = alert.sequence + 1
    this.last = Math.max(this.last, alert.sequence)
    if (this.#sent.length === 0) this.#waitingSince = now
    this.#sent.push({ sequence: alert.sequence, at: now })
    this.#deadline ??= now + this.#retry
    return { alert, again: false }
  }

  /** More was stored. While nobody answers it is also a reason to ask again. */
  extend(last: number, now: number): void {
    if (last <= this.last) return
    this.last = last
    if (this.silent) this.#askAfter(1, now)
  }

  /**
   * A hub is there: sends the first unacknowledged alert again. At once where the broker knew of nobody, as what it passed on since
   * stands at the hub without what went before; otherwise once it has waited for a second, as its acknowledgement may be under way.
   */
  ask(now: number): void {
    this.#askAfter(this.#deserted ? 0.1 : 1, now)
  }

  /** Everything up to `sequence` has arrived. */
  acknowledge(sequence: number, now: number): void {
    if (sequence <= this.acknowledged) return
    this.acknowledged = sequence
    const before = this.#sent.length
    const last = this.#forget(sequence)
    const left = this.#sent.length
    if (last !== undefined && !this.silent) this.#window.answered(now - last.at, before - left, left, now)
    const wasProbing = this.#probing
    this.#deserted = false
    this.#settle(now)
    if (wasProbing && this.#sent.length > 0) this.#goBack(now)
  }

  /** The broker took `sequence` and answers for it alone. Returns how far everything is taken now. */
  confirm(sequence: number, now: number): number {
    const sent = this.#takeOut(sequence)
    if (sent !== null) {
      this.#confirmed.add(sequence)
      if (!this.silent) this.#window.answered(now - sent.at, 1, this.#sent.length, now)
    }
    this.#reach(now)
    return this.acknowledged
  }

  /** The broker refused `sequence` for what it is: those behind it need not wait for it. */
  refuse(sequence: number, now: number): void {
    if (this.#takeOut(sequence) === null) return
    this.#refused.add(sequence, now)
    // It says nothing of whether somebody listens; the next one may.
    if (this.#deserted) this.#deadline = null
  }

  /** The broker took `sequence` and somebody listens. */
  heard(sequence: number): void {
    this.#deserted = false
    this.#refused.taken(sequence)
  }

  /** The broker took an alert for nobody, or refused it: take back what was sent and ask again after the retry. */
  desert(now: number): void {
    this.#takeBack()
    this.#deserted = true
    this.#deadline = now + this.#nextRetry()
  }

  /** There is another connection: everything unacknowledged is sent again. */
  reconnected(now: number): void {
    this.#refused.forget()
    this.#goBack(now)
  }

  #goBack(now: number): void {
    this.#window.reset()
    this.#takeBack()
    this.#settle(now)
    this.#deserted = false
  }

  /**
   * A hub lacks what had been acknowledged: everything after `sequence` that is kept is sent again. Returns the ranges that
   * were acknowledged and are kept no longer. Throws what reading throws, and has changed nothing then.
   */
  rewind(sequence: number, now: number): [first: number, last: number][] {
    const gone: [number, number][] = []
    const end = this.acknowledged
    for (let at = sequence; at < end; ) {
      const rows = this.#options.read(at, readAhead)
      for (const kept of [
        ...rows.map(row => Math.min(row.sequence, end + 1)),
        ...(rows.length === 0 ? [end + 1] : []),
      ]) {
        if (kept > at + 1) gone.push([at + 1, kept - 1])
        at = Math.max(at, kept)
      }
    }
    this.acknowledged = sequence
    this.#goBack(now)
    return gone
  }

  /** To be called now and then: after silence the first unacknowledged alert is sent again. */
  tick(now: number): void {
    this.#reach(now)
    this.#askIfDue(now)
    this.#tryRefused(now)
    if (this.#deadline === null || now < this.#deadline) return
    this.#deadline = null
    if (this.#sent.length === 0 && (this.#deserted || this.#refused.size === 0)) return
    this.#probing = true
    this.#prepareProbe()
    this.#deadline = now + this.#nextRetry()
  }

  #tryRefused(now: number): void {
    if (this.#deserted || this.#probe !== null) return
    const sequence = this.#refused.take(now)
    // What was taken back comes by itself.
    if (sequence === null || sequence >= this.#next) return
    const alert = this.#options.read(sequence - 1, 1)[0]
    // What was shed never comes.
    if (alert?.sequence !== sequence) return
    const behind = this.#sent.findIndex(sent => sent.sequence > sequence)
    this.#sent.splice(behind === -1 ? this.#sent.length : behind, 0, { sequence, at: now })
    this.#deadline ??= now + this.#retry
    this.#probe = alert
  }

  /**
   * While numbers are missing at the front only a `shed` alert further back can explain them to the hub, so nothing may
   * hold that one up. A refused one at the front is missing to the hub, which may not go past it either.
   */
  #limit(): number {
    if (this.#deserted) return this.#deadline === null ? 1 : 0
    const first = this.#sent[0]
    const missing = first !== undefined && first.sequence > this.acknowledged + 1
    return missing ? Number.POSITIVE_INFINITY : this.#window.size
  }

  #nextRetry(): number {
    const retry = this.#retry
    this.#retry = Math.min(this.#options.longestRetry, retry * 2)
    return retry
  }

  /**
   * Seconds since the first that is unacknowledged was sent. What is sent after it does not count: a hub that has begun in mid-stream
   * acknowledges nothing until that one comes again.
   */
  #askAfter(seconds: number, now: number): void {
    const at = this.#waitingSince + seconds
    if (this.#sent.length > 0) {
      this.#askAt = at
      this.#askIfDue(now)
    } else if (this.#deserted && this.#deadline !== null) {
      this.#deadline = at <= now ? null : Math.min(this.#deadline, at)
    }
  }

  #askIfDue(now: number): void {
    if (this.#askAt === null || now < this.#askAt) return
    this.#askAt = null
    if (this.#sent.length > 0) this.#prepareProbe()
  }

  #settle(now: number): void {
    this.#waitingSince = now
    this.#askAt = null
    this.#retry = this.#options.firstRetry
    this.#probing = false
    this.#probe = null
    this.#deadline = this.outstanding > 0 ? now + this.#retry : null
  }

  #takeBack(): void {
    this.generation += 1
    this.#sent = []
    this.#probe = null
    this.#askAt = null
    this.#seek(this.acknowledged + 1)
  }

  // Everything that exists below the first that is sent and not confirmed, refused or still to be sent is delivered.
  #reach(now: number): void {
    if (this.#confirmed.size === 0) return
    const end = Math.min(this.#next, this.#sent[0]?.sequence ?? this.#next, this.#refused.first)
    if (end === this.acknowledged + 1) return
    let reached = this.acknowledged
    for (const sequence of this.#confirmed) if (sequence < end) reached = Math.max(reached, sequence)
    this.acknowledge(reached, now)
  }

  #takeOut(sequence: number): Sent | null {
    const place = this.#sent.findIndex(sent => sent.sequence === sequence)
    return this.#sent.splice(place, place === -1 ? 0 : 1)[0] ?? null
  }

  /** Returns the last of what was sent and is acknowledged now. */
  #forget(sequence: number): Sent | undefined {
    const beyond = this.#sent.findIndex(sent => sent.sequence > sequence)
    const covered = this.#sent.splice(0, beyond === -1 ? this.#sent.length : beyond)
    for (const each of this.#confirmed) if (each <= sequence) this.#confirmed.delete(each)
    this.#refused.forget(sequence)
    if (this.#next <= sequence) this.#seek(sequence + 1)
    return covered.at(-1)
  }

  #seek(next: number): void {
    this.#next = next
    this.#rows = []
    this.#row = 0
  }

  #prepareProbe(): void {
    const first = this.#sent[0]
    this.#probe = first === undefined ? null : (this.#options.read(first.sequence - 1, 1)[0] ?? null)
  }

  #read(): StoredAlert | null {
    for (;;) {
      if (this.#row >= this.#rows.length) {
        this.#rows = this.#options.read(this.#next - 1, readAhead)
        this.#row = 0
      }
      const alert = this.#rows[this.#row]
      if (alert === undefined) {
        // What was left up to `last` has been shed.
        this.#next = Math.max(this.#next, this.last + 1)
        return null
      }
      this.#row += 1
      if (!this.#refused.has(alert.sequence) && !this.#confirmed.has(alert.sequence)) return alert
      this.#next = alert.sequence + 1
    }
  }
}
