import type { Envelope } from '../messages/envelope.js'
import type { MessageEvent } from '../messages/table.js'
import type { PinnedKey, PinOutcome } from '../uplink/key-pins.js'

/** What a hub gives out, and what it tells gateways. */

/** Why a message was not taken, kebab-case. */
export type RefusalReason =
  | 'other-topic'
  | 'malformed'
  | 'topic-and-source-differ'
  | 'unsigned'
  | 'unknown-key'
  | 'forged'
  | 'stale-status'
  /** Of a journal that the gateway has replaced at least twice since: a replay, or the gateway was put back to an old one. */
  | 'retired-epoch'
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

export interface HubRange {
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

/** Epochs of a source that have ended, oldest first. */
export interface RetiredEpochs {
  readonly source: string
  readonly epochs: readonly string[]
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
