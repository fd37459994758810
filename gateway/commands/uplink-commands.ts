import { join } from 'node:path'
import { loadConfiguration } from '../config/load.js'
import { loadPolicy } from '../config/policy-file.js'
import { messageOf, PolewatchError } from '../errors.js'
import { AcceptedRequests } from '../journal/accepted-requests.js'
import { type CommandName, commandArguments } from '../messages/commands.js'
import { permitsRequest } from '../policy/policy.js'
import { type AuthorisedCommand, argumentsOf } from '../uplink/command-authority.js'
import { type CommandAnswer, type CommandHandler, Commands } from '../uplink/commands.js'
import type { DeliverySession } from '../uplink/delivery-contract.js'
import type { LiveStream } from '../uplink/live-stream.js'
import { outcomes } from './apply-outcomes.js'
import { commandAuthority } from './command-keys.js'
import { changeHotlist, storeRequest } from './hub-requests.js'
import { type Role, systemTime } from './role.js'
import type { EvidenceCourier } from './uplink-evidence.js'
import { version } from './version.js'

export interface UplinkCommandsOptions {
  readonly role: Role
  /** The configuration's file. */
  readonly file: string
  readonly session: DeliverySession
  readonly stream: LiveStream
  readonly evidence: EvidenceCourier
  /** What there is to say of this gateway now. */
  readonly condition: () => Readonly<Record<string, unknown>>
  /** Ends this process, so that it is started again. */
  readonly end: () => void
}

/** After an answer, seconds: for the other roles to read what they are asked, and for the broker to take the answer. */
const endAfter = 1

/**
 * Obeys the hub's commands. What other roles have to do is posted in uplink's exchange, kind by kind the name of the command, the
 * body as the hub signed it; verdicts of the last days are posted again at each start. @throws PW_KEY_FILE, PW_KEY_INVALID and, of
 * the file of accepted requests, PW_JOURNAL_IN_USE and what the disk says
 */
export function obeyCommands(options: UplinkCommandsOptions): { commands: Commands; close: () => void } {
  const { role, session, stream } = options
  const { site, gateway, exercise, paths } = role.configuration
  const authority = commandAuthority(role.configuration)
  const memory = AcceptedRequests.open(join(paths.state, 'uplink.requests.db'), systemTime)
  if (memory.setAside !== null) {
    const { message, code } = memory.setAside
    role.raise('requests', 'faulty', 'requests-damaged', `${message} Requests made before now are refused.`, code)
  }
  for (const { name, body } of memory.pending()) role.exchange.post(name, body)
  const commands = new Commands({
    site,
    gateway: gateway.id,
    exercise,
    session,
    stream,
    authority,
    memory,
    handlers: handlersOf(options),
    record: entry => role.journal.record(entry),
    clock: systemTime,
    onNotice: notice =>
      role.log.warn({ notice: { ...notice, error: 'error' in notice ? messageOf(notice.error) : null } }, notice.kind),
  })
  return { commands, close: () => memory.close() }
}

function handlersOf(options: UplinkCommandsOptions): Readonly<Record<CommandName, CommandHandler>> {
  const { role, file } = options
  return {
    status: () => ({
      detail: 'This is how it stands.',
      result: { version, ...options.condition(), lastChange: outcomes(role.configuration.paths).at(-1) ?? null },
    }),
    check: () => check(options),
    evidence: command => evidence(command, options),
    verdict: async command => {
      role.exchange.post('verdict', bytesOf(command))
      if (command.event.name === 'verdict') {
        const { incident, hit, verdict, by } = command.event.data
        await role.journal.record({ action: 'verdict', subject: hit ?? incident ?? 'unknown', detail: { verdict, by } })
      }
      return { detail: 'The verdict was passed on to the role that matches plates.' }
    },
    hotlist: command => changeHotlist(command, role.configuration, file),
    policy: command => storeRequest(command, role.configuration, file),
    configuration: command => storeRequest(command, role.configuration, file),
    restart: command => restart(command, options),
    'log-level': command => setLogLevel(command, role),
  }
}

function check({ role, file, condition }: UplinkCommandsOptions): CommandAnswer {
  const faults: string[] = []
  const look = (what: string, work: () => unknown): void => {
    try {
      work()
    } catch (error) {
      faults.push(`${what}: ${messageOf(error)}`.slice(0, 1000))
    }
  }
  look('configuration', () => loadConfiguration(file))
  look('policy', () => loadPolicy(role.configuration.policyFile))
  look('command keys', () => commandAuthority(role.configuration))
  const { parts } = condition()
  const good = faults.length === 0
  const detail = good ? 'The files that it works by are in order.' : 'Files that it works by are not in order.'
  return { detail, result: { good, faults, parts } }
}

function evidence(
  command: AuthorisedCommand,
  { role, evidence: courier }: UplinkCommandsOptions,
): Promise<CommandAnswer> {
  const { id } = argumentsOf(commandArguments.evidence, command)
  const { policy } = loadPolicy(role.configuration.policyFile)
  if (!permitsRequest(policy, command.requestedBy, 'evidence')) {
    const why = 'the policy does not let that role ask for evidence'
    throw new PolewatchError('PW_COMMAND_UNAUTHORISED', { why })
  }
  return courier.fetch(id, command.event)
}

function restart(command: AuthorisedCommand, { role, end }: UplinkCommandsOptions): CommandAnswer {
  const { role: meant } = argumentsOf(commandArguments.restart, command)
  if (meant !== 'uplink') role.exchange.post('restart', bytesOf(command))
  const own = meant === 'uplink' || meant === 'all'
  return {
    detail: `${meant === 'all' ? 'All roles begin' : `${meant} begins`} anew.`,
    afterwards: () => {
      if (own) setTimeout(end, endAfter * 1000)
    },
  }
}

function setLogLevel(command: AuthorisedCommand, role: Role): CommandAnswer {
  const { role: meant, level } = argumentsOf(commandArguments['log-level'], command)
  if (meant !== 'uplink') role.exchange.post('log-level', bytesOf(command))
  if (meant === 'uplink' || meant === 'all') role.log.level = level
  return { detail: `The log level is ${level} until the process ends.` }
}

/** The event as it was signed: whoever reads it checks the signature over the canonical form. */
function bytesOf({ event }: AuthorisedCommand): Uint8Array {
  return Buffer.from(JSON.stringify(event.original))
}
