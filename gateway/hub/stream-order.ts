import type { Envelope } from '../messages/envelope.js'
import { parseSequence, parseStream, type Stream } from '../messages/stream.js'
import type { MessageEvent } from '../messages/table.js'
import { GroupCertainty } from './group.js'
import { IncomingStream, type StreamState } from './incoming-stream.js'
import type { HubEvent, HubOutput, HubRange, RetiredEpochs, StreamAcknowledgement } from './outputs.js'
import type { Range } from './ranges.js'

export interface StreamOrderOptions {
  /** Seconds that an event waits for an earlier one before the gap is named. */
  readonly hold: number
  /** Most events of a stream that wait; undefined for the usual. */
  readonly holdLimit: number | undefined
  /** Whether hubs share alerts, so that one that does not know how far a stream is recorded waits for another one to tell. */
  readonly shared: boolean
}

export interface OrderCounters {
  events: number
  duplicates: number
  late: number
  gaps: number
}

const epochsKept = 2
/** Names of a source's former epochs that are remembered, the oldest forgotten first: one is used up by each new journal file. */
const retiredKept = 100
const streamLimit = 100_000

/**
 * Verified alerts by the numbers of their streams: puts them in order, drops what comes again, names what is missing and knows what may
 * be acknowledged. `now` is seconds of a clock that never steps.
 */
export class StreamOrder {
  readonly #options: StreamOrderOptions
  readonly #counters: OrderCounters
  /** By source, the epochs in the order they were met. */
  readonly #streams = new Map<string, IncomingStream<HubEvent>[]>()
  /** By source, the epochs before those, in the order they ended. What comes of them is a replay: their journals are gone. */
  readonly #retired = new Map<string, string[]>()
  readonly #waiting = new Set<IncomingStream<HubEvent>>()
  readonly #toAcknowledge = new Set<IncomingStream<HubEvent>>()
  readonly #toRepeat = new Set<IncomingStream<HubEvent>>()
  readonly #group: GroupCertainty<HubEvent> | null
  #now = 0

  constructor(
    options: StreamOrderOptions,
    counters: OrderCounters,
    state: readonly StreamState[],
    retired: readonly RetiredEpochs[],
  ) {
    this.#options = options
    this.#counters = counters
    this.#group = options.shared ? new GroupCertainty() : null
    for (const { source, epochs } of retired) this.#retired.set(source, [...epochs])
    for (const stream of state) {
      if (!this.#isRetired(stream.source, stream.epoch)) this.#remember(new IncomingStream(stream, options.holdLimit))
    }
  }

  state(): StreamState[] {
    return [...this.#streams.values()].flatMap(epochs => epochs.map(stream => stream.state()))
  }

  retired(): RetiredEpochs[] {
    return [...this.#retired].map(([source, epochs]) => ({ source, epochs: [...epochs] }))
  }

  /** Takes an alert; why not, when it cannot. `redelivered` is the DUP flag of its message. */
  take(
    envelope: Envelope,
    message: MessageEvent | null,
    now: number,
    redelivered: boolean,
  ): HubOutput[] | 'malformed' | 'retired-epoch' | 'too-many-streams' {
    this.#now = now
    const { source, epoch } = envelope
    const { site, gateway } = envelope.stream
    const sequence = Number(envelope.sequence)
    if (!Number.isSafeInteger(sequence)) return 'malformed'
    if (this.#isRetired(source, epoch)) return 'retired-epoch'
    const outputs: HubOutput[] = []
    const stream = this.#find(source, epoch) ?? this.#begin(source, epoch, sequence, outputs)
    if (stream === null) return 'too-many-streams'
    const event: HubEvent = { kind: 'event', site, gateway, envelope, message, late: false }
    const { first } = stream
    this.#group?.met(stream, sequence, now)
    // Where hubs share alerts a number that comes again does not tell that those before it are acknowledged: others got them.
    const { duplicate, released, closed } = stream.offer(sequence, event, now, redelivered || this.#group !== null)
    if (duplicate) {
      this.#counters.duplicates += 1
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

  /** Names the gaps that were waited for long enough. */
  tick(now: number): HubOutput[] {
    this.#now = now
    const overdue = [...this.#waiting].filter(stream => stream.overdue(now, this.#options.hold))
    return overdue.flatMap(stream => this.#skip(stream, now))
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
    const stream = this.#find(source, epoch) ?? this.#beginOf(source, epoch, 1, outputs)
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

  #skip(stream: IncomingStream<HubEvent>, now: number): HubOutput[] {
    const outputs: HubOutput[] = []
    const { missing, released } = stream.skip(now, this.#group?.namedFrom(stream))
    for (const range of missing) outputs.push(rangeOutput('gap', stream, range))
    this.#counters.gaps += missing.length
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
      const former = message.data.reason === 'journal-damaged'
      const stream = this.#find(source, epoch) ?? this.#beginOf(source, epoch, range[0], outputs, former)
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
      this.#counters.events += 1
      if (late) this.#counters.late += 1
      outputs.push(late ? { ...item, late } : item)
    }
  }

  #find(source: string, epoch: string): IncomingStream<HubEvent> | undefined {
    return this.#streams.get(source)?.find(stream => stream.epoch === epoch)
  }

  #isRetired(source: string, epoch: string): boolean {
    return this.#retired.get(source)?.includes(epoch) ?? false
  }

  /**
   * Begins a stream that is only told of. Whether its epoch is older than those known nobody can say unless it is told as a `former` one,
   * so it takes none's place.
   */
  #beginOf(
    source: string,
    epoch: string,
    sequence: number,
    outputs: HubOutput[],
    former = false,
  ): IncomingStream<HubEvent> | null {
    const known = this.#streams.get(source) ?? []
    if (this.#isRetired(source, epoch) || known.length >= epochsKept) return null
    const live = known.at(-1)
    if (!former || live === undefined) return this.#begin(source, epoch, sequence, outputs)
    const stream = IncomingStream.begin<HubEvent>(source, epoch, sequence, this.#options.holdLimit)
    this.#streams.set(source, [stream, live])
    return stream
  }

  #begin(source: string, epoch: string, sequence: number, outputs: HubOutput[]): IncomingStream<HubEvent> | null {
    if (this.#streams.size >= streamLimit && !this.#streams.has(source)) return null
    const former = this.#streams.get(source)?.at(-1)
    if (former !== undefined) outputs.push({ kind: 'epoch-changed', source, epoch, former: former.epoch })
    if (sequence > 1) outputs.push({ kind: 'begun', source, epoch, first: sequence })
    const stream = IncomingStream.begin<HubEvent>(source, epoch, sequence, this.#options.holdLimit)
    const dropped = this.#remember(stream)
    // Only here: what an application recorded may be loaded in any order, so that the last loaded need not be the live one.
    if (dropped !== undefined) {
      const names = [...(this.#retired.get(source) ?? []), dropped.epoch]
      this.#retired.set(source, names.slice(-retiredKept))
    }
    while (dropped?.waiting) outputs.push(...this.#skip(dropped, this.#now))
    return stream
  }

  /** Returns the stream whose place it takes, if any. */
  #remember(stream: IncomingStream<HubEvent>): IncomingStream<HubEvent> | undefined {
    const epochs = this.#streams.get(stream.source) ?? []
    epochs.push(stream)
    this.#streams.set(stream.source, epochs)
    if (epochs.length <= epochsKept) return
    return epochs.shift()
  }
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
