import type { Arrival } from './arrival.js'

/** How likely a sound is each of three things; they add up to 1. */
export interface SoundClasses {
  readonly gun: number
  readonly firework: number
  readonly other: number
}

/** Gun, a blast that is like a firework's, something else, or nothing that can be told. */
export type NamedSound = 'gun' | 'firework-like' | 'other' | 'unsure'

/** The probability from which a class is named. */
const sureness = 0.7
/** No number of microphones is surer than this, natural logarithm of odds. */
const surest = 7
/**
 * Natural logarithm of the odds that a sound is a blast before it is judged. What one gateway judges is as often as not, by
 * training. Doors, dogs and hammers are seldom heard alike by three gateways hundreds of metres apart, so what is located is
 * mostly a blast.
 */
const locatedOdds = 2

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

/**
 * What several gateways' judgements of one sound say together. Log odds add up over independent witnesses and are averaged
 * over ones that know the same; microphones that hear one source through different streets are between the two, so the sum is
 * divided by the root of their number (a logarithmic opinion pool; Genest and Zidek, Statistical Science 1, 1986).
 *
 * @param located whether one place explains when each of them heard it
 * @returns null where nobody judged it
 */
export function combinedClasses(arrivals: readonly Arrival[], located: boolean): SoundClasses | null {
  const judged = arrivals.flatMap(arrival => classesOf(arrival) ?? [])
  const [only, second] = judged
  if (only === undefined) return null
  if (second === undefined && !located) return only
  const share = Math.sqrt(judged.length)
  const blastOdds = judged.reduce((sum, { gun, firework, other }) => sum + logOdds(gun + firework, other), 0) / share
  const gunOdds = judged.reduce((sum, { gun, firework }) => sum + logOdds(gun, firework), 0) / share
  const blast = logistic(blastOdds + (located ? locatedOdds : 0))
  const gun = blast * logistic(gunOdds)
  return { gun, firework: blast - gun, other: 1 - blast }
}

/** Probability that a sound is a gunshot, 0 to 1: what it sounds like, and of a located one that its place is right. */
export function gunshotProbability(arrivals: readonly Arrival[], placeProbability: number | null): number {
  const classes = combinedClasses(arrivals, placeProbability !== null)
  // Undecided where nobody could judge: a place that several times agree upon is then all there is.
  if (classes === null) return placeProbability ?? 0.5
  return classes.gun * (placeProbability ?? 1)
}

/** Probability that a sound is a blast of any kind, 0 to 1; null where nobody judged it. */
export function blastProbability(arrivals: readonly Arrival[], located: boolean): number | null {
  const classes = combinedClasses(arrivals, located)
  return classes && classes.gun + classes.firework
}

function logOdds(one: number, other: number): number {
  return Math.max(-surest, Math.min(surest, Math.log(Math.max(one, 1e-9) / Math.max(other, 1e-9))))
}

function logistic(odds: number): number {
  return 1 / (1 + Math.exp(-Math.max(-surest, Math.min(surest, odds))))
}
