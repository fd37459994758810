import type { KeyObject } from 'node:crypto'
import type { AcknowledgementFault } from './acknowledgements.js'
import type { PublishRequest } from './connection.js'
import type { StoredAlert } from './outgoing-stream.js'
import type { MessageHandler, SessionChange } from './session.js'

/** What delivery needs of others, and what it tells them. */

/** A role's journal, as far as delivery reads it; `JournalReader` is one. What it throws is reported and tried again. */
export interface AlertJournal {
  /** Every stream of the present epoch with the last number given out. */
  streams(): readonly { readonly source: string; readonly epoch: string; readonly lastSequence: number }[]
  /** At most `limit` alerts after a number, ascending; numbers are missing where alerts were shed. */
  read(source: string, epoch: string, afterSequence: number, limit: number): readonly StoredAlert[]
}

/** How far each stream is acknowledged, kept over restarts; `Delivery` of the journal is one. */
export interface DeliveryProgress {
  /** 0 where nothing is. */
  acknowledged(source: string, epoch: string): number
  acknowledge(source: string, epoch: string, sequence: number): void
  /** Nothing of the stream is acknowledged any more. */
  forget(source: string, epoch: string): void
}

/** What delivery needs of an MQTT session; `MqttSession` is one. */
export interface DeliverySession {
  readonly online: boolean
  readonly receiveMaximum: number
  publish(request: PublishRequest): Promise<number>
  subscribe(filter: string, qos: 0 | 1, handler: MessageHandler): void
  unsubscribe(filter: string): void
  observe(observer: (change: SessionChange) => void): () => void
}

export interface DelivererOptions {
  readonly site: string
  readonly gateway: string
  readonly session: DeliverySession
  readonly journals: readonly AlertJournal[]
  readonly progress: DeliveryProgress
  /** `hub`: until the hub has acknowledged. `broker`: until the broker has, which is called "delivered to the broker". */
  readonly acknowledge: 'hub' | 'broker'
  /** Public keys of the hubs whose acknowledgements count. */
  readonly hubKeys: readonly KeyObject[]
  /** Most messages that the broker has not taken yet: default 20; the broker's receive maximum may lower it. */
  readonly window?: number
  /** Most alerts of a stream that the hub has not acknowledged yet: default 200. */
  readonly hubWindow?: number
  /** Seconds until a silent hub is asked again: default 15, doubled to `longestRetry`, default 300. */
  readonly firstRetry?: number
  readonly longestRetry?: number
  readonly onNotice?: (notice: DeliveryNotice) => void
}

/** Something that whoever looks after the gateway should see. Counted in `DeliveryCounters` too. */
export type DeliveryNotice =
  | { readonly kind: 'acknowledgement-refused'; readonly why: AcknowledgementFault; readonly source: string | null }
  | {
      readonly kind: 'hub-behind'
      readonly hub: string
      readonly source: string
      readonly sequence: number
      readonly acknowledged: number
    }
  /** A hub has lost what it had: what is kept is delivered again, and these ranges, already deleted, cannot be. */
  | {
      readonly kind: 'delivered-again'
      readonly hub: string
      readonly source: string
      readonly epoch: string
      readonly after: number
      readonly gone: readonly (readonly [first: number, last: number])[]
    }
  /** Nobody answers for what was sent; told once, and again when the answer has come. */
  | { readonly kind: 'hub-silent' | 'hub-answers'; readonly source: string; readonly waiting: number }
  | { readonly kind: 'refused-by-broker'; readonly why: string; readonly source: string }
  | { readonly kind: 'journal-unreadable' | 'progress-unwritable'; readonly error: unknown }

export interface DeliveryCounters {
  /** Messages handed to the broker, those sent again included. */
  readonly sent: number
  readonly sentAgain: number
  readonly acknowledged: number
  /** PUBACKs with reason 0x10: nobody listened. */
  readonly unheard: number
  readonly acknowledgementsRefused: Readonly<Record<string, number>>
  readonly refusedByBroker: Readonly<Record<string, number>>
}

export interface StreamDelivery {
  readonly source: string
  readonly epoch: string
  readonly last: number
  readonly acknowledged: number
  readonly outstanding: number
  /** Nobody answers. */
  readonly silent: boolean
}
