import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { accessSync, chmodSync, constants, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { checkText } from '../config/check.js'
import { parseConfiguration } from '../config/load.js'
import type { Configuration } from '../config/schema.js'
import { readSecret } from '../config/secret-file.js'
import { messageOf, PolewatchError } from '../errors.js'
import { openDelta } from '../hotlist/delta-file.js'
import { draftPrefix, writeDurably } from '../hotlist/generations.js'
import { commandArguments } from '../messages/commands.js'
import { isJsonObject, parseJsonObject } from '../messages/json.js'
import { publicKeyFromPem } from '../messages/keys.js'
import { policySchema } from '../policy/policy.js'
import { type AuthorisedCommand, argumentsOf } from '../uplink/command-authority.js'
import type { CommandAnswer } from '../uplink/commands.js'
import { inboxFolder, inboxOutcomes } from './hotlist-inbox.js'
import { listsFolder } from './hotlist-settings.js'

/** Signed requests that wait for polewatch-apply, at most. */
const storedLimit = 8

/** Where uplink leaves signed requests that only root may carry out. */
export function requestsFolder(paths: Configuration['paths']): string {
  return join(paths.state, 'requests')
}

/**
 * Stores a change of configuration or policy as the hub signed it, if it is whole and valid. polewatch-apply takes it from there: it
 * runs as root without a network, checks the signature again, writes, restarts and rolls back.
 */
export function storeRequest(command: AuthorisedCommand, configuration: Configuration, file: string): CommandAnswer {
  const { name, event } = command
  if (name === 'policy') checkPolicy(argumentsOf(commandArguments.policy, command).document)
  else checkConfiguration(argumentsOf(commandArguments.configuration, command).document, configuration, file)
  const folder = requestsFolder(configuration.paths)
  mkdirSync(folder, { recursive: true, mode: 0o750 })
  // Of a write that a power cut ended; nobody else writes here.
  for (const each of readdirSync(folder)) if (each.startsWith(draftPrefix)) rmSync(join(folder, each), { force: true })
  const stored = readdirSync(folder).filter(each => each.endsWith('.json')).length
  if (stored >= storedLimit)
    throw new PolewatchError('PW_COMMAND_TOO_MANY', { name, why: `${stored} stored requests wait to be applied` })
  const request = `${name}-${'nonce' in event.data ? event.data.nonce : event.id}.json`
  writeDurably(folder, request, `${JSON.stringify(event.original)}\n`)
  return {
    detail: 'It is valid and stored. It is in force once polewatch-apply has checked and written it.',
    result: { request, applied: false },
  }
}

function checkConfiguration(document: string, { site, gateway }: Configuration, file: string): void {
  let changed: Configuration
  try {
    changed = parseConfiguration(document, file)
  } catch (error) {
    throw new PolewatchError('PW_COMMAND_MALFORMED', { why: messageOf(error).slice(0, 700) }, error)
  }
  if (changed.site !== site || changed.gateway.id !== gateway.id)
    throw new PolewatchError('PW_COMMAND_MALFORMED', { why: 'it is the configuration of another gateway' })
}

function checkPolicy(document: string): void {
  const { problems } = checkText(policySchema, document, '/')
  if (problems.length > 0)
    throw new PolewatchError('PW_COMMAND_MALFORMED', { why: `the policy has ${problems.length} to correct` })
}

const main = fileURLToPath(new URL('../main.js', import.meta.url))
/** A list of ten million entries takes some ten seconds to change. Milliseconds. */
const patience = 300_000

/**
 * Has a signed change of a hotlist applied in another process, since that takes long without a pause; one that nobody trusted signed gets
 * none. Where another user writes the lists, as on a unit, polewatch-hotlist.service takes it from the inbox; else it waits in memory
 * (tmpfs), as it holds plates.
 */
export async function changeHotlist(
  command: AuthorisedCommand,
  configuration: Configuration,
  file: string,
): Promise<CommandAnswer> {
  const { list, delta } = argumentsOf(commandArguments.hotlist, command)
  const settings = configuration.hotlist.lists.find(({ name }) => name === list)
  if (settings === undefined) throw new PolewatchError('PW_HOTLIST_ABSENT', { list })
  const bytes = Buffer.from(JSON.stringify(delta))
  openDelta(
    bytes,
    list,
    settings.deltaKeys.map(path => publicKeyFromPem(readSecret(path))),
  )
  if (!mayWrite(listsFolder(configuration))) return throughInbox(command, configuration, bytes)
  const draft = join(configuration.paths.runtime, 'uplink.hotlist-change.json')
  writeFileSync(draft, bytes, { mode: 0o600 })
  try {
    const outcome = await run(['hotlist', 'delta', draft, '--config', file, '--list', list, '--json'])
    if ('result' in outcome) return { detail: `The list ${list} was changed.`, result: outcome.result }
    throw new PolewatchError('PW_COMMAND_FAILED', { name: 'hotlist', why: outcome.why })
  } finally {
    rmSync(draft, { force: true })
  }
}

async function throughInbox(
  command: AuthorisedCommand,
  configuration: Configuration,
  bytes: Uint8Array,
): Promise<CommandAnswer> {
  const { list } = argumentsOf(commandArguments.hotlist, command)
  const file = `${list}.${randomUUID()}.delta.json`
  const inbox = inboxFolder(configuration.paths)
  writeFileSync(join(inbox, `.${file}`), bytes, { mode: 0o640, flush: true })
  // Another user of the group reads it, and the mask of uplink's process would not let it.
  chmodSync(join(inbox, `.${file}`), 0o640)
  renameSync(join(inbox, `.${file}`), join(inbox, file))
  for (let waited = 0; waited < patience; waited += 250) {
    const outcome = inboxOutcomes(configuration).find(each => each.file === file)
    if (outcome?.outcome === 'taken') return { detail: `The list ${list} was changed.`, result: outcome.result }
    if (outcome !== undefined)
      throw new PolewatchError('PW_COMMAND_FAILED', { name: 'hotlist', why: `${outcome.code}: ${outcome.detail}` })
    await pause(250)
  }
  rmSync(join(inbox, file), { force: true })
  throw new PolewatchError('PW_COMMAND_FAILED', { name: 'hotlist', why: 'polewatch-hotlist.service has not taken it' })
}

function mayWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

type Outcome = { readonly result: Readonly<Record<string, unknown>> } | { readonly why: string }

function run(words: readonly string[]): Promise<Outcome> {
  return new Promise(resolve => {
    execFile(process.execPath, [main, ...words], { timeout: patience, maxBuffer: 1 << 24 }, (error, output, errors) => {
      if (error === null) resolve({ result: lastObject(output) ?? {} })
      else {
        const fault = lastObject(errors)?.error
        resolve({ why: isJsonObject(fault) ? `${String(fault.code)}: ${String(fault.message)}` : 'its process failed' })
      }
    })
  })
}

/** The last line that is a JSON object. */
function lastObject(text: string): Readonly<Record<string, unknown>> | null {
  const line = text.trimEnd().split('\n').at(-1) ?? ''
  try {
    return parseJsonObject(Buffer.from(line))
  } catch {
    return null
  }
}
