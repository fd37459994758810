import { existsSync, statSync } from 'node:fs'
import type { Command } from 'commander'
import { defaultConfigurationFile, parseConfiguration, readText } from '../config/load.js'
import { currentVersion, type Migration, migrateText } from '../config/migrate.js'
import { replaceFile, writeWhole } from '../config/replace-file.js'
import { print, printJson } from './terminal.js'

export function defineMigrate(command: Command): void {
  command
    .description(
      'Brings a configuration of an earlier version to this one. The earlier one stays beside it; comments stay in it.',
    )
    .argument('[FILE]', 'the configuration', defaultConfigurationFile)
    .option('--json', 'one JSON line with the outcome')
    .addHelpText('after', '\nExample:\n  polewatch config migrate\n\nAn upgrade of the package does it.')
    .action((file: string, { json }: { json?: boolean }) => {
      const { from, kept } = migrateFile(file)
      if (json) printJson({ file, from, to: currentVersion, kept })
      else if (kept === null) print(`${file} is of version ${currentVersion} already.`)
      else print(`${file} was brought from version ${from} to ${currentVersion}; ${kept} is what it was.`)
    })
}

/**
 * Brings a file forward, if that makes it right. `kept` is what it was before, null where nothing was to do.
 * @throws PW_CONFIG_MISSING, PW_CONFIG_UNREADABLE, PW_CONFIG_NEWER, PW_CONFIG_INVALID
 */
export function migrateFile(file: string, steps?: readonly Migration[]): { from: number | null; kept: string | null } {
  const before = readText(file)
  const { text, from } = migrateText(before, file, steps)
  if (from === null) parseConfiguration(before, file)
  if (text === before) return { from, kept: null }
  if (steps === undefined) parseConfiguration(text, file)
  const kept = `${file}.version-${from}`
  // An older copy is of the time before the first upgrade, and worth more.
  if (!existsSync(kept)) writeWhole(kept, before, statSync(file).mode & 0o777)
  replaceFile(file, text)
  return { from, kept }
}
