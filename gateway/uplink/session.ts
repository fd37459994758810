import { randomBytes } from 'node:crypto'
import { type BrokerLimits, Connection, type IncomingMessage, NotDelivered, type PublishRequest } from './connection.js'
import type { ConnectionOptions, ProtocolVersion, TlsMaterial } from './connection-options.js'
import { filterMatcher } from './filters.js'
import { Reconnection } from './reconnection.js'
import { Takeover } from './takeover.js'

export interface SessionOptions {
  /** mqtt, mqtts, ws or wss URLs, tried in this order after every loss. */
  readonly brokers: readonly string[]
  readonly clientId: string
  /** Default `auto`: MQTT 5, and 3.1.1 with a broker that refuses it. */
  readonly protocol?: 'auto' | '5' | '3.1.1'
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly tls?: TlsMaterial | undefined
  /** Birth and will: both retained, on one topic, with one session id. `payload` makes the final bytes. */
  readonly presence?: Presence | undefined
  /** Seconds: default 20. A dead link is noticed after one and a half times that. */
  readonly keepalive?: number
  /** Seconds the broker waits before it publishes the will (MQTT 5): default 30. */
  readonly willDelay?: number
  /** Seconds the broker keeps subscriptions and queued messages after a loss (MQTT 5): default 300, 0 for none. */
  readonly sessionExpiry?: number
  /** Bytes: default 262,144. */
  readonly maximumPacketSize?: number
  /** Seconds: default 30. */
  readonly acknowledgeTimeout?: number
  /** Seconds to wait for a broker's answer to a connection: default 15. */
  readonly connectTimeout?: number
  readonly onChange?: (change: SessionChange) => void
  /** 0 to 1; for tests. */
  readonly random?: () => number
}

export interface Presence {
  readonly topic: string
  payload(state: 'online' | 'offline', session: string): Uint8Array
  /** The session id in such bytes, if this very gateway made them; null for any others. */
  sessionOf?(payload: Uint8Array): string | null
}

/** `reason` is a kebab-case name; null while all is well. `broker` has no credentials. */
export interface SessionChange {
  readonly state: 'connecting' | 'online' | 'offline' | 'stopped'
  readonly broker: string
  readonly protocol: ProtocolVersion
  readonly session: string
  readonly reason: string | null
  /** With `subscription-refused`: the filters that are. */
  readonly detail: string
  /** A session has just come online; false for what happens later in one, such as a refused subscription. */
  readonly begins: boolean
  /** Seconds until the next attempt, while offline. */
  readonly retryIn: number | null
}

export type MessageHandler = (message: IncomingMessage) => void

interface Subscription {
  readonly filter: string
  readonly qos: 0 | 1
  readonly matches: (topic: string) => boolean
  readonly handler: MessageHandler
}

/**
 * One MQTT session with the first broker that answers. Never throws for a broker that is missing, refuses or vanishes: it
 * reports the change and tries again with full jitter, from 0 to 5 s at first and to 60 s in a long outage.
 */
export class MqttSession {
  readonly #options: SessionOptions
  readonly #random: () => number
  #subscriptions: readonly Subscription[] = []
  readonly #observers = new Set<(change: SessionChange) => void>()
  readonly #reconnection: Reconnection
  #connection: Connection | null = null
  #online = false
  #running = false
  #limits: BrokerLimits = { receiveMaximum: 65_535, maximumPacketSize: 268_435_455, sessionPresent: false }
  #change: SessionChange
  #timer: NodeJS.Timeout | null = null
  #onlineSince = 0
  readonly #takeover = new Takeover()
  /** Errors that handlers threw; such a message counts as received. */
  handlerErrors = 0

  constructor(options: SessionOptions) {
    this.#options = options
    this.#reconnection = new Reconnection(options.brokers, options.protocol ?? 'auto')
    this.#random = options.random ?? Math.random
    this.#change = {
      state: 'stopped',
      broker: redacted(this.#reconnection.url),
      protocol: 5,
      session: '',
      reason: null,
      detail: '',
      begins: false,
      retryIn: null,
    }
    if (options.onChange !== undefined) this.#observers.add(options.onChange)
  }

  get online(): boolean {
    return this.#online
  }

  get change(): SessionChange {
    return this.#change
  }

  /** How many QoS 1 messages the broker takes unacknowledged. */
  get receiveMaximum(): number {
    return this.#limits.receiveMaximum
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    this.#reconnection.begin()
    this.#connect()
  }

