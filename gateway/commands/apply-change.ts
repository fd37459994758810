import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as z from 'zod'
import { checkText } from '../config/check.js'
import { loadConfiguration, parseConfiguration, readText } from '../config/load.js'
import { loadPolicy } from '../config/policy-file.js'
import { replaceFile, writeWhole } from '../config/replace-file.js'
import type { Configuration } from '../config/schema.js'
import { credentialPrefix, readSecret } from '../config/secret-file.js'
import { messageOf, PolewatchError } from '../errors.js'
import { synchronise } from '../hotlist/generations.js'
import { AcceptedRequests } from '../journal/accepted-requests.js'
import { commandArguments } from '../messages/commands.js'
import { openEvent } from '../messages/seal.js'
import { loosened, policySchema } from '../policy/policy.js'
import { type AuthorisedCommand, argumentsOf } from '../uplink/command-authority.js'
import { appliedFolder, type Outcome, tell } from './apply-outcomes.js'
import { commandAuthority } from './command-keys.js'
import { requestsFolder } from './hub-requests.js'
import { awaitSecond, takeSecond } from './second-signature.js'

/** What applying asks of the machine. */
export interface Machine {
  /**
   * `look-up` lets the roles reach, besides what they could, the addresses that the configuration names now; `keep` leaves them
   * only those, `drop` only what they could before. Whether it was done.
   */
  reach(step: 'look-up' | 'keep' | 'drop'): boolean
  /** Starts all roles anew. */
  restart(): void
  /** How each role does: 2 all its parts work, 1 it runs, 0 it does not. */
  ranks(): ReadonlyMap<string, number>
  /** How often roles were started again since they were started. */
  restarts(): string
  /** Whether uplink, since it began, has a session with its hub's broker. */
  online(): boolean
  sleep(seconds: number): Promise<void>
  /** Seconds since 1970 UTC. */
  now(): number
}

export interface ApplyOptions {
  /** The configuration's file. */
  readonly file: string
  readonly machine: Machine
  /** Time that the roles have to do as well as before, seconds. */
  readonly limit: number
  /** How long they have to do so without a break, seconds. */
  readonly lasting: number
}

/** A change under way; while this file exists the change counts as failed, whatever ended the process. */
const underWay = z.object({
  request: z.string(),
  file: z.string(),
  before: z.string(),
  command: z.object({ source: z.string(), id: z.string() }),
})

const largest = 400_000

/**
 * Takes back what an interrupted run left, then carries out the stored requests, oldest first. Each ends as an outcome, never as an error.
 * @throws PW_APPLY_FOLDER, PW_CONFIG_…, PW_KEY_FILE and, of the file of accepted requests, PW_JOURNAL_IN_USE and what the disk says
 */
export async function applyStored(options: ApplyOptions): Promise<Outcome[]> {
  const { file, machine } = options
  const outcomes: Outcome[] = []
  // A configuration that was left half-way may not even load: the folder is found by the one that stood before it.
  const found = interrupted(file)
  if (found !== null) {
    replaceFile(found.file, found.before)
    machine.reach('drop')
    // It may have ended after the new addresses had taken the place of the old ones.
    if (machine.reach('look-up')) machine.reach('keep')
    machine.restart()
    const { paths } = loadConfiguration(file)
    const detail = 'Applying was interrupted; what was before is back.'
    const { request } = found
    outcomes.push(
      tell(paths, { request, outcome: 'interrupted', code: null, detail, command: found.command, at: machine.now() }),
    )
    finish(file, requestsFolder(paths), found.request)
  }
  const { paths } = loadConfiguration(file)
  const memory = openMemory(paths, machine)
  try {
    removeStrays(paths)
    // Before any restart of this run: roles that have just begun do worse than they did.
    const before = machine.ranks()
    for (const request of stored(paths)) {
      try {
        outcomes.push(await applyOne(request, options, memory, before))
      } catch (error) {
        // Something is written already: the next run takes it back.
        if (interrupted(file) !== null) throw error
        const code = error instanceof PolewatchError ? error.code : null
        const detail = messageOf(error).slice(0, 1000)
        outcomes.push(
          tell(paths, {
            request,
            outcome: 'refused',
            code,
            detail,
            command: commandOf(request, paths),
            at: machine.now(),
          }),
        )
      }
      finish(file, requestsFolder(paths), request)
    }
  } finally {
    memory.close()
  }
  return outcomes
}

