import { type KeyObject, sign, verify } from 'node:crypto'
import * as z from 'zod'
import { PolewatchError } from '../errors.js'
import { check, refuseUnknown } from './checking.js'
import { type Envelope, envelopeSchema } from './envelope.js'
import { canonicalJson, type JsonObject, parseJsonObject } from './json.js'
import type { SigningKey } from './keys.js'
import {
  eventId,
  formatSequence,
  parseSequence,
  parseStream,
  type Stream,
  type StreamPosition,
  shown,
} from './stream.js'
import { type EventDraft, type MessageEvent, messageNameOf, messageTypes } from './table.js'
import { formatTime, parseTime } from './time.js'

/*
 * Every message is a CloudEvents 1.0 document in JSON. Its extension `signature` is a detached JWS (RFC 7515, appendix F) with
 * Ed25519 (RFC 8037) over the canonical form (RFC 8785) of the event without that attribute, so that it holds however the
 * event is written down on its way.
 */

/** The content type of every message. */
export const contentType = 'application/cloudevents+json'

/** Bytes of the largest message that is written, or read unless told otherwise. */
export const messageLimit = 262_144

export interface SealedEvent {
  readonly id: string
  /** The message as it is stored and sent: UTF-8, canonical form. */
  readonly bytes: Uint8Array
}

/**
 * Makes the message, checks it and signs it. Without a key it is not signed, as in a replay. Synchronous, so that it can run
 * inside a transaction; the same input gives the same bytes.
 * @throws PW_MESSAGE_INVALID for data that break the schema or hold a property that it does not have, and for a stream of
 *   another priority than the message's; PW_MESSAGE_TOO_LARGE; PW_STREAM_INVALID for a number that is none
 */
export function sealEvent(draft: EventDraft, position: StreamPosition, key: SigningKey | null): SealedEvent {
  const { type, priority, event: schema } = messageTypes[draft.name]
  if (parseStream(position.source)?.priority !== priority) {
    const why = `${draft.name} does not belong in the stream ${shown(position.source)}`
    throw new PolewatchError('PW_MESSAGE_INVALID', { why })
  }
  const event = {
    specversion: '1.0',
    type,
    source: position.source,
    id: eventId(position.epoch, position.sequence),
    time: written(draft.time),
    datacontenttype: 'application/json',
    ...(draft.subject == null ? {} : { subject: draft.subject }),
    epoch: position.epoch,
    sequence: formatSequence(position.sequence),
    exercise: draft.exercise,
    data: draft.data,
  }
  refuseUnknown(check(schema, event, type), event)
  const unsigned = canonical(event)
  const text = key === null ? unsigned : withSignature(unsigned, event, signDetached(unsigned, key))
  const bytes = Buffer.from(text)
  if (bytes.length > messageLimit)
    throw new PolewatchError('PW_MESSAGE_TOO_LARGE', { size: bytes.length, limit: messageLimit })
  return { id: event.id, bytes }
}

/** The canonical form with the signature, from the one without: names are in order, so what follows it is known. */
function withSignature(unsigned: string, event: object, signature: string): string {
  const after = Object.fromEntries(Object.entries(event).filter(([name]) => name > 'signature'))
  const end = canonical(after).slice(1)
  return `${unsigned.slice(0, -end.length)}"signature":"${signature}",${end}`
}

/**
 * Reads a message of any type, also of one that this version does not know: such messages count in their stream too.
 * @throws PW_MESSAGE_TOO_LARGE, PW_MESSAGE_INVALID
 */
export function openEnvelope(bytes: Uint8Array, limit = messageLimit): Envelope {
  if (bytes.length > limit) throw new PolewatchError('PW_MESSAGE_TOO_LARGE', { size: bytes.length, limit })
  let original: JsonObject
  try {
    original = parseJsonObject(bytes)
  } catch (error) {
    // The cause of a syntax error is left out: it quotes the message.
    const why = error instanceof TypeError ? `it holds ${error.message}` : 'it is not JSON'
    throw new PolewatchError('PW_MESSAGE_INVALID', { why })
  }
  const event = check(envelopeSchema, original, 'the message')
  const stream = parseStream(event.source)
  const number = parseSequence(event.sequence)
  if (stream === null || number === null || event.id !== eventId(event.epoch, number)) {
    throw new PolewatchError('PW_MESSAGE_INVALID', { why: 'its id is not made of its epoch and sequence' })
  }
  return {
    type: event.type,
    id: event.id,
    source: event.source,
    stream,
    epoch: event.epoch,
    sequence: number,
    time: parseTime(event.time),
    exercise: event.exercise,
    subject: event.subject ?? null,
    signature: event.signature ?? null,
    original,
  }
}

/**
 * Reads a message. Properties that this version does not know are tolerated and left out of `data`. Says nothing of who sent
 * it: ask `verifyEvent`.
 * @throws PW_MESSAGE_TOO_LARGE, PW_MESSAGE_INVALID, PW_MESSAGE_TYPE_UNKNOWN
 */
