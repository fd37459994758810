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

/** Whether a sound may be reported on one microphone's word. One that nobody can judge has its loudness alone. */
export function convincing(arrival: Heard): boolean {
  return (blastProbability([arrival], null) ?? 0) >= convincingProbability
}

/** Whether gateways that locate a sound together do not all judge it to be something else than a blast. */
export function isBlast(shot: SupportedShot): boolean {
  return (blastProbability(shot.judged ?? shot.arrivals, supportOf(shot)) ?? 1) >= leastBlast
}

/** A shot as those who heard it judge it without one of them. */
export function without(shot: SupportedShot, gateway: string): SupportedShot {
  const others = (arrivals: readonly Heard[]) => arrivals.filter(arrival => arrival.gateway !== gateway)
  return { ...shot, arrivals: others(shot.arrivals), judged: others(shot.judged ?? shot.arrivals) }
}

/**
 * Whether a gateway would tell a shot if any one of the others had said nothing, as far as that shows without locating anew: one that
 * lies could else make an alert of what two others heard, with a time that fits and a judgement that it is a gun's.
 *
 * @param leastSalience decibel of the power step from which a sound that is not located is told
 */
export function vouches(gateway: string, shot: SupportedShot, leastSalience: number): boolean {
  const { located, arrivals, judged = arrivals } = shot
  const sure = judged.filter(
    each => each.salience >= leastSalience && (each.gunProbability === null || convincing(each)),
  )
  const witnesses = new Set(sure.map(each => each.gateway))
  if (witnesses.has(gateway) || witnesses.size > 1) return true
  const gateways = new Set(arrivals.map(each => each.gateway))
  return located !== null && gateways.size >= many && [...gateways].every(each => isBlast(without(shot, each)))
}

/** Whether one of these is the shot: most of its arrivals made it. */
export function isAmong(shot: SupportedShot, located: readonly LocatedShot[]): boolean {
  const ids = new Set(shot.arrivals.map(({ id }) => id))
  return located.some(({ arrivals }) => 2 * arrivals.filter(({ id }) => ids.has(id)).length > arrivals.length)
}
