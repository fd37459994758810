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

const fieldSchema = z.discriminatedUnion('is', [
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
  /** `format` is made of YYYY, MM (month, then minute), DD, HH and SS; read as UTC. */
  z.strictObject({ is: z.literal('readerTime'), format: z.string().min(1), mayBeEmpty: z.boolean().default(false) }),
  z.strictObject({ is: z.literal('ignored'), ...shape }),
])

type Field = z.infer<typeof fieldSchema>

/** The content of a frame as text in which the keys of `fields` stand for values. */
export const templateContentSchema = z
  .strictObject({
    kind: z.literal('template'),
    encoding: z.enum(['latin1', 'utf-8']),
    /** The first that fits is taken. */
    templates: z.array(z.string().min(1)).min(1),
    fields: z.record(z.string().min(1), fieldSchema),
    /** Texts that mean that no plate was recognized: the frame is good and makes no read. */
    noRead: z.array(z.string()).default([]),
  })
  .superRefine((content, context) => {
    content.templates.forEach((template, index) => {
      const texts = pieces(template, content.fields).filter(piece => piece.field?.is === 'text')
      if (texts.length === 1) return
      context.addIssue({
        code: 'custom',
        path: ['templates', index],
        message: 'expected exactly one field that is the text',
      })
    })
  })

export type TemplateContent = z.infer<typeof templateContentSchema>

/** Makes the reader of one frame's content: the read, `no-read` when the frame says that there is none, or null when it does not fit. */
export function compileTemplates(content: TemplateContent): (frame: Uint8Array) => ParsedRead | 'no-read' | null {
  const matchers = content.templates.map(template => compile(pieces(template, content.fields)))
  const noRead = new Set(content.noRead)
  return frame => {
    const text = decode(content.encoding, frame)
    if (text === null) return null
    for (const matcher of matchers) {
      const read = matcher(text)
      if (read !== null) return noRead.has(read.text) ? 'no-read' : read
    }
    return null
  }
}

function decode(encoding: TemplateContent['encoding'], frame: Uint8Array): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(frame)
  } catch {
    return null
  }
}

interface Piece {
  readonly literal: string
  readonly field: Field | null
}

/** The template in order; where several keys fit, the longest is taken. */
function pieces(template: string, fields: Readonly<Record<string, Field>>): Piece[] {
  const keys = Object.keys(fields).sort((one, other) => other.length - one.length)
  const found: Piece[] = []
  for (let at = 0; at < template.length; ) {
    const key = keys.find(candidate => template.startsWith(candidate, at))
    found.push(key === undefined ? { literal: template[at]!, field: null } : { literal: key, field: fields[key]! })
    at += key?.length ?? 1
  }
  return found
}

function compile(template: readonly Piece[]): (text: string) => ParsedRead | null {
  const fields = template.flatMap(piece => (piece.field === null ? [] : [piece.field]))
  const source = template
    .map(({ literal, field }) => (field === null ? quote(literal) : `(${pattern(field)})`))
    .join('')
  const whole = new RegExp(`^${source}$`, 'u')
  return text => {
    const values = whole.exec(text)
    if (values === null) return null
    const read = { ...nothing }
    for (const [index, field] of fields.entries()) {
      if (!assign(read, field, values[index + 1]!.trim())) return null
    }
    return read.text === '' ? null : read
  }
}

type Draft = { -readonly [Key in keyof ParsedRead]: ParsedRead[Key] }

const nothing: Draft = {
  text: '',
  confidence: null,
  country: null,
  state: null,
  lane: null,
  direction: null,
  readerTime: null,
}

/** Whether the value can be one of the field; an empty value leaves the field unknown. */
function assign(read: Draft, field: Field, value: string): boolean {
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

function pattern(field: Field): string {
  if (field.is === 'readerTime') {
    const digits = timeParts(field.format).map(part => (part.digits === 0 ? quote(part.text) : `[0-9]{${part.digits}}`))
    return field.mayBeEmpty ? `(?:${digits.join('')})?` : digits.join('')
  }
  const usual = field.is === 'confidence' ? 'number' : field.is === 'text' ? 'plate' : 'word'
  const characters = characterClasses[field.characters ?? usual]
  if (field.width !== undefined) return `(?:${characters}| ){${field.width}}`
  return `${characters}{${field.mayBeEmpty ? 0 : 1},${field.longest ?? 32}}`
}

function timeParts(format: string): { readonly text: string; readonly digits: number }[] {
  return (format.match(/YYYY|MM|DD|HH|SS|./gsu) ?? []).map(text => ({
    text,
    digits: /^(?:YYYY|MM|DD|HH|SS)$/.test(text) ? text.length : 0,
  }))
}

/** Seconds since 1970 with the reader's clock taken as UTC; null for a day or time that does not exist. */
function parseTime(value: string, format: string): number | null {
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

function quote(literal: string): string {
  return literal.replace(/[\\^$.*+?()[\]{}|/]/gu, character => `\\${character}`)
}
