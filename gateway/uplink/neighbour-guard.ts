import geohash from 'ngeohash'
import { openEvent, verifyEvent } from '../messages/seal.js'
import type { MessageEvent } from '../messages/table.js'
import { parseTopic } from '../messages/topics.js'
import type { KeyPins } from './key-pins.js'

/** Why a neighbour's message was not passed on, kebab-case. */
export type NeighbourFault =
  | 'other-topic'
  | 'own-name'
  | 'too-fast'
  | 'too-large'
  | 'malformed'
  | 'other-gateway'
  | 'other-cell'
  | 'unsigned'
  | 'unknown-key'
  | 'forged'
  | 'stale'
  | 'from-the-future'
  | 'former-epoch'
  | 'replayed'

export interface NeighbourGuardOptions {
  readonly site: string
  /** This gateway. */
  readonly gateway: string
  readonly keys: KeyPins
  /** Messages a second and in a burst that one neighbour may send: defaults 20 and 100. */
  readonly rate?: number
  readonly burst?: number
  /** Bytes: default 65,536. */
  readonly sizeLimit?: number
  /** Seconds that a message may be old, default 60, and in the future, default 5. */
  readonly oldest?: number
  readonly ahead?: number
}

export interface CheckedNeighbour {
  readonly gateway: string
  /** `fault` is null for a message to pass on. */
  readonly fault: NeighbourFault | null
  readonly kind: 'arrival' | 'claim' | null
}

interface Neighbour {
  tokens: number
  filled: number
  /** Epochs seen, the present one last. */
  readonly epochs: string[]
  highest: number
  readonly seen: Set<number>
}

/** Arrivals (QoS 0) may overtake claims (QoS 1) in the broker by this many numbers. */
const reordering = 1024
const formerEpochs = 8
const neighbourLimit = 500

/** Decides which messages of neighbours sensing may see. Holds no clock: `now` is UTC, `monotonic` never steps, both in seconds. */
export class NeighbourGuard {
  readonly #options: NeighbourGuardOptions
  readonly #neighbours = new Map<string, Neighbour>()

  constructor(options: NeighbourGuardOptions) {
    this.#options = options
  }

  check(topic: string, bytes: Uint8Array, now: number, monotonic: number): CheckedNeighbour {
    const place = parseTopic(topic)
    const { site, gateway: own, sizeLimit = 65_536 } = this.#options
    if (place === null || place.site !== site || place.cell === null) return fault('', 'other-topic')
    const { gateway, cell } = place
    if (gateway === own) return fault(gateway, 'own-name')
    if (!this.#mayPass(gateway, monotonic)) return fault(gateway, 'too-fast')
    if (bytes.length > sizeLimit) return fault(gateway, 'too-large')
    const event = open(bytes)
    if (event === null) return fault(gateway, 'malformed')
    const { stream } = event
    if (stream.gateway !== gateway || stream.site !== site || stream.role !== 'sensing')
      return fault(gateway, 'other-gateway')
    if (event.name === 'arrival' && (event.data.gateway !== gateway || cellOf(event.data.position) !== cell)) {
      return fault(gateway, event.data.gateway === gateway ? 'other-cell' : 'other-gateway')
    }
    if (event.name === 'claim' && event.data.reporter !== gateway) return fault(gateway, 'other-gateway')
    const verification = verifyEvent(event, this.#options.keys.find)
    if (verification !== 'valid') return fault(gateway, verification)
    if (now - event.time > (this.#options.oldest ?? 60)) return fault(gateway, 'stale')
    if (event.time - now > (this.#options.ahead ?? 5)) return fault(gateway, 'from-the-future')
    const repeated = this.#repeated(gateway, event)
    return repeated === null ? { gateway, fault: null, kind: event.name } : fault(gateway, repeated)
  }

  #mayPass(gateway: string, monotonic: number): boolean {
    const { rate = 20, burst = 100 } = this.#options
    const neighbour = this.#neighbourOf(gateway, burst, monotonic)
    neighbour.tokens = Math.min(burst, neighbour.tokens + (monotonic - neighbour.filled) * rate)
    neighbour.filled = monotonic
    if (neighbour.tokens < 1) return false
    neighbour.tokens -= 1
    return true
  }

  #neighbourOf(gateway: string, burst: number, monotonic: number): Neighbour {
    const known = this.#neighbours.get(gateway)
    if (known !== undefined) return known
    if (this.#neighbours.size >= neighbourLimit) this.#forgetQuietest()
    const neighbour = { tokens: burst, filled: monotonic, epochs: [], highest: 0, seen: new Set<number>() }
    this.#neighbours.set(gateway, neighbour)
    return neighbour
  }

  #forgetQuietest(): void {
    let quietest: string | null = null
    let since = Number.POSITIVE_INFINITY
    for (const [gateway, { filled }] of this.#neighbours) {
      if (filled >= since) continue
      since = filled
      quietest = gateway
    }
    if (quietest !== null) this.#neighbours.delete(quietest)
  }

  #repeated(gateway: string, event: MessageEvent): NeighbourFault | null {
    const neighbour = this.#neighbours.get(gateway)
    if (neighbour === undefined) return null
    const sequence = Number(event.sequence)
    if (neighbour.epochs.at(-1) !== event.epoch) {
      if (neighbour.epochs.includes(event.epoch)) return 'former-epoch'
      neighbour.epochs.push(event.epoch)
      if (neighbour.epochs.length > formerEpochs) neighbour.epochs.shift()
      neighbour.highest = 0
      neighbour.seen.clear()
    }
    if (sequence <= neighbour.highest - reordering || neighbour.seen.has(sequence)) return 'replayed'
    neighbour.seen.add(sequence)
    neighbour.highest = Math.max(neighbour.highest, sequence)
    if (neighbour.seen.size > 2 * reordering) {
      for (const old of neighbour.seen) if (old <= neighbour.highest - reordering) neighbour.seen.delete(old)
    }
    return null
  }
}

/** The cell of a place: a geohash of five characters, about 5 km. */
export function cellOf(position: { readonly latitude: number; readonly longitude: number }): string {
  return geohash.encode(position.latitude, position.longitude, 5)
}

/** A cell and the eight around it. */
export function cellsAround(cell: string): string[] {
  return [cell, ...geohash.neighbors(cell)]
}

function fault(gateway: string, name: NeighbourFault): CheckedNeighbour {
  return { gateway, fault: name, kind: null }
}

function open(bytes: Uint8Array): MessageEvent<'arrival'> | MessageEvent<'claim'> | null {
  try {
    const event = openEvent(bytes)
    return event.name === 'arrival' || event.name === 'claim' ? event : null
  } catch {
    return null
  }
}
