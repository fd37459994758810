import type { KeyObject } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { PolewatchError } from '../errors.js'
import { normalisePlate } from '../plates/text.js'
import { commonTexts } from './common-texts.js'
import { type OpenedDelta, openDelta } from './delta-file.js'
import { settleDeltas, wasApplied } from './delta-record.js'
import { EntryReader, type EntryRules, type RefusalReason, refusalReasons } from './entries.js'
import { currentGeneration, type Generation, listFolder, lockFolder, removeLeftovers } from './generations.js'
import { ListFileEditor } from './list-editor.js'
import { type ImportStage, nextNumber, publish, whyFailed } from './publish.js'
import { type Confusable, confusables, type HotlistWarning } from './warnings.js'

export interface DeltaOptions {
  readonly listName: string
  /** The folder of all lists. */
  readonly directory: string
  /** The signed change, as `signDelta` makes it. */
  readonly delta: Uint8Array
  /** Public keys of those who may change the list. */
  readonly keys: readonly KeyObject[]
  /** As at an import. */
  readonly defaults?: EntryRules['defaults']
  readonly purposes?: ReadonlyMap<string, string>
  readonly commonTexts?: Iterable<string>
  readonly allowShrink?: boolean
  /** The time, seconds since 1970 UTC. */
  readonly now: number
  readonly onProgress?: (stage: ImportStage) => void
  /** Called for each part that does not fit; all are looked at, and then nothing is changed. */
  readonly onRefused?: (refused: RefusedChange) => void
}

export interface RefusedChange {
  readonly part: 'remove' | 'add'
  /** Which of them, counted from 1. */
  readonly number: number
  readonly reason: RefusalReason
}

export interface AppliedDelta {
  readonly list: string
  readonly generation: number
  readonly added: number
  readonly removed: number
  readonly entries: number
  readonly signedBy: string
  /** Of the list's file, which is named after it. */
  readonly sha256: string
  /** What the next change names as its base. */
  readonly sourceSha256: string
  readonly warnings: readonly HotlistWarning[]
}

const smallestShare = 0.8
const fields = ['plate', 'state', 'purpose', 'effective', 'expires', 'id', 'oneEdit'] as const
const columns = { plate: 0, state: 1, purpose: 2, effective: 3, expires: 4, id: 5, oneEdit: 6 }

/**
 * Applies a signed change to a list: whole, as a new generation made beside the current one and swapped in like an import,
 * or not at all. The list counts as imported anew. A list of ten million entries takes some ten seconds, much of them without
 * a pause: call it in a process that does nothing else.
 *
 * Throws PW_HOTLIST_NAME, PW_HOTLIST_ABSENT, PW_HOTLIST_BUSY, PW_HOTLIST_DELTA_UNTRUSTED, PW_HOTLIST_DELTA_INVALID,
 * PW_HOTLIST_DELTA_REPLAYED, PW_HOTLIST_DELTA_BASE, PW_HOTLIST_DELTA_LATE, PW_HOTLIST_DELTA_REFUSED, PW_HOTLIST_SHRANK
 * and PW_HOTLIST_BUILD_FAILED.
 */
export async function applyDelta(options: DeltaOptions): Promise<AppliedDelta> {
  const { listName: list, now } = options
  const folder = listFolder(options.directory, list)
  const opened = openDelta(options.delta, list, options.keys)
  if (currentGeneration(folder) === null) throw new PolewatchError('PW_HOTLIST_ABSENT', { list })
  try {
    const unlock = lockFolder(folder, list)
    try {
      removeLeftovers(folder)
      settleDeltas(folder, now)
      const base = currentGeneration(folder)
      if (base === null) throw new PolewatchError('PW_HOTLIST_ABSENT', { list })
      return await change(options, opened, folder, base)
    } finally {
      unlock()
    }
  } catch (error) {
    if (error instanceof PolewatchError) throw error
    throw new PolewatchError('PW_HOTLIST_BUILD_FAILED', { list, why: whyFailed(error) }, error)
  }
}

