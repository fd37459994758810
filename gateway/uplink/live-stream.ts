import { randomBytes } from 'node:crypto'
import type { SigningKey } from '../messages/keys.js'
import { contentType, sealEvent, verifyEvent } from '../messages/seal.js'
import { formatStream, type Role } from '../messages/stream.js'
import { type EventDraft, type MessageEvent, messageTypes } from '../messages/table.js'
import { type TopicPlace, topicFor } from '../messages/topics.js'
import type { PublishRequest } from './connection.js'

/** What a process sends once, as it is: status, health, capabilities, acknowledgements. One epoch a process. */
export class LiveStream {
  readonly source: string
  readonly epoch = randomBytes(8).toString('hex')
  readonly #key: SigningKey
  #sequence = 0

  /** `name` is the gateway's or, for the role `hub`, the hub's. @throws PW_STREAM_INVALID */
  constructor(site: string, name: string, role: Role, key: SigningKey) {
    this.source = formatStream({ site, gateway: name, role, priority: 'live' })
    this.#key = key
  }

  /** The final bytes, signed, under the next number. @throws PW_MESSAGE_INVALID */
  seal(draft: EventDraft): Uint8Array {
    this.#sequence += 1
    return sealEvent(draft, { source: this.source, epoch: this.epoch, sequence: this.#sequence }, this.#key).bytes
  }

  /** Whether an event is of this stream and signed with its key, in whatever epoch: by this process or another with the key. */
  made(event: MessageEvent): boolean {
    const { kid, publicKey } = this.#key
    return (
      event.source === this.source && verifyEvent(event, each => (each === kid ? publicKey : undefined)) === 'valid'
    )
  }

  /** Seals a message and addresses it as its type asks. @throws PW_MESSAGE_INVALID, PW_TOPIC_INVALID */
  request(draft: EventDraft, place: TopicPlace): PublishRequest {
    const { quality, retained, expiresAfter } = messageTypes[draft.name]
    return {
      topic: topicFor(draft.name, place),
      payload: this.seal(draft),
      qos: quality,
      retain: retained,
      contentType,
      ...(expiresAfter === null ? {} : { expiry: expiresAfter }),
    }
  }
}
