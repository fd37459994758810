import { statSync } from 'node:fs'
import { PolewatchError } from '../errors.js'
import { refusalReasons } from '../hotlist/entries.js'
import { type ImportProgress, importHotlist, type RefusedLine } from '../hotlist/import.js'
import { chooseList, entryRules, type ListOptions, listsFolder, load } from './hotlist-settings.js'
import { systemTime } from './role.js'
import { bold, exitStatus, ProgressBar, print, printJson } from './terminal.js'

/** Refused lines and warnings shown to a person; --json gives all. */
const linesShown = 20

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
      const entries = counted(accepted, 'entry', 'entries')
      const lines = counted(refusedCount, 'line', 'lines')
      print(`${bold(list.name)}: ${entries} imported as generation ${generation}, ${lines} refused.`)
      printFirst(
        'Imported, and to be looked at before anybody is stopped:',
        warnings.map(({ message }) => message),
      )
    }
  } finally {
    bar.end()
    // Shown also when the import fails in the end: they are why.
    if (!options.json) {
      const lines = shown.map(({ line, reason }) => `Line ${line}: ${refusalReasons[reason]}`)
      printFirst('Refused:', lines, refusedCount)
    }
  }
  if (refusedCount > 0) process.exitCode = exitStatus.fault
}

/** Shows a person the first of so many lines under a heading; nothing where there is none. */
export function printFirst(heading: string, lines: readonly string[], all = lines.length): void {
  if (all > 0) print(heading)
  for (const line of lines.slice(0, linesShown)) print(`  ${line}`)
  if (all > linesShown) print(`  … and ${(all - linesShown).toLocaleString('en')} more; --json lists them all`)
}

export function counted(count: number, one: string, more: string): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : more}`
}

function share({ stage, bytes }: ImportProgress, size: number): number {
  const read = size > 0 ? Math.min(1, bytes / size) : 0
  return stage === 'reading' ? begun.indexing * read : begun[stage]
}
