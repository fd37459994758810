import { statSync } from 'node:fs'
import { PolewatchError } from '../errors.js'
import { refusalReasons } from '../hotlist/entries.js'
import { type ImportProgress, importHotlist, type RefusedLine } from '../hotlist/import.js'
import { chooseList, entryRules, type ListOptions, listsFolder, load } from './hotlist-settings.js'
import { systemTime } from './role.js'
import { bold, exitStatus, ProgressBar, print, printJson } from './terminal.js'

/** Refused lines and warnings shown to a person; --json gives all. */
export const linesShown = 20

/** How much of the whole is done when a stage begins; measured with ten million entries. */
const begun = {
  reading: 0,
  indexing: 0.58,
  checking: 0.89,
  hashing: 0.95,
  naming: 1,
  switching: 1,
  tidying: 1,
  done: 1,
}

export async function importList(file: string | undefined, options: ListOptions): Promise<void> {
  const configuration = load(options.config)
  const list = chooseList(configuration, options.list)
  const source = file ?? list.file
  if (source === null)
    throw new PolewatchError('PW_USAGE', { why: `the configuration names no file for the list ${list.name}` })
  const bar = new ProgressBar(`Importing ${list.name}`)
  const size = statSync(source, { throwIfNoEntry: false })?.size ?? 0
  const shown: RefusedLine[] = []
  let refusedCount = 0
  try {
    const result = await importHotlist({
      listName: list.name,
      directory: listsFolder(configuration),
      source,
      mapping: list.mapping ?? list.preset,
      ...entryRules(configuration, list),
      allowShrink: options.allowShrink === true,
      now: systemTime(),
      onProgress: progress => bar.update(share(progress, size)),
      onRefused: refused => {
        refusedCount++
        if (options.json) printJson({ refused })
        else if (shown.length < linesShown) shown.push(refused)
      },
    })
    bar.end()
    const { warnings, accepted, generation, sha256, sourceSha256 } = result
    if (options.json) {
      for (const warning of warnings) printJson({ warning })
      printJson({ list: list.name, generation, accepted, refused: refusedCount, sha256, sourceSha256 })
    } else {
      print(
        `${bold(list.name)}: ${accepted.toLocaleString('en')} entries imported as generation ${generation}, ${refusedCount} ${refusedCount === 1 ? 'line' : 'lines'} refused.`,
      )
      printFirst(warnings.map(({ message }) => message))
    }
  } finally {
    bar.end()
    // Shown also when the import fails in the end: they are why.
    for (const { line, reason } of shown) print(`  line ${line}: ${refusalReasons[reason]}`)
    if (refusedCount > shown.length && !options.json)
      print(`  … and ${refusedCount - shown.length} more; --json lists them all`)
  }
  if (refusedCount > 0) process.exitCode = exitStatus.fault
}

/** Shows a person the first lines of what may be many. */
export function printFirst(lines: readonly string[]): void {
  for (const line of lines.slice(0, linesShown)) print(`  ${line}`)
  if (lines.length > linesShown) print(`  … and ${lines.length - linesShown} more; --json lists them all`)
}

function share({ stage, bytes }: ImportProgress, size: number): number {
  const read = size > 0 ? Math.min(1, bytes / size) : 0
  return stage === 'reading' ? begun.indexing * read : begun[stage]
}
