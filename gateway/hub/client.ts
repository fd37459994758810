import { randomBytes } from 'node:crypto'
import { PolewatchError } from '../errors.js'
import type { SigningKey } from '../messages/keys.js'
import { formatSequence, nothingStored } from '../messages/stream.js'
import { topicFilter } from '../messages/topics.js'
import type { IncomingMessage } from '../uplink/connection.js'
import type { TlsMaterial } from '../uplink/connection-options.js'
import type { KeyPins } from '../uplink/key-pins.js'
import { LiveStream } from '../uplink/live-stream.js'
import { MqttSession, type SessionChange } from '../uplink/session.js'
import { groupWord } from './group.js'
import type { HubEvent, HubLive, HubOutput, StreamAcknowledgement } from './outputs.js'
import { HubReceiver } from './receiver.js'
import { loadHubState, type RecordedEvent, saveHubState, withRecorded } from './state-file.js'

export interface HubOptions {
  /** mqtt, mqtts, ws or wss; several are tried in order. */
  readonly url: string | readonly string[]
  readonly site: string
  /**
   * Shares alerts and reports with other hubs of this name on the same broker or cluster (`$share`); retained messages go
   * to each. The hubs of a group tell each other by their acknowledgements how far each stream is recorded: they need one
   * signing key and one `hub` name, and have to acknowledge. Best is a broker that gives all messages of one publisher to one hub
   * (EMQX: `hash_clientid`); where it deals them out in turn, each waits for the others.
   */
  readonly share?: string
  /** The hub's own name, as in its acknowledgements: default the name of the share, or `hub`. */
  readonly hub?: string
  /** Default: `polewatch-hub-` and something random. */
  readonly clientId?: string
  readonly username?: string
  readonly password?: string
  readonly tls?: TlsMaterial
  /** Signs acknowledgements; gateways accept them only if their configuration names this key's public half. */
  readonly signingKey?: SigningKey
  /** Whether to acknowledge; needs a signing key. Default: true where there is one. */
  readonly acknowledge?: boolean
  /** Keeps the hub's place over restarts; without it every start begins in mid-stream and says so. */
  readonly stateFile?: string
  /**
   * What the application has recorded for good, at least since the state file was last written: it is acknowledged and
   * never given out again, so that a hub that was killed counts nothing twice.
   */
  readonly recorded?: Iterable<RecordedEvent>
  /** Gateways' keys known beforehand, which the state file does not overrule; capabilities pin the rest at first sight. */
  readonly keys?: KeyPins
  /** Seconds that an event waits for an earlier one before the gap is named: default 2. */
  readonly hold?: number
  /**
   * Outputs that wait for the application, at most: default 10,000. What comes beyond is left to be sent again, but for what gateways
   * say once, of themselves, for which there is as much room again.
   */
  readonly queueLimit?: number
  readonly onChange?: (change: SessionChange) => void
  /** The state file cannot be written: nothing is acknowledged until it can. */
  readonly onFault?: (error: unknown) => void
}

/** Seconds, and alerts: a gateway lets the less be under way the longer an acknowledgement takes. */
const acknowledgeEvery = 0.01
const acknowledgeCount = 100
/** Topics of who a gateway is and whether it is there. Nothing of it can be verified without. */
const saidOnce = /\/(?:capabilities|status)$/

/**
 * Connects a hub and yields what arrives, verified and in order. Asking for the next output settles the one before: only
 * then is it acknowledged, so an application that dies gets its last event once more (`envelope.source` and `envelope.id`
 * tell). Resolves before the connection is up. @throws PW_HUB_STATE_UNREADABLE, PW_USAGE
 */
export async function connectHub(options: HubOptions): Promise<HubClient> {
  const { share, signingKey, acknowledge } = options
  if (share !== undefined && (signingKey === undefined || acknowledge === false))
    throw new PolewatchError('PW_USAGE', { why: 'hubs that share alerts have to acknowledge, and need a key for it' })
  const state = options.stateFile === undefined ? undefined : await loadHubState(options.stateFile)
  return new HubClient(options, new HubReceiver(options, withRecorded(state, options.recorded ?? [])))
}

