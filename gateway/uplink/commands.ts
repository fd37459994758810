import { messageOf, PolewatchError } from '../errors.js'
import type { CommandName } from '../messages/commands.js'
import type { MessageData } from '../messages/table.js'
import { parseTopic, topicFilter, topicFor } from '../messages/topics.js'
import type { AuthorisedCommand, CommandAuthority, CommandRefusal } from './command-authority.js'
import type { IncomingMessage } from './connection.js'
import type { DeliverySession } from './delivery-contract.js'
import type { LiveStream } from './live-stream.js'
import { RefusalLimit } from './refusal-limit.js'

/** What was done, and what is to be said of it. */
export interface CommandAnswer {
  /** For a person. */
  readonly detail: string
  readonly result?: Readonly<Record<string, unknown>>
  /** Called when the answer has been handed to the broker, or could not be. */
  readonly afterwards?: () => void
}

/** Obeys a command. A PolewatchError says that nothing was done, and why. */
export type CommandHandler = (command: AuthorisedCommand) => Promise<CommandAnswer> | CommandAnswer

/** Where accepted requests are remembered; `AcceptedRequests` of the journal is one. */
export interface RequestMemory {
  accept(request: {
    readonly token: string
    readonly name: string
    readonly issued: number
    readonly expires: number
    readonly body: Uint8Array | null
  }): 'accepted' | 'replayed' | 'before-this-file' | 'full'
}

export interface CommandRecord {
  readonly action: 'command' | 'command-result'
  readonly subject: string
  readonly detail: Readonly<Record<string, string | number | null>>
}

export interface CommandsOptions {
  readonly site: string
  readonly gateway: string
  readonly exercise: boolean
  readonly session: DeliverySession
  /** Signs the answers. */
  readonly stream: LiveStream
  readonly authority: CommandAuthority
  readonly memory: RequestMemory
  readonly handlers: Readonly<Record<CommandName, CommandHandler>>
  /** Commits an audit record. A command that cannot be recorded is not obeyed. */
  readonly record: (entry: CommandRecord) => Promise<unknown>
  /** Wall clock, seconds since 1970 UTC. */
  readonly clock: () => number
  readonly onNotice?: (notice: CommandNotice) => void
}

export type CommandNotice =
  | { readonly kind: 'command-refused'; readonly why: string; readonly name: string }
  | { readonly kind: 'command-unrecorded' | 'command-unanswered'; readonly name: string; readonly error: unknown }

export interface CommandCounters {
  readonly obeyed: number
  readonly failed: number
  /** By reason. */
  readonly refused: Readonly<Record<string, number>>
}

/** Most commands that wait while one is carried out. */
const waitingLimit = 16
/** Kept by uplink until it expires, since another role acts on it. */
const forOtherRoles: ReadonlySet<CommandName> = new Set(['verdict'])

/**
 * Takes commands from the hub: those that are authorised and new are carried out one after the other, each accepted or refused
 * one is an audit record, and each gets a signed answer. Subscribes at once; to be made before the session starts.
 */
export class Commands {
  readonly #options: CommandsOptions
  readonly #limit = new RefusalLimit(monotonic())
  readonly #refused = new Map<string, number>()
  #waiting = 0
  #obeyed = 0
  #failed = 0
  #last: Promise<void> = Promise.resolve()