async function change(
  options: DeltaOptions,
  opened: OpenedDelta,
  folder: string,
  base: Generation,
): Promise<AppliedDelta> {
  const { listName: list, now } = options
  if (wasApplied(folder, opened.sha256)) throw new PolewatchError('PW_HOTLIST_DELTA_REPLAYED', { list })
  const { delta, expires } = opened
  // Written this way round so that a time that is not a number is too late.
  if (!(now < expires)) throw new PolewatchError('PW_HOTLIST_DELTA_LATE', { list, expires: delta.expires })
  if (delta.base.generation !== null && delta.base.generation !== base.number) {
    const why = `it names generation ${delta.base.generation}, the current one is ${base.number}`
    throw new PolewatchError('PW_HOTLIST_DELTA_BASE', { list, why })
  }
  const built = `building-${process.pid}.db`
  let editor: ListFileEditor | null = null
  try {
    editor = new ListFileEditor(join(folder, base.file), join(folder, built), delta.base.sha256)
    options.onProgress?.('reading')
    const outcome = edit(editor, opened, options)
    if (options.allowShrink !== true && editor.entries < editor.before * smallestShare) {
      const sizes = { before: editor.before, accepted: editor.entries, refused: 0 }
      throw new PolewatchError('PW_HOTLIST_SHRANK', { list, ...sizes })
    }
    options.onProgress?.('checking')
    const number = nextNumber(folder)
    const { entries, about } = editor
    // A list that ends at a time of its own goes on to end as long after its renewal.
    const validUntil = about.validUntil === null ? null : now + about.validUntil - about.imported
    const fault = editor.finish({
      generation: number,
      imported: now,
      validUntil,
      sourceSha256: opened.sha256,
      deltaExpires: expires,
    })
    if (fault !== null) throw new PolewatchError('PW_HOTLIST_BUILD_FAILED', { list, why: fault })
    const { sha256 } = await publish(folder, built, number, base, stage => options.onProgress?.(stage))
    settleDeltas(folder, now)
    options.onProgress?.('done')
    const { signedBy, sha256: sourceSha256 } = opened
    return { list, generation: number, ...outcome, entries, signedBy, sha256, sourceSha256 }
  } catch (error) {
    editor?.close()
    rmSync(join(folder, built), { force: true })
    throw error
  }
}

function edit(
  editor: ListFileEditor,
  { delta }: OpenedDelta,
  options: DeltaOptions,
): Pick<AppliedDelta, 'added' | 'removed' | 'warnings'> {
  const refused: RefusedChange[] = []
  const refuse = (part: RefusedChange['part'], index: number, reason: RefusalReason): void => {
    refused.push({ part, number: index + 1, reason })
    options.onRefused?.({ part, number: index + 1, reason })
  }
  let removed = 0
  for (const [index, { plate, id }] of delta.remove.entries()) {
    const normalised = normalisePlate(plate)
    const gone = 'text' in normalised ? editor.remove(normalised.text, id) : 0
    if (gone === 0) refuse('remove', index, 'entry-not-listed')
    removed += gone
  }
  const reader = new EntryReader(columns, fields.length, {
    dates: 'year-first',
    utcOffset: 0,
    now: options.now,
    defaults: options.defaults ?? {},
    purposes: options.purposes ?? null,
  })
  const common = commonTexts(options.commonTexts)
  const found: Confusable[] = []
  for (const [index, entry] of delta.add.entries()) {
    const values = { ...entry, oneEdit: entry.oneEdit ? 'yes' : 'no' }
    const read = reader.read(
      fields.map(field => values[field] ?? ''),
      index + 1,
    )
    if ('refused' in read) refuse('add', index, read.refused)
    else if (read.value.id === null) refuse('add', index, 'id-missing')
    else found.push(...editor.add(read.value, common))
  }
  const first = refused[0]
  if (first !== undefined) {
    throw new PolewatchError('PW_HOTLIST_DELTA_REFUSED', {
      list: options.listName,
      count: refused.length,
      first: `number ${first.number} to ${first.part}: ${refusalReasons[first.reason]}`,
    })
  }
  const like = (other: boolean) => found.filter(each => (each.other === null) !== other)
  const warnings = [
    ...confusables(like(false), like(false).length, 'common-text'),
    ...confusables(like(true), like(true).length, 'look-alike'),
  ]
  return { added: delta.add.length, removed, warnings }
}
