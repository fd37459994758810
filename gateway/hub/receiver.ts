import * as z from 'zod'
import type { Envelope } from '../messages/envelope.js'
import { openData, openEnvelope, verifyEvent } from '../messages/seal.js'
import { type MessageEvent, messageNameOf } from '../messages/table.js'
import { KeyPins } from '../uplink/key-pins.js'
import type { StreamState } from './incoming-stream.js'
import type { HubEvent, HubOutput, RefusalReason, RetiredEpochs, StreamAcknowledgement } from './outputs.js'
import { pinnedKey } from './pinned-keys.js'
import { type OrderCounters, StreamOrder } from './stream-order.js'

export interface HubState {
  readonly version: 1
  readonly streams: readonly StreamState[]
  /** Absent from states of earlier versions. */
  readonly retired?: readonly RetiredEpochs[] | undefined
  readonly keys: ReturnType<KeyPins['toJSON']>
}

export interface HubReceiverOptions {
  /** Gateways' keys known beforehand, which no state overrules; capabilities pin the rest at first sight. */
  readonly keys?: KeyPins
  /** Seconds that an event waits for an earlier one before the gap is named: default 2. */
  readonly hold?: number
  /** Most events of a stream that wait: default 1000. */
  readonly holdLimit?: number
  /** Bytes: default 1 MiB. */
  readonly sizeLimit?: number
  /** Where hubs share alerts, one that does not know how far a stream is recorded waits for another one to tell. */
  readonly share?: string
}

export interface HubCounters extends OrderCounters {
  readonly refused: Record<string, number>
}

interface Unverified {
  readonly topic: string
  readonly bytes: Uint8Array
  readonly since: number
}

/** Messages that wait for their gateway's capabilities, of all gateways together. */
const unverifiedLimit = 2000

/**
 * The pure part of a hub: verifies, orders, drops duplicates and names gaps. Does no I/O; `now` is seconds of a clock that
 * never steps. What it gives out is acknowledged only when it was settled.
 */
export class HubReceiver {
  readonly keys: KeyPins
  readonly counters: HubCounters = { events: 0, duplicates: 0, late: 0, gaps: 0, refused: {} }
  readonly #options: HubReceiverOptions
  readonly #hold: number
  readonly #order: StreamOrder
  readonly #sessions = new Map<string, string>()
  /** A broker may send what is new before what it retains: messages of gateways of which no key is known yet. */
  readonly #unverified = new Map<string, Unverified[]>()
  #unverifiedCount = 0

  constructor(options: HubReceiverOptions = {}, state?: HubState) {
    this.#options = options
    this.keys = options.keys ?? new KeyPins()
    // What was given counts, and not what the state remembers of those gateways.
    const remembered = (state?.keys ?? []).filter(({ site, gateway }) => !this.keys.knows(site, gateway))
    for (const key of remembered) this.keys.give(key)
    const { hold, share, holdLimit } = options
    this.#hold = hold ?? 2
    this.#order = new StreamOrder(
      { hold: this.#hold, holdLimit, shared: share !== undefined },
      this.counters,
      state?.streams ?? [],
      state?.retired ?? [],
    )
  }

