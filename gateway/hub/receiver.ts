import * as z from 'zod'
import type { Envelope } from '../messages/envelope.js'
import { openData, openEnvelope, verifyEvent } from '../messages/seal.js'
import { parseSequence, parseStream, type Stream } from '../messages/stream.js'
import { type MessageEvent, messageNameOf } from '../messages/table.js'
import { KeyPins, type PinnedKey, type PinOutcome } from '../uplink/key-pins.js'
import { GroupCertainty } from './group.js'
import { IncomingStream, type StreamState } from './incoming-stream.js'
import { pinnedKey } from './pinned-keys.js'
import type { Range } from './ranges.js'

/** Why a message was not taken, kebab-case. */
export type RefusalReason =
  | 'other-topic'
  | 'malformed'
  | 'topic-and-source-differ'
  | 'unsigned'
  | 'unknown-key'
  | 'forged'
  | 'stale-status'
  | 'too-many-streams'

/** A verified event. `message` is null for a type that this version does not know. `late`: it came after its gap was named. */
export interface HubEvent {
  readonly kind: 'event'
  readonly site: string
  readonly gateway: string
  readonly envelope: Envelope
  readonly message: MessageEvent | null
  readonly late: boolean
}

/** Something that is sent once and not delivered by number: status, health, capabilities, evidence, answers. */
export interface HubLive {
  readonly kind: 'live'
  readonly site: string
  readonly gateway: string
  readonly envelope: Envelope
  readonly message: MessageEvent | null
}

interface HubRange {
  readonly source: string
  readonly epoch: string
  readonly first: number
  readonly last: number
}

export type HubOutput =
  | HubEvent
  | HubLive
  /** Numbers that have not come although later ones did; they are still asked for. */
  | (HubRange & { readonly kind: 'gap' })
  /** A named gap has been filled, by events or by what the gateway says it has shed. */
  | (HubRange & { readonly kind: 'gap-closed' })
  /** Numbers that will never come: the gateway had no room for them. */
  | (HubRange & { readonly kind: 'shed' })
  /**
   * The first event of a stream that the hub remembers nothing of, in mid-stream: nothing is known of what was before. Told
   * again with the first that the gateway still had, when it has been delivered again.
   */
  | { readonly kind: 'begun'; readonly source: string; readonly epoch: string; readonly first: number }
  /** The gateway has begun a new journal file. */
  | { readonly kind: 'epoch-changed'; readonly source: string; readonly epoch: string; readonly former: string }
  | { readonly kind: 'key-pinned'; readonly site: string; readonly gateway: string }
  /** A gateway offers keys that are not the known ones. `offered` is for `keys.replace`, once a person knows them to be the unit's. */
  | {
      readonly kind: 'key-refused'
      readonly site: string
      readonly gateway: string
      readonly why: PinOutcome
      readonly offered: readonly PinnedKey[]
    }
  | { readonly kind: 'refused'; readonly topic: string; readonly why: RefusalReason }

export interface HubState {
  readonly version: 1
  readonly streams: readonly StreamState[]
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

/** How far a stream has arrived, to be told to its gateway. */
export interface StreamAcknowledgement {
  readonly site: string
  readonly gateway: string
  readonly source: string
  readonly epoch: string
  /** 0: the hub remembers nothing of the stream, and asks for all that is kept. */
  readonly sequence: number
}

export interface HubCounters {
  events: number
  duplicates: number
  late: number
  gaps: number
  readonly refused: Record<string, number>
}

interface Unverified {
  readonly topic: string
  readonly bytes: Uint8Array
  readonly since: number
}

const epochsKept = 2
const streamLimit = 100_000
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
  /** By source, the epochs in the order they were met. */
  readonly #streams = new Map<string, IncomingStream<HubEvent>[]>()
  readonly #waiting = new Set<IncomingStream<HubEvent>>()
  readonly #toAcknowledge = new Set<IncomingStream<HubEvent>>()
  readonly #toRepeat = new Set<IncomingStream<HubEvent>>()
  readonly #group: GroupCertainty<HubEvent> | null
  #now = 0
  readonly #sessions = new Map<string, string>()
  /** A broker may send what is new before what it retains: messages of gateways of which no key is known yet. */
  readonly #unverified = new Map<string, Unverified[]>()
  #unverifiedCount = 0

  constructor(options: HubReceiverOptions = {}, state?: HubState) {
    this.#options = options
    this.#group = options.share === undefined ? null : new GroupCertainty()
    this.keys = options.keys ?? new KeyPins()
    // What was given counts, and not what the state remembers of those gateways.
    const remembered = (state?.keys ?? []).filter(({ site, gateway }) => !this.keys.knows(site, gateway))
    for (const key of remembered) this.keys.give(key)
    for (const stream of state?.streams ?? []) this.#remember(new IncomingStream(stream, options.holdLimit))
  }