  /** Publishes `offline` where there is a presence, says goodbye and closes. */
  async stop(): Promise<void> {
    this.#running = false
    if (this.#timer !== null) clearTimeout(this.#timer)
    const connection = this.#connection
    if (connection !== null && this.#online) {
      await within(1, this.#announce('offline', connection, this.#change.session))
      await connection.end()
    } else connection?.drop('stopped', 'stopped here')
    this.#report({ ...this.#change, state: 'stopped', begins: false, reason: null, detail: '', retryIn: null })
  }

  /** See `Connection.publish`. Rejects with NotDelivered while offline; nothing is queued. */
  publish(request: PublishRequest): Promise<number> {
    if (this.#connection === null || !this.#online) return Promise.reject(new NotDelivered('offline'))
    return this.#connection.publish(request)
  }

  /** Takes effect at once where online and again at every reconnect, before anything else is sent. */
  subscribe(filter: string, qos: 0 | 1, handler: MessageHandler): void {
    this.#subscriptions = [...this.#subscriptions, { filter, qos, handler, matches: filterMatcher(filter) }]
    if (this.#online) {
      this.#connection?.subscribe([{ filter, qos }]).then(
        refused => this.#tellRefused(refused),
        // The connection's end tells itself.
        () => {},
      )
    }
  }

  /** Ends every subscription to that very filter; what is still on its way reaches no handler. */
  unsubscribe(filter: string): void {
    this.#subscriptions = this.#subscriptions.filter(each => each.filter !== filter)
    if (this.#online) this.#connection?.unsubscribe(filter)
  }

  /** Returns the function that ends the observation. */
  observe(observer: (change: SessionChange) => void): () => void {
    this.#observers.add(observer)
    return () => this.#observers.delete(observer)
  }

  #connect(): void {
    this.#timer = null
    const { url } = this.#reconnection
    const protocol = this.#reconnection.protocol(monotonic())
    const session = randomBytes(8).toString('hex')
    this.#report({
      state: 'connecting',
      broker: redacted(url),
      protocol,
      session,
      reason: null,
      detail: '',
      begins: false,
      retryIn: null,
    })
    try {
      const connection = new Connection(this.#connectionOptions(url, protocol, session), {
        connected: limits => this.#connected(connection, protocol, limits),
        message: message => this.#dispatch(message),
        closed: (reason, detail) => this.#lost(protocol, reason, detail),
      })
      this.#connection = connection
    } catch (error) {
      this.#lost(protocol, 'broker-url', error instanceof Error ? error.message : '')
    }
  }

  #connectionOptions(url: string, protocol: ProtocolVersion, session: string): ConnectionOptions {
    const { clientId, username, password, tls, presence } = this.#options
    const will =
      presence === undefined
        ? undefined
        : { topic: presence.topic, payload: presence.payload('offline', session), delay: this.#options.willDelay ?? 30 }
    return {
      url,
      protocol,
      clientId,
      username,
      password,
      tls,
      will,
      keepalive: this.#options.keepalive ?? 20,
      connectTimeout: this.#options.connectTimeout ?? 15,
      acknowledgeTimeout: this.#options.acknowledgeTimeout ?? 30,
      sessionExpiry: this.#options.sessionExpiry ?? 300,
      maximumPacketSize: this.#options.maximumPacketSize ?? 262_144,
    }
  }

  async #connected(connection: Connection, protocol: ProtocolVersion, limits: BrokerLimits): Promise<void> {
    this.#limits = limits
    this.#reconnection.answered(protocol, monotonic())
    let reason: string | null = null
    let detail = ''
    try {
      await this.#lookWhoWasHere(connection)
      if (this.#takeover.claimed()) {
        await connection.end('taken-over', 'another process uses this client id')
        return
      }
      // What else there is to say goes out all the same.
      const refused = this.#subscriptions.length === 0 ? [] : await connection.subscribe(this.#subscriptions)
      if (refused.length > 0) [reason, detail] = ['subscription-refused', refused.join(', ')]
      await this.#announce('online', connection, this.#change.session)
    } catch (error) {
      reason = error instanceof NotDelivered ? error.reason : 'protocol-error'
    }
    if (this.#connection !== connection || !this.#running) return
    this.#online = true
    this.#onlineSince = monotonic()
    this.#report({ ...this.#change, state: 'online', begins: true, reason, detail })
  }

  // A broker gives what it retains before it answers the next subscription, so the second answer ends the wait.
  async #lookWhoWasHere(connection: Connection): Promise<void> {
    const { presence } = this.#options
    if (presence?.sessionOf === undefined || !this.#takeover.mustLook) return
    this.#takeover.look()
    const status = { filter: presence.topic, qos: 1 } as const
    try {
      await connection.subscribe([status])
      await connection.subscribe([status])
    } catch {
      // A broker that does not let it read its own status leaves it without this, and with everything else.
    }
  }

  async #announce(state: 'online' | 'offline', connection: Connection, session: string): Promise<void> {
    const { presence } = this.#options
    if (presence === undefined) return
    const payload = presence.payload(state, session)
    const contentType = 'application/cloudevents+json'
    if (state === 'online') this.#takeover.born(session)
    await connection.publish({ topic: presence.topic, payload, qos: 1, retain: true, contentType })
  }

  #lost(protocol: ProtocolVersion, reason: string, detail: string): void {
    const onlineSince = this.#online ? this.#onlineSince : null
    this.#connection = null
    this.#online = false
    if (!this.#running) return
    const { longest, settled } = this.#reconnection.lost({ reason, protocol, onlineSince }, monotonic())
    if (settled) this.#takeover.settled()
    const chance = this.#random()
    const retryIn = reason === 'taken-over' ? this.#takeover.giveWay(chance) : chance * longest
    this.#report({ ...this.#change, state: 'offline', begins: false, reason, detail, retryIn })
    this.#timer = setTimeout(() => this.#connect(), retryIn * 1000)
  }

  #dispatch(message: IncomingMessage): void {
    const { presence } = this.#options
    if (message.topic === presence?.topic) this.#takeover.seen(presence.sessionOf?.(message.payload) ?? null)
    for (const subscription of this.#subscriptions) {
      if (!subscription.matches(message.topic)) continue
      try {
        subscription.handler(message)
      } catch {
        this.handlerErrors += 1
      }
    }
  }

  #tellRefused(filters: readonly string[]): void {
    if (!this.#online || filters.length === 0) return
    this.#report({ ...this.#change, begins: false, reason: 'subscription-refused', detail: filters.join(', ') })
  }

  #report(change: SessionChange): void {
    this.#change = change
    for (const observer of [...this.#observers]) observer(change)
  }
}

function redacted(url: string): string {
  return url.replace(/^(\w+:\/\/)[^/@]*@/, '$1')
}

async function within(seconds: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<void>(resolve => {
    timer = setTimeout(resolve, seconds * 1000)
  })
  await Promise.race([work.catch(() => undefined), limit])
  clearTimeout(timer)
}

function monotonic(): number {
  return performance.now() / 1000
}
