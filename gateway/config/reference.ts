import { z } from 'zod'
import { policySchema } from '../policy/policy.js'
import { allowedAt, alternatives, describeKey, discriminators, sectionKeys } from './describe.js'
import { configurationSchema } from './schema.js'

type Schema = z.core.$ZodType

/** One key of a file, in words. */
export interface KeyEntry {
  /** Such as `microphoneArrays[].file`. */
  readonly key: string
  /** Such as `driver: recording`, where the key exists only in one alternative; else empty. */
  readonly where: string
  readonly allowed: string
  readonly unit: string
  /** `required`, `empty`, or the value as it would be written. */
  readonly preset: string
  readonly meaning: string
}

/** The page docs/configuration.md: every key with what is allowed, its unit, its default and its meaning. */
export function configurationReference(): string {
  const keys = Object.entries(configurationSchema.shape)
  const sections = keys.filter(([, schema]) => isSection(schema))
  const values = keys.filter(([, schema]) => !isSection(schema))
  const parts = [
    opening,
    '## At the top of the file',
    table(values.flatMap(([key, schema]) => keyEntries(schema, key))),
    ...sections.flatMap(([key, schema]) => chapter(key, schema)),
    policyOpening,
    table(keyEntries(policySchema)),
  ]
  return `${parts.join('\n\n')}\n`
}

function chapter(key: string, schema: Schema): string[] {
  const { meaning, optional } = describeKey(schema)
  const [section, ...entries] = keyEntries(schema, key)
  const list = section !== undefined && describeKey(schema).schema instanceof z.ZodArray
  return [`## ${key}`, `${meaning}${optional ? '' : ' Required.'}`, table(list ? [section, ...entries] : entries)]
}

/** Every key of a schema, in its order; sections before what is in them. */
export function keyEntries(outer: Schema, key = '', where = ''): KeyEntry[] {
  const { schema, optional, preset, unit, meaning } = describeKey(outer)
  const own: KeyEntry[] =
    key === '' || key.endsWith('[]')
      ? []
      : [
          {
            key,
            where,
            allowed: allowed(outer),
            unit,
            preset: presetText(optional, preset, schema instanceof z.ZodObject && schema.safeParse({}).success),
            meaning,
          },
        ]
  if (schema instanceof z.ZodArray)
    return [...own, ...(isSection(schema) ? keyEntries(schema.element, `${key}[]`, where) : [])]
  if (schema instanceof z.ZodObject) return [...own, ...below(Object.entries(schema.shape), key, where)]
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return own
  return [...own, ...alternativeEntries(schema, key, where)]
}

function alternativeEntries(union: z.ZodDiscriminatedUnion, key: string, where: string): KeyEntry[] {
  const decider = union.def.discriminator
  const choices = alternatives(union)
  const kinds = choices.map(
    ({ name, section }) => `\`${name}\`: ${describeKey(section.shape[decider] ?? section).meaning}`,
  )
  const shared = [...sectionKeys(union, undefined)].filter(([name]) => name !== decider)
  const common = new Set([decider, ...shared.map(([name]) => name)])
  return [
    {
      key: `${key}.${decider}`,
      where,
      allowed: discriminators(union).join(', '),
      unit: '',
      preset: 'required',
      meaning: kinds.join(' '),
    },
    ...below(shared, key, where),
    ...choices.flatMap(({ name, section }) => {
      const own = Object.entries(section.shape).filter(([entry]) => !common.has(entry))
      return below(own, key, `${decider}: ${name}`)
    }),
  ]
}

function below(entries: readonly (readonly [string, Schema])[], key: string, where: string): KeyEntry[] {
  return entries.flatMap(([name, schema]) => keyEntries(schema, key === '' ? name : `${key}.${name}`, where))
}

function isSection(outer: Schema): boolean {
  const { schema } = describeKey(outer)
  if (schema instanceof z.ZodArray) return isSection(schema.element)
  return schema instanceof z.ZodObject || schema instanceof z.ZodDiscriminatedUnion
}

function allowed(outer: Schema): string {
  if (!isSection(outer)) return allowedAt(outer)
  const { schema, nullable } = describeKey(outer)
  if (schema instanceof z.ZodArray) return allowedAt(outer)
  return nullable ? 'a section, or empty' : 'a section'
}

function presetText(optional: boolean, preset: unknown, section: boolean): string {
  if (!optional) return 'required'
  if (preset === null) return 'empty'
  if (preset === undefined) return section ? 'as below' : 'empty'
  return `\`${typeof preset === 'string' ? preset : JSON.stringify(preset)}\``
}

const heading = ['Key', 'Allowed', 'Unit', 'Default', 'Meaning']

function table(entries: readonly KeyEntry[]): string {
  const lines = entries.map(({ key, where, allowed, unit, preset, meaning }) => {
    const name = where === '' ? `\`${key}\`` : `\`${key}\` where \`${where}\``
    return [name, allowed, unit, preset, meaning]
  })
  return [heading, heading.map(() => '---'), ...lines]
    .map(cells => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n')
}

const opening = `# Configuration

<!-- Made by \`npm run generate\` from gateway/config and gateway/policy: change them, not this page. -->

One YAML file, \`/etc/polewatch/polewatch.yaml\` unless told otherwise. \`firmware-config/polewatch.example.yaml\` is one to
start from. \`polewatch config check FILE\` says everything that is wrong with a file at once, by line and column;
\`polewatch config print FILE\` prints it with every default filled in.

- Relative paths start from the folder of the file.
- Secrets are files, never values.
- A key that is left out or empty has its default; where that is *empty*, the meaning says what it does.
- Keys that are not listed here are refused.`

const policyOpening = `## The policy file

What \`policyFile\` names, in YAML or JSON. Without one the built-in policy is in force, which is strict. That a plate
without a hit is forgotten at once and that sound stays in memory are no part of it: nothing loosens them.`