export class HubClient implements AsyncIterable<HubOutput> {
  readonly receiver: HubReceiver
  readonly session: MqttSession
  readonly #options: HubOptions
  readonly #stream: LiveStream | null
  readonly #hub: string
  readonly #queue: HubOutput[] = []
  /** What each gateway's uplink last said by itself: acknowledging it is how a hub says that it is there. */
  readonly #lastLive = new Map<string, StreamAcknowledgement>()
  readonly #greeted = new Set<string>()
  readonly #toGreet = new Set<string>()
  readonly #timer: NodeJS.Timeout
  #settled = 0
  #flushDue: NodeJS.Timeout | null = null
  #flushing = false
  #flushed: Promise<void> = Promise.resolve()
  #lastFlush = 0
  #changed = false
  #wake: (() => void) | null = null
  #closed = false
  /** Messages left to be sent again because the application was too slow. */
  overflowed = 0

  constructor(options: HubOptions, receiver: HubReceiver) {
    this.#options = options
    this.receiver = receiver
    const { signingKey, acknowledge = signingKey !== undefined, site, share } = options
    this.#hub = options.hub ?? share ?? 'hub'
    const stream = acknowledge && signingKey !== undefined ? new LiveStream(site, this.#hub, 'hub', signingKey) : null
    this.#stream = stream
    this.session = new MqttSession({
      brokers: typeof options.url === 'string' ? [options.url] : options.url,
      clientId: options.clientId ?? `polewatch-hub-${randomBytes(6).toString('hex')}`,
      username: options.username,
      password: options.password,
      tls: options.tls,
      sessionExpiry: 0,
      maximumPacketSize: 2 << 20,
      onChange: change => {
        if (change.state === 'connecting') {
          this.#greeted.clear()
          this.receiver.rejoin()
        }
        options.onChange?.(change)
      },
    })
    // Before the alerts, so that nothing that is said of them is missed.
    if (share !== undefined && stream !== null) {
      const heard = topicFilter('acknowledgement', { site })
      this.session.subscribe(heard, 1, ({ payload }) => this.#hear(payload, stream))
    }
    for (const filter of filters(site, share)) {
      this.session.subscribe(filter, 1, message => this.#feed(message))
    }
    this.#timer = setInterval(() => this.#tick(), 50)
    this.session.start()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<HubOutput, void, undefined> {
    while (!this.#closed) {
      const output = this.#queue.shift()
      if (output === undefined) {
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
        continue
      }
      yield output
      if (output.kind === 'event') this.#settle(output)
    }
  }

  /** Writes the state, sends what is to be acknowledged and disconnects. The iteration ends. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#timer)
    if (this.#flushDue !== null) clearTimeout(this.#flushDue)
    await this.#flushed
    await this.#flush()
    this.#wake?.()
    await this.session.stop()
  }

  #feed({ topic, payload, redelivered }: IncomingMessage): void {
    if (this.#closed) return
    const room = saidOnce.test(topic) ? 2 : 1
    if (this.#queue.length >= room * (this.#options.queueLimit ?? 10_000)) {
      this.overflowed += 1
      return
    }
    this.#take(this.receiver.feed(topic, payload, monotonic(), redelivered))
  }

  #hear(bytes: Uint8Array, own: LiveStream): void {
    const word = this.#closed ? null : groupWord(bytes, own)
    if (word === null) return
    if (word.kind === 'greeting') this.receiver.repeatAcknowledgements(word.site, word.gateway)
    else {
      this.#take(this.receiver.recorded(word.source, word.epoch, word.sequence, monotonic()))
      this.#changed = true
    }
    this.#flushSoon()
  }

  #tick(): void {
    this.#take(this.receiver.tick(monotonic()))
    if (monotonic() - this.#lastFlush >= acknowledgeEvery) this.#flushSoon()
  }

  #take(outputs: readonly HubOutput[]): void {
    for (const output of outputs) {
      this.#queue.push(output)
      if (output.kind === 'live') this.#met(output)
      if (output.kind === 'begun') this.#greet(placeOf(output.source))
    }
    if (outputs.length === 0) return
    this.#wake?.()
    this.#wake = null
  }

  #met({ site, gateway, envelope, message }: HubLive): void {
    if (envelope.stream.role !== 'uplink') return
    const place = `${site}/${gateway}`
    const { source, epoch } = envelope
    this.#lastLive.set(place, { site, gateway, source, epoch, sequence: Number(envelope.sequence) })
    const isBirth = message?.name === 'status' && message.data.state === 'online'
    if (isBirth || !this.#greeted.has(place)) this.#greet(place)
  }

  // Tells a gateway what the hub has and then that this is all, so that it sends again at once what nobody may have heard.
  #greet(place: string): void {
    const [site = '', gateway = ''] = place.split('/')
    this.#greeted.add(place)
    this.#toGreet.add(place)
    this.receiver.repeatAcknowledgements(site, gateway)
    this.#flushSoon()
  }

  #settle(event: HubEvent): void {
    this.receiver.settle(event)
    this.#changed = true
    this.#settled += 1
    if (this.#settled >= acknowledgeCount) this.#flushSoon()
    else this.#flushDue ??= setTimeout(() => this.#flushSoon(), acknowledgeEvery * 1000)
  }

  #flushSoon(): void {
    if (this.#flushDue !== null) clearTimeout(this.#flushDue)
    this.#flushDue = null
    if (!this.#flushing) this.#flushed = this.#flush()
  }

  async #flush(): Promise<void> {
    const due = this.#due()
    if (!this.#changed && due.length === 0) return
    this.#flushing = true
    this.#lastFlush = monotonic()
    this.#settled = 0
    try {
      const { stateFile } = this.#options
      // The state must hold whatever is acknowledged: it is taken in the same turn and written first.
      if (stateFile !== undefined && this.#changed) await saveHubState(stateFile, this.#takeState())
      this.#changed = stateFile !== undefined && this.#changed
      await Promise.all(due.map(each => this.#acknowledge(each)))
    } catch (error) {
      this.#changed = true
      this.#options.onFault?.(error)
    } finally {
      this.#flushing = false
    }
    const more = this.#settled >= acknowledgeCount || this.#toGreet.size > 0
    if (more && this.session.online && !this.#closed) this.#flushSoon()
  }

  #takeState(): string {
    this.#changed = false
    return JSON.stringify(this.receiver)
  }

  #due(): StreamAcknowledgement[] {
    if (this.#stream === null || !this.session.online) return []
    const greetings = [...this.#toGreet].flatMap(place => this.#lastLive.get(place) ?? [])
    this.#toGreet.clear()
    return [...this.receiver.acknowledgements(), ...greetings]
  }

  // One that is lost is made again when the gateway sends again.
  async #acknowledge({ site, gateway, source, epoch, sequence }: StreamAcknowledgement): Promise<void> {
    if (this.#stream === null) return
    const request = this.#stream.request(
      {
        name: 'acknowledgement',
        time: Date.now() / 1000,
        exercise: false,
        data: {
          stream: source,
          epoch,
          sequence: sequence === 0 ? nothingStored : formatSequence(sequence),
          hub: this.#hub,
        },
      },
      { site, gateway },
    )
    await this.session.publish(request).catch(() => undefined)
  }
}

// Keys first: what is retained comes as soon as it is subscribed to, and never through a shared subscription.
function filters(site: string, share: string | undefined): string[] {
  const each = [topicFilter('capabilities', { site }), topicFilter('status', { site })]
  const named = (['report', 'health', 'evidence'] as const).map(name => topicFilter(name, { site }))
  const one = [`polewatch/v1/${site}/+/alert/#`, ...named]
  return [...each, ...one.map(filter => (share === undefined ? filter : `$share/${share}/${filter}`))]
}

function placeOf(source: string): string {
  return source.split('/').slice(1, 3).join('/')
}

function monotonic(): number {
  return performance.now() / 1000
}