  /** Takes one MQTT message. `redelivered` is its DUP flag. */
  feed(topic: string, bytes: Uint8Array, now: number, redelivered = false): HubOutput[] {
    const place = placeOf(topic)
    if (place === null) return this.#refuse(topic, 'other-topic')
    let envelope: Envelope
    let message: MessageEvent | null = null
    try {
      envelope = openEnvelope(bytes, this.#options.sizeLimit ?? 1 << 20)
      if (messageNameOf(envelope.type) !== null) message = openData(envelope)
    } catch {
      return this.#refuse(topic, 'malformed')
    }
    const { stream } = envelope
    if (stream.site !== place.site || stream.gateway !== place.gateway || stream.role === 'hub') {
      return this.#refuse(topic, 'topic-and-source-differ')
    }
    if (message?.name === 'capabilities') return this.#capabilities(topic, envelope, message, now)
    if (!this.keys.knows(stream.site, stream.gateway) && this.#unverifiedCount < unverifiedLimit) {
      return this.#wait(`${stream.site}/${stream.gateway}`, { topic, bytes, since: now })
    }
    const verification = verifyEvent(envelope, this.keys.find)
    if (verification !== 'valid') return this.#refuse(topic, verification)
    if (stream.priority === 'live') return this.#live(topic, envelope, message)
    const taken = this.#order.take(envelope, message, now, redelivered)
    return typeof taken === 'string' ? this.#refuse(topic, taken) : taken
  }

  /** Names the gaps, and refuses what nobody's key was found for, when they were waited for long enough. To be called some times a second. */
  tick(now: number): HubOutput[] {
    const outputs: HubOutput[] = []
    for (const [place, messages] of this.#unverified) {
      const [first] = messages
      if (first === undefined || now - first.since < this.#hold) continue
      for (const { topic } of this.#forget(place)) outputs.push(...this.#refuse(topic, 'unknown-key'))
    }
    return [...outputs, ...this.#order.tick(now)]
  }

  /** The application has the event for good: it counts as acknowledged and goes into the state. */
  settle(event: HubEvent): void {
    this.#order.settle(event)
  }

  /** What is to be acknowledged since the last call: what was settled, and what came again. */
  acknowledgements(): StreamAcknowledgement[] {
    return this.#order.acknowledgements()
  }

  /** The hub has joined its group, perhaps once more: what the others did meanwhile it cannot know until they tell. */
  rejoin(): void {
    this.#order.rejoin()
  }

  /** Another hub of the group has told that everything of a stream is recorded up to `sequence`. */
  recorded(source: string, epoch: string, sequence: number, now: number): HubOutput[] {
    return this.#order.recorded(source, epoch, sequence, now)
  }

  /** Everything a gateway may be told: for when it, or the hub, has come back. */
  repeatAcknowledgements(site: string, gateway: string): void {
    this.#order.repeatAcknowledgements(site, gateway)
  }

  toJSON(): HubState {
    return { version: 1, streams: this.#order.state(), retired: this.#order.retired(), keys: this.keys.toJSON() }
  }

  #capabilities(topic: string, envelope: Envelope, message: MessageEvent<'capabilities'>, now: number): HubOutput[] {
    const outcome = this.keys.learn(message)
    const { site, gateway } = envelope.stream
    if (outcome === 'malformed') return this.#refuse(topic, 'malformed')
    if (outcome !== 'pinned' && outcome !== 'known') {
      const offered = message.data.keys.map(({ role, jwk }) => ({ site, gateway, role, jwk }))
      return [{ kind: 'key-refused', site, gateway, why: outcome, offered }]
    }
    const live = this.#live(topic, envelope, message)
    if (outcome === 'known') return live
    const waited = this.#forget(`${site}/${gateway}`).flatMap(each => this.feed(each.topic, each.bytes, now))
    return [{ kind: 'key-pinned', site, gateway }, ...live, ...waited]
  }

  #wait(place: string, message: Unverified): HubOutput[] {
    const waiting = this.#unverified.get(place) ?? []
    waiting.push(message)
    this.#unverified.set(place, waiting)
    this.#unverifiedCount += 1
    return []
  }

  #forget(place: string): Unverified[] {
    const waiting = this.#unverified.get(place) ?? []
    this.#unverified.delete(place)
    this.#unverifiedCount -= waiting.length
    return waiting
  }

  #live(topic: string, envelope: Envelope, message: MessageEvent | null): HubOutput[] {
    const { site, gateway } = envelope.stream
    if (message?.name === 'status') {
      const place = `${site}/${gateway}`
      const { state, session } = message.data
      const current = this.#sessions.get(place)
      // The will of a session that was left long ago says nothing of the present one.
      if (state === 'offline' && current !== undefined && current !== session)
        return this.#refuse(topic, 'stale-status')
      this.#sessions.set(place, session)
    }
    return [{ kind: 'live', site, gateway, envelope, message }]
  }

  #refuse(topic: string, why: RefusalReason): HubOutput[] {
    this.counters.refused[why] = (this.counters.refused[why] ?? 0) + 1
    return [{ kind: 'refused', topic, why }]
  }
}

const range = z.tuple([z.int(), z.int()])
const stateSchema = z.object({
  version: z.literal(1),
  streams: z.array(
    z.object({
      source: z.string(),
      epoch: z.string(),
      base: z.int().nullable(),
      settled: z.array(range),
      shed: z.array(range),
    }),
  ),
  retired: z.array(z.object({ source: z.string(), epochs: z.array(z.string()) })).optional(),
  keys: z.array(pinnedKey),
})

/** Reads a state written by `JSON.stringify(receiver)`. @throws ZodError, SyntaxError for anything else */
export function readHubState(text: string): HubState {
  return stateSchema.parse(JSON.parse(text))
}

/** Site and gateway of any topic of a gateway, also of one that this version does not know. */
function placeOf(topic: string): { site: string; gateway: string } | null {
  const match = /^polewatch\/v1\/([^/]+)\/([^/]+)\/./.exec(topic)
  const [, site, gateway] = match ?? []
  return site === undefined || gateway === undefined ? null : { site, gateway }
}
