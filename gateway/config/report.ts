import { z } from 'zod'
import { allowedAt, alternatives, describeKey, isSection, schemaAt, sectionKeys, valueAt } from './describe.js'
import { nearest } from './nearest.js'
import { type Finding, keyName, type Problem, shown } from './problem.js'
import type { Path, Source } from './source.js'

/** Gathers what is wrong with one file and puts it where it stands in the text. */
export class Report {
  readonly #schema: z.ZodType
  readonly #source: Source
  readonly #raw: unknown
  readonly #problems = new Map<string, Problem & { offset: number }>()

  constructor(schema: z.ZodType, source: Source, raw: unknown) {
    this.#schema = schema
    this.#source = source
    this.#raw = raw
  }

  inOrder(): Problem[] {
    return [...this.#problems.values()]
      .sort((one, other) => one.offset - other.offset)
      .map(({ offset: _, ...problem }) => problem)
  }

  add(offset: number, path: Path, found: string, allowed: string, hint: string | null): void {
    const key = keyName(path)
    const { line, column } = this.#source.position(offset)
    const id = `${offset} ${key}`
    if (!this.#problems.has(id)) this.#problems.set(id, { offset, line, column, key, found, allowed, hint })
  }

  issue(issue: z.core.$ZodIssue): void {
    const path = issue.path.map(step => (typeof step === 'number' ? step : String(step)))
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) this.#unknownKey(path, key)
      return
    }
    if (issue.code === 'invalid_key') {
      this.finding({ path, found: `the key ${shown(String(path.at(-1)))}`, allowed: 'a key of 1 to 128 characters' })
      return
    }
    const schema = schemaAt(this.#schema, this.#raw, path)
    this.finding({ path, allowed: schema === null ? issue.message : allowedAt(schema), ...this.#guess(schema, path) })
    if (issue.code === 'invalid_union' && issue.discriminator !== undefined) this.#undecided(path.slice(0, -1))
  }

  finding({ path, found, allowed, hint }: Finding): void {
    const place = this.#source.place(path)
    const missing = place === null || valueAt(this.#raw, path) === undefined
    const at = place?.start ?? this.#nearestKey(path)
    // What follows text that cannot be read is not known to be missing or wrong.
    if (this.#source.understoodUntil < Number.POSITIVE_INFINITY && (missing || at >= this.#source.understoodUntil))
      return
    this.add(at, path, found ?? (missing ? 'nothing' : this.#standing(path)), allowed, hint ?? null)
  }

  // Which alternative a section is cannot be told, but what all of them have in common can be checked.
  #undecided(section: Path): void {
    const value = valueAt(this.#raw, section)
    const union = schemaAt(this.#schema, this.#raw, section)
    if (union === null) return
    for (const [key, schema] of [...sectionKeys(union, value)].slice(1)) {
      const result = z.safeParse(schema, valueAt(value, [key]))
      for (const issue of result.error?.issues ?? []) this.issue({ ...issue, path: [...section, key, ...issue.path] })
    }
  }

  #unknownKey(section: Path, key: string): void {
    const path = [...section, key]
    const place = this.#source.place(path)
    const at = place?.key ?? 0
    if (at >= this.#source.understoodUntil) return
    const schema = schemaAt(this.#schema, this.#raw, section)
    const known = schema === null ? [] : [...sectionKeys(schema, valueAt(this.#raw, section)).keys()]
    const meant = nearest(key, known)
    const hint = meant === null ? this.#home(schema, key) : `did you mean ${meant}?`
    this.add(at, path, `the unknown key ${shown(key)}`, known.join(', '), hint)
  }

  /** Where a key that is unknown here would be known. */
  #home(section: z.core.$ZodType | null, key: string): string | null {
    const inner = section === null ? null : describeKey(section).schema
    if (inner instanceof z.ZodDiscriminatedUnion) {
      const owners = alternatives(inner).filter(({ section: { shape } }) => Object.hasOwn(shape, key))
      const decider = inner.def.discriminator
      if (owners.length > 0) return `only where ${decider} is ${owners.map(({ name }) => name).join(' or ')}`
    }
    const sections = sectionsWith(this.#schema, key)
    return sections.length === 0 ? null : `it belongs to ${sections.join(' or ')}: check the indentation`
  }

  #guess(schema: z.core.$ZodType | null, path: Path): { hint?: string } {
    const value = valueAt(this.#raw, path)
    if (schema === null) return {}
    const { schema: inner } = describeKey(schema)
    if (typeof value === 'string') {
      const meant = nearest(value, inner instanceof z.ZodEnum ? inner.options.map(String) : [])
      if (meant !== null) return { hint: `did you mean ${meant}?` }
      const unquoted = Number(value)
      const alone = value.trim() !== '' && Number.isFinite(unquoted) && !(inner instanceof z.ZodString)
      return alone && schema instanceof z.ZodType && schema.safeParse(unquoted).success
        ? { hint: 'without quotes' }
        : {}
    }
    const quoted = typeof value === 'number' || typeof value === 'boolean'
    return quoted && inner instanceof z.ZodString && inner.safeParse(String(value)).success
      ? { hint: 'put it in quotes' }
      : {}
  }

  #nearestKey(path: Path): number {
    for (let length = path.length - 1; length > 0; length--) {
      const place = this.#source.place(path.slice(0, length))
      if (place !== null) return place.key ?? place.start
    }
    return 0
  }

  #standing(path: Path): string {
    const value = valueAt(this.#raw, path)
    if (value === null) return 'nothing'
    if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
    if (isSection(value)) return 'a section'
    const { start, end } = this.#source.place(path) ?? { start: 0, end: 0 }
    return shown(this.#source.text.slice(start, end).trim())
  }
}

function sectionsWith(schema: z.core.$ZodType, key: string, name = ''): string[] {
  const { schema: inner } = describeKey(schema)
  if (inner instanceof z.ZodArray) return sectionsWith(inner.element, key, `${name}[]`)
  if (inner instanceof z.ZodDiscriminatedUnion) {
    return [...new Set(inner.options.flatMap(option => sectionsWith(option, key, name)))]
  }
  if (!(inner instanceof z.ZodObject)) return []
  const here = Object.hasOwn(inner.shape, key) ? [name === '' ? 'the top of the file' : name] : []
  const below = Object.entries(inner.shape).flatMap(([part, entry]) =>
    sectionsWith(entry, key, name === '' ? part : `${name}.${part}`),
  )
  return [...here, ...below]
}
