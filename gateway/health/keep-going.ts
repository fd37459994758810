import { setMaxListeners } from 'node:events'
import { PolewatchError } from '../errors.js'

/** One thing that a role does, such as listening to one array. */
export interface PartOfRole {
  readonly name: string
  /** Whether the role is of no use without it; asked when it has failed for good. */
  readonly required: boolean | (() => boolean)
  /** Does it until the signal aborts; returns earlier where there is nothing more to do. */
  run(signal: AbortSignal): Promise<unknown>
}

/** What keeping a part going takes of its role. */
export interface Keeper {
  readonly clock: { monotonic(): number; sleep(seconds: number, signal: AbortSignal): Promise<void> }
  readonly log: { error(what: object, message: string): void }
  /** Parts that are silent for longer than they may be and have not said why. */
  readonly overdue: readonly string[]
  /** A part is not expected to deliver, until it says anew how often it will. */
  excuse(part: string): void
  ready(part: string, detail: string): void
  raise(part: string, state: 'faulty', fault: string, detail: string, code: string): void
  /** Resolves when every fault raised so far is on the disk, or refused by it. */
  faultsTold(): Promise<void>
}

/** Seconds before the first restart, and before any. */
const firstWait = 0.5
const longestWait = 30
/** A part that has run so long is sound, seconds: its fault is over, and its next failure is a first one again. */
const soundAfter = 60
/** So many failures within so many seconds are told, and end the role where the part is required. */
const failuresToTell = 5
const within = 600
/** Seconds between looks at whether it delivers: three of them fit into the service manager's patience with a silent role. */
const lookEvery = 5
/** A part that has not ended so long after it was told to never will, seconds. */
const patience = 10

/**
 * Runs a part until the signal aborts, and starts it again with jittered back-off when it throws, or when it does not deliver and does
 * not say why; the other parts of the role know nothing of it. One that fails again and again is told as a fault, and one that does not
 * even end is left alone; where it is required this then throws, so that a new process may help.
 *
 * @throws what a required part threw last, or PolewatchError PW_PART_FAILED
 */
export async function keepGoing(keeper: Keeper, part: PartOfRole, signal: AbortSignal): Promise<void> {
  const { name, required } = part
  const fault = new PartFault(keeper, name)
  let failures: number[] = []
  let wait = firstWait
  while (!signal.aborted) {
    const began = keeper.clock.monotonic()
    const ending = await attempt(keeper, part, signal, () => fault.over())
    if (signal.aborted || ending.how === 'done') return
    const now = keeper.clock.monotonic()
    keeper.excuse(name)
    if (now - began > soundAfter) wait = firstWait
    failures = [...failures.filter(at => now - at < within), now]
    keeper.log.error({ part: name, failures: failures.length }, `a part has failed: ${ending.why}`)
    const stuck = ending.how === 'stuck'
    if (stuck || failures.length >= failuresToTell) {
      const error = fault.tell(ending.error)
      if (typeof required === 'function' ? required() : required) {
        await keeper.faultsTold()
        throw ending.error instanceof PolewatchError ? ending.error : error
      }
      if (stuck) return
    }
    await keeper.clock.sleep(wait * (0.5 + Math.random() / 2), signal)
    wait = Math.min(wait * 2, longestWait)
  }
}

/** The fault has a part of its own, since a driver that says that its device is there does not say that all is well. */
class PartFault {
  readonly #keeper: Keeper
  readonly #name: string
  #told = false

  constructor(keeper: Keeper, name: string) {
    this.#keeper = keeper
    this.#name = name
  }

  /** Why it failed stands in the log alone, since nobody knows what an error nobody thought of says. */
  tell(cause: unknown): PolewatchError {
    const error = new PolewatchError('PW_PART_FAILED', { part: this.#name }, cause)
    this.#keeper.raise(faultPart(this.#name), 'faulty', 'part-failed', error.message, error.code)
    this.#told = true
    return error
  }

  over(): void {
    if (this.#told) this.#keeper.ready(faultPart(this.#name), 'It has run without failing since.')
    this.#told = false
  }
}

/** As what a part is told that has failed again and again, until it has run without. Messages hold names of 64 characters. */
export function faultPart(name: string): string {
  return `part ${name}`.slice(0, 64)
}

interface Ending {
  readonly how: 'done' | 'failed' | 'stuck'
  readonly why: string
  readonly error?: unknown
}

const done: Ending = { how: 'done', why: '' }

/** Runs a part once. @param sound called when it has run for long enough */
async function attempt(keeper: Keeper, part: PartOfRole, signal: AbortSignal, sound: () => void): Promise<Ending> {
  const [own, watch] = [new AbortController(), new AbortController()]
  // All that a part does listens to it.
  setMaxListeners(0, own.signal)
  const stop = (): void => own.abort()
  signal.addEventListener('abort', stop, { once: true })
  try {
    const running = ended(part, own.signal)
    const silent = watchDelivery(keeper, part.name, sound, watch.signal)
    const ending = await Promise.race([running, silent])
    if (ending !== null) return ending
    own.abort()
    const why = 'it does not deliver and does not say why'
    const late = keeper.clock.sleep(patience, watch.signal)
    const how = await Promise.race([running.then(() => 'failed' as const), late.then(() => 'stuck' as const)])
    return { how, why: how === 'stuck' ? `${why}, and does not end` : why }
  } finally {
    watch.abort()
    own.abort()
    signal.removeEventListener('abort', stop)
  }
}

async function ended(part: PartOfRole, signal: AbortSignal): Promise<Ending> {
  try {
    await part.run(signal)
    return done
  } catch (error) {
    return { how: 'failed', why: error instanceof Error ? (error.stack ?? error.message) : String(error), error }
  }
}

/** Resolves with null when the part is overdue; with `done` when nobody wants to know any more. */
async function watchDelivery(
  keeper: Keeper,
  name: string,
  sound: () => void,
  signal: AbortSignal,
): Promise<Ending | null> {
  const began = keeper.clock.monotonic()
  while (!signal.aborted) {
    await keeper.clock.sleep(lookEvery, signal)
    if (signal.aborted) break
    if (keeper.overdue.includes(name)) return null
    if (keeper.clock.monotonic() - began > soundAfter) sound()
  }
  return done
}