async function applyOne(
  request: string,
  options: ApplyOptions,
  memory: AcceptedRequests,
  before: ReadonlyMap<string, number>,
): Promise<Outcome> {
  const { file, machine } = options
  const configuration = loadConfiguration(file)
  const { paths } = configuration
  const name = request.startsWith('policy-') ? 'policy' : 'configuration'
  const command = authorised(name, join(requestsFolder(paths), request), configuration, machine)
  const target = name === 'policy' ? policyTarget(configuration) : file
  const { document } = argumentsOf(commandArguments[name], command)
  const looser =
    name === 'policy' ? checkPolicy(document, configuration) : checkConfiguration(document, configuration, file)
  const { token, event, expires } = command
  const acceptance = memory.accept({ token, name, issued: event.time, expires, body: null })
  if (acceptance !== 'accepted') throw new PolewatchError('PW_COMMAND_REPLAYED', { name, why: acceptance })
  const source = { source: event.source, id: event.id }
  const said = (outcome: Outcome['outcome'], fault: PolewatchError | null): Outcome => {
    const detail = fault === null ? 'It is in force.' : fault.message
    return tell(paths, { request, outcome, code: fault?.code ?? null, detail, command: source, at: machine.now() })
  }
  if (looser !== null && !takeSecond(name, command, configuration, machine.now())) {
    awaitSecond(name, request, command, paths)
    return said('waiting', new PolewatchError('PW_POLICY_LOOSENED', { what: looser }))
  }
  const kept = { request, file: target, before: readText(target), command: source }
  writeWhole(journalOf(file), JSON.stringify(kept), 0o600)
  replaceFile(target, document)
  const reachable = name === 'policy' || machine.reach('look-up')
  if (reachable) machine.restart()
  const fault = reachable ? await verdict(before, options) : 'the addresses that it names could not be looked up'
  if (fault === null) {
    if (name === 'configuration') machine.reach('keep')
    // From here on it stands, also if the process ends before it is told.
    settle(file)
    return said('applied', null)
  }
  takeBack(target, kept.before, machine)
  return said('taken-back', new PolewatchError('PW_APPLY_TAKEN_BACK', { request, why: fault }))
}

function takeBack(file: string, before: string, machine: Machine): void {
  replaceFile(file, before)
  machine.reach('drop')
  machine.restart()
}

/** What the hub knows a refused request by, where that much can be read; nothing of it is proven. */
function commandOf(request: string, paths: Configuration['paths']): Outcome['command'] {
  try {
    const path = join(requestsFolder(paths), request)
    if (!isMessage(path)) return null
    const { source, id } = openEvent(readFileSync(path))
    return { source, id }
  } catch {
    return null
  }
}

function isMessage(path: string): boolean {
  const status = lstatSync(path)
  return status.isFile() && status.size <= largest
}

function authorised(name: string, path: string, configuration: Configuration, machine: Machine): AuthorisedCommand {
  if (!isMessage(path)) throw new PolewatchError('PW_COMMAND_MALFORMED', { why: 'it is no message' })
  const checked = commandAuthority(configuration).check(name, readFileSync(path), machine.now())
  if ('error' in checked) throw checked.error
  return checked
}

function policyTarget({ policyFile }: Configuration): string {
  if (policyFile !== null) return policyFile
  throw new PolewatchError('PW_COMMAND_UNAVAILABLE', {
    name: 'policy',
    why: 'policyFile is empty in the configuration',
  })
}

/** What would be looser than before, which takes two signatures; null where nothing would. */
function checkPolicy(document: string, { policyFile }: Configuration): string | null {
  const { value, problems } = checkText(policySchema, document, '/')
  if (value === null)
    throw new PolewatchError('PW_COMMAND_MALFORMED', { why: `the policy has ${problems.length} to correct` })
  return loosened(loadPolicy(policyFile).policy, value)
}

