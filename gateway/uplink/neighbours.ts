import { contentType, openEvent } from '../messages/seal.js'
import { messageTypes } from '../messages/table.js'
import { parseTopic, topicFilter, topicFor } from '../messages/topics.js'
import type { IncomingMessage } from './connection.js'
import type { DeliverySession } from './delivery-contract.js'
import type { KeyPins, PinOutcome } from './key-pins.js'
import { cellOf, cellsAround, type NeighbourFault, NeighbourGuard } from './neighbour-guard.js'

/** Sensing's exchange as far as it is read here; `ExchangeReader` of the journal is one. */
export interface ArrivalPosts<Cursor> {
  after(
    cursor: Cursor | undefined,
    kinds: readonly string[],
    limit: number,
  ): {
    readonly cursor: Cursor | undefined
    readonly posts: readonly { readonly kind: string; readonly postedAt: number; readonly body: Uint8Array }[]
  }
}

export interface NeighboursOptions<Cursor> {
  readonly site: string
  readonly gateway: string
  readonly position: { readonly latitude: number; readonly longitude: number }
  readonly session: DeliverySession
  readonly keys: KeyPins
  /** What sensing posted: kinds `arrival` and `claim`, bodies as they are to be published. */
  readonly outgoing: ArrivalPosts<Cursor>
  /** Where sensing reads what neighbours sent, under the same kinds: uplink's own exchange. */
  readonly post: (kind: 'arrival' | 'claim', body: Uint8Array) => void
  /** Wall clock, seconds since 1970 UTC. */
  readonly clock: () => number
  readonly guard?: { readonly rate?: number; readonly burst?: number; readonly sizeLimit?: number }
  readonly onNotice?: (notice: NeighbourNotice) => void
}

/** `key-changed` and the like: a neighbour's capabilities were not believed. Whoever is told may be flooded: limit the log. */
export type NeighbourNotice =
  | { readonly kind: 'message-refused'; readonly gateway: string; readonly why: NeighbourFault }
  | { readonly kind: 'capabilities-refused'; readonly gateway: string; readonly why: PinOutcome }
  | { readonly kind: 'neighbour-known'; readonly gateway: string }
  | { readonly kind: 'exchange-failed'; readonly error: unknown }

export interface NeighbourCounters {
  readonly published: number
  readonly passedOn: number
  /** Refusals by gateway and reason. */
  readonly refused: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** Own posts older than this, seconds, would only be refused elsewhere. */
const publishWithin = 30
const heldLimit = 8
const askedLimit = 200

/** Exchanges arrivals and claims with the gateways around, over MQTT on one side and the exchanges on the other. */
export class Neighbours<Cursor> {
  readonly #options: NeighboursOptions<Cursor>
  readonly #guard: NeighbourGuard
  readonly #cell: string
  readonly #refused = new Map<string, Map<string, number>>()
  /** Messages of gateways whose keys were asked for. */
  readonly #held = new Map<string, IncomingMessage[]>()
  readonly #asked = new Set<string>()
  #cursor: Cursor | undefined
  #published = 0
  #passedOn = 0

