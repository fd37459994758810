import { z } from 'zod'
import { assign, type Field, fieldSchema, nothing, type ParsedRead, pattern, quote } from './fields.js'

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
