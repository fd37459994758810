import * as z from 'zod'
import { fault, gunfire, plateHit, shed, tamper } from './alerts.js'
import { check } from './checking.js'
import { capabilities, evidence, health, report, status } from './condition.js'
import { type Envelope, envelopeSchema } from './envelope.js'
import { arrival, claim } from './neighbours.js'
import { acknowledgement, command, commandResult, verdict } from './requests.js'
import type { StreamClass } from './stream.js'

/** A message whose data were checked. Properties of `data` that this version does not know are only in `original`. */
export interface OpenedEvent<Name extends string, Data> extends Envelope {
  readonly name: Name
  readonly data: Data
}

interface Delivery {
  /** Topic with its variable parts in braces. */
  readonly topic: string
  /** Who publishes there. */
  readonly sender: 'gateway' | 'hub'
  readonly quality: 0 | 1
  readonly retained: boolean
  /** Message expiry of MQTT 5, seconds; null where it never expires. */
  readonly expiresAfter: number | null
  /** The streams that it may stand in. */
  readonly priority: StreamClass
  readonly description: string
}

function define<Name extends string, Schema extends z.ZodType>(name: Name, data: Schema, delivery: Delivery) {
  const type = `org.polewatch.${name}.v1` as const
  return {
    ...delivery,
    name,
    type,
    data,
    /** The whole message, attributes and data. */
    event: envelopeSchema.extend({ type: z.literal(type), data }),
    /** Reads the data of an event whose envelope was read. @throws PW_MESSAGE_INVALID */
    open: (envelope: Envelope): OpenedEvent<Name, z.output<Schema>> => ({
      ...envelope,
      name,
      data: check(data, envelope.original.data, 'data'),
    }),
  }
}

const gatewayTopic = 'polewatch/v1/{site}/{gateway}'
const alert = { sender: 'gateway', quality: 1, retained: false, expiresAfter: null } as const
const live = { quality: 1, retained: false, priority: 'live' } as const

/** Every kind of message. */
export const messageTypes = {
  gunfire: define('gunfire', gunfire, {
    ...alert,
    topic: `${gatewayTopic}/alert/gunfire`,
    priority: 'gunfire',
    description: 'Gunfire was heard: when, where if it could be located, how sure; revised as more is known.',
  }),
  'plate-hit': define('plate-hit', plateHit, {
    ...alert,
    topic: `${gatewayTopic}/alert/plate-hit`,
    priority: 'hit',
    description:
      'A plate was read that matches a hotlist entry, and exactly how it matched; a person has to confirm it.',
  }),
  tamper: define('tamper', tamper, {
    ...alert,
    topic: `${gatewayTopic}/alert/tamper`,
    priority: 'fault',
    description: 'Somebody opened, moved or cut off the gateway, or that is over.',
  }),
  fault: define('fault', fault, {
    ...alert,
    topic: `${gatewayTopic}/alert/fault`,
    priority: 'fault',
    description: 'A part of the gateway does not work, or works again.',
  }),
  shed: define('shed', shed, {
    ...alert,
    topic: `${gatewayTopic}/alert/shed`,
    priority: 'rest',
    description: 'Alerts that will never come, because the journal had no room or was damaged.',
  }),
  arrival: define('arrival', arrival, {
    ...live,
    sender: 'gateway',
    topic: 'polewatch/v1/{site}/arrivals/{cell}/{gateway}',
    expiresAfter: 30,
    description:
      'Impulses that a gateway heard, for its neighbours; without any it says that it heard nothing up to a time.',
  }),
  claim: define('claim', claim, {
    ...live,
    sender: 'gateway',
    topic: 'polewatch/v1/{site}/arrivals/{cell}/{gateway}',
    expiresAfter: 60,
    description: 'A gateway tells its neighbours that it reports an incident, so that no other does.',
  }),
  acknowledgement: define('acknowledgement', acknowledgement, {
    ...live,
    sender: 'hub',
    topic: `${gatewayTopic}/ack`,
    expiresAfter: 3600,
    description: 'The hub has stored a stream up to a number; the gateway may forget that much.',
  }),
  verdict: define('verdict', verdict, {
    ...live,
    sender: 'hub',
    topic: `${gatewayTopic}/command/verdict`,
    expiresAfter: 604800,
    description: 'What a person at the hub says of an alert.',
  }),
  status: define('status', status, {
    ...live,
    sender: 'gateway',
    topic: `${gatewayTopic}/status`,
    retained: true,
    expiresAfter: null,
    description: 'Whether the gateway is connected: the birth message of a session, and its will.',
  }),
  health: define('health', health, {
    ...live,
    sender: 'gateway',
    topic: `${gatewayTopic}/health`,
    quality: 0,
    expiresAfter: 300,
    description: 'How each part of the gateway fares, once a minute and at each change.',
  }),
  capabilities: define('capabilities', capabilities, {
    ...live,
    sender: 'gateway',
    topic: `${gatewayTopic}/capabilities`,
    retained: true,
    expiresAfter: null,
    description: 'What the gateway is and has, and the public keys of its roles.',
  }),
  report: define('report', report, {
    ...alert,
    topic: `${gatewayTopic}/report`,
    priority: 'rest',
    description: 'What the gateway did in a period, in numbers that anybody may see.',
  }),
  evidence: define('evidence', evidence, {
    ...live,
    sender: 'gateway',
    topic: `${gatewayTopic}/evidence/{id}`,
    expiresAfter: 86400,
    description: 'A picture or a piece of sound that the hub asked for and the policy lets go, in chunks.',
  }),
  command: define('command', command, {
    ...live,
    sender: 'hub',
    topic: `${gatewayTopic}/command/{name}`,
    expiresAfter: 3600,
    description: 'The hub asks the gateway to do something; the answer goes to the response topic.',
  }),
  'command-result': define('command-result', commandResult, {
    ...live,
    sender: 'gateway',
    topic: `${gatewayTopic}/command-result`,
    expiresAfter: 3600,
    description: 'The answer to a command, sent to its MQTT 5 response topic or, where it gave none, to this one.',
  }),
}

/** A message's short name, as `gunfire`. */
export type MessageName = keyof typeof messageTypes

export type MessageType<Name extends MessageName> = (typeof messageTypes)[Name]

/** The data of a message of that name. */
export type MessageData<Name extends MessageName> = z.output<MessageType<Name>['data']>

/** A read message of that name; without a name, any, told apart by `name`. */
export type MessageEvent<Name extends MessageName = MessageName> = {
  [N in Name]: ReturnType<MessageType<N>['open']>
}[Name]

/** What a message says, before it has its place in a stream. Without a name, any message, told apart by `name`. */
export type EventDraft<Name extends MessageName = MessageName> = {
  [N in Name]: {
    readonly name: N
    /** When what it tells happened, seconds since 1970 UTC. */
    readonly time: number
    readonly exercise: boolean
    readonly data: MessageData<N>
    readonly subject?: string | null
  }
}[Name]

/** All names, in the table's order. */
export const messageNames = Object.keys(messageTypes).filter(isMessageName)

export function isMessageName(name: string): name is MessageName {
  return Object.hasOwn(messageTypes, name)
}

/** The name that belongs to a CloudEvents type; null where this version does not know the type. */
export function messageNameOf(type: string): MessageName | null {
  return messageNames.find(name => messageTypes[name].type === type) ?? null
}