  /** Subscribes at once; to be made before the session starts. */
  constructor(options: NeighboursOptions<Cursor>) {
    this.#options = options
    this.#cell = cellOf(options.position)
    const { site, gateway, keys, session } = options
    this.#guard = new NeighbourGuard({ site, gateway, keys, ...options.guard })
    for (const cell of cellsAround(this.#cell)) {
      session.subscribe(topicFilter('arrival', { site, cell }), 1, message => this.#arrived(message))
    }
  }

  counters(): NeighbourCounters {
    const refused = [...this.#refused].map(([gateway, counts]) => [gateway, Object.fromEntries(counts)] as const)
    return { published: this.#published, passedOn: this.#passedOn, refused: Object.fromEntries(refused) }
  }

  /** Publishes what sensing has posted since the last call: to be called when its bell rings and now and then. */
  wake(): void {
    const { site, gateway, session, outgoing, clock } = this.#options
    if (!session.online) return
    const topic = topicFor('arrival', { site, gateway, cell: this.#cell })
    for (;;) {
      let batch: ReturnType<typeof outgoing.after>
      try {
        batch = outgoing.after(this.#cursor, ['arrival', 'claim'], 100)
      } catch (error) {
        this.#options.onNotice?.({ kind: 'exchange-failed', error })
        return
      }
      this.#cursor = batch.cursor
      for (const { kind, postedAt, body } of batch.posts) {
        if (clock() - postedAt > publishWithin) continue
        const claim = kind === 'claim'
        const expiry = messageTypes[claim ? 'claim' : 'arrival'].expiresAfter ?? undefined
        this.#published += 1
        session.publish({ topic, payload: body, qos: claim ? 1 : 0, expiry, contentType }).catch(() => undefined)
      }
      if (batch.posts.length < 100) return
    }
  }

  #arrived(message: IncomingMessage): void {
    const gateway = parseTopic(message.topic)?.gateway
    if (gateway === undefined || gateway === this.#options.gateway) return
    // Arrivals are never retained by us: what is, was put there to be heard again and again.
    if (message.retained) {
      this.#refuse(gateway, 'replayed')
      return
    }
    if (!this.#options.keys.knows(this.#options.site, gateway)) {
      this.#ask(gateway, message)
      return
    }
    this.#pass(message)
  }

  #pass(message: IncomingMessage): void {
    const { topic, payload } = message
    const { fault, kind, gateway } = this.#guard.check(topic, payload, this.#options.clock(), performance.now() / 1000)
    if (kind === null) {
      this.#refuse(gateway, fault ?? 'malformed')
      return
    }
    try {
      this.#options.post(kind, payload)
      this.#passedOn += 1
    } catch (error) {
      this.#options.onNotice?.({ kind: 'exchange-failed', error })
    }
  }

  // Only gateways that speak here are asked for, so that a site of a thousand does not send its capabilities to each of them.
  #ask(gateway: string, message: IncomingMessage): void {
    const held = this.#held.get(gateway) ?? []
    if (!this.#asked.has(gateway)) {
      if (this.#asked.size >= askedLimit) {
        this.#refuse(gateway, 'unknown-key')
        return
      }
      this.#asked.add(gateway)
      this.#held.set(gateway, held)
      const filter = topicFor('capabilities', { site: this.#options.site, gateway })
      this.#options.session.subscribe(filter, 1, capabilities => this.#learn(gateway, capabilities))
    }
    if (held.length < heldLimit && message.payload.length <= (this.#options.guard?.sizeLimit ?? 65_536))
      held.push(message)
    else this.#refuse(gateway, 'unknown-key')
  }

  #learn(gateway: string, message: IncomingMessage): void {
    const outcome = this.#outcomeOf(gateway, message)
    if (outcome === 'known') return
    if (outcome !== 'pinned') {
      this.#options.onNotice?.({ kind: 'capabilities-refused', gateway, why: outcome })
      return
    }
    this.#options.onNotice?.({ kind: 'neighbour-known', gateway })
    const held = this.#held.get(gateway) ?? []
    this.#held.delete(gateway)
    for (const each of held) this.#pass(each)
  }

  #outcomeOf(gateway: string, message: IncomingMessage): PinOutcome {
    try {
      const event = openEvent(message.payload)
      if (event.name !== 'capabilities' || event.stream.gateway !== gateway) return 'malformed'
      return this.#options.keys.learn(event)
    } catch {
      return 'malformed'
    }
  }

  #refuse(gateway: string, why: NeighbourFault): void {
    const counts = this.#refused.get(gateway) ?? new Map<string, number>()
    if (this.#refused.size < 500) this.#refused.set(gateway, counts)
    counts.set(why, (counts.get(why) ?? 0) + 1)
    this.#options.onNotice?.({ kind: 'message-refused', gateway, why })
  }
}
