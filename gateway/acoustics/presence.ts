import type { GatewayPlace, LocalPosition } from './arrival.js'

/** A gateway that has not been heard of for so long is taken for dead, seconds: two and a half heartbeats of ten. */
const aliveFor = 25
/** A neighbour that lives would have told of an impulse by so long after it, seconds. */
const tellingDelay = 1.2
/** Gateways that say so of themselves stand elsewhere from this on, metres. */
const movedBy = 1

/** Who the gateways of a network are, where they stand, who lives, and up to when each has told what it heard. */
export class Presence {
  readonly places = new Map<string, GatewayPlace>()
  readonly #own: string
  /** Whether a gateway that says nothing has heard nothing. */
  readonly #silenceTells: boolean
  readonly #heardUntil = new Map<string, number>()
  readonly #epochs = new Map<string, string>()
  readonly #lastSeen = new Map<string, number>()

  constructor(own: GatewayPlace, silenceTells: boolean) {
    this.#own = own.gateway
    this.#silenceTells = silenceTells
    this.places.set(own.gateway, own)
  }

  /** A gateway, this one included, has listened until `heardUntil` and told what it heard. */
  told(gateway: string, heardUntil: number, now: number): void {
    this.#heardUntil.set(gateway, Math.max(this.#heardUntil.get(gateway) ?? 0, heardUntil))
    this.seen(gateway, now)
  }

  seen(gateway: string, now: number): void {
    this.#lastSeen.set(gateway, now)
  }

  /** Takes what a neighbour says of itself; whether it was moved, or has started anew since it was last heard of. */
  meet(place: GatewayPlace, epoch: string): { readonly moved: boolean; readonly restarted: boolean } {
    const { gateway } = place
    const before = this.places.get(gateway)?.position
    const formerly = this.#epochs.get(gateway)
    this.places.set(gateway, place)
    this.#epochs.set(gateway, epoch)
    return {
      moved: before !== undefined && apart(before, place.position) > movedBy,
      restarted: formerly !== undefined && formerly !== epoch,
    }
  }

  /** Whether no neighbour has been heard of. */
  get isLone(): boolean {
    return ![...this.#lastSeen.keys()].some(gateway => gateway !== this.#own)
  }

  isAlive(gateway: string, now: number): boolean {
    return now - (this.#lastSeen.get(gateway) ?? Number.NEGATIVE_INFINITY) < aliveFor
  }

  /** Up to when a gateway says that it has listened; null before it has. */
  heardUntil(gateway: string): number | null {
    return this.#heardUntil.get(gateway) ?? null
  }

  /** Up to when a gateway has told all that it heard: what it said, or a moment ago if it lives and said nothing. */
  toldUntil(gateway: string, now: number): number {
    const said = this.#heardUntil.get(gateway) ?? Number.NEGATIVE_INFINITY
    return this.#silenceTells && this.isAlive(gateway, now) ? Math.max(said, now - tellingDelay) : said
  }

  /** Forgets neighbours that have long been dead. */
  forget(now: number): void {
    for (const [gateway, seen] of this.#lastSeen) {
      if (gateway === this.#own || now - seen < 6 * aliveFor) continue
      this.#lastSeen.delete(gateway)
      this.places.delete(gateway)
      this.#epochs.delete(gateway)
      this.#heardUntil.delete(gateway)
    }
  }
}

function apart(one: LocalPosition, other: LocalPosition): number {
  return Math.hypot(one.east - other.east, one.north - other.north)
}
