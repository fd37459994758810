import type { KeyObject } from 'node:crypto'
import { keyId } from '../messages/keys.js'
import { openEvent, verifyEvent } from '../messages/seal.js'
import { parseSequence } from '../messages/stream.js'

/** A hub says that it has stored `source` of `epoch` up to `sequence`. */
export interface Acknowledgement {
  readonly hub: string
  readonly source: string
  readonly epoch: string
  /** 0: the hub remembers nothing of the stream. */
  readonly sequence: number
  /** When the hub signed it, by its own clock: seconds since 1970 UTC. */
  readonly time: number
}

/** Why an acknowledgement was not accepted, kebab-case. */
export type AcknowledgementFault =
  | 'malformed'
  | 'unsigned'
  | 'unknown-key'
  | 'forged'
  | 'other-site'
  | 'other-gateway'
  | 'unknown-stream'
  | 'unknown-epoch'
  | 'beyond-what-exists'
  | 'replayed'

/** Longest acknowledgement that is read, bytes. */
const limit = 8192

/** Reads what came on `ack` and checks that one of the configured hubs signed it for this gateway. */
export class AcknowledgementReader {
  readonly #site: string
  readonly #gateway: string
  readonly #keys: ReadonlyMap<string, KeyObject>

  /** `hubKeys` are Ed25519 public keys. @throws PW_KEY_INVALID for any other */
  constructor(site: string, gateway: string, hubKeys: readonly KeyObject[]) {
    this.#site = site
    this.#gateway = gateway
    this.#keys = new Map(hubKeys.map(key => [keyId(key), key]))
  }

  read(bytes: Uint8Array): Acknowledgement | AcknowledgementFault {
    const event = open(bytes)
    if (event === null) return 'malformed'
    if (event.stream.role !== 'hub' || event.stream.site !== this.#site) return 'other-site'
    const verification = verifyEvent(event, kid => this.#keys.get(kid))
    if (verification !== 'valid') return verification
    const { stream, epoch } = event.data
    if (!stream.startsWith(`/${this.#site}/${this.#gateway}/`)) return 'other-gateway'
    const sequence = Number(parseSequence(event.data.sequence) ?? 0n)
    return { hub: event.data.hub, source: stream, epoch, sequence, time: event.time }
  }
}

function open(bytes: Uint8Array) {
  try {
    const event = openEvent(bytes, limit)
    return event.name === 'acknowledgement' ? event : null
  } catch {
    return null
  }
}
