import { createSigningKey } from '../../gateway/messages/keys.js'
import { sealEvent } from '../../gateway/messages/seal.js'
import { Announcements } from '../../gateway/uplink/announcements.js'
import { Deliverer, type StoredAlert } from '../../gateway/uplink/delivery.js'
import { LiveStream } from '../../gateway/uplink/live-stream.js'
import { MqttSession, type SessionChange } from '../../gateway/uplink/session.js'
import { capabilities, gunfireDraft, site } from './drafts.js'

export interface FleetGatewayOptions {
  readonly gateway: string
  readonly broker: string
  readonly hubKeys: ConstructorParameters<typeof Deliverer>[0]['hubKeys']
  readonly onChange: (change: SessionChange) => void
}

/** One of many gateways: session and delivery as on a pole, its alerts in memory. */
export class FleetGateway {
  readonly session: MqttSession
  readonly #deliverer: Deliverer
  readonly #key = createSigningKey()
  readonly #alerts: StoredAlert[] = []
  readonly #source: string
  readonly #epoch: string
  #acknowledged = 0

  constructor({ gateway, broker, hubKeys, onChange }: FleetGatewayOptions) {
    const uplinkKey = createSigningKey()
    const stream = new LiveStream(site, gateway, 'uplink', uplinkKey)
    this.#source = `/${site}/${gateway}/sensing/gunfire`
    this.#epoch = stream.epoch
    const clock = () => Date.now() / 1000
    const announcements = new Announcements({ site, gateway, version: '0.1.0', exercise: true, stream, clock })
    announcements.setCapabilities(capabilities(gateway, { uplink: uplinkKey, sensing: this.#key }))
    const presence = announcements.presence()
    this.session = new MqttSession({ brokers: [broker], clientId: gateway, presence, onChange })
    announcements.attach(this.session)
    this.#deliverer = new Deliverer({
      site,
      gateway,
      session: this.session,
      journals: [
        {
          streams: () => [{ source: this.#source, epoch: this.#epoch, lastSequence: this.#alerts.length }],
          read: (_source, _epoch, after, limit) => this.#alerts.slice(after, after + limit),
        },
      ],
      progress: {
        acknowledged: () => this.#acknowledged,
        acknowledge: (_source, _epoch, sequence) => {
          this.#acknowledged = sequence
        },
      },
      acknowledge: 'hub',
      hubKeys,
    })
    this.#deliverer.start()
  }

  get delivered(): boolean {
    return this.#acknowledged === this.#alerts.length
  }

  /** Returns the alert's place. */
  append(): string {
    const sequence = this.#alerts.length + 1
    const position = { source: this.#source, epoch: this.#epoch, sequence }
    const { bytes } = sealEvent(gunfireDraft(`incident-${sequence}`), position, this.#key)
    this.#alerts.push({ sequence, topic: 'alert/gunfire', bytes })
    this.#deliverer.wake()
    return `${this.#source}#${sequence}`
  }

  async stop(): Promise<void> {
    this.#deliverer.stop()
    await this.session.stop()
  }
}
