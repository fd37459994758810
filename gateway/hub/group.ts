import { openEvent } from '../messages/seal.js'
import { parseSequence, parseStream } from '../messages/stream.js'
import type { LiveStream } from '../uplink/live-stream.js'
import type { IncomingStream } from './incoming-stream.js'

/** What a hub of the group says: that the group has recorded a stream so far, or that it is there and wants to hear of that. */
export type GroupWord =
  | { readonly kind: 'recorded'; readonly source: string; readonly epoch: string; readonly sequence: number }
  | { readonly kind: 'greeting'; readonly site: string; readonly gateway: string }

/** Bytes of an acknowledgement at most. */
const limit = 8192

/** Reads an acknowledgement that another hub with this one's name and key has published; null for any other message. */
export function groupWord(bytes: Uint8Array, own: LiveStream): GroupWord | null {
  try {
    const event = openEvent(bytes, limit)
    if (event.name !== 'acknowledgement' || event.epoch === own.epoch || !own.made(event)) return null
    const { stream: source, epoch } = event.data
    const of = parseStream(source)
    if (of === null || of.site !== event.stream.site || of.role === 'hub') return null
    if (of.priority === 'live') return { kind: 'greeting', site: of.site, gateway: of.gateway }
    const sequence = Number(parseSequence(event.data.sequence) ?? 0n)
    return Number.isSafeInteger(sequence) && sequence > 0 ? { kind: 'recorded', source, epoch, sequence } : null
  } catch {
    return null
  }
}

/** Seconds after which a hub that nobody of the group tells how far a stream is recorded asks its gateway for what it lacks. */
const askAfter = 10

interface Met {
  readonly at: number
  /** The first number that came. */
  readonly first: number
  /** How far the hub had known the stream to be recorded until then. */
  readonly known: number
}

/**
 * What a hub that shares alerts may say of its streams. While it was away others may have recorded what it never saw, so its memory
 * is sure only once another hub told how far the stream is, or what comes continues it. Until then it names no gap before the first
 * number that it met and acknowledges nothing; where nobody answers it says after a while what it has, and the gateway delivers
 * the rest again: rather twice than never.
 */
export class GroupCertainty<Item> {
  readonly #sure = new Set<IncomingStream<Item>>()
  readonly #met = new Map<IncomingStream<Item>, Met>()

  /** The hub joins, perhaps once more: it cannot know what the group did meanwhile. */
  rejoin(): void {
    this.#sure.clear()
    this.#met.clear()
  }

  /** A number came, at `now`; to be told before the stream takes it. */
  met(stream: IncomingStream<Item>, sequence: number, now: number): void {
    if (!this.#met.has(stream)) this.#met.set(stream, { at: now, first: sequence, known: stream.acknowledged ?? 0 })
  }

  /** Another hub told how far the stream is. */
  told(stream: IncomingStream<Item>): void {
    this.#sure.add(stream)
  }

  /** The first number that a gap may be named from. */
  namedFrom(stream: IncomingStream<Item>): number {
    return this.#isSure(stream) ? 0 : (this.#met.get(stream)?.first ?? 0)
  }

  mayAcknowledge(stream: IncomingStream<Item>, now: number): boolean {
    return this.#isSure(stream) || this.mayAsk(stream, now)
  }

  mayAsk(stream: IncomingStream<Item>, now: number): boolean {
    return now - (this.#met.get(stream)?.at ?? now) >= askAfter
  }

  #isSure(stream: IncomingStream<Item>): boolean {
    if (this.#sure.has(stream)) return true
    const known = this.#met.get(stream)?.known
    const sure = known !== undefined && (stream.acknowledged ?? 0) > known
    if (sure) this.#sure.add(stream)
    return sure
  }
}
