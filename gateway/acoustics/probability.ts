import type { Arrival, LocatedShot } from './arrival.js'
import { type Logistic, probabilityWeights } from './probability-weights.js'

/** How likely a sound is each of three things; they add up to 1. */
export interface SoundClasses {
  readonly gun: number
  readonly firework: number
  readonly other: number
}

/** Gun, a blast that is like a firework's, something else, or nothing that can be told. */
export type NamedSound = 'gun' | 'firework-like' | 'other' | 'unsure'

/** What bears out that a sound is a blast at one place. */
export interface Support {
  readonly located: LocatedShot
  /** Onsets around its own that no place explains, a gateway that heard it; see `unexplainedOnsets`. */
  readonly unexplained: number
}

/** The probability from which a class is named. */
const sureness = 0.7
/** No number of microphones is surer than this, natural logarithm of odds. */
const surest = 7
/** An onset of this salience is at the limit of what is detected, and tells as good as nothing of what made it, decibel. */
const faintest = 3
const faintWeight = 0.5
/** A residual beyond this is not of straight sound from one place, seconds. */
const straight = 0.03
/** More unexplained onsets than this say no more. */
const mostUnexplained = 8

/** @returns null where the arrival was not judged */
export function classesOf({ gunProbability, fireworkProbability }: Arrival): SoundClasses | null {
  if (gunProbability === null) return null
  const firework = Math.min(fireworkProbability ?? 0, 1 - gunProbability)
  return { gun: gunProbability, firework, other: 1 - gunProbability - firework }
}

export function named({ gun, firework, other }: SoundClasses): NamedSound {
  if (gun >= sureness) return 'gun'
  if (firework >= sureness) return 'firework-like'
  return other >= sureness ? 'other' : 'unsure'
}

/** What the probability of a located shot is made of: the place's, and what two logistic models look at. */
export interface Evidence {
  /** Mean judgements, natural logarithms of odds: a blast against the rest, and a gun against a firework. */
  readonly blast: number
  readonly gun: number
  /** Share of the arrivals that did not come straight. */
  readonly crooked: number
  readonly unexplained: number
  /** Of the place, by the locator, 0 to 1. */
  readonly place: number
}

/** @returns null where nobody judged it */
export function evidenceOf(arrivals: readonly Arrival[], { located, unexplained }: Support): Evidence | null {
  let [weights, blast, gun] = [0, 0, 0]
  for (const arrival of arrivals) {
    const classes = classesOf(arrival)
    if (classes === null) continue
    // Noise blurs a faint sound, so that its judgement is nearer to undecided than the same sound's nearby.
    const weight = faintWeight + Math.max(0, arrival.salience - faintest) ** 2
    weights += weight
    blast += weight * logOdds(classes.gun + classes.firework, classes.other)
    gun += weight * logOdds(classes.gun, classes.firework)
  }
  if (weights === 0) return null
  const { probability, arrivals: explained } = located
  return {
    blast: blast / weights,
    gun: gun / weights,
    crooked: explained.filter(({ residual }) => Math.abs(residual) > straight).length / Math.max(1, explained.length),
    unexplained: Math.min(mostUnexplained, unexplained),
    place: probability,
  }
}

/**
 * What several gateways' judgements of one sound say together. Of a located one a model says it that was fitted on simulated
 * days. Else log odds, which add up over independent witnesses and are averaged over ones that know the same, are summed and
 * divided by the root of their number (a logarithmic opinion pool; Genest and Zidek, Statistical Science 1, 1986).
 *
 * @param support null where no place explains when each of them heard it
 * @returns null where nobody judged it
 */
export function combinedClasses(arrivals: readonly Arrival[], support: Support | null): SoundClasses | null {
  if (support !== null) {
    const evidence = evidenceOf(arrivals, support)
    return evidence && split(modelled(probabilityWeights.blast, evidence), modelled(probabilityWeights.gun, evidence))
  }
  const judged = arrivals.flatMap(arrival => classesOf(arrival) ?? [])
  const [only, second] = judged
  if (only === undefined) return null
  if (second === undefined) return only
  const share = Math.sqrt(judged.length)
  const blastOdds = judged.reduce((sum, { gun, firework, other }) => sum + logOdds(gun + firework, other), 0) / share
  const gunOdds = judged.reduce((sum, { gun, firework }) => sum + logOdds(gun, firework), 0) / share
  return split(logistic(blastOdds), logistic(gunOdds))
}

/** Probability that a sound is a gunshot, 0 to 1: what it sounds like, and of a located one that its place is right. */
export function gunshotProbability(arrivals: readonly Arrival[], support: Support | null): number {
  if (support === null) return combinedClasses(arrivals, null)?.gun ?? 0.5
  const evidence = evidenceOf(arrivals, support)
  // Undecided where nobody could judge: a place that several times agree upon is then all there is.
  if (evidence === null) return support.located.probability
  const { blast, gun } = probabilityWeights
  return modelled(blast, evidence) * modelled(gun, evidence) * evidence.place
}

/** Probability that a sound is a blast of any kind, 0 to 1; null where nobody judged it. */
export function blastProbability(arrivals: readonly Arrival[], support: Support | null): number | null {
  const classes = combinedClasses(arrivals, support)
  return classes && classes.gun + classes.firework
}

function split(blast: number, gun: number): SoundClasses {
  return { gun: blast * gun, firework: blast * (1 - gun), other: 1 - blast }
}

/** Probability by a logistic model of the evidence, 0 to 1. */
export function modelled({ constant, weights }: Logistic, evidence: Evidence): number {
  const { blast = 0, gun = 0, crooked = 0, unexplained = 0 } = weights
  return logistic(
    constant +
      blast * evidence.blast +
      gun * evidence.gun +
      crooked * evidence.crooked +
      unexplained * evidence.unexplained,
  )
}

function logOdds(one: number, other: number): number {
  return Math.max(-surest, Math.min(surest, Math.log(Math.max(one, 1e-9) / Math.max(other, 1e-9))))
}

function logistic(odds: number): number {
  return 1 / (1 + Math.exp(-Math.max(-surest, Math.min(surest, odds))))
}
