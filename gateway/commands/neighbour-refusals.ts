import { PolewatchError } from '../errors.js'
import type { AuditEntry } from '../journal/journal.js'
import type { NeighbourNotice } from '../uplink/neighbours.js'

export type NeighbourRefusal = Extract<NeighbourNotice, { readonly kind: 'message-refused' | 'capabilities-refused' }>

export interface NeighbourRefusalsOptions {
  /** As of `Role`. */
  readonly raise: (part: string, state: 'faulty', fault: string, detail: string, code: string) => void
  readonly ready: (part: string, detail: string) => void
  readonly log: (refusal: NeighbourRefusal, count: number) => void
  readonly record: (entry: AuditEntry) => void
  /** Seconds of a clock that never steps. */
  readonly clock: () => number
}

interface Cause {
  readonly refusal: NeighbourRefusal
  /** Refusals not yet told of. */
  count: number
  toldAt: number
}

interface Refused {
  readonly causes: Map<string, Cause>
  /** Refusals since it was last quiet for long. */
  count: number
  last: number
  fault: string | null
}

/** Each cause of each gateway is logged and recorded this often at most, seconds. */
const tellEvery = 60
/** A gateway of which nothing was refused for so long is at fault no more, seconds. */
const quietAfter = 600
/** Names are free for whoever is on the broker: beyond so many gateways the rest count as one. */
const namedLimit = 32
const others = 'others'

/** A slow network or a restart may bring these about now and then: only so many of them are a fault. */
const excusable: ReadonlySet<string> = new Set(['replayed', 'stale', 'former-epoch', 'from-the-future'])
const excusableLimit = 10

const sentences: Readonly<Record<NeighbourRefusal['why'], string>> = {
  'other-topic': 'it speaks on a topic that is not its own',
  'own-name': 'it speaks under the name of this gateway',
  'too-fast': 'it sends more than a gateway ever would',
  'too-large': 'its messages are larger than they may be',
  malformed: 'its messages cannot be read',
  'other-gateway': 'it speaks for another gateway',
  'other-cell': 'it speaks in a cell that it does not stand in',
  unsigned: 'its messages are not signed',
  'unknown-key': 'its messages are signed with a key that is not known to be its own',
  forged: 'the signatures of its messages do not hold',
  stale: 'its messages are too old, or its clock is slow',
  'from-the-future': 'its messages are ahead of time, or its clock is fast',
  'former-epoch': 'its messages are of a process that has ended',
  replayed: 'its messages come again',
  'key-changed': 'it names other keys than before',
  'too-many': 'more gateways speak than are remembered',
  pinned: 'it is known',
  known: 'it is known',
}

/**
 * Tells of neighbours that are refused: one fault of each until it has been quiet for long, and now and then a line of the log and an
 * audit record with the count, so that whoever sends rubbish fills neither.
 */
export class NeighbourRefusals {
  readonly #options: NeighbourRefusalsOptions
  readonly #refused = new Map<string, Refused>()

  constructor(options: NeighbourRefusalsOptions) {
    this.#options = options
  }

  take(refusal: NeighbourRefusal): void {
    const now = this.#options.clock()
    const name = this.#refused.has(refusal.gateway) || this.#refused.size < namedLimit ? refusal.gateway : others
    const refused = this.#refused.get(name) ?? { causes: new Map(), count: 0, last: now, fault: null }
    this.#refused.set(name, refused)
    refused.last = now
    refused.count += 1
    const cause = refused.causes.get(refusal.why) ?? { refusal, count: 0, toldAt: Number.NEGATIVE_INFINITY }
    refused.causes.set(refusal.why, cause)
    cause.count += 1
    if (now - cause.toldAt >= tellEvery) this.#tell(name, cause, now)
    if (excusable.has(refusal.why) && refused.count < excusableLimit) return
    this.#raise(name, refused, refusal.why)
  }

  /** To be called every few seconds: tells what was counted meanwhile and whose fault is over. */
  look(): void {
    const now = this.#options.clock()
    for (const [name, refused] of this.#refused) {
      for (const cause of refused.causes.values()) {
        if (cause.count > 0 && now - cause.toldAt >= tellEvery) this.#tell(name, cause, now)
      }
      if (now - refused.last < quietAfter) continue
      this.#refused.delete(name)
      if (refused.fault !== null)
        this.#options.ready(partOf(name), `Nothing of the gateway ${name} was refused for ${quietAfter / 60} minutes.`)
    }
  }

  #tell(gateway: string, cause: Cause, now: number): void {
    const { count, refusal } = cause
    cause.count = 0
    cause.toldAt = now
    this.#options.log({ ...refusal, gateway }, count)
    this.#options.record({ action: 'neighbour-refused', subject: gateway, detail: { why: refusal.why, count } })
  }

  // One fault stands for all causes, or a gateway with two would raise and clear them by turns; only changed keys explain the others.
  #raise(name: string, refused: Refused, why: NeighbourRefusal['why']): void {
    const fault = why === 'key-changed' ? 'neighbour-key-changed' : 'neighbour-refused'
    if (refused.fault === fault || refused.fault === 'neighbour-key-changed') return
    refused.fault = fault
    const error =
      why === 'key-changed'
        ? new PolewatchError('PW_NEIGHBOUR_KEY_CHANGED', { gateway: name })
        : new PolewatchError('PW_NEIGHBOUR_REFUSED', { gateway: name, why: sentences[why] })
    this.#options.raise(partOf(name), 'faulty', fault, error.message, error.code)
  }
}

/** Names of parts are not longer than 64 characters. */
function partOf(name: string): string {
  return `neighbour/${name}`.slice(0, 64)
}
