import { openEvent } from '../messages/seal.js'
import type { MessageData } from '../messages/table.js'
import { topicFor } from '../messages/topics.js'
import type { DeliverySession } from './delivery-contract.js'
import type { LiveStream } from './live-stream.js'
import type { Presence } from './session.js'

export interface AnnouncementsOptions {
  readonly site: string
  readonly gateway: string
  readonly version: string
  readonly exercise: boolean
  readonly stream: LiveStream
  /** Wall clock, seconds since 1970 UTC. */
  readonly clock: () => number
}

/** What a gateway says of itself: status as birth and will, capabilities whenever it connects, health when asked to. */
export class Announcements {
  readonly #options: AnnouncementsOptions
  #session: DeliverySession | null = null
  #capabilities: MessageData<'capabilities'> | null = null

  constructor(options: AnnouncementsOptions) {
    this.#options = options
  }

  /** For `SessionOptions.presence`. */
  presence(): Presence {
    const { site, gateway, version, exercise, stream, clock } = this.#options
    const since = new Map<string, number>()
    return {
      topic: topicFor('status', { site, gateway }),
      sessionOf: payload => {
        try {
          const event = openEvent(payload)
          return event.name === 'status' && stream.made(event) ? event.data.session : null
        } catch {
          return null
        }
      },
      payload: (state, session) => {
        const time = clock()
        // The will is made first, so it names the beginning that the birth repeats.
        const begun = since.get(session) ?? time
        since.clear()
        since.set(session, begun)
        const data = { state, session, since: instant(begun), version }
        return stream.seal({ name: 'status', time, exercise, data })
      },
    }
  }

  /** Publishes the capabilities at every connection from now on, before alerts need their keys. */
  attach(session: DeliverySession): void {
    this.#session = session
    session.observe(change => {
      if (change.begins) this.#announce()
    })
    this.#announce()
  }

  /** New capabilities; published at once where there is a connection. @throws PW_MESSAGE_INVALID for what breaks the schema */
  setCapabilities(capabilities: MessageData<'capabilities'>): void {
    this.#capabilities = capabilities
    this.#announce()
  }

  /** Publishes health once; lost without a word where there is no connection. @throws PW_MESSAGE_INVALID */
  health(data: MessageData<'health'>): void {
    this.#send({ name: 'health', time: this.#options.clock(), exercise: this.#options.exercise, data })
  }

  #announce(): void {
    const data = this.#capabilities
    if (data === null) return
    this.#send({ name: 'capabilities', time: this.#options.clock(), exercise: this.#options.exercise, data })
  }

  #send(draft: Parameters<LiveStream['request']>[0]): void {
    const { site, gateway, stream } = this.#options
    if (this.#session?.online !== true) return
    this.#session.publish(stream.request(draft, { site, gateway })).catch(() => undefined)
  }
}

function instant(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
