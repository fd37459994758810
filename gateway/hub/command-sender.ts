import { randomBytes } from 'node:crypto'
import { PolewatchError } from '../errors.js'
import type { CommandName } from '../messages/commands.js'
import type { SigningKey } from '../messages/keys.js'
import { openEvent, verifyEvent } from '../messages/seal.js'
import type { EventDraft, MessageData, MessageEvent } from '../messages/table.js'
import { formatTime } from '../messages/time.js'
import { topicFor } from '../messages/topics.js'
import type { IncomingMessage, PublishRequest } from '../uplink/connection.js'
import type { TlsMaterial } from '../uplink/connection-options.js'
import { KeyPins } from '../uplink/key-pins.js'
import { LiveStream } from '../uplink/live-stream.js'
import { MqttSession, type SessionChange } from '../uplink/session.js'

export interface CommandSenderOptions {
  /** mqtt, mqtts, ws or wss; several are tried in order. */
  readonly url: string | readonly string[]
  readonly site: string
  /** The gateway that shall obey. */
  readonly gateway: string
  /** Signs the commands: its public half is in the gateway's configuration, `commands.keys` or `uplink.hubKey`. */
  readonly signingKey: SigningKey
  /** The hub's own name: default `hub`. */
  readonly hub?: string
  readonly username?: string
  readonly password?: string
  readonly tls?: TlsMaterial
  /** Marks what is asked as a drill. */
  readonly exercise?: boolean
  /** Gateways' keys known beforehand; without them the gateway's capabilities are believed at first sight. */
  readonly keys?: KeyPins
  /** Seconds to wait for an answer: default 30. */
  readonly timeout?: number
  readonly onChange?: (change: SessionChange) => void
}

export interface CommandRequest {
  readonly name: Exclude<CommandName, 'verdict'>
  /** See docs/hub.md for what each command needs. */
  readonly arguments?: Readonly<Record<string, unknown>>
  /** One that the gateway's configuration allows the key. */
  readonly purpose: string
  /** Who asks, as a role. */
  readonly requestedBy: string
  /** Seconds until the gateway may not obey it any more: default 300, at most a week. */
  readonly life?: number
}

export type CommandResult = MessageEvent<'command-result'>

interface Waiting {
  readonly source: string
  readonly id: string
  readonly resolve: (result: CommandResult) => void
}

/** Sends one gateway commands and verdicts, and gives its signed answers. Close it when done. */
export class CommandSender {
  readonly #options: CommandSenderOptions
  readonly #stream: LiveStream
  readonly #session: MqttSession
  readonly #keys: KeyPins
  readonly #waiting = new Set<Waiting>()
  readonly #unverified: CommandResult[] = []

  /** Connects at once. @throws PW_STREAM_INVALID, PW_TOPIC_INVALID */
  constructor(options: CommandSenderOptions) {
    this.#options = options
    const { site, gateway, signingKey, hub = 'hub', url } = options
    this.#stream = new LiveStream(site, hub, 'hub', signingKey)
    this.#keys = options.keys ?? new KeyPins()
    this.#session = new MqttSession({
      brokers: typeof url === 'string' ? [url] : url,
      clientId: `polewatch-command-${randomBytes(6).toString('hex')}`,
      username: options.username,
      password: options.password,
      tls: options.tls,
      sessionExpiry: 0,
      ...(options.onChange === undefined ? {} : { onChange: options.onChange }),
    })
    this.#session.subscribe(topicFor('capabilities', { site, gateway }), 1, message => this.#learn(message))
    this.#session.subscribe(topicFor('command-result', { site, gateway }), 1, message => this.#answered(message))
    this.#session.start()
  }

  /** Resolves with the answer, whatever it says. @throws PW_COMMAND_UNANSWERED, PW_MESSAGE_INVALID */
  send(request: CommandRequest): Promise<CommandResult> {
    const { site, gateway } = this.#options
    const time = Date.now() / 1000
    const data = {
      site,
      gateway,
      name: request.name,
      arguments: { ...request.arguments },
      purpose: request.purpose,
      requestedBy: request.requestedBy,
      expires: formatTime(time + (request.life ?? 300)),
      nonce: randomBytes(16).toString('hex'),
    }
    return this.#ask({ name: 'command', time, exercise: this.#options.exercise ?? false, data }, request.name)
  }

  /** Says what a person thinks of an alert. @throws PW_COMMAND_UNANSWERED, PW_MESSAGE_INVALID */
  verdict(data: MessageData<'verdict'>): Promise<CommandResult> {
    const time = Date.now() / 1000
    const subject = data.hit ?? data.incident
    return this.#ask({ name: 'verdict', time, exercise: this.#options.exercise ?? false, subject, data }, 'verdict')
  }

  async close(): Promise<void> {
    await this.#session.stop()
  }

  async #ask(draft: EventDraft<'command'> | EventDraft<'verdict'>, name: CommandName): Promise<CommandResult> {
    const { site, gateway, timeout = 30 } = this.#options
    const request = this.#stream.request(draft, { site, gateway, name })
    const { source, id } = openEvent(request.payload)
    const responseTopic = topicFor('command-result', { site, gateway })
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        source,
        id,
        resolve: result => {
          done()
          resolve(result)
        },
      }
      const timer = setTimeout(() => {
        done()
        reject(new PolewatchError('PW_COMMAND_UNANSWERED', { gateway, name, seconds: timeout }))
      }, timeout * 1000)
      const done = (): void => {
        clearTimeout(timer)
        stop()
        this.#waiting.delete(waiting)
      }
      this.#waiting.add(waiting)
      const stop = this.#whenOnline({ ...request, responseTopic, correlation: Buffer.from(id) })
    })
  }

  /** Publishes once there is a connection; a command is sent once, since the gateway obeys it once. Returns how to give up. */
  #whenOnline(request: PublishRequest): () => void {
    let sent = false
    const publish = (): void => {
      if (sent) return
      sent = true
      this.#session.publish(request).catch(() => {
        sent = false
      })
    }
    const stop = this.#session.observe(change => {
      if (change.state === 'online') publish()
    })
    if (this.#session.online) publish()
    return stop
  }

  #learn({ payload }: IncomingMessage): void {
    const event = read(payload)
    if (event?.name !== 'capabilities' || event.stream.gateway !== this.#options.gateway) return
    this.#keys.learn(event)
    for (const result of this.#unverified.splice(0)) this.#settle(result)
  }

  #answered({ payload }: IncomingMessage): void {
    const event = read(payload)
    if (event?.name !== 'command-result') return
    const { site, gateway, role } = event.stream
    if (site !== this.#options.site || gateway !== this.#options.gateway || role !== 'uplink') return
    this.#settle(event)
  }

  // An answer that anybody could have written is none; one that came before the keys waits for them.
  #settle(result: CommandResult): void {
    const verification = verifyEvent(result, this.#keys.find)
    if (verification === 'unknown-key' && this.#unverified.length < 16) this.#unverified.push(result)
    if (verification !== 'valid') return
    const { source, id } = result.data.command
    for (const waiting of this.#waiting) if (waiting.source === source && waiting.id === id) waiting.resolve(result)
  }
}

/** Sends one command and closes the connection. @throws as `CommandSender.send` */
export async function sendCommand(options: CommandSenderOptions, request: CommandRequest): Promise<CommandResult> {
  const sender = new CommandSender(options)
  try {
    return await sender.send(request)
  } finally {
    await sender.close()
  }
}

function read(bytes: Uint8Array): MessageEvent | null {
  try {
    return openEvent(bytes)
  } catch {
    return null
  }
}
