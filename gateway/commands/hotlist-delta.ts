import { readFileSync } from 'node:fs'
import { messageOf, PolewatchError } from '../errors.js'
import { applyDelta } from '../hotlist/delta.js'
import { signDelta } from '../hotlist/delta-file.js'
import { refusalReasons } from '../hotlist/entries.js'
import { publicKeyFromPem, signingKeyFromPem } from '../messages/keys.js'
import { counted, printFirst } from './hotlist-import.js'
import { chooseList, entryRules, type ListOptions, listsFolder, load } from './hotlist-settings.js'
import { systemTime } from './role.js'
import { bold, print, printJson } from './terminal.js'

export async function applyChange(file: string, options: ListOptions): Promise<void> {
  const configuration = load(options.config)
  const list = chooseList(configuration, options.list)
  const refused: string[] = []
  try {
    const { warnings, ...outcome } = await applyDelta({
      listName: list.name,
      directory: listsFolder(configuration),
      delta: readBytes(file),
      keys: list.deltaKeys.map(path => publicKeyFromPem(readBytes(path))),
      ...entryRules(configuration, list),
      allowShrink: options.allowShrink === true,
      now: systemTime(),
      onRefused: change => {
        if (options.json) printJson({ refused: change })
        else refused.push(`Number ${change.number} to ${change.part}: ${refusalReasons[change.reason]}`)
      },
    })
    if (options.json) {
      for (const warning of warnings) printJson({ warning })
      printJson(outcome)
      return
    }
    const { added, removed, entries, generation } = outcome
    const all = counted(entries, 'entry', 'entries')
    print(`${bold(list.name)}: ${added} added and ${removed} removed, ${all} in all, as generation ${generation}.`)
    print(`  The next change names ${outcome.sourceSha256} as its base.`)
    printFirst(
      'To be looked at before anybody is stopped:',
      warnings.map(({ message }) => message),
    )
  } finally {
    printFirst('Does not fit:', refused)
  }
}

/** Writes the signed change to standard output, and what the next one has to name as its base to standard error. */
export function signChange(file: string, { key }: { key: string }): void {
  const { bytes, sha256 } = signDelta(readBytes(file), signingKeyFromPem(readBytes(key)))
  process.stdout.write(bytes)
  process.stderr.write(`The next change names ${sha256} as its base.\n`)
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new PolewatchError('PW_HOTLIST_SOURCE', { why: messageOf(error) }, error)
  }
}