  /** Takes one MQTT message. `redelivered` is its DUP flag. */
  feed(topic: string, bytes: Uint8Array, now: number, redelivered = false): HubOutput[] {
    this.#now = now
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
    return this.#ordered(topic, envelope, message, now, redelivered)
  }

  /** Names the gaps, and refuses what nobody's key was found for, when they were waited for long enough. To be called some times a second. */
  tick(now: number): HubOutput[] {
    this.#now = now
    const outputs: HubOutput[] = []
    for (const [place, messages] of this.#unverified) {
      const [first] = messages
      if (first === undefined || now - first.since < (this.#options.hold ?? 2)) continue
      for (const { topic } of this.#forget(place)) outputs.push(...this.#refuse(topic, 'unknown-key'))
    }
    for (const stream of this.#waiting) {
      if (stream.overdue(now, this.#options.hold ?? 2)) outputs.push(...this.#skip(stream, now))
    }
    return outputs
  }

  /** The application has the event for good: it counts as acknowledged and goes into the state. */
  settle(event: HubEvent): void {
    const stream = this.#find(event.envelope.source, event.envelope.epoch)
    if (stream === undefined) return
    stream.settle(Number(event.envelope.sequence))
    this.#toAcknowledge.add(stream)
  }

  /** What is to be acknowledged since the last call: what was settled, and what came again. */
  acknowledgements(): StreamAcknowledgement[] {
    const due: StreamAcknowledgement[] = []
    for (const stream of new Set([...this.#toRepeat, ...this.#toAcknowledge])) {
      const known = this.#group?.mayAcknowledge(stream, this.#now) ?? true
      // What a hub of a group is not sure of is said where it is asked for, and otherwise waits.
      if (!known && !this.#toRepeat.has(stream)) continue
      due.push(...acknowledgementOf(stream, this.#group?.mayAsk(stream, this.#now) ?? true))
      if (known) this.#toAcknowledge.delete(stream)
    }
    this.#toRepeat.clear()
    return due
  }

  /** The hub has joined its group, perhaps once more: what the others did meanwhile it cannot know until they tell. */
  rejoin(): void {
    this.#group?.rejoin()
  }

  /** Another hub of the group has told that everything of a stream is recorded up to `sequence`. */
  recorded(source: string, epoch: string, sequence: number, now: number): HubOutput[] {
    this.#now = now
    const outputs: HubOutput[] = []
    const stream = this.#find(source, epoch) ?? this.#begin(source, epoch, 1, outputs)
    if (stream === null) return outputs
    this.#group?.told(stream)
    const { closed, released } = stream.recorded(sequence, now)
    this.#release(released, outputs)
    for (const gap of closed) outputs.push(rangeOutput('gap-closed', stream, gap))
    if (!stream.waiting) this.#waiting.delete(stream)
    // What this hub had recorded behind that is now told by it.
    if ((stream.acknowledged ?? 0) > sequence) this.#toAcknowledge.add(stream)
    return outputs
  }

  /** Everything a gateway may be told: for when it, or the hub, has come back. */
  repeatAcknowledgements(site: string, gateway: string): void {
    for (const [source, epochs] of this.#streams) {
      const current = epochs.at(-1)
      if (current !== undefined && source.startsWith(`/${site}/${gateway}/`)) this.#toRepeat.add(current)
    }
  }

  toJSON(): HubState {
    const streams = [...this.#streams.values()].flatMap(epochs => epochs.map(stream => stream.state()))
    return { version: 1, streams, keys: this.keys.toJSON() }
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

  #ordered(
    topic: string,
    envelope: Envelope,
    message: MessageEvent | null,
    now: number,
    redelivered: boolean,
  ): HubOutput[] {
    const { source, epoch } = envelope
    const { site, gateway } = envelope.stream
    const sequence = Number(envelope.sequence)
    if (!Number.isSafeInteger(sequence)) return this.#refuse(topic, 'malformed')
    const outputs: HubOutput[] = []
    const stream = this.#find(source, epoch) ?? this.#begin(source, epoch, sequence, outputs)
    if (stream === null) return this.#refuse(topic, 'too-many-streams')
    const event: HubEvent = { kind: 'event', site, gateway, envelope, message, late: false }
    const { first } = stream
    this.#group?.met(stream, sequence, now)
    // Where hubs share alerts a number that comes again does not tell that those before it are acknowledged: others got them.
    const { duplicate, released, closed } = stream.offer(sequence, event, now, redelivered || this.#group !== null)
    if (duplicate) {
      this.counters.duplicates += 1
      this.#toAcknowledge.add(stream)
      return outputs
    }
    if (first === null && stream.first !== null && !duplicate) {
      outputs.push({ kind: 'begun', source, epoch, first: stream.first })
    }
    this.#release(released, outputs)
    for (const range of closed) outputs.push(rangeOutput('gap-closed', stream, range))
    if (message?.name === 'shed') this.#shed(envelope.stream, message, outputs)
    if (stream.waiting) this.#waiting.add(stream)
    else this.#waiting.delete(stream)
    if (stream.overdue(now, Number.POSITIVE_INFINITY)) outputs.push(...this.#skip(stream, now))
    return outputs
  }

  #skip(stream: IncomingStream<HubEvent>, now: number): HubOutput[] {
    const outputs: HubOutput[] = []
    const { missing, released } = stream.skip(now, this.#group?.namedFrom(stream))
    for (const range of missing) outputs.push(rangeOutput('gap', stream, range))
    this.counters.gaps += missing.length
    this.#release(released, outputs)
    if (!stream.waiting) this.#waiting.delete(stream)
    return outputs
  }

  // A role tells what it has shed itself, of any of its streams; uplink tells what a hub had once and has lost. What has
  // come is not gone, whoever says so.
  #shed(teller: Stream, message: MessageEvent<'shed'>, outputs: HubOutput[]): void {
    for (const { stream: source, epoch, first, last } of message.data.ranges) {
      const of = parseStream(source)
      const range: Range = [Number(parseSequence(first) ?? 0n), Number(parseSequence(last) ?? 0n)]
      if (
        of?.site !== teller.site ||
        of.gateway !== teller.gateway ||
        (of.role !== teller.role && teller.role !== 'uplink')
      )
        continue
      if (range[0] < 1 || range[1] < range[0] || !Number.isSafeInteger(range[1])) continue
      const stream = this.#find(source, epoch) ?? this.#begin(source, epoch, range[0], outputs)
      if (stream === null) continue
      for (const gone of stream.unknown(...range)) {
        const { closed, released } = stream.account(...gone)
        outputs.push(rangeOutput('shed', stream, gone))
        this.#release(released, outputs)
        for (const gap of closed) outputs.push(rangeOutput('gap-closed', stream, gap))
      }
      if (!stream.waiting) this.#waiting.delete(stream)
      this.#toAcknowledge.add(stream)
    }
  }

  #release(released: readonly { item: HubEvent; late: boolean }[], outputs: HubOutput[]): void {
    for (const { item, late } of released) {
      this.counters.events += 1
      if (late) this.counters.late += 1
      outputs.push(late ? { ...item, late } : item)
    }
  }

  #find(source: string, epoch: string): IncomingStream<HubEvent> | undefined {
    return this.#streams.get(source)?.find(stream => stream.epoch === epoch)
  }

  #begin(source: string, epoch: string, sequence: number, outputs: HubOutput[]): IncomingStream<HubEvent> | null {
    if (this.#streams.size >= streamLimit && !this.#streams.has(source)) return null
    const former = this.#streams.get(source)?.at(-1)
    if (former !== undefined) outputs.push({ kind: 'epoch-changed', source, epoch, former: former.epoch })
    if (sequence > 1) outputs.push({ kind: 'begun', source, epoch, first: sequence })
    const stream = IncomingStream.begin<HubEvent>(source, epoch, sequence, this.#options.holdLimit)
    this.#remember(stream)
    return stream
  }

  #remember(stream: IncomingStream<HubEvent>): void {
    const epochs = this.#streams.get(stream.source) ?? []
    epochs.push(stream)
    if (epochs.length > epochsKept) {
      const dropped = epochs.shift()
      if (dropped !== undefined) this.#waiting.delete(dropped)
    }
    this.#streams.set(stream.source, epochs)
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
  keys: z.array(pinnedKey),
})

/** Reads a state written by `JSON.stringify(receiver)`. @throws ZodError, SyntaxError for anything else */
export function readHubState(text: string): HubState {
  return stateSchema.parse(JSON.parse(text))
}

function acknowledgementOf(stream: IncomingStream<HubEvent>, asks: boolean): StreamAcknowledgement[] {
  const place = parseStream(stream.source)
  const sequence = stream.acknowledged ?? (stream.first === null && asks ? 0 : null)
  if (place === null || sequence === null) return []
  return [{ site: place.site, gateway: place.gateway, source: stream.source, epoch: stream.epoch, sequence }]
}

function rangeOutput<Kind extends 'gap' | 'gap-closed' | 'shed'>(
  kind: Kind,
  { source, epoch }: { readonly source: string; readonly epoch: string },
  [first, last]: Range,
): HubRange & { readonly kind: Kind } {
  return { kind, source, epoch, first, last }
}

/** Site and gateway of any topic of a gateway, also of one that this version does not know. */
function placeOf(topic: string): { site: string; gateway: string } | null {
  const match = /^polewatch\/v1\/([^/]+)\/([^/]+)\/./.exec(topic)
  const [, site, gateway] = match ?? []
  return site === undefined || gateway === undefined ? null : { site, gateway }
}
