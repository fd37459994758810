import type { LocatedShot } from './arrival.js'
import { type SupportedShot, supportOf } from './incident.js'
import { blastProbability } from './probability.js'

/** From this probability on a sound by itself is convincingly a blast: a gun's or one that is like a firework's. */
const convincingProbability = 0.95
/** What several gateways locate and all judge to be something else than a blast is not told: below this probability. */
const leastBlast = 0.2
/** Where so many gateways agree on a place, the others still do when any one is left out. */
const many = 6

type Heard = SupportedShot['arrivals'][number]

/** Whether a sound may be reported on one microphone's word. */
export function convincing(arrival: Heard): boolean {
  return convince([arrival])
}

function convince(arrivals: readonly Heard[]): boolean {
  return (blastProbability(arrivals, null) ?? 0) >= convincingProbability
}

/** Whether gateways that locate a sound together do not all judge it to be something else than a blast. */
export function isBlast(shot: SupportedShot): boolean {
  return (blastProbability(shot.judged ?? shot.arrivals, supportOf(shot)) ?? 1) >= leastBlast
}

/**
 * What a gateway would tell if any one of the others had said nothing: one that lies could else make an alert of what two others heard,
 * with a time that fits and a judgement that it is a gun's.
 */
export class Corroboration {
  readonly #gateway: string
  readonly #leastSalience: number
  /** By the arrivals of a shot. */
  readonly #known = new Map<string, { readonly stands: boolean; readonly at: number }>()

  /** @param leastSalience decibel of the power step from which a sound that is not located is told */
  constructor(gateway: string, leastSalience: number) {
    this.#gateway = gateway
    this.#leastSalience = leastSalience
  }

  /**
   * Whether a gateway, this or another, would tell the shot as far as that shows without locating anew: what the rest heard must
   * convince, each by itself or all together, or be of many gateways. What nobody can judge has its loudness alone.
   */
  vouches(gateway: string, shot: SupportedShot): boolean {
    const agreed = shot.located !== null && new Set(shot.arrivals.map(arrival => arrival.gateway)).size >= many
    return othersIn(shot, gateway).every(other => {
      const rest = without(shot, other)
      const judged = rest.judged ?? rest.arrivals
      const plain = judged.filter(({ salience }) => salience >= this.#leastSalience)
      if (plain.some(each => each.gunProbability === null || convincing(each))) return true
      return (plain.length > 0 && convince(judged)) || (agreed && isBlast(rest))
    })
  }

  /**
   * Whether this gateway would tell the shot, if need be because its place is found without each of the others in turn.
   *
   * @param locate what is located without a gateway
   */
  stands(shot: SupportedShot, now: number, locate: (leftOut: string) => readonly LocatedShot[]): boolean {
    if (this.vouches(this.#gateway, shot)) return true
    if (shot.located === null) return false
    const key = shot.arrivals.map(({ id }) => id).join()
    const known = this.#known.get(key)
    if (known !== undefined) return known.stands
    const stands = othersIn(shot, this.#gateway).every(other => {
      const rest = without(shot, other)
      return isBlast(rest) && isAmong(rest, locate(other))
    })
    this.#known.set(key, { stands, at: now })
    return stands
  }

  forget(before: number): void {
    for (const [key, { at }] of this.#known) if (at < before) this.#known.delete(key)
  }
}

/** Who else heard a shot or another round from its place: all of them have a say in what it is. */
function othersIn({ arrivals, judged = [] }: SupportedShot, own: string): string[] {
  const gateways = new Set([...arrivals, ...judged].map(({ gateway }) => gateway))
  return [...gateways].filter(gateway => gateway !== own)
}

/** A shot as those who heard it judge it without one of them. */
function without(shot: SupportedShot, gateway: string): SupportedShot {
  const others = (arrivals: readonly Heard[]) => arrivals.filter(arrival => arrival.gateway !== gateway)
  return { ...shot, arrivals: others(shot.arrivals), judged: others(shot.judged ?? shot.arrivals) }
}

/** Whether one of these is the shot: most of its arrivals made it. */
function isAmong(shot: SupportedShot, located: readonly LocatedShot[]): boolean {
  const ids = new Set(shot.arrivals.map(({ id }) => id))
  return located.some(({ arrivals }) => 2 * arrivals.filter(({ id }) => ids.has(id)).length > arrivals.length)
}
