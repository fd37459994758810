import { z } from 'zod'
import type { Path } from './source.js'

type Schema = z.core.$ZodType

/** What a schema says about a key, gathered through its wrappers; the outermost word counts. */
export interface KeyDescription {
  readonly schema: Schema
  readonly meaning: string
  readonly unit: string
  readonly nullable: boolean
  /** Whether the key may be left out. */
  readonly optional: boolean
  /** The value when left out; undefined for required keys and for sections, whose keys have defaults of their own. */
  readonly preset: unknown
  readonly isPath: boolean
}

/** Reads descriptions and defaults through default, nullable and prefault. */
export function describeKey(outer: Schema): KeyDescription {
  let schema = outer
  let nullable = false
  let optional = false
  let preset: unknown
  const known = { meaning: '', unit: '', isPath: false }
  for (;;) {
    const meta = z.globalRegistry.get(schema)
    known.meaning ||= meta?.description ?? ''
    known.unit ||= typeof meta?.unit === 'string' ? meta.unit : ''
    known.isPath ||= meta?.path === true
    if (schema instanceof z.ZodDefault) {
      optional = true
      preset = schema.def.defaultValue
    } else if (schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) optional = true
    else if (schema instanceof z.ZodNullable) nullable = true
    else return { schema, ...known, nullable, optional, preset }
    schema = schema.unwrap()
  }
}

/** What may stand at a key, in words for a person: "a number from -90 to 90", "one of alsa, recording, simulator". */
export function allowedAt(outer: Schema): string {
  const said = spokenAllowed(outer)
  const { schema, nullable } = describeKey(outer)
  const words = said ?? allowedBy(schema)
  return nullable ? `${words}, or empty` : words
}

function spokenAllowed(schema: Schema): string | null {
  for (let inner = schema; ; inner = inner.unwrap()) {
    const meta = z.globalRegistry.get(inner)
    if (typeof meta?.allowed === 'string') return meta.allowed
    if (!isWrapper(inner)) return null
  }
}

function isWrapper(schema: Schema): schema is z.ZodDefault | z.ZodPrefault | z.ZodOptional | z.ZodNullable {
  return (
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable
  )
}

function allowedBy(schema: Schema): string {
  if (schema instanceof z.ZodNumber) return numbers(schema)
  if (schema instanceof z.ZodBoolean) return 'true or false'
  if (schema instanceof z.ZodLiteral) return [...schema.values].map(String).join(' or ')
  if (schema instanceof z.ZodEnum) return oneOf(schema.options)
  if (schema instanceof z.ZodString) return text(schema)
  if (schema instanceof z.ZodArray) return list(schema)
  if (schema instanceof z.ZodDiscriminatedUnion)
    return `a section whose ${schema.def.discriminator} is ${oneOf(discriminators(schema))}`
  if (schema instanceof z.ZodObject) return `a section with ${Object.keys(schema.shape).join(', ')}`
  throw new Error('a schema without words: give it `allowed`')
}

function numbers(schema: z.ZodNumber): string {
  const kind = schema.isInt ? 'a whole number' : 'a number'
  let least = ''
  let most = ''
  for (const check of schema.def.checks ?? []) {
    const rule: unknown = check._zod.def
    const bound = boundSchema.safeParse(rule).data
    if (bound?.check === 'greater_than') least = `${bound.inclusive ? 'from' : 'above'} ${bound.value}`
    if (bound?.check === 'less_than') most = `${bound.inclusive ? 'to' : 'to below'} ${bound.value}`
  }
  return [kind, least, most].filter(part => part !== '').join(' ')
}

const boundSchema = z.object({
  check: z.enum(['greater_than', 'less_than']),
  value: z.number(),
  inclusive: z.boolean(),
})
const lengthSchema = z.object({
  check: z.enum(['min_length', 'max_length']),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
})

function text(schema: z.ZodString): string {
  return schema.maxLength === null ? 'a text' : `a text of ${schema.minLength ?? 0} to ${schema.maxLength} characters`
}

function list(schema: z.ZodArray): string {
  let least = 0
  let most = Number.POSITIVE_INFINITY
  for (const check of schema.def.checks ?? []) {
    const rule: unknown = check._zod.def
    const length = lengthSchema.safeParse(rule).data
    least = length?.minimum ?? least
    most = length?.maximum ?? most
  }
  const { schema: element } = describeKey(schema.element)
  const of =
    element instanceof z.ZodObject || element instanceof z.ZodDiscriminatedUnion
      ? 'a section'
      : allowedAt(schema.element)
  const count = least === 0 ? `at most ${most}` : `${least} to ${most}`
  return `a list of ${count} items, each ${of}`
}

function oneOf(values: readonly unknown[]): string {
  const words = values.map(value => String(value))
  return words.length === 1 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

/** The values of the key that decides which alternative a section is. */
export function discriminators(union: z.ZodDiscriminatedUnion): string[] {
  return alternatives(union).map(({ name }) => name)
}

/** The alternatives of a union of sections, by the value of the key that decides. */
export function alternatives(union: z.ZodDiscriminatedUnion): { name: string; section: z.ZodObject }[] {
  return union.options.flatMap(option => {
    if (!(option instanceof z.ZodObject)) return []
    const decider = option.shape[union.def.discriminator]
    return decider instanceof z.ZodLiteral ? [{ name: String(decider.value), section: option }] : []
  })
}

/** The keys of the section at this point, given the value that stands there; empty where no section may stand. */
export function sectionKeys(outer: Schema, value: unknown): ReadonlyMap<string, Schema> {
  const { schema } = describeKey(outer)
  if (schema instanceof z.ZodObject) return new Map(Object.entries(schema.shape))
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return new Map()
  const decider = schema.def.discriminator
  const chosen = isSection(value) ? value[decider] : undefined
  const section = alternatives(schema).find(({ name }) => name === chosen)?.section
  if (section !== undefined) return new Map(Object.entries(section.shape))
  return new Map([[decider, z.enum(discriminators(schema))], ...sharedKeys(schema)])
}

/** The keys that every alternative has, whichever is chosen. */
function sharedKeys(union: z.ZodDiscriminatedUnion): [string, Schema][] {
  const sections = alternatives(union).map(({ section }) => section.shape)
  const [first = {}, ...others] = sections
  return Object.entries(first).filter(([key, schema]) => others.every(shape => shape[key] === schema))
}

/** The schema at a path, following the alternatives that the value chooses; null where the path leads nowhere. */
export function schemaAt(root: Schema, value: unknown, path: Path): Schema | null {
  let schema = root
  let here = value
  for (const step of path) {
    const { schema: inner } = describeKey(schema)
    let next: Schema | undefined
    if (inner instanceof z.ZodArray) next = inner.element
    else if (inner instanceof z.ZodRecord) next = inner.valueType
    else next = sectionKeys(inner, here).get(String(step))
    if (next === undefined) return null
    schema = next
    here = valueAt(here, [step])
  }
  return schema
}

/** The plain value at a path; undefined where there is none. */
export function valueAt(root: unknown, path: Path): unknown {
  let here = root
  for (const step of path) {
    if (Array.isArray(here)) here = here[Number(step)]
    else if (isSection(here) && Object.hasOwn(here, step)) here = here[String(step)]
    else return undefined
  }
  return here
}

export function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
