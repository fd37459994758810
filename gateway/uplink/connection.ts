import type { IConnackPacket, IPublishPacket, MqttClient } from 'mqtt'
import type { ConnectionOptions } from './connection-options.js'
import { asBuffer, openClient } from './mqtt-client.js'
import { closeReason, reasonName } from './reasons.js'

export interface PublishRequest {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 0 | 1
  readonly retain?: boolean
  /** Seconds until the broker may drop it (MQTT 5 only); absent for never. */
  readonly expiry?: number | undefined
  readonly contentType?: string | undefined
  /** Given back with an answer, so that whoever asked knows it (MQTT 5 only). */
  readonly correlation?: Uint8Array | undefined
  /** Where an answer is to go (MQTT 5 only). */
  readonly responseTopic?: string | undefined
  /** Goes before whatever else waits until the broker takes more. */
  readonly urgent?: boolean | undefined
}

export interface IncomingMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly retained: boolean
  /** The broker sent it before on this session and does not know whether it arrived. */
  readonly redelivered: boolean
  /** What the sender asks for in MQTT 5; whoever is on the way may have written it. */
  readonly responseTopic?: string | undefined
  readonly correlation?: Uint8Array | undefined
}

export interface ConnectionEvents {
  connected(limits: BrokerLimits): void
  message(message: IncomingMessage): void
  /** Called once, also when it never came up. After it nothing else is called. */
  closed(reason: string, detail: string): void
}

export interface BrokerLimits {
  readonly receiveMaximum: number
  readonly maximumPacketSize: number
  readonly sessionPresent: boolean
}

/** A message that is not known to have reached the broker. `reason` is a kebab-case name. */
export class NotDelivered extends Error {
  readonly reason: string
  constructor(reason: string) {
    super(`not delivered to the broker: ${reason}`)
    this.name = 'NotDelivered'
    this.reason = reason
  }
}

interface Pending {
  readonly resolve: (code: number) => void
  readonly reject: (error: Error) => void
  readonly since: number
}

type Waiting = Omit<Pending, 'since'> & { readonly request: PublishRequest }

const congestionBytes = 1 << 20
/** Most messages that wait until the broker takes more. */
const waitingLimit = 1000