export function openEvent(bytes: Uint8Array, limit = messageLimit): MessageEvent {
  return openData(openEnvelope(bytes, limit))
}

/** Reads the data of a message whose envelope was read. @throws PW_MESSAGE_INVALID, PW_MESSAGE_TYPE_UNKNOWN */
export function openData(envelope: Envelope): MessageEvent {
  const name = messageNameOf(envelope.type)
  if (name === null) throw new PolewatchError('PW_MESSAGE_TYPE_UNKNOWN', { type: shown(envelope.type) })
  return messageTypes[name].open(envelope)
}

export type Verification = 'valid' | 'unsigned' | 'unknown-key' | 'forged'

/**
 * Checks the signature over the whole event as it came. `findKey` gets the key's id and the stream that the event claims to
 * come from; it must only give a key that may sign for that stream, or one gateway could speak for another.
 */
export function verifyEvent(
  event: Pick<Envelope, 'original' | 'stream'>,
  findKey: (kid: string, stream: Stream) => KeyObject | undefined,
): Verification {
  const { signature, ...unsigned } = event.original
  return verifyDetached(unsigned, signature, kid => findKey(kid, event.stream))
}

/** Checks a signature as `signDetached` makes it over the canonical form of an object. */
export function verifyDetached(
  unsigned: JsonObject,
  signature: unknown,
  findKey: (kid: string) => KeyObject | undefined,
): Verification {
  if (signature === undefined) return 'unsigned'
  const [header = '', payload, mark = '', ...rest] = typeof signature === 'string' ? signature.split('.') : []
  const kid = knownIds.get(header) ?? keyIdOf(header)
  const signatureBytes = fromBase64url(mark)
  if (payload !== '' || rest.length > 0 || kid === null || signatureBytes === null) return 'forged'
  const publicKey = findKey(kid)
  if (publicKey === undefined) return 'unknown-key'
  remember(header, kid)
  if (publicKey.asymmetricKeyType !== 'ed25519') return 'forged'
  const signed = Buffer.from(`${header}.${Buffer.from(canonicalJson(unsigned)).toString('base64url')}`)
  return verify(null, signed, publicKey, signatureBytes) ? 'valid' : 'forged'
}

/** A detached JWS (RFC 7515, appendix F) with Ed25519 over a text that a verifier can make again. */
export function signDetached(payload: string, key: SigningKey): string {
  const header = headerOf(key)
  const signed = `${header}.${Buffer.from(payload).toString('base64url')}`
  return `${header}..${sign(null, Buffer.from(signed), key.privateKey).toString('base64url')}`
}

const headers = new WeakMap<SigningKey, string>()

/** The protected header, made once for a key. */
function headerOf(key: SigningKey): string {
  const known = headers.get(key)
  if (known !== undefined) return known
  const header = Buffer.from(JSON.stringify({ alg: 'EdDSA', kid: key.kid })).toString('base64url')
  headers.set(key, header)
  return header
}

/** The role's mark under its audit chain up to the record of that hash. */
export function sealAudit(hash: string, key: SigningKey): string {
  return signDetached(canonicalJson({ audit: hash }), key)
}

/** Whether one of the keys made the mark under that hash. */
export function auditSealHolds(hash: string, seal: string, keys: ReadonlyMap<string, KeyObject>): boolean {
  return verifyDetached({ audit: hash }, seal, kid => keys.get(kid)) === 'valid'
}

const headerSchema = z.strictObject({ alg: z.literal('EdDSA'), kid: z.string().min(1).max(200) })

/** The key named by a protected header; null for any header but ours: nothing else (`crit`, `b64`, `jwk`) is understood. */
function keyIdOf(header: string): string | null {
  const bytes = fromBase64url(header)
  if (bytes === null) return null
  try {
    return headerSchema.safeParse(parseJsonObject(bytes)).data?.kid ?? null
  } catch {
    return null
  }
}

/** What headers of known keys say: reading one costs as much as a signature's hashing. */
const knownIds = new Map<string, string>()
const knownLimit = 10_000

function remember(header: string, kid: string): void {
  if (knownIds.size >= knownLimit) knownIds.clear()
  knownIds.set(header, kid)
}

/** Strict base64url: each byte string has one spelling, so that no changed character passes. */
function fromBase64url(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : null
}

function written(time: number): string {
  try {
    return formatTime(time, 6)
  } catch (error) {
    throw new PolewatchError('PW_MESSAGE_INVALID', { why: `time: ${time} is no time` }, error)
  }
}

function canonical(event: unknown): string {
  try {
    return canonicalJson(event)
  } catch (error) {
    throw new PolewatchError('PW_MESSAGE_INVALID', {
      why: `it holds ${error instanceof TypeError ? error.message : 'no JSON'}`,
    })
  }
}
