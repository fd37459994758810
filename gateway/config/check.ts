import { resolve } from 'node:path'
import { z } from 'zod'
import { describeKey, isSection, sectionKeys } from './describe.js'
import type { Finding, Problem } from './problem.js'
import { Report } from './report.js'
import { credentialPrefix } from './secret-file.js'
import { readSource } from './source.js'

export interface Checked<Value> {
  /** Null where there are problems. */
  readonly value: Value | null
  /** In the order of the file. */
  readonly problems: readonly Problem[]
}

/**
 * Checks YAML text against a schema and against rules between its keys, and finds everything that is wrong at once.
 * Relative paths are resolved against `folder`, empty sections and values count as left out. Never throws.
 */
export function checkText<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  folder: string,
  rules: (raw: unknown) => readonly Finding[] = () => [],
): Checked<z.output<Schema>> {
  const source = readSource(text)
  const raw = prepared(schema, source.value, folder)
  const report = new Report(schema, source, raw)
  for (const { at, path, found, allowed } of source.faults) report.add(at, path, found, allowed, null)
  const result = schema.safeParse(raw)
  for (const issue of result.error?.issues ?? []) report.issue(issue)
  for (const finding of rules(raw)) report.finding(finding)
  const problems = report.inOrder()
  return { value: problems.length === 0 && result.success ? result.data : null, problems }
}

function prepared(schema: z.core.$ZodType, value: unknown, folder: string): unknown {
  const { schema: inner, nullable, optional, isPath } = describeKey(schema)
  if (value === null && !nullable) {
    if (optional) return undefined
    if (inner instanceof z.ZodObject) return {}
    if (inner instanceof z.ZodArray) return []
  }
  if (isPath && typeof value === 'string' && value !== '')
    return value.startsWith(credentialPrefix) ? value : resolve(folder, value)
  if (inner instanceof z.ZodArray && Array.isArray(value))
    return value.map(item => prepared(inner.element, item, folder))
  if (!isSection(value)) return value
  const keys = sectionKeys(inner, value)
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => {
      const known = keys.get(name)
      return [name, known === undefined ? entry : prepared(known, entry, folder)]
    }),
  )
}