/** One network connection with one broker: opened at once, never reopened, nothing kept beyond it. */
export class Connection {
  readonly #client: MqttClient
  readonly #events: ConnectionEvents
  readonly #options: ConnectionOptions
  readonly #pending = new Map<number, Pending>()
  /** Subscriptions that the broker has not answered, the oldest first. */
  readonly #asked = new Set<{ readonly since: number; readonly reject: (error: Error) => void }>()
  #urgent: Waiting[] = []
  #waiting: Waiting[] = []
  readonly #watch: NodeJS.Timeout
  #limits: BrokerLimits | null = null
  #closed = false
  #reason: string | null = null
  #detail = ''

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#options = options
    this.#events = events
    this.#client = openClient(options, size =>
      this.#fail('packet-too-large', `a packet of ${size} bytes was announced`),
    )
    this.#client.on('connect', packet => this.#connected(packet))
    this.#client.on('message', (topic, payload, packet) => this.#message(topic, payload, packet))
    this.#client.on('packetreceive', packet => {
      if (packet.cmd === 'puback' && packet.messageId !== undefined)
        this.#settle(packet.messageId, packet.reasonCode ?? 0)
      if (packet.cmd === 'disconnect') this.#fail(reasonName(packet.reasonCode ?? 0), 'the broker ended the session')
    })
    this.#client.on('error', error => {
      this.#note(closeReason(error), error.message)
      this.#client.stream.destroy()
    })
    this.#client.on('close', () => this.#close())
    this.#watch = setInterval(() => this.#checkAcknowledgements(), 1000)
  }

  /**
   * Resolves with the broker's reason code: 0, 0x10 (nobody listens) or an error from 0x80 up; QoS 0 resolves with 0 once
   * it is handed to the socket. What goes beyond the broker's receive maximum (MQTT 5, 4.9) waits its turn. Rejects with NotDelivered
   * when the connection goes first, or when the message cannot be sent.
   */
  publish(request: PublishRequest): Promise<number> {
    const limits = this.#limits
    if (this.#closed || limits === null) return Promise.reject(new NotDelivered('offline'))
    if (request.payload.length + request.topic.length + 64 > limits.maximumPacketSize) {
      return Promise.reject(new NotDelivered('packet-too-large'))
    }
    const congested =
      request.qos === 0
        ? this.#client.stream.writableLength > congestionBytes
        : this.#waiting.length >= waitingLimit && request.urgent !== true
    if (congested) return Promise.reject(new NotDelivered('congested'))
    if (request.qos === 0) {
      this.#write(request)
      return Promise.resolve(0)
    }
    return new Promise((resolve, reject) => {
      const line = request.urgent === true ? this.#urgent : this.#waiting
      line.push({ request, resolve, reject })
      this.#sendWaiting()
    })
  }

  /** Resolves with the filters that the broker refuses; rejects with NotDelivered when it goes or does not answer in time. */
  subscribe(subscriptions: readonly { readonly filter: string; readonly qos: 0 | 1 }[]): Promise<string[]> {
    if (this.#closed) return Promise.reject(new NotDelivered('offline'))
    const v5 = this.#options.protocol === 5
    // Nobody wants back what it sent itself; MQTT 5 forbids to ask that of a shared subscription.
    const map = Object.fromEntries(
      subscriptions.map(({ filter, qos }) => [filter, { qos, ...(v5 ? { nl: !filter.startsWith('$share/') } : {}) }]),
    )
    return new Promise((resolve, reject) => {
      const asked = { since: performance.now(), reject }
      this.#asked.add(asked)
      this.#client.subscribe(map, (error, _, answer) => {
        this.#asked.delete(asked)
        const codes = answer?.granted ?? []
        // The client takes one refusal for an error of them all; without an answer there is no connection any more.
        if (error !== null && codes.length === 0) reject(new NotDelivered('offline'))
        else resolve(Object.keys(map).filter((_, place) => Number(codes[place] ?? 0) >= 0x80))
      })
    })
  }

  /** A broker that does not take it goes on sending, which does no harm. */
  unsubscribe(filter: string): void {
    this.#client.unsubscribe(filter, () => undefined)
  }

  /** Says goodbye, which discards the will, and closes; at most a second. */
  async end(reason = 'stopped', detail = 'stopped here'): Promise<void> {
    if (this.#closed) return
    this.#note(reason, detail)
    const gone = new Promise<void>(resolve => {
      const timer = setTimeout(resolve, 1000)
      this.#client.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
    })
    this.#client.end(false)
    await gone
    this.drop('stopped', 'stopped here')
  }

  /** Cuts the connection as a lost network would: the broker publishes the will. */
  drop(reason: string, detail: string): void {
    this.#fail(reason, detail)
  }

  #connected(packet: IConnackPacket): void {
    this.#limits = {
      receiveMaximum: packet.properties?.receiveMaximum ?? 65_535,
      maximumPacketSize: packet.properties?.maximumPacketSize ?? 268_435_455,
      sessionPresent: packet.sessionPresent,
    }
    this.#events.connected(this.#limits)
  }

  #message(topic: string, payload: Uint8Array, packet: IPublishPacket): void {
    if (this.#closed) return
    const { responseTopic, correlationData: correlation } = packet.properties ?? {}
    this.#events.message({
      topic,
      payload,
      retained: packet.retain,
      redelivered: packet.dup,
      responseTopic,
      correlation,
    })
  }

  #properties(request: PublishRequest): Pick<IPublishPacket, 'properties'> {
    if (this.#options.protocol !== 5) return {}
    const { expiry, contentType, correlation, responseTopic } = request
    return {
      properties: {
        ...(expiry === undefined ? {} : { messageExpiryInterval: Math.max(1, Math.round(expiry)) }),
        ...(contentType === undefined ? {} : { contentType }),
        ...(correlation === undefined ? {} : { correlationData: asBuffer(correlation) }),
        ...(responseTopic === undefined ? {} : { responseTopic }),
      },
    }
  }

  #settle(id: number, code: number): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    pending?.resolve(code)
    this.#sendWaiting()
  }

  #sendWaiting(): void {
    while (this.#pending.size < (this.#limits?.receiveMaximum ?? 0)) {
      const next = this.#urgent.shift() ?? this.#waiting.shift()
      if (next === undefined) return
      const { request, resolve, reject } = next
      this.#write(request)
      this.#pending.set(this.#client.getLastMessageId(), { resolve, reject, since: performance.now() })
    }
  }

  #write(request: PublishRequest): void {
    const { topic, payload, qos, retain = false } = request
    this.#client.publish(topic, asBuffer(payload), { qos, retain, ...this.#properties(request) })
  }

  // Ids are handed out in order, so the first entry of each is the one that waits longest.
  #checkAcknowledgements(): void {
    const [message] = this.#pending.values()
    const [subscription] = this.#asked
    const since = Math.min(message?.since ?? Number.POSITIVE_INFINITY, subscription?.since ?? Number.POSITIVE_INFINITY)
    if (performance.now() - since > this.#options.acknowledgeTimeout * 1000) {
      this.#fail('no-acknowledgement', `nothing acknowledged for ${this.#options.acknowledgeTimeout} s`)
    }
  }

  // The first reason is the cause; what follows it is its consequence.
  #note(reason: string, detail: string): void {
    if (this.#reason !== null) return
    this.#reason = reason
    this.#detail = detail
  }

  #fail(reason: string, detail: string): void {
    this.#note(reason, detail)
    this.#client.stream.destroy()
    this.#close()
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#watch)
    const up = this.#limits !== null
    const reason = this.#reason ?? (up ? 'connection-lost' : 'closed-before-answer')
    for (const each of [...this.#pending.values(), ...this.#asked, ...this.#urgent, ...this.#waiting]) {
      each.reject(new NotDelivered(reason))
    }
    this.#pending.clear()
    this.#asked.clear()
    this.#urgent = []
    this.#waiting = []
    this.#client.end(true)
    this.#events.closed(reason, this.#detail)
  }
}
