import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Command } from 'commander'
import { defaultConfigurationFile, loadConfiguration } from '../config/load.js'
import type { Configuration } from '../config/schema.js'
import { PolewatchError } from '../errors.js'
import { type AuditHead, type AuditRecord, verifyChain } from '../journal/audit.js'
import { readChain } from '../journal/chain-reader.js'
import { keyId, publicKeyFromPem } from '../messages/keys.js'
import { auditSealHolds } from '../messages/seal.js'
import { formatTime } from '../messages/time.js'
import { recordAccess } from './local-access.js'
import { bold, colour, exitStatus, print, printJson } from './terminal.js'

interface Options {
  readonly config: string
  readonly key: readonly string[]
  readonly head: readonly AuditHead[]
  readonly reason: string
  readonly action?: string
  readonly json?: boolean
}

export function define(command: Command): void {
  command
    .command('verify')
    .description('Checks audit chains record by record, and the signatures under them. Changes nothing.')
    .argument('[FILE...]', 'journals, or copies of them; those of the configuration where none is named')
    .option('--config <FILE>', 'the configuration, whose journals and public keys are used', defaultConfigurationFile)
    .option('--key <FILE>', "a role's public key (PEM), for files; may be repeated", collect, [])
    .option('--head <NUMBER:HASH>', 'a record that was seen earlier, for one file; may be repeated', collectHead, [])
    .option('--json', 'one JSON line a file')
    .addHelpText(
      'after',
      `
A chain that was cut short or rewritten as a whole is found only by a head that somebody kept: the report and the
answer to the command \`status\` tell heads.

Examples:
  polewatch audit verify
  polewatch audit verify uplink.journal.db --key uplink.pub --head 97:9f86d081884c7d65…

Records whose time is over by the policy are deleted; the chain then begins at a signed checkpoint.

Exit status 1 when a chain does not hold, or nothing can be said of a head because its record was deleted.`,
    )
    .action(verify)
  command
    .command('list')
    .description('Shows who did what, when and for what purpose. That somebody looked is recorded too.')
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--action <ACTION>', 'only records of that action, such as evidence-released')
    .option('--reason <TEXT>', 'why you look, for the record', 'none given')
    .option('--json', 'one JSON line a record')
    .action(list)
}

/** The journals that a configuration's roles and local commands have written. @throws PW_JOURNAL_UNREADABLE where there is none */
export function journalFiles({ paths }: Configuration): string[] {
  const names = existsSync(paths.state) ? readdirSync(paths.state).filter(name => name.endsWith('.journal.db')) : []
  if (names.length > 0) return names.sort().map(name => join(paths.state, name))
  throw new PolewatchError('PW_JOURNAL_UNREADABLE', { file: paths.state, why: 'it holds no journal' })
}

function verify(files: readonly string[], { config, key, head, json }: Options): void {
  const configuration = files.length === 0 ? loadConfiguration(config) : null
  const journals = configuration === null ? files : journalFiles(configuration)
  if (head.length > 0 && journals.length !== 1)
    throw new PolewatchError('PW_USAGE', { why: '--head is about one file: name it' })
  const keyFiles = configuration === null ? key : [...key, ...publicKeys(configuration)]
  const keys = new Map(
    keyFiles.map(file => {
      const publicKey = publicKeyFromPem(readKeyFile(file))
      return [keyId(publicKey), publicKey] as const
    }),
  )
  for (const file of journals) {
    const checkSeal = (hash: string, seal: string): boolean => auditSealHolds(hash, seal, keys)
    const verdict = verifyChain(file, { anchors: head, ...(keys.size === 0 ? {} : { checkSeal }) })
    if (!verdict.valid || verdict.unknown.length > 0) process.exitCode = exitStatus.fault
    if (json) printJson({ file, ...verdict })
    else if (verdict.valid) {
      const { records, seals, head: newest, deleted, unknown } = verdict
      const signed = keys.size === 0 ? 'signatures not checked: no key was given' : `${seals} signatures hold`
      print(`${bold(basename(file))}: ${colour('green', 'whole')}, ${records} records, ${signed}`)
      if (deleted.number > 0) print(`  The first ${deleted.number} records were deleted when their time was over.`)
      for (const number of unknown) print(`  Record ${number} was deleted since it was seen: keep newer heads.`)
      print(`  head ${newest.number}:${newest.hash}`)
    } else print(`${bold(basename(file))}: ${colour('red', `record ${verdict.number} fails`)}: ${verdict.why}`)
  }
}

async function list({ config, action, reason, json }: Options): Promise<void> {
  const configuration = loadConfiguration(config)
  const files = journalFiles(configuration)
  await recordAccess(configuration, 'audit', action ?? 'all', reason)
  const wanted = (record: AuditRecord): boolean => action === undefined || record.action === action
  const records = files
    .flatMap(file => {
      const journal = basename(file, '.journal.db')
      const all = readChain(file, chain =>
        [...chain.records(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)].filter(wanted),
      )
      return all.map(record => ({ journal, record }))
    })
    .sort((one, other) => one.record.time - other.record.time)
  for (const { journal, record } of records) {
    if (json) printJson({ journal, ...record, time: formatTime(record.time) })
    else
      print(`${formatTime(record.time)}  ${journal.padEnd(8)} ${bold(record.action)} ${record.subject}${said(record)}`)
  }
}

/** What a person wants to know of a record; the hashes that only programs compare are left out. */
function said({ detail }: AuditRecord): string {
  const words = Object.entries(detail)
    .filter(([name, value]) => value !== null && !['digest', 'sha256', 'source', 'sequence'].includes(name))
    .map(([name, value]) => `${name} ${value}`)
  return words.length === 0 ? '' : `: ${words.join(', ')}`
}

function publicKeys({ paths }: Configuration): string[] {
  const folder = join(paths.state, 'keys')
  const names = existsSync(folder) ? readdirSync(folder).filter(name => name.endsWith('.pub')) : []
  return names.map(name => join(folder, name))
}

function readKeyFile(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new PolewatchError(
      'PW_KEY_FILE',
      { file, why: error instanceof Error ? error.message : String(error) },
      error,
    )
  }
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value]
}

function collectHead(value: string, before: readonly AuditHead[]): AuditHead[] {
  const [, number, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(value) ?? []
  if (number === undefined || hash === undefined)
    throw new PolewatchError('PW_USAGE', { why: `--head ${value} is not NUMBER:HASH` })
  return [...before, { number: Number(number), hash }]
}
