import * as z from 'zod'
import { epoch, sequence, streamName, time } from './fields.js'
import type { JsonObject } from './json.js'
import type { Stream } from './stream.js'

/** The attributes of every message; further ones are tolerated. */
export const envelopeSchema = z.object({
  specversion: z.literal('1.0').describe('CloudEvents.'),
  type: z.string().min(1).max(128).describe('What the data are.'),
  source: streamName,
  id: z.string().min(1).max(128).describe('Epoch and sequence number; unique within the source.'),
  time: time('When what the message tells happened.'),
  datacontenttype: z.literal('application/json'),
  subject: z.string().min(1).max(200).describe('What the message is about, such as the incident.').optional(),
  epoch,
  sequence: sequence('From 1, without a gap within source and epoch, unless the source ends in /live.'),
  exercise: z
    .boolean()
    .describe('Whether it was made for a test or a drill. Nothing that passes messages on may lose this.'),
  signature: z
    .string()
    .max(1000)
    .describe(
      'Detached JWS with Ed25519 over the RFC 8785 form of the event without this attribute. A replay does not sign.',
    )
    .optional(),
})

/** The attributes that all messages have, as read. */
export interface Envelope {
  /** CloudEvents `type`, as `org.polewatch.gunfire.v1`; it may be one that this version does not know. */
  readonly type: string
  readonly id: string
  readonly source: string
  readonly stream: Stream
  readonly epoch: string
  readonly sequence: bigint
  /** When what it tells happened, seconds since 1970 UTC. */
  readonly time: number
  /** Whether it was made for a test or a drill. */
  readonly exercise: boolean
  readonly subject: string | null
  /** Detached JWS; null where the event is not signed. Read it only through `verifyEvent`. */
  readonly signature: string | null
  /** The whole event as it came, with attributes unknown here. */
  readonly original: JsonObject
}