  constructor(options: CommandsOptions) {
    this.#options = options
    const { site, gateway, session } = options
    session.subscribe(topicFilter('command', { site, gateway }), 1, message => this.#take(message))
  }

  counters(): CommandCounters {
    return { obeyed: this.#obeyed, failed: this.#failed, refused: Object.fromEntries(this.#refused) }
  }

  /** Resolves when every command taken so far was answered. */
  async settled(): Promise<void> {
    await this.#last
  }

  #take(message: IncomingMessage): void {
    const { authority, clock } = this.#options
    const checked = authority.check(parseTopic(message.topic)?.name ?? '', message.payload, clock())
    if ('error' in checked) this.#refuse(message, checked)
    else if (message.retained) this.#refuse(message, replayed(checked, 'retained', 'it was retained by the broker'))
    else if (this.#waiting >= waitingLimit) {
      const why = `${waitingLimit} others wait`
      const error = new PolewatchError('PW_COMMAND_TOO_MANY', { name: checked.name, why })
      this.#refuse(message, { why: 'too-many', error, event: checked.event })
    } else this.#queue(() => this.#obey(message, checked))
  }

  #queue(work: () => Promise<void>): void {
    this.#waiting += 1
    this.#last = this.#last.then(work).finally(() => {
      this.#waiting -= 1
    })
  }

  async #obey(message: IncomingMessage, command: AuthorisedCommand): Promise<void> {
    const { handlers, record } = this.#options
    const { name } = command
    let answer: CommandAnswer
    try {
      const refusal = this.#expired(command) ?? this.#remember(message, command)
      if (refusal !== null) {
        this.#refuse(message, refusal)
        return
      }
      await record({ action: 'command', subject: name, detail: { outcome: 'accepted', ...saidOf(command) } })
      answer = await handlers[name](command)
    } catch (error) {
      this.#failed += 1
      const fault =
        error instanceof PolewatchError
          ? error
          : new PolewatchError('PW_COMMAND_FAILED', { name, why: messageOf(error) }, error)
      await this.#conclude(message, command, fault)
      return
    }
    this.#obeyed += 1
    await this.#conclude(message, command, answer)
    answer.afterwards?.()
  }

  // It may have waited long behind others.
  #expired({ name, expires, event }: AuthorisedCommand): CommandRefusal | null {
    if (this.#options.clock() < expires) return null
    return { why: 'expired', event, error: new PolewatchError('PW_COMMAND_EXPIRED', { name, why: 'it has expired' }) }
  }

  #remember({ payload }: IncomingMessage, command: AuthorisedCommand): CommandRefusal | null {
    const { token, name, expires, event } = command
    const body = forOtherRoles.has(name) ? payload : null
    const acceptance = this.#options.memory.accept({ token, name, issued: event.time, expires, body })
    switch (acceptance) {
      case 'accepted':
        return null
      case 'replayed':
        return replayed(command, acceptance, 'it came before')
      case 'before-this-file':
        return replayed(command, acceptance, 'it is older than what this gateway remembers')
      case 'full': {
        const why = 'this gateway remembers as many as it can'
        return { why: 'too-many', error: new PolewatchError('PW_COMMAND_TOO_MANY', { name, why }), event }
      }
    }
  }

  async #conclude(
    message: IncomingMessage,
    command: AuthorisedCommand,
    answer: CommandAnswer | PolewatchError,
  ): Promise<void> {
    const { name, event } = command
    const fault = answer instanceof PolewatchError ? answer : null
    const outcome = fault === null ? 'done' : refusing.has(fault.code) ? 'refused' : 'failed'
    const code = fault?.code ?? null
    await this.#record({ action: 'command-result', subject: name, detail: { outcome, code, command: event.id } })
    await this.#answer(message, event, {
      name,
      outcome,
      code,
      detail: answer instanceof PolewatchError ? answer.message : answer.detail,
      result: answer instanceof PolewatchError ? null : { ...answer.result },
    })
  }

  #refuse(message: IncomingMessage, { error, why, event }: CommandRefusal): void {
    this.#refused.set(why, (this.#refused.get(why) ?? 0) + 1)
    const suppressed = this.#limit.pass(monotonic())
    if (suppressed === null) return
    const name = event === null ? 'unknown' : event.name === 'verdict' ? 'verdict' : event.data.name
    this.#options.onNotice?.({ kind: 'command-refused', why, name })
    const detail = { outcome: 'refused', why, code: error.code, command: event?.id ?? null, suppressed }
    void this.#record({ action: 'command', subject: name, detail })
    if (event === null) return
    const answer = { name, outcome: 'refused', code: error.code, detail: error.message, result: null } as const
    void this.#answer(message, event, answer)
  }

  async #record(entry: CommandRecord): Promise<void> {
    try {
      await this.#options.record(entry)
    } catch (error) {
      this.#options.onNotice?.({ kind: 'command-unrecorded', name: entry.subject, error })
    }
  }

  async #answer(
    { responseTopic, correlation }: IncomingMessage,
    { source, id }: { readonly source: string; readonly id: string },
    data: Omit<MessageData<'command-result'>, 'command'>,
  ): Promise<void> {
    const { site, gateway, session, stream, exercise, clock } = this.#options
    try {
      const draft = {
        name: 'command-result',
        time: clock(),
        exercise,
        data: { command: { source, id }, ...data },
      } as const
      const request = stream.request(draft, { site, gateway })
      const topic = answerTopic(topicFor('command-result', { site, gateway }), responseTopic)
      await session.publish({ ...request, topic, correlation })
    } catch (error) {
      this.#options.onNotice?.({ kind: 'command-unanswered', name: data.name, error })
    }
  }
}

/** Errors that say that a command was not to be obeyed, rather than that it could not be. */
const refusing: ReadonlySet<string> = new Set([
  'PW_COMMAND_MALFORMED',
  'PW_COMMAND_TOO_MANY',
  'PW_COMMAND_UNAUTHORISED',
  'PW_COMMAND_UNAVAILABLE',
  'PW_HOTLIST_DELTA_INVALID',
  'PW_HOTLIST_DELTA_UNTRUSTED',
])

/**
 * Nobody signs a response topic, so one that whoever is on the way could have written must not make a gateway speak on other
 * topics: the answer goes to the usual topic or to a level below it.
 */
export function answerTopic(usual: string, asked: string | undefined): string {
  if (asked?.startsWith(`${usual}/`) !== true) return usual
  return /^[A-Za-z0-9_-]{1,64}$/.test(asked.slice(usual.length + 1)) ? asked : usual
}

function saidOf({ key, purpose, requestedBy, event }: AuthorisedCommand): Record<string, string> {
  return { key, purpose, requestedBy, hub: event.source, command: event.id }
}

function replayed({ name, event }: AuthorisedCommand, why: string, text: string): CommandRefusal {
  return { why, event, error: new PolewatchError('PW_COMMAND_REPLAYED', { name, why: text }) }
}

function monotonic(): number {
  return performance.now() / 1000
}
