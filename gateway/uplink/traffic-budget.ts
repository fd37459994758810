import * as z from 'zod'
import type { MessageName } from '../messages/table.js'
import { parseTopic } from '../messages/topics.js'
import { NotDelivered, type PublishRequest } from './connection.js'
import type { DeliverySession } from './delivery-contract.js'
import type { MessageHandler, SessionChange } from './session.js'

export interface TrafficLimits {
  /** Bytes from one midnight (UTC) to the next, and in a calendar month (UTC); null for no limit. */
  readonly bytesPerDay: number | null
  readonly bytesPerMonth: number | null
}

/** What was sent, kept over restarts. */
export const trafficSchema = z.strictObject({
  day: z.string(),
  dayBytes: z.number(),
  month: z.string(),
  monthBytes: z.number(),
  withheld: z.record(z.string(), z.number()),
})

export type Traffic = z.output<typeof trafficSchema>

/**
 * How much of a budget may be spent when a message of a kind is still sent; those not named, and null, are sent whatever it
 * costs: gunfire, what a neighbour needs to locate it, and the few bytes that say that a gateway lives and obeys.
 */
const shares: Readonly<Partial<Record<MessageName, number>>> = {
  'plate-hit': 1,
  tamper: 0.95,
  fault: 0.95,
  shed: 0.9,
  report: 0.85,
  health: 0.75,
  evidence: 0.7,
}

/** Headers of TCP, IP and TLS that come with a message, bytes; what the link's operator counts may differ by that much. */
const overhead = 90

/** Counts what is sent against limits by day and month. */
export class TrafficBudget {
  readonly #limits: TrafficLimits
  readonly #clock: () => number
  #traffic: Traffic

  /** `clock` gives seconds since 1970 UTC. */
  constructor(limits: TrafficLimits, clock: () => number, from?: Traffic) {
    this.#limits = limits
    this.#clock = clock
    this.#traffic = from ?? { day: '', dayBytes: 0, month: '', monthBytes: 0, withheld: {} }
    this.#turn()
  }

  /** Whether a message may go; it is counted either way, as sent or as withheld. */
  spend({ topic, payload }: Pick<PublishRequest, 'topic' | 'payload'>): boolean {
    this.#turn()
    const bytes = payload.length + topic.length + overhead
    const name = parseTopic(topic)?.messages[0]
    const share = name === undefined ? undefined : shares[name]
    if (share !== undefined && this.#spentWith(bytes) > share) {
      const kind = name ?? 'other'
      this.#traffic.withheld[kind] = (this.#traffic.withheld[kind] ?? 0) + 1
      return false
    }
    this.#traffic.dayBytes += bytes
    this.#traffic.monthBytes += bytes
    return true
  }

  /** The greater part of the two limits that is spent; above 1 where gunfire went over it, 0 where there is no limit. */
  get spent(): number {
    this.#turn()
    return this.#spentWith(0)
  }

  /** Messages held back this day, by kind. */
  get withheld(): Readonly<Record<string, number>> {
    this.#turn()
    return this.#traffic.withheld
  }

  toJSON(): Traffic {
    return this.#traffic
  }

  #spentWith(more: number): number {
    const { dayBytes, monthBytes } = this.#traffic
    const day = (dayBytes + more) / (this.#limits.bytesPerDay ?? Number.POSITIVE_INFINITY)
    const month = (monthBytes + more) / (this.#limits.bytesPerMonth ?? Number.POSITIVE_INFINITY)
    return Math.max(day, month)
  }

  // Compared as text, so that a clock that is set back begins a day anew once and no more.
  #turn(): void {
    const date = new Date(this.#clock() * 1000).toISOString()
    const day = date.slice(0, 10)
    const month = date.slice(0, 7)
    if (this.#traffic.month !== month) this.#traffic = { ...this.#traffic, month, monthBytes: 0 }
    if (this.#traffic.day !== day) this.#traffic = { ...this.#traffic, day, dayBytes: 0, withheld: {} }
  }
}

/** A session that keeps to a budget: what may not go rejects with NotDelivered, reason `over-budget`, and is tried again later. */
export class MeteredSession implements DeliverySession {
  readonly #session: DeliverySession
  readonly #budget: TrafficBudget

  constructor(session: DeliverySession, budget: TrafficBudget) {
    this.#session = session
    this.#budget = budget
  }

  get online(): boolean {
    return this.#session.online
  }

  get receiveMaximum(): number {
    return this.#session.receiveMaximum
  }

  publish(request: PublishRequest): Promise<number> {
    if (this.#session.online && !this.#budget.spend(request)) return Promise.reject(new NotDelivered('over-budget'))
    return this.#session.publish(request)
  }

  subscribe(filter: string, qos: 0 | 1, handler: MessageHandler): void {
    this.#session.subscribe(filter, qos, handler)
  }

  unsubscribe(filter: string): void {
    this.#session.unsubscribe(filter)
  }

  observe(observer: (change: SessionChange) => void): () => void {
    return this.#session.observe(observer)
  }
}
