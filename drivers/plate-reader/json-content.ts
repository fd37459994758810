import { z } from 'zod'
import { assign, type Field, fieldSchema, nothing, type ParsedRead, pattern } from './fields.js'

/** The content of a frame as one JSON object. */
export const jsonContentSchema = z
  .strictObject({
    kind: z.literal('json'),
    /** By JSON Pointer (RFC 6901). Where several pointers give the same property of the read, the first that is there counts. */
    fields: z.record(z.string().regex(/^(?:\/[^/]+)+$/), fieldSchema),
    /** Texts that mean that no plate was recognized: the frame is good and makes no read. */
    noRead: z.array(z.string()).default([]),
  })
  .refine(({ fields }) => Object.values(fields).some(field => field.is === 'text'), 'expected a field that is the text')

export type JsonContent = z.infer<typeof jsonContentSchema>

/** Makes the reader of one frame's content: the read, `no-read` when the frame says that there is none, or null when it does not fit. */
export function compileJson(content: JsonContent): (frame: Uint8Array) => ParsedRead | 'no-read' | null {
  const fields = Object.entries(content.fields).map(([pointer, field]) => ({
    field,
    path: pointer
      .slice(1)
      .split('/')
      .map(part => part.replace(/~1/g, '/').replace(/~0/g, '~')),
    whole: new RegExp(`^${pattern(field)}$`, 'u'),
  }))
  const noRead = new Set(content.noRead)
  return frame => {
    const document = parse(frame)
    if (document === null) return null
    const read = { ...nothing }
    const known = new Set<Field['is']>()
    for (const { field, path, whole } of fields) {
      const value = textAt(document, path)
      if (value === null || known.has(field.is)) continue
      if (!whole.test(value) || !assign(read, field, value.trim())) return null
      known.add(field.is)
    }
    if (noRead.has(read.text)) return 'no-read'
    return read.text === '' ? null : read
  }
}

function parse(frame: Uint8Array): object | null {
  try {
    const document: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(frame))
    return typeof document === 'object' ? document : null
  } catch {
    return null
  }
}

/** The text or number that stands there; null for nothing, null and whatever is neither. */
function textAt(document: unknown, path: readonly string[]): string | null {
  let value = document
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return null
    value = new Map<string, unknown>(Object.entries(value)).get(part)
  }
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value !== '' ? value : null
}
