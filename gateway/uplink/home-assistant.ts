import { topicFor } from '../messages/topics.js'
import type { PublishRequest } from './connection.js'
import type { DeliverySession } from './delivery-contract.js'

export interface HomeAssistantOptions {
  readonly site: string
  readonly gateway: string
  readonly version: string
  /** First level of the discovery topics, `homeassistant` unless it was set otherwise there. */
  readonly prefix: string
}

/**
 * The one retained message by which Home Assistant (2024.11 or newer: device discovery, home-assistant.io/integrations/mqtt)
 * finds the gateway's health. It names topics that are published anyway, and no alert: who sees the lights of a house must not
 * see gunfire or plates.
 */
export function discoveryMessage({ site, gateway, version, prefix }: HomeAssistantOptions): PublishRequest {
  const name = `polewatch-${site}-${gateway}`
  const health = topicFor('health', { site, gateway })
  const measured = (key: string, more: object) => ({
    platform: 'sensor',
    state_topic: health,
    unique_id: `${name}-${key}`,
    entity_category: 'diagnostic',
    ...more,
  })
  const document = {
    device: { identifiers: [name], name: gateway, manufacturer: 'polewatch', model: 'gateway', sw_version: version },
    origin: { name: 'polewatch', sw_version: version },
    components: {
      online: {
        platform: 'binary_sensor',
        name: 'Connection',
        unique_id: `${name}-online`,
        device_class: 'connectivity',
        state_topic: topicFor('status', { site, gateway }),
        value_template: '{{ value_json.data.state }}',
        payload_on: 'online',
        payload_off: 'offline',
      },
      health: {
        platform: 'binary_sensor',
        name: 'Health',
        unique_id: `${name}-health`,
        device_class: 'problem',
        state_topic: health,
        value_template: "{{ 'OFF' if value_json.data.state == 'good' else 'ON' }}",
      },
      uptime: measured('uptime', {
        name: 'Uptime',
        device_class: 'duration',
        unit_of_measurement: 's',
        value_template: '{{ value_json.data.uptime | round(0) }}',
      }),
      temperature: measured('temperature', {
        name: 'Temperature',
        device_class: 'temperature',
        unit_of_measurement: '°C',
        value_template: '{{ value_json.data.machine.temperature }}',
      }),
      storage: measured('storage', {
        name: 'Free storage',
        device_class: 'data_size',
        unit_of_measurement: 'B',
        value_template: '{{ value_json.data.machine.storageFree }}',
      }),
      waiting: measured('waiting', {
        name: 'Alerts waiting',
        value_template: "{{ value_json.data.journals | sum(attribute='waiting') }}",
      }),
    },
    qos: 1,
  }
  return {
    topic: `${prefix}/device/${name}/config`,
    payload: Buffer.from(JSON.stringify(document)),
    qos: 1,
    retain: true,
    contentType: 'application/json',
  }
}

/** Announces the gateway's health at every connection. A broker that refuses the topic costs nothing else. */
export function announceToHomeAssistant(session: DeliverySession, options: HomeAssistantOptions): void {
  const announce = (): void => {
    session.publish(discoveryMessage(options)).catch(() => undefined)
  }
  session.observe(change => {
    if (change.begins) announce()
  })
  if (session.online) announce()
}
