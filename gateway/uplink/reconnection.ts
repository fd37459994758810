import type { ProtocolVersion } from './connection-options.js'

/**
 * Seconds. A fleet of 1,000 that loses its broker for less than half a minute draws waits of at most 7.5 s, and never more than 500 of
 * it come in one second, whenever the broker returns; with 3 s and half the outage it was up to 670 and 15 s.
 */
const firstDelay = 5
const outageShare = 1 / 4
const longestDelay = 60
/** Most seconds until the next attempt after so many seconds without a broker. */
export function longestWait(outage: number): number {
  return Math.min(longestDelay, Math.max(firstDelay, outage * outageShare))
}

/** A connection that lived this long, seconds, ends a time of trouble. */
const settledAfter = 30
/** How long a broker that refused MQTT 5 is asked for 3.1.1 only, seconds. */
const rememberOldProtocol = 24 * 3600

/** A connection that ended, or never came up. `onlineSince` is null for one that never did. */
export interface Loss {
  readonly reason: string
  readonly protocol: ProtocolVersion
  readonly onlineSince: number | null
}

/** Which broker is asked next, for which protocol, and when. Times are seconds of a clock that never steps. */
export class Reconnection {
  readonly #brokers: readonly string[]
  readonly #protocol: 'auto' | '5' | '3.1.1'
  readonly #old = new Map<string, number>()
  readonly #unanswered = new Map<string, number>()
  #broker = 0
  #troubleSince: number | null = null

  /** @throws Error without a broker */
  constructor(brokers: readonly string[], protocol: 'auto' | '5' | '3.1.1') {
    if (brokers.length === 0) throw new Error('a session needs at least one broker URL')
    this.#brokers = brokers
    this.#protocol = protocol
  }

  /** The broker to ask. */
  get url(): string {
    return this.#brokers[this.#broker] ?? ''
  }

  begin(): void {
    this.#broker = 0
    this.#troubleSince = null
  }

  // Some old brokers hang up instead of answering MQTT 5: every third silent failure asks for 3.1.1.
  protocol(now: number): ProtocolVersion {
    if (this.#protocol === '5') return 5
    if (this.#protocol === '3.1.1') return 4
    const since = this.#old.get(this.url)
    if (since !== undefined && now - since < rememberOldProtocol) return 4
    this.#old.delete(this.url)
    return (this.#unanswered.get(this.url) ?? 0) % 3 === 2 ? 4 : 5
  }

  /** The broker took the connection. */
  answered(protocol: ProtocolVersion, now: number): void {
    this.#unanswered.delete(this.url)
    if (protocol === 4) this.#old.set(this.url, this.#old.get(this.url) ?? now)
  }

  /** Chooses the next broker. Returns most seconds to wait for it, and whether the time of trouble before had ended. */
  lost({ reason, protocol, onlineSince }: Loss, now: number): { longest: number; settled: boolean } {
    const settled = onlineSince !== null && now - onlineSince > settledAfter
    const tooNew = reason === 'protocol-version' && protocol === 5 && this.#protocol !== '5'
    if (tooNew) this.#old.set(this.url, now)
    if (reason === 'closed-before-answer' || reason === 'malformed-packet' || reason === 'protocol-error') {
      this.#unanswered.set(this.url, (this.#unanswered.get(this.url) ?? 0) + 1)
    }
    if (settled) this.#broker = 0
    else if (!tooNew) this.#broker = (this.#broker + 1) % this.#brokers.length
    const since = settled ? now : (this.#troubleSince ?? now)
    this.#troubleSince = since
    return { longest: tooNew ? 0 : longestWait(now - since), settled }
  }
}
