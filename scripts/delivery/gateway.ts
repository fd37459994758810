import type { KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { Bell } from '../../gateway/journal/bell.js'
import { Delivery } from '../../gateway/journal/delivery.js'
import { Journal, type JournalOptions } from '../../gateway/journal/journal.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import type { SigningKey } from '../../gateway/messages/keys.js'
import { sealAudit, sealEvent } from '../../gateway/messages/seal.js'
import { type EventDraft, messageTypes } from '../../gateway/messages/table.js'
import { Announcements } from '../../gateway/uplink/announcements.js'
import type { PublishRequest } from '../../gateway/uplink/connection.js'
import { Deliverer } from '../../gateway/uplink/delivery.js'
import type { DelivererOptions, DeliveryNotice, DeliverySession } from '../../gateway/uplink/delivery-contract.js'
import { LiveStream } from '../../gateway/uplink/live-stream.js'
import { MqttSession, type SessionOptions } from '../../gateway/uplink/session.js'
import { capabilities, site } from './drafts.js'

export interface SensingOptions {
  readonly gateway: string
  readonly folder: string
  readonly sensingKey: SigningKey
  readonly byteLimit?: number
  readonly onBell?: JournalOptions['onBell']
}

/** Sensing's journal, without a microphone. */
export class Sensing {
  readonly journal: Journal
  readonly #key: SigningKey

  constructor({ gateway, folder, sensingKey, byteLimit = 1 << 26, onBell }: SensingOptions) {
    this.#key = sensingKey
    this.journal = Journal.open({
      path: journalPath(folder),
      site,
      gateway,
      role: 'sensing',
      byteLimit,
      clock: systemTime,
      seal: hash => sealAudit(hash, sensingKey),
      ...(onBell === undefined ? {} : { onBell }),
    })
  }

  /** Resolves with `source#sequence` when it is committed. */
  async append(draft: EventDraft): Promise<string> {
    const { priority, topic } = messageTypes[draft.name]
    if (priority === 'live') throw new Error('not an alert')
    const { source, sequence } = await this.journal.append({
      priority,
      topic: topic.split('/').slice(4).join('/'),
      kind: draft.name,
      exercise: true,
      encode: position => sealEvent(draft, position, this.#key),
      audit: { action: draft.name, subject: draft.name },
    })
    return `${source}#${sequence}`
  }
}

export interface UplinkOptions {
  readonly gateway: string
  readonly folder: string
  readonly broker: string
  readonly uplinkKey: SigningKey
  readonly sensingKey: SigningKey
  readonly hubKeys: readonly KeyObject[]
  readonly session?: Partial<SessionOptions>
  readonly delivery?: Partial<DelivererOptions>
  /** Called with each alert as it is handed to the network. */
  readonly onSend?: (request: PublishRequest) => void
}

/** The uplink of a gateway that has only sensing's journal. */
export class Uplink {
  readonly session: MqttSession
  readonly deliverer: Deliverer
  readonly notices: DeliveryNotice[] = []
  readonly #progress: Delivery
  readonly #reader: JournalReader

  constructor({ gateway, folder, broker, uplinkKey, sensingKey, hubKeys, session, delivery, onSend }: UplinkOptions) {
    this.#reader = new JournalReader(journalPath(folder))
    this.#progress = Delivery.open({ path: join(folder, 'uplink.delivery.db'), clock: systemTime, delay: 0.25 })
    const stream = new LiveStream(site, gateway, 'uplink', uplinkKey)
    const said = { site, gateway, version: '0.1.0', exercise: true, stream, clock: systemTime }
    const announcements = new Announcements(said)
    announcements.setCapabilities(capabilities(gateway, { uplink: uplinkKey, sensing: sensingKey }))
    const presence = announcements.presence()
    this.session = new MqttSession({ brokers: [broker], clientId: gateway, presence, ...session })
    announcements.attach(this.session)
    this.deliverer = new Deliverer({
      site,
      gateway,
      session: onSend === undefined ? this.session : observed(this.session, onSend),
      journals: [this.#reader],
      progress: this.#progress,
      acknowledge: 'hub',
      hubKeys,
      onNotice: notice => this.notices.push(notice),
      ...delivery,
    })
    this.deliverer.start()
    this.session.start()
  }

  /** The bell of sensing's journal has rung; the deliverer is to be woken afterwards. */
  heard(bell: string): void {
    this.#reader.heard(bell)
  }

  /** True when everything appended is acknowledged. */
  delivered(): boolean {
    const streams = this.deliverer.streams()
    return streams.every(stream => stream.acknowledged === stream.last)
  }

  /** How far the hub has a stream, as the journal's owner is to know it. */
  acknowledged(source: string, epoch: string): number {
    return this.#progress.acknowledged(source, epoch)
  }

  async close(): Promise<void> {
    this.deliverer.stop()
    await this.session.stop()
    this.#progress.close()
    this.#reader.close()
  }
}

export type PolelessGatewayOptions = UplinkOptions & Pick<SensingOptions, 'byteLimit'>

/** Sensing's journal and an uplink for it, in one process and without a pole. */
export class PolelessGateway extends Uplink {
  readonly journal: Journal
  readonly #sensing: Sensing
  #closed = false

  constructor(options: PolelessGatewayOptions) {
    const { gateway, folder, sensingKey, byteLimit = 1 << 26 } = options
    let wake = () => {}
    const path = join(folder, 'sensing.bell')
    const bell = new Bell(path)
    const onBell: JournalOptions['onBell'] = news => {
      bell.ring(news)
      wake()
    }
    // The journal first: what is read must be there.
    const sensing = new Sensing({ gateway, folder, sensingKey, byteLimit, onBell })
    super(options)
    wake = () => {
      this.heard(path)
      this.deliverer.wake()
    }
    this.#sensing = sensing
    this.journal = sensing.journal
  }

  append(draft: EventDraft): Promise<string> {
    return this.#sensing.append(draft)
  }

  override async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await super.close()
    this.journal.close()
  }
}

function journalPath(folder: string): string {
  return join(folder, 'sensing.journal.db')
}

function systemTime(): number {
  return Date.now() / 1000
}

function observed(session: MqttSession, onSend: (request: PublishRequest) => void): DeliverySession {
  return {
    get online() {
      return session.online
    },
    get receiveMaximum() {
      return session.receiveMaximum
    },
    publish: request => {
      onSend(request)
      return session.publish(request)
    },
    unsubscribe: filter => session.unsubscribe(filter),
    subscribe: (filter, quality, handler) => session.subscribe(filter, quality, handler),
    observe: observer => session.observe(observer),
  }
}
