import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { PolewatchError } from '../errors.js'
import { commonTexts } from './common-texts.js'
import type { Delimiter } from './csv.js'
import { settleDeltas } from './delta-record.js'
import { type EntryRules, type RefusalReason, refusalReasons } from './entries.js'
import { createFolder, currentGeneration, listFolder, lockFolder, removeLeftovers } from './generations.js'
import { ListFileBuilder } from './list-builder.js'
import { type HotlistMapping, hotlistPresets, type PresetName } from './mapping.js'
import { countEntries, type ImportStage, nextNumber, publish, whyFailed } from './publish.js'
import { readSource } from './source.js'
import { confusables, type HotlistWarning, hiddenIds, noState, oneEdits, previousDamaged } from './warnings.js'

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
  /** The words that the file may use, each with the purpose of the policy that it stands for; without it every word stands. */
  readonly purposes?: ReadonlyMap<string, string>
  /** Texts to point out beside the usual ones, such as the plates of a city's own buses. */
  readonly commonTexts?: Iterable<string>
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
      settleDeltas(folder, options.now)
      return await build(options, folder)
    } finally {
      unlock()
    }
  } catch (error) {
    if (error instanceof PolewatchError || options.signal?.aborted === true) throw error
    throw new PolewatchError('PW_HOTLIST_BUILD_FAILED', { list: options.listName, why: whyFailed(error) }, error)
  }
}

async function build(options: HotlistImportOptions, folder: string): Promise<HotlistImport> {
  const mapping = typeof options.mapping === 'string' ? hotlistPresets[options.mapping] : options.mapping
  const warnings: HotlistWarning[] = []
  const refused: RefusedLine[] = []
  let refusedCount = 0
  let bytes = 0
  const built = `building-${process.pid}.db`
  const builder = new ListFileBuilder(join(folder, built), commonTexts(options.commonTexts))
  const report = (stage: ImportStage) => {
    // Once the list is current, stopping would only hide that.
    if (stage !== 'tidying') options.signal?.throwIfAborted()
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
        purposes: options.purposes ?? null,
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
    const before = previous === null ? 0 : countEntries(folder, previous)
    if (before === null) warnings.push(previousDamaged)
    if (options.allowShrink !== true)
      refuseShrunken(options.listName, before ?? 0, builder.entries, refused[0], refusedCount)

    report('indexing')
    builder.index()
    const lookAlikes = builder.lookAlikes()
    if (!source.hasState) warnings.push(noState)
    const { count, first } = builder.likeCommon
    warnings.push(...hiddenIds(source.hiddenIds), ...oneEdits(builder.oneEdit))
    warnings.push(...confusables(first, count, 'common-text'))
    warnings.push(...confusables(lookAlikes.pairs, lookAlikes.groups, 'look-alike'))

    report('checking')
    const accepted = builder.entries
    const number = nextNumber(folder)
    const fault = builder.finish({
      list: options.listName,
      generation: number,
      entries: accepted,
      oneEdit: builder.oneEdit,
      refused: refusedCount,
      imported: options.now,
      validUntil: options.validFor === undefined ? null : options.now + options.validFor,
      sourceSha256: source.sha256,
      deltaExpires: null,
    })
    if (fault !== null) throw new PolewatchError('PW_HOTLIST_BUILD_FAILED', { list: options.listName, why: fault })

    const { sha256 } = await publish(folder, built, number, previous, report)
    const result = { list: options.listName, generation: number, accepted, refusedCount, refused, sha256, warnings }
    options.onProgress?.({ stage: 'done', bytes, accepted, refused: refusedCount })
    return { ...result, sourceSha256: source.sha256 }
  } catch (error) {
    builder.close()
    rmSync(join(folder, built), { force: true })
    throw error
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
