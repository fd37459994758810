import { contentType, openEvent } from '../messages/seal.js'
import { messageTypes } from '../messages/table.js'
import { parseTopic, topicFilter, topicFor } from '../messages/topics.js'
import { Acquaintances, type GroundPlace } from './acquaintances.js'
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
  /** Messages of gateways that are too far off to be listened to, or have yet to say who they are. */
  readonly ignored: number
  /** Refusals by gateway and reason. */
  readonly refused: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** Own posts older than this, seconds, would only be refused elsewhere. */
const publishWithin = 30
const malformed = { outcome: 'malformed', place: null } as const

/** Exchanges arrivals and claims with the gateways around, over MQTT on one side and the exchanges on the other. */
export class Neighbours<Cursor> {
  readonly #options: NeighboursOptions<Cursor>
  readonly #guard: NeighbourGuard
  readonly #cell: string
  readonly #refused = new Map<string, Map<string, number>>()
  readonly #acquaintances: Acquaintances<IncomingMessage>
  #cursor: Cursor | undefined
  #published = 0
  #passedOn = 0
  #ignored = 0

  /** Subscribes at once; to be made before the session starts. */
  constructor(options: NeighboursOptions<Cursor>) {
    this.#options = options
    this.#cell = cellOf(options.position)
    const { site, gateway, keys, session } = options
    this.#guard = new NeighbourGuard({ site, gateway, keys, ...options.guard })
    this.#acquaintances = new Acquaintances({
      place: options.position,
      ask: other => {
        session.subscribe(topicFor('capabilities', { site, gateway: other }), 1, message => this.#learn(other, message))
      },
      leave: other => session.unsubscribe(topicFor('capabilities', { site, gateway: other })),
      onSilent: (other, held) => {
        for (let count = 0; count < held.length; count += 1) this.#refuse(other, 'unknown-key')
      },
    })
    for (const cell of cellsAround(this.#cell)) {
      session.subscribe(topicFilter('arrival', { site, cell }), 1, message => this.#arrived(message))
    }
  }

  counters(): NeighbourCounters {
    const refused = [...this.#refused].map(([gateway, counts]) => [gateway, Object.fromEntries(counts)] as const)
    const [published, passedOn, ignored] = [this.#published, this.#passedOn, this.#ignored]
    return { published, passedOn, ignored, refused: Object.fromEntries(refused) }
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
    // Only gateways that speak here are asked for, so that a site of a thousand does not send its capabilities to each of them.
    const standing = this.#acquaintances.heard(gateway, monotonic())
    if (standing !== 'left' && this.#options.keys.knows(this.#options.site, gateway)) this.#pass(message)
    else if (message.payload.length > (this.#options.guard?.sizeLimit ?? 65_536)) this.#refuse(gateway, 'too-large')
    else if (standing !== 'asked' || !this.#acquaintances.hold(gateway, message)) this.#ignored += 1
  }

  /** Gives up on gateways that have not said who they are in time: to be called every few seconds. */
  look(): void {
    this.#acquaintances.look(monotonic())
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

  #learn(gateway: string, message: IncomingMessage): void {
    const { outcome, place } = this.#outcomeOf(gateway, message)
    const believed = outcome === 'known' || outcome === 'pinned'
    if (!believed) {
      this.#options.onNotice?.({ kind: 'capabilities-refused', gateway, why: outcome })
      // Whoever speaks in the name of a gateway that is known must not silence it: its messages are checked by its own keys.
      if (!this.#options.keys.knows(this.#options.site, gateway)) return
    }
    if (outcome === 'pinned') this.#options.onNotice?.({ kind: 'neighbour-known', gateway })
    for (const each of this.#acquaintances.answered(gateway, believed ? place : null, monotonic())) this.#pass(each)
  }

  #outcomeOf(gateway: string, message: IncomingMessage): { outcome: PinOutcome; place: GroundPlace | null } {
    try {
      const event = openEvent(message.payload)
      if (event.name !== 'capabilities' || event.stream.gateway !== gateway) return malformed
      return { outcome: this.#options.keys.learn(event), place: event.data.position }
    } catch {
      return malformed
    }
  }

  #refuse(gateway: string, why: NeighbourFault): void {
    const counts = this.#refused.get(gateway) ?? new Map<string, number>()
    if (this.#refused.size < 500) this.#refused.set(gateway, counts)
    counts.set(why, (counts.get(why) ?? 0) + 1)
    this.#options.onNotice?.({ kind: 'message-refused', gateway, why })
  }
}

function monotonic(): number {
  return performance.now() / 1000
}