/** As `checkPolicy`: who may decide about the policy, and where it lies, are part of what it holds. */
function checkConfiguration(document: string, before: Configuration, file: string): string | null {
  const malformed = (why: string, cause?: unknown) => new PolewatchError('PW_COMMAND_MALFORMED', { why }, cause)
  let after: Configuration
  try {
    after = parseConfiguration(document, file)
    commandAuthority(after)
    loadPolicy(after.policyFile)
    const { ca, certificate, key } = after.uplink.tls
    for (const each of [ca, certificate, key]) if (each !== null && !each.startsWith(credentialPrefix)) readSecret(each)
  } catch (error) {
    throw malformed(messageOf(error).slice(0, 700), error)
  }
  if (after.site !== before.site || after.gateway.id !== before.gateway.id)
    throw malformed('it is the configuration of another gateway')
  if (JSON.stringify(after.paths) !== JSON.stringify(before.paths)) throw malformed('folders are not changed from afar')
  if (before.uplink.brokers.length > 0 && after.uplink.brokers.length === 0) throw malformed('it names no broker')
  if (after.policyFile !== before.policyFile) return 'policyFile'
  const known = deciders(before)
  return deciders(after).some(each => !known.includes(each)) ? 'commands.keys' : null
}

/** Keys that may sign changes, by their files and by what they may do. */
function deciders({ commands }: Configuration): string[] {
  return commands.keys.flatMap(({ file, commands: may, purposes }) =>
    may
      .filter(each => each === 'policy' || each === 'configuration')
      .flatMap(each => (purposes ?? ['']).map(purpose => JSON.stringify([file, each, purpose]))),
  )
}

/** Why the roles do worse than before; null where they do as well, for a while without a break, and the hub is reached. */
async function verdict(before: ReadonlyMap<string, number>, options: ApplyOptions): Promise<string | null> {
  const { machine, limit, lasting } = options
  let good = 0
  let fault = 'nothing was seen of the roles'
  let starts = ''
  for (let second = 0; second < limit; second++) {
    const ranks = machine.ranks()
    const worse = [...before].find(([role, rank]) => (ranks.get(role) ?? 0) < rank)
    const found =
      worse !== undefined ? `${worse[0]} does worse than before` : machine.online() ? null : 'the hub is not reached'
    const now = machine.restarts()
    good = found === null && now === starts ? good + 1 : 0
    starts = now
    if (good >= lasting) return null
    fault = found ?? 'a role was started again and again'
    await machine.sleep(1)
  }
  return fault
}

function openMemory(paths: Configuration['paths'], { now }: Machine): AcceptedRequests {
  const folder = appliedFolder(paths)
  mkdirSync(folder, { recursive: true, mode: 0o750 })
  const status = lstatSync(folder)
  if (!status.isDirectory() || status.uid !== process.getuid?.() || (status.mode & 0o022) !== 0)
    throw new PolewatchError('PW_APPLY_FOLDER', { folder })
  return AcceptedRequests.open(join(folder, 'requests.db'), now)
}

/** The ending that polewatch-apply.path waits for. */
const ending = '.json'
const requestName = /^(policy|configuration)-[\w.-]+\.json$/

/**
 * Removes what is no request and yet would have polewatch-apply started again and again. It throws where that cannot be done: systemd
 * waits a while after a failure.
 */
function removeStrays(paths: Configuration['paths']): void {
  const folder = requestsFolder(paths)
  if (!isFolder(folder)) return
  for (const name of readdirSync(folder))
    if (name.endsWith(ending) && !name.startsWith('.') && !requestName.test(name)) rmSync(join(folder, name))
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** Oldest first. */
function stored(paths: Configuration['paths']): string[] {
  const folder = requestsFolder(paths)
  try {
    if (!isFolder(folder)) return []
    return readdirSync(folder)
      .filter(name => requestName.test(name))
      .map(name => ({ name, at: lstatSync(join(folder, name)).mtimeMs }))
      .sort((one, other) => one.at - other.at)
      .map(({ name }) => name)
  } catch {
    return []
  }
}

/** Beside the configuration, where only root writes. */
function journalOf(file: string): string {
  return join(dirname(file), '.applying.json')
}

function interrupted(file: string): z.output<typeof underWay> | null {
  try {
    return underWay.parse(JSON.parse(readFileSync(journalOf(file), 'utf8')))
  } catch {
    return null
  }
}

function settle(file: string): void {
  rmSync(journalOf(file), { force: true })
  synchronise(dirname(file))
}

/** The request goes last: one whose change is settled is refused as replayed if it is found again. */
function finish(file: string, folder: string, request: string): void {
  settle(file)
  rmSync(join(folder, request), { force: true })
}
