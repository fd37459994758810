import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { defaultConfigurationFile, loadConfiguration } from '../config/load.js'
import { loadPolicy } from '../config/policy-file.js'
import { messageOf, PolewatchError } from '../errors.js'
import { formatTime } from '../messages/time.js'
import { evidenceRoles, evidenceStore } from './evidence-files.js'
import { recordAccess } from './local-access.js'
import { print, printJson } from './terminal.js'

interface Options {
  readonly config: string
  readonly reason: string
  readonly output: string
  readonly json?: boolean
}

export function define(command: Command): void {
  command
    .command('list')
    .description('Shows which evidence this unit keeps, and until when. That somebody looked is recorded.')
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .requiredOption('--reason <TEXT>', 'why you look, for the record')
    .option('--json', 'one JSON line a piece')
    .action(list)
  command
    .command('get')
    .description('Writes one piece to a file. That somebody took it is recorded before it is read.')
    .argument('<ID>', 'the piece, as its alert names it')
    .requiredOption('--output <FILE>', 'where to write it; the file must not exist')
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .requiredOption('--reason <TEXT>', 'why you take it, for the record')
    .option('--json', 'the outcome as one JSON line')
    .addHelpText(
      'after',
      '\nExample:\n  polewatch evidence get plate-15d773c928f2174e --output plate.jpg --reason "case 17-204"',
    )
    .action(get)
}

async function list({ config, reason, json }: Options): Promise<void> {
  const stores = await open(config, 'evidence-list', 'all', reason)
  for (const piece of stores.flatMap(store => store.list())) {
    const { id, mediaType, bytes, sealed } = piece
    const [since, until] = [formatTime(piece.since), formatTime(piece.until)]
    if (json) printJson({ id, mediaType, bytes, sealed, since, until })
    else print(`${id}  ${mediaType}  ${bytes} bytes${sealed ? ', encrypted' : ''}  from ${since} until ${until}`)
  }
}

async function get(id: string, { config, reason, output, json }: Options): Promise<void> {
  const stores = await open(config, 'evidence-get', id, reason)
  let piece: ReturnType<(typeof stores)[number]['read']> = null
  try {
    for (const store of stores) piece ??= store.read(id)
    if (piece !== null) writeFileSync(output, piece.content, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    throw new PolewatchError('PW_EVIDENCE_UNREADABLE', { id, why: messageOf(error) }, error)
  }
  if (piece === null)
    throw new PolewatchError('PW_EVIDENCE_UNREADABLE', { id, why: 'nothing of that id is kept, or its time is over' })
  const { mediaType, content } = piece
  if (json) printJson({ id, mediaType, bytes: content.length, file: output })
  else print(`${output}: ${content.length} bytes, ${mediaType}`)
}

async function open(config: string, what: string, subject: string, reason: string) {
  const configuration = loadConfiguration(config)
  const { policy } = loadPolicy(configuration.policyFile)
  await recordAccess(configuration, what, subject, reason)
  return evidenceRoles.map(role => evidenceStore(configuration, policy, role))
}
