/** A place on the ground, degrees. */
export interface GroundPlace {
  readonly latitude: number
  readonly longitude: number
}

interface Acquaintance<Message> {
  /** Metres; null until it has said where it is. */
  distance: number | null
  /** Seconds of a clock that never steps. */
  readonly askedAt: number
  heardAt: number
  held: Message[]
}

export interface AcquaintancesOptions<Message> {
  readonly place: GroundPlace
  /** Begins and ends to listen to what a gateway says of itself. */
  readonly ask: (gateway: string) => void
  readonly leave: (gateway: string) => void
  /** The messages of a gateway that has not said in time who it is. */
  readonly onSilent: (gateway: string, held: readonly Message[]) => void
  /** Most gateways that are listened to: default 200. */
  readonly limit?: number
}

/** Most gateways that are asked at a time, and how long each may take to answer and is then left alone, seconds. */
const askingLimit = 32
const answerWithin = 30
const leftAlone = 60
/** One that was not heard for so long, seconds, makes room before any other. */
const quietAfter = 900
/** Distances remembered of those that were left, so that each is asked once. */
const measuredLimit = 5000
const heldLimit = 8

/**
 * Which of the gateways that speak here are listened to: the nearest, by what they say of themselves. All times are seconds of a
 * clock that never steps.
 */
export class Acquaintances<Message> {
  readonly #options: AcquaintancesOptions<Message>
  readonly #limit: number
  readonly #near = new Map<string, Acquaintance<Message>>()
  readonly #asking = new Map<string, Acquaintance<Message>>()
  readonly #measured = new Map<string, number>()
  readonly #silent = new Map<string, number>()

  constructor(options: AcquaintancesOptions<Message>) {
    this.#options = options
    this.#limit = options.limit ?? 200
  }

  /** The gateways that are listened to. */
  get names(): string[] {
    return [...this.#near.keys()]
  }

  /** A gateway was heard: whether it is near, is being asked who it is, or is left alone. */
  heard(gateway: string, now: number): 'near' | 'asked' | 'left' {
    this.look(now)
    const near = this.#near.get(gateway)
    if (near !== undefined) {
      near.heardAt = now
      return 'near'
    }
    const asked = this.#asking.get(gateway)
    if (asked !== undefined) {
      asked.heardAt = now
      return 'asked'
    }
    if (this.#silent.has(gateway) || this.#asking.size >= askingLimit) return 'left'
    const measured = this.#measured.get(gateway)
    if (measured !== undefined && this.#near.size >= this.#limit && this.#least(now).distance <= measured) return 'left'
    this.#asking.set(gateway, { distance: null, askedAt: now, heardAt: now, held: [] })
    this.#options.ask(gateway)
    return 'asked'
  }

  /** Keeps a message of a gateway that is being asked; whether there was room. */
  hold(gateway: string, message: Message): boolean {
    const asked = this.#asking.get(gateway)
    if (asked === undefined || asked.held.length >= heldLimit) return false
    asked.held.push(message)
    return true
  }

  /** A gateway has said who it is, and where, which is null for one that does not. Gives what was held, none of one left alone. */
  answered(gateway: string, place: GroundPlace | null, now: number): readonly Message[] {
    const asked = this.#asking.get(gateway)
    const distance = place === null ? Number.MAX_VALUE : metresBetween(this.#options.place, place)
    const near = this.#near.get(gateway)
    if (near !== undefined && place !== null) near.distance = distance
    if (asked === undefined) return []
    this.#asking.delete(gateway)
    if (this.#near.size >= this.#limit) {
      const least = this.#least(now)
      const leaving = least.distance > distance ? least.gateway : gateway
      this.#measure(leaving, leaving === gateway ? distance : (this.#near.get(leaving)?.distance ?? distance))
      this.#near.delete(leaving)
      this.#options.leave(leaving)
      if (leaving === gateway) return []
    }
    const { held } = asked
    this.#near.set(gateway, { ...asked, distance, held: [] })
    return held
  }

  /** Leaves those that have not answered in time. */
  look(now: number): void {
    for (const [gateway, until] of this.#silent) if (now >= until) this.#silent.delete(gateway)
    for (const [gateway, { askedAt, held }] of this.#asking) {
      if (now - askedAt < answerWithin) continue
      this.#asking.delete(gateway)
      if (this.#silent.size < measuredLimit) this.#silent.set(gateway, now + leftAlone)
      this.#options.leave(gateway)
      this.#options.onSilent(gateway, held)
    }
  }

  /** Who would make room first; one that has been quiet for long is as if it were farthest. */
  #least(now: number): { readonly gateway: string; readonly distance: number } {
    let least = { gateway: '', distance: Number.NEGATIVE_INFINITY }
    for (const [gateway, { distance, heardAt }] of this.#near) {
      const counted = now - heardAt > quietAfter ? Number.POSITIVE_INFINITY : (distance ?? Number.MAX_VALUE)
      if (counted > least.distance) least = { gateway, distance: counted }
    }
    return least
  }

  #measure(gateway: string, distance: number): void {
    if (this.#measured.size >= measuredLimit) this.#measured.clear()
    this.#measured.set(gateway, distance)
  }
}

/** Good to a percent within the cells around. */
function metresBetween(one: GroundPlace, other: GroundPlace): number {
  const degree = 111_200
  const north = (other.latitude - one.latitude) * degree
  const turn = ((other.longitude - one.longitude + 540) % 360) - 180
  return Math.hypot(north, turn * degree * Math.cos((one.latitude * Math.PI) / 180))
}
