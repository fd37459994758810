import { containsLookAlike } from '../plates/look-alike.js'
import { normalisePlate, normaliseState, type TextFault } from '../plates/text.js'
import type { BrokenRecord } from './csv.js'
import { type DateOrder, parseDate } from './dates.js'
import type { ColumnIndexes } from './mapping.js'

/** An entry of a file, checked. Times are seconds since 1970 UTC. */
export interface NewEntry {
  readonly line: number
  readonly text: string
  readonly state: string | null
  readonly purpose: string
  readonly effective: number | null
  readonly expires: number
  /** Whether the file named no expiry and the default was taken. */
  readonly expiryByDefault: boolean
  /** Null where the file gives none, or one that shows the plate. */
  readonly id: string | null
  readonly oneEdit: boolean
}

/** Every reason for refusing a line, with the sentence for a person. None of them ever shows what the line holds. */
export const refusalReasons = {
  'quote-not-closed': 'A quoted field is not closed.',
  'text-after-quote': 'Something other than a delimiter follows a closing quote.',
  'quote-inside-field': 'A quote stands inside a field that is not quoted.',
  'line-too-long': 'The line is too long to be an entry.',
  'wrong-number-of-fields': 'The line has another number of fields than the first one.',
  'plate-empty': 'There is no plate.',
  'plate-too-long': 'The plate has more than 12 characters.',
  'plate-foreign-character': 'The plate has a character other than A to Z, a digit or a separator.',
  'state-not-understood': 'The state is too long, or has signs that cannot be printed.',
  'too-many-states': 'The file has more different states than there can be: another column was taken for it.',
  'purpose-missing': 'There is no purpose, and no default for it.',
  'purpose-not-understood': 'The purpose is too long, or has signs that cannot be printed.',
  'purpose-not-allowed': 'The policy does not allow the purpose.',
  'too-many-purposes': 'The file has more different purposes than a list may have: another column was taken for it.',
  'effective-not-a-date': 'The effective date cannot be understood.',
  'expiry-missing': 'There is no expiry, and no default for it.',
  'expiry-not-a-date': 'The expiry cannot be understood.',
  'already-expired': 'The entry has expired.',
  'effective-after-expiry': 'The entry would expire before it takes effect.',
  'id-missing': 'There is no id, or one that shows the plate; a change of a list needs one for each new entry.',
  'id-not-understood': 'The id is too long, or has signs that cannot be printed.',
  'one-edit-not-understood': 'Whether one edit is asked for can only be yes or no.',
  'entry-not-listed': 'The list has no such entry to remove.',
} as const satisfies Record<BrokenRecord | `plate-${TextFault}`, string> & Record<string, string>

export type RefusalReason = keyof typeof refusalReasons

export type Checked<Value> = { readonly value: Value } | { readonly refused: RefusalReason }

export interface EntryRules {
  readonly dates: DateOrder
  /** Minutes east of UTC. */
  readonly utcOffset: number
  /** The time of the import, seconds since 1970 UTC. */
  readonly now: number
  /** Values for entries that lack them. `validFor` is seconds from the import. */
  readonly defaults: { readonly purpose?: string; readonly state?: string; readonly validFor?: number }
  /** The words that the file may use, each with the purpose of the policy that it stands for; null lets every word stand. */
  readonly purposes: ReadonlyMap<string, string> | null
}

const printable = /^[^\p{C}\p{Zl}\p{Zp}\ufffd]*$/u
const longestPurpose = 100
const longestState = 32
const longestId = 64
const mostPurposes = 1000
const mostStates = 1000
const mostDates = 10_000

/** Turns a file's records into entries, or into the reason why one is refused. */
export class EntryReader {
  readonly #rules: EntryRules
  readonly #columns: ColumnIndexes
  readonly #width: number
  // Files repeat the same few states, purposes and dates millions of times.
  readonly #states = new Map<string, Checked<string | null>>()
  readonly #purposes = new Map<string, Checked<string>>()
  readonly #starts = new Map<string, number | null>()
  readonly #ends = new Map<string, number | null>()
  /** How many ids were set aside because they show the plate. */
  hiddenIds = 0

  constructor(columns: ColumnIndexes, width: number, rules: EntryRules) {
    this.#columns = columns
    this.#width = width
    this.#rules = rules
  }

