import * as z from 'zod'
import { isJsonObject, type JsonObject } from './json.js'
import { contentType } from './seal.js'
import { type MessageName, messageNames, messageTypes } from './table.js'

/** Where the generated schema of a message lies, below the folder of the generated documents. */
export function schemaPath(name: MessageName): string {
  return `schemas/${name}.json`
}

/**
 * The JSON Schema (draft 2020-12) of a whole message. It tolerates further properties, as every reader of messages has to:
 * later versions add some.
 */
export function jsonSchema(name: MessageName): JsonObject {
  const { $schema, ...schema } = z.toJSONSchema(messageTypes[name].event, { io: 'input', target: 'draft-2020-12' })
  const { type, description } = messageTypes[name]
  return { $schema, $id: `urn:polewatch:${type}`, title: type, description, ...schema }
}

/**
 * The AsyncAPI 3.0 document, told from the gateway's side: it sends alerts and receives commands. Self-contained; `examples`
 * holds one whole message a name.
 */
export function asyncApi(examples: ReadonlyMap<MessageName, JsonObject>): JsonObject {
  const channels: Record<string, JsonObject> = {}
  for (const [topic, names] of topics()) channels[channelOf(topic)] = channel(topic, names)
  channels.response = {
    address: null,
    title: 'response topic',
    description: 'The MQTT 5 response topic of a command.',
    messages: { 'command-result': reference('components/messages/command-result') },
  }
  const operations: Record<string, JsonObject> = {}
  for (const name of messageNames) Object.assign(operations, operationsOf(name))
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'polewatch',
      version: '1.0.0',
      description: [
        'What a polewatch gateway publishes and obeys, told from the side of the gateway.',
        'Every message is a CloudEvents 1.0 document, signed with the key of the role that made it.',
        'Alerts and reports are numbered without a gap within source and epoch, and sent again until the hub acknowledges them',
        'on `ack`: a hub drops what it already has by source and id, and sees every loss.',
        'Messages whose source ends in `/live` are sent once; a gap in their numbers means nothing.',
        'Further properties may appear in any message and must be tolerated.',
      ].join('\n'),
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: contentType,
    servers: {
      broker: {
        host: '{host}:8883',
        protocol: 'secure-mqtt',
        protocolVersion: '5.0',
        description: "The city's broker. MQTT 3.1.1 will do, without expiry and response topics.",
        variables: { host: { description: 'Name of the broker.', examples: ['broker.example.org'] } },
      },
    },
    channels,
    operations,
    components: { messages: Object.fromEntries(messageNames.map(name => [name, message(name, examples.get(name))])) },
  }
}

const parameters: { readonly [part: string]: JsonObject } = {
  site: { description: 'The site.', examples: ['riverside'] },
  gateway: { description: 'The gateway, unique within its site.', examples: ['pole-17'] },
  cell: { description: 'Geohash of five characters of the place where the gateway stands.', examples: ['dppn5'] },
  id: { description: 'Id of the piece of evidence.', examples: ['plate-20260301-0007'] },
  name: { description: 'Name of the command.', examples: ['status'] },
}

function topics(): Map<string, MessageName[]> {
  const found = new Map<string, MessageName[]>()
  for (const name of messageNames) {
    const { topic } = messageTypes[name]
    found.set(topic, [...(found.get(topic) ?? []), name])
  }
  return found
}

/** `polewatch/v1/{site}/{gateway}/alert/gunfire` is the channel `alert-gunfire`. */
function channelOf(topic: string): string {
  const levels = topic.split('/').slice(2)
  return levels.filter(level => !level.startsWith('{')).join('-')
}

function channel(topic: string, names: readonly MessageName[]): JsonObject {
  const parts = [...topic.matchAll(/\{(\w+)\}/g)].map(([, part = '']) => part)
  return {
    address: topic,
    title: topic.split('/').slice(3).join('/').replace('{gateway}/', ''),
    description: names.map(name => messageTypes[name].description).join(' '),
    messages: Object.fromEntries(names.map(name => [name, reference(`components/messages/${name}`)])),
    parameters: Object.fromEntries(parts.map(part => [part, parameters[part]])),
  }
}

function operationsOf(name: MessageName): Record<string, JsonObject> {
  const { sender, topic, quality, retained, expiresAfter, description } = messageTypes[name]
  const operation = {
    channel: reference(`channels/${channelOf(topic)}`),
    summary: description,
    messages: [reference(`channels/${channelOf(topic)}/messages/${name}`)],
    bindings: {
      mqtt: {
        qos: quality,
        retain: retained,
        ...(expiresAfter === null ? {} : { messageExpiryInterval: expiresAfter }),
        bindingVersion: '0.2.0',
      },
    },
  }
  const named: Record<string, JsonObject> = {}
  if (sender === 'gateway') named[`send-${name}`] = { action: 'send', ...operation }
  if (sender === 'hub' || channelOf(topic) === 'arrivals')
    named[`receive-${name}`] = { action: 'receive', ...operation, ...reply(name) }
  return named
}

function reply(name: MessageName): JsonObject {
  if (name !== 'command' && name !== 'verdict') return {}
  return {
    reply: {
      address: { location: '$message.header#/responseTopic', description: 'The MQTT 5 response topic.' },
      channel: reference('channels/response'),
      messages: [reference('channels/response/messages/command-result')],
    },
  }
}

function message(name: MessageName, example: JsonObject | undefined): JsonObject {
  const { type, description, priority } = messageTypes[name]
  const { $schema, ...payload } = z.toJSONSchema(messageTypes[name].event, { io: 'input', target: 'draft-07' })
  const asked = name === 'command' || name === 'verdict'
  const headers = {
    type: 'object',
    properties: { responseTopic: { type: 'string', description: 'MQTT 5 property: where the answer shall go.' } },
  }
  return {
    name: type,
    title: name,
    summary: description,
    description: `Its source is a stream that ends in /${priority}.`,
    contentType,
    ...(asked ? { headers } : {}),
    payload,
    bindings: { mqtt: { payloadFormatIndicator: 1, contentType, bindingVersion: '0.2.0' } },
    examples: isJsonObject(example) ? [{ name, payload: example }] : [],
  }
}

function reference(path: string): JsonObject {
  return { $ref: `#/${path}` }
}
