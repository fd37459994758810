import { z } from 'zod'
import { PolewatchError } from '../errors.js'
import { delimiters } from './csv.js'

// Columns are found by name, whatever the case and the signs between words; the first name that the file has counts.
const names = z.union([z.string().min(1).max(64), z.array(z.string().min(1).max(64)).min(1)])
const span = z.strictObject({ start: z.int().min(1), length: z.int().min(1).max(1000) })

const shared = {
  /** How dates with the year last are meant; dates with the year first are always understood. */
  dates: z.enum(['year-first', 'month-first', 'day-first']).default('year-first'),
  /** Minutes east of UTC for times without a zone. A date alone is live until that day ends there. */
  utcOffset: z
    .int()
    .min(-14 * 60)
    .max(14 * 60)
    .default(0),
  encoding: z.enum(['utf-8', 'windows-1252', 'utf-16le']).default('utf-8'),
}

/** How the columns of an agency's file are to be read; part of the configuration. */
export const hotlistMappingSchema = z.discriminatedUnion('layout', [
  z.strictObject({
    layout: z.literal('delimited'),
    /** Found from the first line where it is not given. */
    delimiter: z.enum(delimiters).optional(),
    columns: z.strictObject({
      plate: names,
      state: names.optional(),
      purpose: names.optional(),
      effective: names.optional(),
      expires: names.optional(),
      id: names.optional(),
      oneEdit: names.optional(),
    }),
    /** The columns' names in their order, for files whose first line does not name them. */
    order: z.array(z.string()).optional(),
    ...shared,
  }),
  z.strictObject({
    layout: z.literal('fixed-width'),
    /** Lines before the first entry. */
    skipLines: z.int().min(0).max(1000).default(0),
    columns: z.strictObject({
      plate: span,
      state: span.optional(),
      purpose: span.optional(),
      effective: span.optional(),
      expires: span.optional(),
      id: span.optional(),
      oneEdit: span.optional(),
    }),
    ...shared,
  }),
])

export type HotlistMapping = z.infer<typeof hotlistMappingSchema>

export const presetNames = ['plain', 'genetec', 'vigilant'] as const
export type PresetName = (typeof presetNames)[number]

/** Formats that agencies send. Genetec AutoVu lists often have no heading: then its default attributes are in this order. */
export const hotlistPresets: Readonly<Record<PresetName, HotlistMapping>> = {
  plain: hotlistMappingSchema.parse({
    layout: 'delimited',
    columns: {
      plate: 'plate',
      state: 'state',
      purpose: 'purpose',
      effective: 'effective',
      expires: 'expires',
      id: 'id',
      oneEdit: 'one-edit',
    },
    order: ['plate', 'state', 'purpose', 'expires', 'id'],
  }),
  genetec: hotlistMappingSchema.parse({
    layout: 'delimited',
    columns: {
      plate: 'PlateNumber',
      state: 'PlateState',
      purpose: 'Category',
      effective: 'EffectiveDate',
      expires: 'ExpiryDate',
      id: ['EntryId', 'Id', 'CaseNumber'],
      oneEdit: 'OneEdit',
    },
    order: ['Category', 'PlateState', 'PlateNumber', 'EffectiveDate', 'ExpiryDate'],
  }),
  vigilant: hotlistMappingSchema.parse({
    layout: 'delimited',
    dates: 'month-first',
    columns: {
      plate: ['Plate', 'HotPlate', 'LicensePlate'],
      state: ['State', 'LicenseState', 'RegistrationState'],
      purpose: ['Alert', 'AlertType'],
      effective: ['EffectiveDate', 'StartDate'],
      expires: ['ExpirationDate', 'Expires', 'EndDate'],
      id: ['RecordId', 'CaseNumber', 'Id'],
      oneEdit: 'OneEdit',
    },
    order: ['Plate', 'State', 'Alert'],
  }),
}

export const columnNames = ['plate', 'state', 'purpose', 'effective', 'expires', 'id', 'oneEdit'] as const
export type ColumnName = (typeof columnNames)[number]

/** Index of each column in a record's fields; a column that the file does not have is left out. */
export type ColumnIndexes = Readonly<Partial<Record<ColumnName, number>>> & { readonly plate: number }

export interface ResolvedColumns {
  readonly indexes: ColumnIndexes
  /** How many fields each record has to have. */
  readonly width: number
  /** Whether the first record was the heading and is no entry. */
  readonly heading: boolean
}

/** Finds the columns by the first record of a delimited file. Throws PW_HOTLIST_MAPPING where there is no plate column. */
export function resolveColumns(
  mapping: Extract<HotlistMapping, { layout: 'delimited' }>,
  first: readonly string[],
): ResolvedColumns {
  const headed = indexesIn(mapping.columns, first)
  if (headed !== null) return { indexes: headed, width: first.length, heading: true }
  if (mapping.order === undefined) {
    throw new PolewatchError('PW_HOTLIST_MAPPING', { why: 'the first line does not name the plate column' })
  }
  const ordered = indexesIn(mapping.columns, mapping.order)
  if (ordered === null) {
    throw new PolewatchError('PW_HOTLIST_MAPPING', { why: 'its order does not name the plate column' })
  }
  // Files without a heading leave out optional columns at the end, or add some: what is there counts.
  const inFile = Object.entries(ordered).filter(([, index]) => index < first.length)
  return { indexes: { ...Object.fromEntries(inFile), plate: ordered.plate }, width: first.length, heading: false }
}

function indexesIn(
  columns: Extract<HotlistMapping, { layout: 'delimited' }>['columns'],
  heading: readonly string[],
): ColumnIndexes | null {
  const headings = heading.map(simplify)
  const found: Partial<Record<ColumnName, number>> = {}
  for (const column of columnNames) {
    const wanted = columns[column]
    if (wanted === undefined) continue
    for (const name of typeof wanted === 'string' ? [wanted] : wanted) {
      const index = headings.indexOf(simplify(name))
      if (index >= 0) {
        found[column] = index
        break
      }
    }
  }
  return found.plate === undefined ? null : { ...found, plate: found.plate }
}

function simplify(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')
}
