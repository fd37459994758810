export interface HotlistWarning {
  readonly kind: 'look-alike' | 'common-text' | 'no-state' | 'id-hidden' | 'one-edit' | 'previous-damaged'
  /** The line of the source that it is about; null where it is about the whole list. */
  readonly line: number | null
  /** A sentence that names lines and ids, never a plate. */
  readonly message: string
}

/** An entry as a person finds it in the source. */
export interface NamedEntry {
  readonly line: number
  readonly id: string | null
}

/** An entry that readers may take for another one, or for a common text where there is no other. */
export interface Confusable {
  readonly entry: NamedEntry
  readonly other: NamedEntry | null
  /** In how many characters they differ, each a look-alike. */
  readonly differing: number
}

const manyOneEdits = 10_000

export const noState: HotlistWarning = {
  kind: 'no-state',
  line: null,
  message: 'The file has no column for the state, so a match can be called possible at best.',
}

export const previousDamaged: HotlistWarning = {
  kind: 'previous-damaged',
  line: null,
  message: 'The list that was current cannot be read, so the new one was not compared with it.',
}

/** Nothing where no id shows its plate. */
export function hiddenIds(count: number): HotlistWarning[] {
  const message = `${count} ids show the plate; these entries are named by their line instead.`
  return count === 0 ? [] : [{ kind: 'id-hidden', line: null, message }]
}

/** Nothing where few entries ask for one edit. */
export function oneEdits(count: number): HotlistWarning[] {
  const message = `${count} entries ask for one edit; with so many, plates that nobody looks for will match often.`
  return count <= manyOneEdits ? [] : [{ kind: 'one-edit', line: null, message }]
}

/** What is confusable, one by one, and how many more there are. */
export function confusables(listed: readonly Confusable[], all: number, kind: 'look-alike' | 'common-text') {
  const warnings: HotlistWarning[] = listed.map(({ entry, other, differing }) => {
    const target = other === null ? 'a text that readers give for many vehicles' : nameOf(other, false)
    const distance = differing === 0 ? 'is' : `is ${look(differing)} away from`
    return { kind, line: entry.line, message: `${nameOf(entry, true)} ${distance} ${target}.` }
  })
  if (all > listed.length) {
    const what =
      kind === 'look-alike' ? 'groups of entries are look-alikes of one another' : 'entries look like common texts'
    warnings.push({ kind, line: null, message: `${all} ${what}; only the first are named.` })
  }
  return warnings
}

function look(differing: number): string {
  return differing === 1 ? 'one look-alike' : `${differing} look-alikes`
}

function nameOf({ id, line }: NamedEntry, first: boolean): string {
  if (id !== null) return `${first ? 'Entry' : 'entry'} ${id} (line ${line})`
  return `${first ? 'Line' : 'line'} ${line}`
}