  read(fields: readonly string[], line: number): Checked<NewEntry> {
    if (fields.length !== this.#width) return refuse('wrong-number-of-fields')
    const columns = this.#columns
    const plate = normalisePlate(fields[columns.plate] ?? '')
    if ('fault' in plate) return refuse(`plate-${plate.fault}`)

    const purpose = this.#purpose(value(fields, columns.purpose))
    if ('refused' in purpose) return purpose
    const state = this.#state(value(fields, columns.state))
    if ('refused' in state) return state

    const effectiveText = value(fields, columns.effective)
    const effective = effectiveText === '' ? null : this.#date(this.#starts, effectiveText, false)
    if (effective === null && effectiveText !== '') return refuse('effective-not-a-date')
    const expires = this.#expires(value(fields, columns.expires))
    if (typeof expires === 'string') return refuse(expires)
    const expiryByDefault = value(fields, columns.expires) === ''
    if (expires <= this.#rules.now) return refuse('already-expired')
    if (effective !== null && effective >= expires) return refuse('effective-after-expiry')

    const oneEdit = yesOrNo(value(fields, columns.oneEdit))
    if (oneEdit === null) return refuse('one-edit-not-understood')
    const id = value(fields, columns.id)
    if (id.length > longestId || !printable.test(id)) return refuse('id-not-understood')
    const hidden = id !== '' && showsPlate(id, plate.text)
    if (hidden) this.hiddenIds++
    return {
      value: {
        line,
        text: plate.text,
        state: state.value,
        purpose: purpose.value,
        effective,
        expires,
        expiryByDefault,
        id: id === '' || hidden ? null : id,
        oneEdit,
      },
    }
  }

  #purpose(text: string): Checked<string> {
    const known = this.#purposes.get(text)
    if (known !== undefined) return known
    if (this.#purposes.size >= mostPurposes) return refuse('too-many-purposes')
    const purpose = text === '' ? (this.#rules.defaults.purpose ?? '') : text
    const meant = this.#rules.purposes === null ? purpose : this.#rules.purposes.get(purpose)
    let checked: Checked<string>
    if (purpose === '') checked = refuse('purpose-missing')
    else if (purpose.length > longestPurpose || !printable.test(purpose)) checked = refuse('purpose-not-understood')
    else checked = meant === undefined ? refuse('purpose-not-allowed') : { value: meant }
    this.#purposes.set(text, checked)
    return checked
  }

  #state(text: string): Checked<string | null> {
    const known = this.#states.get(text)
    if (known !== undefined) return known
    if (this.#states.size >= mostStates) return refuse('too-many-states')
    const state = normaliseState(text === '' ? (this.#rules.defaults.state ?? null) : text)
    const fits = state === null || (state.length <= longestState && printable.test(state))
    const checked = fits ? { value: state } : refuse('state-not-understood')
    this.#states.set(text, checked)
    return checked
  }

  #expires(text: string): number | RefusalReason {
    if (text !== '') return this.#date(this.#ends, text, true) ?? 'expiry-not-a-date'
    const { validFor } = this.#rules.defaults
    return validFor === undefined ? 'expiry-missing' : Math.floor(this.#rules.now + validFor)
  }

  #date(remembered: Map<string, number | null>, text: string, dayEnd: boolean): number | null {
    let date = remembered.get(text)
    if (date === undefined) {
      date = parseDate(text, this.#rules.dates, this.#rules.utcOffset, dayEnd)
      if (remembered.size >= mostDates) remembered.clear()
      remembered.set(text, date)
    }
    return date
  }
}

function value(fields: readonly string[], index: number | undefined): string {
  return index === undefined ? '' : (fields[index] ?? '').trim()
}

function refuse(refused: RefusalReason): { readonly refused: RefusalReason } {
  return { refused }
}

function yesOrNo(text: string): boolean | null {
  if (text === '') return false
  if (/^(yes|y|true|1|x)$/i.test(text)) return true
  return /^(no|n|false|0)$/i.test(text) ? false : null
}

// An id goes into reports and logs; a plate must not, nor one that looks like it.
function showsPlate(id: string, text: string): boolean {
  return id.length >= text.length && containsLookAlike(id, text)
}
