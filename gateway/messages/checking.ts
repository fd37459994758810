import type * as z from 'zod'
import { PolewatchError } from '../errors.js'
import { isJsonObject } from './json.js'

/** Reads a value by a schema; properties that the schema does not have are dropped. @throws PW_MESSAGE_INVALID */
export function check<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  // Zod's sentences name the place and what is allowed there, never the value found.
  const places = result.error.issues.slice(0, 5).map(issue => `${issue.path.join('.') || what}: ${issue.message}`)
  throw new PolewatchError('PW_MESSAGE_INVALID', { why: places.join('; ') })
}

/** Refuses properties that `check` dropped: what `written` has and `read` has not. @throws PW_MESSAGE_INVALID */
export function refuseUnknown(read: unknown, written: unknown, path = ''): void {
  if (Array.isArray(read) && Array.isArray(written)) {
    written.forEach((value: unknown, index) => {
      refuseUnknown(read[index], value, `${path}${index}.`)
    })
  } else if (isJsonObject(read) && isJsonObject(written)) {
    for (const [name, value] of Object.entries(written)) {
      if (!Object.hasOwn(read, name))
        throw new PolewatchError('PW_MESSAGE_INVALID', { why: `${path}${name} is not in the schema` })
      refuseUnknown(read[name], value, `${path}${name}.`)
    }
  }
}
