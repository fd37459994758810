import { PolewatchError } from '../errors.js'

/** What a site or gateway may be called. It can hold nothing that means something in a topic or a path. */
export const namePattern = /^[a-z0-9][a-z0-9-]{0,62}$/
/** What an epoch may be: it lives as long as one journal file, or as one session for what is not journalled. */
export const epochPattern = /^[a-z0-9]{6,64}$/
export const sequencePattern = /^\d{20}$/

/** The processes of a gateway, each with a key and a journal of its own. */
export const gatewayRoles = ['sensing', 'vision', 'uplink', 'console'] as const
export type GatewayRole = (typeof gatewayRoles)[number]

/** Who may be the source of a message: a role of a gateway, or a hub. */
export const roles = [...gatewayRoles, 'hub'] as const
export type Role = (typeof roles)[number]

/** Priorities of what is journalled and delivered until the hub acknowledges it, most urgent first. */
export const priorities = ['gunfire', 'hit', 'fault', 'rest'] as const
export type Priority = (typeof priorities)[number]

/**
 * The last part of a stream. `live` is what is sent once, as it is, and never journalled (health, status, arrivals, answers):
 * its epoch is the sender's session, its numbers order it, and a gap in them means nothing.
 */
export const streamClasses = [...priorities, 'live'] as const
export type StreamClass = (typeof streamClasses)[number]

/** A stream, written out; `parseStream` says the same and refuses names that are taken. */
export const streamPattern = new RegExp(
  `^/[a-z0-9][a-z0-9-]{0,62}/[a-z0-9][a-z0-9-]{0,62}/(${roles.join('|')})/(${streamClasses.join('|')})$`,
)

/** Messages numbered one after the other without a gap: the CloudEvents `source`. In a hub's streams `gateway` is the hub's id. */
export interface Stream {
  readonly site: string
  readonly gateway: string
  readonly role: Role
  readonly priority: StreamClass
}

/** A message's place: a stream (written out), the epoch of its numbers, and its number, from 1. */
export interface StreamPosition {
  readonly source: string
  readonly epoch: string
  readonly sequence: bigint | number
}

/** Writes a stream as `/{site}/{gateway}/{role}/{priority}`. @throws PW_STREAM_INVALID for a name that is none */
export function formatStream(stream: Stream): string {
  const source = `/${stream.site}/${stream.gateway}/${stream.role}/${stream.priority}`
  if (parseStream(source) === null) throw new PolewatchError('PW_STREAM_INVALID', { stream: shown(source) })
  return source
}

/** Reads a stream; null where the text is not one. */
export function parseStream(source: string): Stream | null {
  const [before, site = '', gateway = '', roleText, priorityText, ...rest] = source.split('/')
  const role = roles.find(name => name === roleText)
  const priority = streamClasses.find(name => name === priorityText)
  if (before !== '' || rest.length > 0 || role === undefined || priority === undefined) return null
  if (!namePattern.test(site) || !isGatewayName(gateway)) return null
  return { site, gateway, role, priority }
}

/** Whether a gateway (or hub) may be called that. `arrivals` is taken: it stands in a gateway's place in the neighbours' topics. */
export function isGatewayName(name: string): boolean {
  return namePattern.test(name) && name !== 'arrivals'
}

/** In place of a sequence in an acknowledgement: the hub remembers nothing of the stream. */
export const nothingStored = '0'.repeat(20)

/** Writes a number as the CloudEvents extension `sequence`: 20 digits, so that text order is number order. @throws PW_STREAM_INVALID */
export function formatSequence(sequence: bigint | number): string {
  if (typeof sequence === 'number' && !Number.isSafeInteger(sequence)) {
    throw new PolewatchError('PW_STREAM_INVALID', { stream: `number ${sequence}` })
  }
  const text = String(sequence).padStart(20, '0')
  if (!sequencePattern.test(text) || BigInt(sequence) < 1n) {
    throw new PolewatchError('PW_STREAM_INVALID', { stream: `number ${sequence}` })
  }
  return text
}

/** Reads 20 digits as a number; null where the text is something else or zero. */
export function parseSequence(text: string): bigint | null {
  if (!sequencePattern.test(text)) return null
  const sequence = BigInt(text)
  return sequence > 0n ? sequence : null
}

/** The event's id: with the source it is unique for ever. */
export function eventId(epoch: string, sequence: bigint | number): string {
  return `${epoch}-${sequence}`
}

/** Untrusted text, fit for an error's sentence. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}
