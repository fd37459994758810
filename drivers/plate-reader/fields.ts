import { z } from 'zod'
import type { PlateRead } from './plate-reader.js'

/** What a frame says, without what the driver knows: when it came and what was lost before it. */
export type ParsedRead = Omit<PlateRead, 'kind' | 'systemTime' | 'discarded'>

/**
 * Characters that a field may hold. `plate` is letters and digits of any script, spaces, hyphens and dots; `word` is whatever
 * prints but the usual separators.
 */
const characterClasses = {
  digits: '[0-9]',
  letters: '[A-Za-z]',
  alphanumeric: '[A-Za-z0-9]',
  number: '[0-9.]',
  plate: '[\\p{L}\\p{N} .·-]',
  word: '[^\\p{Cc};,|]',
  any: '[^\\p{Cc}]',
} as const

const shape = {
  /** Exactly so many characters, padding included. */
  width: z.int().min(1).max(256).optional(),
  /** At most so many characters; 32 unless given. */
  longest: z.int().min(1).max(256).optional(),
  characters: z.enum(['digits', 'letters', 'alphanumeric', 'number', 'plate', 'word', 'any']).optional(),
  /** Whether the reader leaves the field out when it does not know; never so for the text. */
  mayBeEmpty: z.boolean().default(false),
}

export const fieldSchema = z.discriminatedUnion('is', [
  z.strictObject({ is: z.literal('text'), ...shape, mayBeEmpty: z.literal(false).default(false) }),
  z.strictObject({ is: z.literal('country'), ...shape }),
  z.strictObject({ is: z.literal('state'), ...shape }),
  z.strictObject({ is: z.literal('lane'), ...shape }),
  /** `fullScale` is what the reader sends when it is sure. */
  z.strictObject({ is: z.literal('confidence'), ...shape, fullScale: z.number().positive() }),
  /** A value that is not listed, in whatever case, says nothing about the direction. */
  z.strictObject({
    is: z.literal('direction'),
    ...shape,
    values: z.record(z.string(), z.enum(['approaching', 'departing'])),
  }),
  /**
   * `format` is made of YYYY, MM (month, then minute), DD, HH and SS, or is `iso-8601`, `unix-seconds` or `unix-milliseconds`.
   * A time without a zone is read as UTC.
   */
  z.strictObject({ is: z.literal('readerTime'), format: z.string().min(1), mayBeEmpty: z.boolean().default(false) }),
  z.strictObject({ is: z.literal('ignored'), ...shape }),
])

export type Field = z.infer<typeof fieldSchema>

export type Draft = { -readonly [Key in keyof ParsedRead]: ParsedRead[Key] }

export const nothing: Draft = {
  text: '',
  confidence: null,
  country: null,
  state: null,
  lane: null,
  direction: null,
  readerTime: null,
}

/** Whether the value can be one of the field; an empty value leaves the field unknown. */
export function assign(read: Draft, field: Field, value: string): boolean {
  if (value === '') return field.mayBeEmpty
  switch (field.is) {
    case 'text':
    case 'country':
    case 'state':
    case 'lane':
      read[field.is] = value
      return true
    case 'confidence':
      read.confidence = Number(value) / field.fullScale
      return read.confidence >= 0 && read.confidence <= 1
    case 'direction': {
      const listed = Object.entries(field.values).find(([name]) => name.toUpperCase() === value.toUpperCase())
      read.direction = listed?.[1] ?? null
      return true
    }
    case 'readerTime': {
      const time = parseTime(value, field.format)
      read.readerTime = time
      return time !== null || /^[0\D]*$/.test(value)
    }
    case 'ignored':
      return true
  }
}

export function pattern(field: Field): string {
  if (field.is === 'readerTime') {
    const named = namedTimes[field.format]
    if (named !== undefined) return field.mayBeEmpty ? `(?:${named.pattern})?` : named.pattern
    const digits = timeParts(field.format).map(part => (part.digits === 0 ? quote(part.text) : `[0-9]{${part.digits}}`))
    return field.mayBeEmpty ? `(?:${digits.join('')})?` : digits.join('')
  }
  const usual = field.is === 'confidence' ? 'number' : field.is === 'text' ? 'plate' : 'word'
  const characters = characterClasses[field.characters ?? usual]
  if (field.width !== undefined) return `(?:${characters}| ){${field.width}}`
  return `${characters}{${field.mayBeEmpty ? 0 : 1},${field.longest ?? 32}}`
}

const namedTimes: Readonly<Record<string, { readonly pattern: string; parse(value: string): number }>> = {
  'iso-8601': {
    pattern: '[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})?',
    parse: value => Date.parse(/(?:Z|[+-][0-9]{2}:[0-9]{2})$/.test(value) ? value : `${value}Z`) / 1000,
  },
  'unix-seconds': { pattern: '[0-9]{1,11}(?:[.][0-9]{1,9})?', parse: Number },
  'unix-milliseconds': { pattern: '[0-9]{1,14}', parse: value => Number(value) / 1000 },
}

function timeParts(format: string): { readonly text: string; readonly digits: number }[] {
  return (format.match(/YYYY|MM|DD|HH|SS|./gsu) ?? []).map(text => ({
    text,
    digits: /^(?:YYYY|MM|DD|HH|SS)$/.test(text) ? text.length : 0,
  }))
}

/** Seconds since 1970 with the reader's clock taken as UTC; null for a day or time that does not exist. */
function parseTime(value: string, format: string): number | null {
  const named = namedTimes[format]?.parse(value)
  if (named !== undefined) return Number.isFinite(named) ? named : null
  const numbers = new Map<string, number>()
  let at = 0
  for (const part of timeParts(format)) {
    const length = part.digits || part.text.length
    const name = part.text === 'MM' && numbers.has('MM') ? 'minute' : part.text
    if (part.digits > 0) numbers.set(name, Number(value.slice(at, at + length)))
    at += length
  }
  const [year, month, day] = [numbers.get('YYYY') ?? 1970, numbers.get('MM') ?? 1, numbers.get('DD') ?? 1]
  const [hour, minute, second] = [numbers.get('HH') ?? 0, numbers.get('minute') ?? 0, numbers.get('SS') ?? 0]
  if (hour > 23 || minute > 59 || second > 59 || year < 1970) return null
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second))
  const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  return exists ? date.getTime() / 1000 : null
}

export function quote(literal: string): string {
  return literal.replace(/[\\^$.*+?()[\]{}|/]/gu, character => `\\${character}`)
}
