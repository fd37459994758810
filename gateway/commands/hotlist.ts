import { join } from 'node:path'
import type { Command } from 'commander'
import { devicesFolder } from '../../drivers/device-files.js'
import { defaultConfigurationFile, deviceNames, loadConfiguration } from '../config/load.js'
import { loadPolicy } from '../config/policy-file.js'
import type { Configuration, HotlistSettings } from '../config/schema.js'
import { PolewatchError } from '../errors.js'
import { refusalReasons } from '../hotlist/entries.js'
import { Hotlist } from '../hotlist/hotlist.js'
import { importHotlist } from '../hotlist/import.js'
import { matchRead } from '../plates/match.js'
import { normalisePlate, normaliseState } from '../plates/text.js'
import { permittedWords } from '../policy/policy.js'
import { systemTime } from './role.js'
import { bold, exitStatus, ProgressBar, print, printJson } from './terminal.js'

/** Refused lines shown to a person; --json gives all. */
const refusedShown = 20

export function define(command: Command): void {
  command
    .command('import')
    .description('Imports a list of wanted plates. The list in force stays until the new one is whole.')
    .argument('[FILE]', "the agency's file; the configuration may name it")
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--list <NAME>', 'which list of the configuration; needed where it has several')
    .option('--allow-shrink', 'take the list even if it has lost more than a fifth of its entries')
    .option('--json', 'one JSON line a refused line and a warning, then one with the outcome')
    .addHelpText(
      'after',
      '\nExample:\n  polewatch hotlist import --list state wanted.csv\n\nExit status 1 when lines were refused.',
    )
    .action(async (file: string | undefined, options: ImportOptions) => importList(file, options))
  command
    .command('find')
    .description(
      'Looks a plate up as a read of it would be, with every reason. Asking is recorded nowhere yet: see CHANGELOG.md.',
    )
    .argument('<PLATE>', 'the text')
    .option('--state <STATE>', 'the state, as a read would give it')
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--json', 'one JSON line a match')
    .addHelpText(
      'after',
      '\nExample:\n  polewatch hotlist find ABC1234 --state PA\n\nExit status 1 when nothing matches.',
    )
    .action((plate: string, options: FindOptions) => find(plate, options))
}

interface ImportOptions {
  readonly config: string
  readonly list?: string
  readonly allowShrink?: boolean
  readonly json?: boolean
}

interface FindOptions {
  readonly config: string
  readonly state?: string
  readonly json?: boolean
}

async function importList(file: string | undefined, options: ImportOptions): Promise<void> {
  const configuration = load(options.config)
  const list = chooseList(configuration, options.list)
  const source = file ?? list.file
  if (source === null)
    throw new PolewatchError('PW_USAGE', { why: `the configuration names no file for the list ${list.name}` })
  const bar = new ProgressBar(`Importing ${list.name}`)
  const { validForHours, purposeDefault, stateDefault } = list
  const result = await importHotlist({
    listName: list.name,
    directory: join(configuration.paths.state, 'hotlist'),
    source,
    mapping: list.mapping ?? list.preset,
    defaults: {
      ...(purposeDefault === null ? {} : { purpose: purposeDefault }),
      ...(stateDefault === null ? {} : { state: stateDefault }),
      ...(validForHours === null ? {} : { validFor: validForHours * 3600 }),
    },
    purposes: permittedWords(loadPolicy(configuration.policyFile).policy, list.purposes),
    allowShrink: options.allowShrink === true,
    now: systemTime(),
    onProgress: ({ accepted, stage }) => bar.note(`${accepted.toLocaleString('en')} entries, ${stage}`),
  })
  bar.end()
  const { refused, warnings, refusedCount, accepted, generation, sha256 } = result
  if (options.json) {
    for (const each of refused) printJson({ refused: each })
    for (const warning of warnings) printJson({ warning })
    printJson({ list: list.name, generation, accepted, refused: refusedCount, sha256 })
  } else {
    print(
      `${bold(list.name)}: ${accepted.toLocaleString('en')} entries imported as generation ${generation}, ${refusedCount} lines refused.`,
    )
    for (const { line, reason } of refused.slice(0, refusedShown)) print(`  line ${line}: ${refusalReasons[reason]}`)
    if (refusedCount > refusedShown) print(`  … and ${refusedCount - refusedShown} more; --json lists them all`)
    for (const { message } of warnings.slice(0, refusedShown)) print(`  ${message}`)
  }
  if (refusedCount > 0) process.exitCode = exitStatus.fault
}

function find(plate: string, options: FindOptions): void {
  const configuration = load(options.config)
  const normalised = normalisePlate(plate)
  if ('fault' in normalised) throw new PolewatchError('PW_USAGE', { why: `the text is no plate (${normalised.fault})` })
  const now = systemTime()
  const read = {
    text: normalised.text,
    confidence: null,
    state: normaliseState(options.state ?? null),
    agreeingReaders: 1,
    time: now,
  }
  let found = 0
  for (const { name, staleAfterHours } of configuration.hotlist.lists) {
    const list = Hotlist.open(join(configuration.paths.state, 'hotlist'), name, { maximumAge: staleAfterHours * 3600 })
    const answer = list.find(read.text, now)
    if (answer.freshness !== 'fresh' && !options.json)
      print(`${name}: the list is ${answer.freshness} and matches nothing.`)
    const exact = matchRead(read, answer).matches
    for (const match of exact.length > 0 ? exact : matchRead(read, list.findOneEdit(read.text, now)).matches) {
      found++
      if (options.json) printJson({ list: name, freshness: answer.freshness, ...match })
      else {
        const { entry, tier, differing, reasons } = match
        print(
          `${bold(tier)}: entry ${entry.id} of ${name}, ${entry.purpose}, until ${new Date(entry.expires * 1000).toISOString()}`,
        )
        for (const { position, read: seen, listed } of differing)
          print(`  character ${position}: read ${seen}, listed ${listed}`)
        print(`  ${reasons.join(', ')}`)
      }
    }
    list.close()
  }
  if (found === 0 && !options.json) print('Nothing on any list matches.')
  if (found === 0) process.exitCode = exitStatus.fault
}

function load(file: string): Configuration {
  return loadConfiguration(file, deviceNames(devicesFolder))
}

function chooseList({ hotlist }: Configuration, name: string | undefined): HotlistSettings {
  const names = hotlist.lists.map(list => list.name).join(', ')
  const list =
    name === undefined && hotlist.lists.length === 1 ? hotlist.lists[0] : hotlist.lists.find(each => each.name === name)
  if (list === undefined) {
    const why = names === '' ? 'the configuration has no hotlist' : `name one of the lists with --list: ${names}`
    throw new PolewatchError('PW_USAGE', { why })
  }
  return list
}
