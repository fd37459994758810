import type { KeyObject } from 'node:crypto'
import type * as z from 'zod'
import { PolewatchError } from '../errors.js'
import { type CommandName, isCommandName, verdictPurpose } from '../messages/commands.js'
import { keyId } from '../messages/keys.js'
import { openEvent, verifyEvent } from '../messages/seal.js'
import type { MessageEvent } from '../messages/table.js'
import { parseTime } from '../messages/time.js'

/** A key whose commands are obeyed, and which ones. */
export interface CommandKey {
  /** The key's name in the configuration and in the audit chain. */
  readonly name: string
  readonly key: KeyObject
  readonly commands: ReadonlySet<CommandName>
  /** Purposes that its commands may have; null for any. */
  readonly purposes: ReadonlySet<string> | null
}

/** A command whose signature, authority, addressee and time were checked. Whether it came before is the caller's to ask. */
export interface AuthorisedCommand {
  readonly event: MessageEvent<'command'> | MessageEvent<'verdict'>
  readonly name: CommandName
  /** Name of the key. */
  readonly key: string
  readonly purpose: string
  readonly requestedBy: string
  /** Key and nonce: the same command again has the same. */
  readonly token: string
  /** Seconds since 1970 UTC. */
  readonly expires: number
}

/** Why a command is not obeyed. `event` is what it says it is, where it could be read at all: nothing of that is proven. */
export interface CommandRefusal {
  readonly error: PolewatchError
  /** In kebab case, for counting. */
  readonly why: string
  readonly event: MessageEvent<'command'> | MessageEvent<'verdict'> | null
}

/** Longest time between now and a command's expiry, seconds; also how long a verdict holds. */
const longestLife = 604_800
/** How far the hub's clock may be ahead of ours, seconds. */
const ahead = 60

/** Decides by keys, names, purposes and times which commands are obeyed. Uplink asks it, and each role again for itself. */
export class CommandAuthority {
  readonly #site: string
  readonly #gateway: string
  readonly #keys: ReadonlyMap<string, CommandKey>

  /** Of entries with one key the last counts. @throws PW_KEY_INVALID for a key that is not Ed25519 */
  constructor(site: string, gateway: string, keys: readonly CommandKey[]) {
    this.#site = site
    this.#gateway = gateway
    this.#keys = new Map(keys.map(entry => [keyId(entry.key), entry]))
  }

  /** `name` is the topic's last part, `now` seconds since 1970 UTC. Never throws. */
  check(name: string, bytes: Uint8Array, now: number): AuthorisedCommand | CommandRefusal {
    const event = open(bytes)
    if (event === null) return refusal('malformed', 'PW_COMMAND_MALFORMED', 'it is no message of that kind', null)
    const { stream, data } = event
    if (stream.role !== 'hub' || stream.site !== this.#site)
      return refusal('other-site', 'PW_COMMAND_MISDIRECTED', 'it comes from no hub of this site', event)
    let kid = ''
    const verification = verifyEvent(event, named => {
      kid = named
      return this.#keys.get(named)?.key
    })
    const entry = this.#keys.get(kid)
    if (verification !== 'valid' || entry === undefined)
      return refusal(
        verification === 'valid' ? 'unknown-key' : verification,
        'PW_COMMAND_UNAUTHORISED',
        unproven[verification],
        event,
      )
    const said = event.name === 'verdict' ? 'verdict' : event.data.name
    if (said !== name || !isCommandName(said))
      return refusal('other-name', 'PW_COMMAND_MISDIRECTED', 'its topic names another command', event)
    if (event.name === 'command' && said === 'verdict')
      return refusal('malformed', 'PW_COMMAND_MALFORMED', 'a verdict is a message of its own', event)
    if (!this.#isOurs(event))
      return refusal('other-gateway', 'PW_COMMAND_MISDIRECTED', 'it names another gateway', event)
    if (!entry.commands.has(said))
      return refusal('not-permitted', 'PW_COMMAND_UNAUTHORISED', `the key ${entry.name} may not ask for ${said}`, event)
    const purpose = event.name === 'verdict' ? verdictPurpose : event.data.purpose
    if (event.name === 'command' && entry.purposes !== null && !entry.purposes.has(purpose))
      return refusal(
        'wrong-purpose',
        'PW_COMMAND_UNAUTHORISED',
        `the key ${entry.name} may not ask for the purpose ${purpose}`,
        event,
      )
    const expires = event.name === 'verdict' ? event.time + longestLife : parseTime(event.data.expires)
    const late = untimely(event.time, expires, now)
    if (late !== null) return refusal(late.why, 'PW_COMMAND_EXPIRED', late.text, event)
    const token = `${kid} ${event.name === 'verdict' ? `${event.source} ${event.id}` : event.data.nonce}`
    const requestedBy = 'requestedBy' in data ? data.requestedBy : data.by
    return { event, name: said, key: entry.name, purpose, requestedBy, token, expires }
  }

  #isOurs(event: MessageEvent<'command'> | MessageEvent<'verdict'>): boolean {
    if (event.name === 'verdict') return event.data.alert.source.startsWith(`/${this.#site}/${this.#gateway}/`)
    return event.data.site === this.#site && event.data.gateway === this.#gateway
  }
}

/** The arguments of a command, read by its schema in `commandArguments`. @throws PW_COMMAND_MALFORMED */
export function argumentsOf<Schema extends z.ZodType>(schema: Schema, command: AuthorisedCommand): z.output<Schema> {
  const { data } = command.event
  const found = schema.safeParse('arguments' in data ? data.arguments : {})
  if (found.success) return found.data
  // Only where the fault is: what was found may be a document of the unit.
  const where = found.error.issues[0]?.path.join('.') ?? ''
  throw new PolewatchError('PW_COMMAND_MALFORMED', {
    why: `${where === '' ? 'arguments' : `arguments.${where}`} of ${command.name} is not as it must be`,
  })
}

const unproven = {
  valid: 'its key is not known here',
  unsigned: 'it is not signed',
  'unknown-key': 'its key is not known here',
  forged: 'its signature does not hold',
}

// Written so that a time that is no number is untimely.
function untimely(issued: number, expires: number, now: number): { why: string; text: string } | null {
  if (!(now < expires)) return { why: 'expired', text: 'it has expired' }
  if (!(expires - now <= longestLife + ahead)) return { why: 'expires-too-late', text: 'it expires too late' }
  if (!(issued - now <= ahead)) return { why: 'from-the-future', text: 'it comes from the future' }
  return null
}

function refusal(
  why: string,
  code: PolewatchError['code'],
  text: string,
  event: CommandRefusal['event'],
): CommandRefusal {
  const name = event === null ? 'unknown' : event.name === 'verdict' ? 'verdict' : event.data.name
  return { why, event, error: new PolewatchError(code, { why: text, name }) }
}

function open(bytes: Uint8Array): CommandRefusal['event'] {
  try {
    const event = openEvent(bytes)
    return event.name === 'command' || event.name === 'verdict' ? event : null
  } catch {
    return null
  }
}
