import { z } from 'zod'
import type { HotlistMapping } from '../hotlist/mapping.js'
import { identifier, path } from './fields.js'

const column = z
  .union([z.string().min(1).max(64), z.array(z.string().min(1).max(64)).min(1).max(16)])
  .meta({ allowed: 'a heading of the first line, or a list of headings of which the first that the file has counts' })

const span = z.strictObject({
  start: z.int().min(1).max(10000).describe('Its first character, counted from 1.'),
  length: z.int().min(1).max(1000).describe('How many characters it has.'),
})

const meanings = {
  plate: 'Text of the plate.',
  state: 'State or province that issued it.',
  purpose: 'Why the plate is wanted.',
  effective: 'When the entry begins to count.',
  expires: 'When it ceases to.',
  id: "The agency's own name of the entry.",
  oneEdit: 'Whether plates one character off count as well, for investigation only.',
}

const reading = {
  dates: z
    .enum(['year-first', 'month-first', 'day-first'])
    .default('year-first')
    .describe('How dates with the year last are meant. Dates with the year first are always understood.'),
  utcOffset: z
    .int()
    .min(-840)
    .max(840)
    .default(0)
    .meta({ unit: 'minutes east of UTC' })
    .describe('The clock that times without a zone are by. A date alone counts until that day ends there.'),
  encoding: z.enum(['utf-8', 'windows-1252', 'utf-16le']).default('utf-8').describe('How characters are stored.'),
}

const mapping = z.discriminatedUnion('layout', [
  z.strictObject({
    layout: z.literal('delimited').describe('Columns between delimiters, such as CSV.'),
    delimiter: z
      .enum([',', ';', '\t', ':'])
      .optional()
      .meta({ allowed: '",", ";", ":" or "\\t" (a tab, in double quotes)' })
      .describe('What stands between two columns. Empty: found from the first line.'),
    columns: z
      .strictObject({
        plate: column.describe(meanings.plate),
        state: column.optional().describe(meanings.state),
        purpose: column.optional().describe(meanings.purpose),
        effective: column.optional().describe(meanings.effective),
        expires: column.optional().describe(meanings.expires),
        id: column.optional().describe(meanings.id),
        oneEdit: column.optional().describe(meanings.oneEdit),
      })
      .describe('Heading of each column, whatever its case and the signs between its words.'),
    order: z
      .array(z.string().min(1).max(64))
      .min(1)
      .max(256)
      .optional()
      .describe('The columns in their order, for files whose first line is an entry.'),
    ...reading,
  }),
  z.strictObject({
    layout: z.literal('fixed-width').describe('Columns at fixed places of each line.'),
    skipLines: z.int().min(0).max(1000).default(0).describe('Lines before the first entry.'),
    columns: z
      .strictObject({
        plate: span.describe(meanings.plate),
        state: span.optional().describe(meanings.state),
        purpose: span.optional().describe(meanings.purpose),
        effective: span.optional().describe(meanings.effective),
        expires: span.optional().describe(meanings.expires),
        id: span.optional().describe(meanings.id),
        oneEdit: span.optional().describe(meanings.oneEdit),
      })
      .describe('Where each column stands.'),
    ...reading,
  }),
]) satisfies z.ZodType<HotlistMapping>

/** One list of wanted plates, as an agency sends it. */
export const hotlistList = z.strictObject({
  name: identifier.describe('Name of the list, unique among the lists. Every hit names it.'),
  file: path.nullable().default(null).describe('The file to import. Empty: it is named at each import.'),
  preset: z
    .enum(['plain', 'genetec', 'vigilant'])
    .default('plain')
    .describe('Which columns to expect, unless `mapping` says.'),
  mapping: mapping.nullable().default(null).describe('How the file is to be read. Empty: by the preset.'),
  purposes: z
    .record(z.string().min(1).max(100), identifier)
    .default({})
    .meta({ allowed: 'pairs such as "STOLEN VEHICLE: stolen-vehicle"' })
    .describe("Which purpose of the policy each of the agency's words stands for."),
  purposeDefault: identifier
    .nullable()
    .default(null)
    .describe('Purpose of entries that name none, if the policy allows it. Empty: they are refused.'),
  stateDefault: z
    .string()
    .min(1)
    .max(16)
    .nullable()
    .default(null)
    .describe('State of entries that name none. Empty: it is unknown, and their hits are at most possible.'),
  validForHours: z
    .number()
    .gt(0)
    .max(8784)
    .nullable()
    .default(null)
    .meta({ unit: 'hours' })
    .describe(
      'How long entries without expiry count after their import, if the policy allows it. Empty: they are refused.',
    ),
  staleAfterHours: z
    .number()
    .gt(0)
    .max(8784)
    .default(24)
    .meta({ unit: 'hours' })
    .describe('A list imported longer ago than this stops alerting and says so.'),
  deltaKeys: z
    .array(path)
    .max(8)
    .default([])
    .describe('PEM files with the public keys of those who may sign changes of the list. Empty: none are taken.'),
})
