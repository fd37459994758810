import type { KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { Delivery } from '../../gateway/journal/delivery.js'
import { Journal } from '../../gateway/journal/journal.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import type { SigningKey } from '../../gateway/messages/keys.js'
import { sealEvent } from '../../gateway/messages/seal.js'
import { type EventDraft, messageTypes } from '../../gateway/messages/table.js'
import { Announcements } from '../../gateway/uplink/announcements.js'
import { Deliverer, type DeliveryNotice } from '../../gateway/uplink/delivery.js'
import { LiveStream } from '../../gateway/uplink/live-stream.js'
import { MqttSession } from '../../gateway/uplink/session.js'
import { capabilities, site } from './events.js'

export interface TestGatewayOptions {
  readonly gateway: string
  readonly folder: string
  readonly broker: string
  readonly uplinkKey: SigningKey
  readonly sensingKey: SigningKey
  readonly hubKeys: readonly KeyObject[]
  readonly acknowledge?: 'hub' | 'broker'
  readonly firstRetry?: number
  readonly window?: number
  readonly hubWindow?: number
}

/** Sensing's journal and an uplink for it, in one process and without a pole. */
export class TestGateway {
  readonly journal: Journal
  readonly session: MqttSession
  readonly deliverer: Deliverer
  readonly notices: DeliveryNotice[] = []
  readonly #progress: Delivery
  readonly #reader: JournalReader
  readonly #sensingKey: SigningKey
  #closed = false

  constructor(options: TestGatewayOptions) {
    const { gateway, folder, uplinkKey, sensingKey, hubKeys } = options
    const clock = () => Date.now() / 1000
    const path = join(folder, 'sensing.journal.db')
    this.#sensingKey = sensingKey
    this.journal = Journal.open({
      path,
      site,
      gateway,
      role: 'sensing',
      byteLimit: 1 << 26,
      clock,
      onBell: () => this.deliverer.wake(),
    })
    this.#reader = new JournalReader(path)
    this.#progress = Delivery.open({ path: join(folder, 'uplink.delivery.db'), clock, delay: 0.1 })
    const stream = new LiveStream(site, gateway, 'uplink', uplinkKey)
    const announcements = new Announcements({ site, gateway, version: '0.1.0', exercise: true, stream, clock })
    announcements.setCapabilities(capabilities(gateway, { uplink: uplinkKey, sensing: sensingKey }))
    const presence = announcements.presence()
    this.session = new MqttSession({ brokers: [options.broker], clientId: gateway, presence, random: () => 0.05 })
    announcements.attach(this.session)
    this.deliverer = new Deliverer({
      site,
      gateway,
      session: this.session,
      journals: [this.#reader],
      progress: this.#progress,
      acknowledge: options.acknowledge ?? 'hub',
      hubKeys,
      window: options.window ?? 20,
      hubWindow: options.hubWindow ?? 200,
      firstRetry: options.firstRetry ?? 1,
      longestRetry: 2,
      onNotice: notice => this.notices.push(notice),
    })
    this.deliverer.start()
    this.session.start()
  }

  /** Resolves when it is committed. */
  async append(draft: EventDraft): Promise<string> {
    const { priority, topic } = messageTypes[draft.name]
    if (priority === 'live') throw new Error('not an alert')
    const { source, sequence } = await this.journal.append({
      priority,
      topic: topic.split('/').slice(4).join('/'),
      kind: draft.name,
      exercise: true,
      encode: position => sealEvent(draft, position, this.#sensingKey),
      audit: { action: draft.name, subject: draft.name },
    })
    return `${source}#${sequence}`
  }

  /** True when everything appended is acknowledged. */
  delivered(): boolean {
    return this.deliverer.streams().every(stream => stream.acknowledged === stream.last)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.deliverer.stop()
    await this.session.stop()
    this.journal.close()
    this.#progress.close()
    this.#reader.close()
  }
}

/** Waits until something holds, and says what did not when it never does. */
export async function until(what: string, holds: () => boolean, seconds = 60): Promise<void> {
  const end = performance.now() + seconds * 1000
  while (!holds()) {
    if (performance.now() > end) throw new Error(`never came true: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}
