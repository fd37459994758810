import { type Burst, growBurst, startBurst } from './burst.js'
import { placesElsewhere, type Square } from './elsewhere.js'
import type { Station } from './evidence.js'
import type { Air } from './propagation.js'
import { findSeeds } from './seeds.js'
import { assumedHeight } from './solve.js'
import { contradictions, precursors } from './tracks.js'

/** What a burst must be worth, as a logarithm of odds: how unlikely a shot is at just one place and moment. */
export const burstPrice = 11
/** What each station costs a burst that heard its rhythm when it cannot have been, a logarithm; see `contradictions`. */
const contradiction = 8
/** What each station costs that heard the rhythm shortly before; see `precursors`. Chance does that in one of some twenty. */
const precursor = 3
/** Places closer than this are one, uncertain, place, metres. */
const samePlace = 50
/** Explanations of one place closer than this differ by nothing, metres. */
const sameMode = 8
/** Starts closer than this are one, metres and seconds. */
const sameStart = { metres: 1, seconds: 0.005 }
/** First guesses that are tried, and bursts that are grown from the best of them. */
const seedCount = 40
const growCount = 16

/** The best explanation of some arrivals. */
export interface Explanation {
  readonly burst: Burst
  /** Of the place, 0 to 1, among all places that would explain the same arrivals, and no shot at all. */
  readonly probability: number
  /** Other explanations at what counts as the same place, and how likely each is beside the best, 0 to 1. */
  readonly kin: readonly { readonly burst: Burst; readonly odds: number }[]
  /** Places that the same tracks leave open further off, and how likely each is beside the best. */
  readonly elsewhere: readonly Square[]
}

/** The burst that explains the arrivals best; null where none does. */
export function explain(stations: readonly Station[], air: Air): Explanation | null {
  const height = assumedHeight(stations)
  const contradicted = (burst: Burst): Burst => {
    const against = contradiction * contradictions(stations, air, burst) + precursor * precursors(stations, air, burst)
    return { ...burst, score: burst.score - against }
  }
  const starts: Burst[] = []
  for (const seed of findSeeds(stations, air, seedCount)) {
    const start = startBurst(stations, air, height, seed)
    if (start && !starts.some(other => isSame(other, start))) starts.push(start)
  }
  starts.sort((a, b) => b.score - a.score)
  const bursts: Burst[] = []
  for (const start of starts) {
    if (bursts.length >= growCount) break
    if (!bursts.some(other => isRoundOf(start, other)))
      bursts.push(contradicted(growBurst(stations, air, height, start)))
  }
  const burst = bursts.reduce<Burst | null>((a, b) => (a && a.score >= b.score ? a : b), null)
  if (!burst) return null
  const elsewhere = burst.score < burstPrice ? [] : placesElsewhere(burst, stations, air, samePlace)
  return judge(burst, bursts, elsewhere)
}

function apart(a: Burst, b: Burst): number {
  return Math.hypot(a.solution.east - b.solution.east, a.solution.north - b.solution.north)
}

/** Whether two bursts of one round are the same: the same picks, the same place. */
function isSame(a: Burst, b: Burst): boolean {
  const gap = Math.abs(a.solution.time - b.solution.time)
  return apart(a, b) < sameStart.metres && gap < sameStart.seconds && a.tracks.length === b.tracks.length
}

/** Whether a burst of one round is a round of a grown burst, so that growing it would give that again. */
function isRoundOf(start: Burst, grown: Burst): boolean {
  if (apart(start, grown) > samePlace / 2) return false
  const picks = new Set(grown.tracks.flatMap(track => track.picks))
  return start.tracks.every(({ lead }) => picks.has(lead))
}

/** How many tracks of `burst` share an arrival with the other. */
function sharedTracks(burst: Burst, other: Burst): number {
  const picks = new Set(other.tracks.flatMap(track => track.picks))
  return burst.tracks.filter(track => track.picks.some(pick => pick && picks.has(pick))).length
}

function judge(best: Burst, bursts: readonly Burst[], elsewhere: readonly Square[]): Explanation {
  const rivals: Burst[] = []
  const kin: { burst: Burst; odds: number }[] = []
  for (const burst of [...bursts].sort((a, b) => b.score - a.score)) {
    if (burst === best || sharedTracks(burst, best) < 2) continue
    const odds = Math.exp(burst.score - best.score)
    if (apart(best, burst) < samePlace) {
      if (![best, ...kin.map(other => other.burst)].some(other => apart(other, burst) < sameMode))
        kin.push({ burst, odds })
    } else if (!rivals.some(other => apart(other, burst) < samePlace)) rivals.push(burst)
  }
  const odds = rivals.reduce((sum, rival) => sum + Math.exp(rival.score - best.score), 0)
  const others = elsewhere.reduce((sum, { mass }) => sum + mass, 0)
  const probability = 1 / (1 + Math.max(odds, others) + Math.exp(burstPrice - best.score))
  return { burst: best, probability, kin, elsewhere }
}
