import { PolewatchError } from '../errors.js'
import { identifierPattern } from './fields.js'
import { isGatewayName, namePattern, shown } from './stream.js'
import { type MessageName, messageNames, messageTypes } from './table.js'

/** What fills the braces of a topic. Which ones a message needs is in its topic: `cell` for arrivals and claims, `id` for evidence, `name` for commands. */
export interface TopicPlace {
  readonly site: string
  readonly gateway: string
  /** A geohash of five characters. */
  readonly cell?: string
  readonly id?: string
  readonly name?: string
}

type Part = keyof TopicPlace

const cellPattern = /^[0-9b-hjkmnp-z]{5}$/
const commandPattern = /^[a-z0-9]+(-[a-z0-9]+)*$/

// No part can hold a slash, a wildcard, a dollar or a control character: that is all that keeps topics apart.
const allowed: { readonly [P in Part]: (value: string) => boolean } = {
  site: value => namePattern.test(value),
  gateway: isGatewayName,
  cell: value => cellPattern.test(value),
  id: value => identifierPattern.test(value),
  name: value => value.length <= 64 && commandPattern.test(value),
}

/** The topic that a message is published to. @throws PW_TOPIC_INVALID for a part that is missing or may not stand in a topic */
export function topicFor(message: MessageName, place: TopicPlace): string {
  return fill(messageTypes[message].topic, place, null)
}

/** The filter that subscribes to a message; every part that `place` leaves out matches all. @throws PW_TOPIC_INVALID */
export function topicFilter(message: MessageName, place: Partial<TopicPlace> = {}): string {
  return fill(messageTypes[message].topic, place, '+')
}

export interface ParsedTopic {
  readonly site: string
  readonly gateway: string
  readonly cell: string | null
  readonly id: string | null
  readonly name: string | null
  /** The messages that may come there. */
  readonly messages: readonly MessageName[]
}

/** Reads a topic; null where it is none of ours. */
export function parseTopic(topic: string): ParsedTopic | null {
  const messages: MessageName[] = []
  const found: Partial<Record<Part, string>> = {}
  for (const message of messageNames) {
    const parts = readParts(messageTypes[message].topic, topic)
    if (parts === null) continue
    messages.push(message)
    Object.assign(found, parts)
  }
  const { site, gateway, cell, id, name } = found
  if (site === undefined || gateway === undefined) return null
  return { site, gateway, cell: cell ?? null, id: id ?? null, name: name ?? null, messages }
}

function fill(template: string, place: Partial<TopicPlace>, missing: string | null): string {
  return template
    .split('/')
    .map(level => {
      const part = partOf(level)
      if (part === null) return level
      const value = place[part]
      if (value === undefined && missing !== null) return missing
      if (value === undefined || !allowed[part](value)) {
        throw new PolewatchError('PW_TOPIC_INVALID', { part, value: value === undefined ? 'nothing' : shown(value) })
      }
      return value
    })
    .join('/')
}

function readParts(template: string, topic: string): Partial<Record<Part, string>> | null {
  const levels = topic.split('/')
  const expected = template.split('/')
  if (levels.length !== expected.length) return null
  const parts: Partial<Record<Part, string>> = {}
  for (const [index, level] of expected.entries()) {
    const part = partOf(level)
    const value = levels[index] ?? ''
    if (part === null ? level !== value : !allowed[part](value)) return null
    if (part !== null) parts[part] = value
  }
  return parts
}

function partOf(level: string): Part | null {
  const parts: readonly Part[] = ['site', 'gateway', 'cell', 'id', 'name']
  return parts.find(part => level === `{${part}}`) ?? null
}
