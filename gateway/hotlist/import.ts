import { createHash } from 'node:crypto'
import { createReadStream, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { PolewatchError } from '../errors.js'
import type { Delimiter } from './csv.js'
import { type EntryRules, type RefusalReason, refusalReasons } from './entries.js'
import {
  createFolder,
  currentGeneration,
  type Generation,
  generations,
  keepAsGeneration,
  keepOnly,
  listFolder,
  lockFolder,
  makeCurrent,
  removeLeftovers,
} from './generations.js'
import { ListFileBuilder } from './list-builder.js'
import { ListFile } from './list-file.js'
import { type HotlistMapping, hotlistPresets, type PresetName } from './mapping.js'
import { readSource } from './source.js'

export type ImportStage = 'reading' | 'indexing' | 'checking' | 'hashing' | 'publishing' | 'done'

export interface ImportProgress {
  readonly stage: ImportStage
  /** Bytes of the source read so far. */
  readonly bytes: number
  readonly accepted: number
  readonly refused: number
}

export interface RefusedLine {
  readonly line: number
  readonly reason: RefusalReason
}

export interface HotlistWarning {
  readonly kind: 'look-alike' | 'no-state' | 'id-hidden' | 'one-edit' | 'previous-damaged'
  /** The line of the source that it is about; null where it is about the whole list. */
  readonly line: number | null
  /** A sentence that names lines and ids, never a plate. */
  readonly message: string
}

export interface HotlistImportOptions {
  readonly listName: string
  /** The folder of all lists; the list gets a folder of its own in it. */
  readonly directory: string
  /** A path, or a stream of bytes. */
  readonly source: string | Readable
  readonly mapping: PresetName | HotlistMapping
  /** Goes before the mapping's own. */
  readonly delimiter?: Delimiter
  /** For entries that lack them; `validFor` is seconds from the import. */
  readonly defaults?: EntryRules['defaults']
  /** Purposes that the policy allows; without it all are. */
  readonly purposes?: Iterable<string>
  /** Take the list even if it is empty or has lost more than a fifth of its entries. */
  readonly allowShrink?: boolean
  /** Seconds from the import after which the list is stale; without it only its entries expire. */
  readonly validFor?: number
  /** The time, seconds since 1970 UTC. */
  readonly now: number
  readonly signal?: AbortSignal
  /** Called at every stage, and while reading once a piece of about a mebibyte. */
  readonly onProgress?: (progress: ImportProgress) => void
  /** Called for each refused line as it comes, also when the import fails in the end. */
  readonly onRefused?: (refused: RefusedLine) => void
}

export interface HotlistImport {
  readonly list: string
  readonly generation: number
  readonly accepted: number
  /** How many lines were refused, and the first million of them. */
  readonly refusedCount: number
  readonly refused: readonly RefusedLine[]
  /** Of the list's file, which is named after it. */
  readonly sha256: string
  /** Of the source as it was read. */
  readonly sourceSha256: string
  readonly warnings: readonly HotlistWarning[]
}

const mostRefusedKept = 1_000_000
const smallestShare = 0.8
const manyOneEdits = 10_000

/**
 * Reads a list and makes it current, or changes nothing. The new generation is built beside the current one, counted,
 * checked, hashed, synchronised and named before a single rename swaps it in; kill -9 at any moment leaves one whole list,
 * the old or the new. The generation before is kept for `stepBack`. Sorting a long list blocks for seconds: import in a
 * process that does nothing else.
 *
 * Throws PW_HOTLIST_NAME, PW_HOTLIST_BUSY, PW_HOTLIST_SOURCE, PW_HOTLIST_MAPPING, PW_HOTLIST_EMPTY, PW_HOTLIST_SHRANK and
 * PW_HOTLIST_BUILD_FAILED; an aborted import throws the signal's reason.
 */
export async function importHotlist(options: HotlistImportOptions): Promise<HotlistImport> {
  const folder = listFolder(options.directory, options.listName)
  try {
    createFolder(options.directory, folder)
    const unlock = lockFolder(folder, options.listName)
    try {
      removeLeftovers(folder)
      return await build(options, folder)
    } finally {
      unlock()
    }
  } catch (error) {
    if (error instanceof PolewatchError || options.signal?.aborted === true) throw error
    throw new PolewatchError('PW_HOTLIST_BUILD_FAILED', { list: options.listName, why: describe(error) }, error)
  }
}

async function build(options: HotlistImportOptions, folder: string): Promise<HotlistImport> {
  const mapping = typeof options.mapping === 'string' ? hotlistPresets[options.mapping] : options.mapping
  const warnings: HotlistWarning[] = []
  const refused: RefusedLine[] = []
  let refusedCount = 0
  let bytes = 0
  const built = `building-${process.pid}.db`
  const builder = new ListFileBuilder(join(folder, built))
  const report = (stage: ImportStage) => {
    options.signal?.throwIfAborted()
    options.onProgress?.({ stage, bytes, accepted: builder.entries, refused: refusedCount })
  }
  try {
    report('reading')
    const source = await readSource(options.source, mapping, options.delimiter, {
      rules: {
        dates: mapping.dates,
        utcOffset: mapping.utcOffset,
        now: options.now,
        defaults: options.defaults ?? {},
        purposes: options.purposes === undefined ? null : new Set(options.purposes),
      },
      accept: entry => builder.add(entry),
      refuse: (line, reason) => {
        refusedCount++
        if (refused.length < mostRefusedKept) refused.push({ line, reason })
        options.onRefused?.({ line, reason })
      },
      read: total => {
        bytes = total
        report('reading')
      },
    })
    const previous = currentGeneration(folder)
    const before = previous === null ? 0 : countEntries(folder, previous, warnings)
    if (options.allowShrink !== true)
      refuseShrunken(options.listName, before, builder.entries, refused[0], refusedCount)

    report('indexing')
    builder.index()
    const lookAlikes = builder.lookAlikes()
    if (!source.hasState) warnings.push(noState)
    if (source.hiddenIds > 0) warnings.push(hiddenIds(source.hiddenIds))
    if (builder.oneEdit > manyOneEdits) warnings.push(oneEdits(builder.oneEdit))
    for (const pair of lookAlikes.pairs) {
      const message = `${name(pair.id, pair.line)} is one look-alike away from ${name(pair.otherId, pair.otherLine)}.`
      warnings.push({ kind: 'look-alike', line: pair.line, message })
    }
    if (lookAlikes.groups > lookAlikes.pairs.length) warnings.push(moreLookAlikes(lookAlikes.groups))

    report('checking')
    const accepted = builder.entries
    const number = (generations(folder).at(-1)?.number ?? 0) + 1
    const fault = builder.finish({
      list: options.listName,
      generation: number,
      entries: accepted,
      oneEdit: builder.oneEdit,
      refused: refusedCount,
      imported: options.now,
      validUntil: options.validFor === undefined ? null : options.now + options.validFor,
      sourceSha256: source.sha256,
    })
    if (fault !== null) throw new PolewatchError('PW_HOTLIST_BUILD_FAILED', { list: options.listName, why: fault })

    report('hashing')
    const sha256 = await hashFile(join(folder, built))
    report('publishing')
    const generation = keepAsGeneration(folder, built, number, sha256)
    makeCurrent(folder, generation)
    keepOnly(folder, previous === null ? [generation] : [generation, previous])
    const result = { list: options.listName, generation: number, accepted, refusedCount, refused, sha256, warnings }
    options.onProgress?.({ stage: 'done', bytes, accepted, refused: refusedCount })
    return { ...result, sourceSha256: source.sha256 }
  } catch (error) {
    builder.close()
    rmSync(join(folder, built), { force: true })
    throw error
  }
}

function countEntries(folder: string, generation: Generation, warnings: HotlistWarning[]): number {
  try {
    const file = new ListFile(join(folder, generation.file))
    file.close()
    return file.about.entries
  } catch {
    const message = 'The list that was current cannot be read, so the new one was not compared with it.'
    warnings.push({ kind: 'previous-damaged', line: null, message })
    return 0
  }
}

function refuseShrunken(
  list: string,
  before: number,
  accepted: number,
  first: RefusedLine | undefined,
  refused: number,
): void {
  if (accepted === 0) {
    const why =
      first === undefined
        ? 'it has no lines'
        : `${refused} refused, the first in line ${first.line}: ${refusalReasons[first.reason]}`
    throw new PolewatchError('PW_HOTLIST_EMPTY', { list, why })
  }
  if (accepted < before * smallestShare)
    throw new PolewatchError('PW_HOTLIST_SHRANK', { list, before, accepted, refused })
}

const noState: HotlistWarning = {
  kind: 'no-state',
  line: null,
  message: 'The file has no column for the state, so a match can be called possible at best.',
}

const hiddenIds = (count: number): HotlistWarning => ({
  kind: 'id-hidden',
  line: null,
  message: `${count} ids show the plate; these entries are named by their line instead.`,
})

const oneEdits = (count: number): HotlistWarning => ({
  kind: 'one-edit',
  line: null,
  message: `${count} entries ask for one edit; with so many, plates that nobody looks for will match often.`,
})

const moreLookAlikes = (groups: number): HotlistWarning => ({
  kind: 'look-alike',
  line: null,
  message: `${groups} groups of entries are look-alikes of one another; only the first pairs are named.`,
})

function name(id: string | null, line: number): string {
  return id === null ? `Line ${line}` : `Entry ${id} (line ${line})`
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { highWaterMark: 1_048_576 })) hash.update(piece)
  return hash.digest('hex')
}

// Only codes: a message of the system or of SQLite might repeat what it was given.
function describe(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return /^(ENOSPC|EDQUOT|SQLITE_FULL)/.test(error.code) ? 'there is no room left' : error.code
  }
  return error instanceof Error ? error.name : 'unknown'
}
