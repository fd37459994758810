import type { Arrival, GatewayPlace, LocatedShot, Weather } from './arrival.js'
import { type Burst, growBurst } from './burst.js'
import { type Station, stationsOf } from './evidence.js'
import { type Air, airOf } from './propagation.js'
import { findSeeds } from './seeds.js'

/** What a burst must be worth: how unlikely a shot is at just one place and moment, as a logarithm of odds. */
const burstPrice = 11
const samePlace = 50
const leastProbability = 0.7
const seedCount = 40
const mostBursts = 8
const echoSeconds = 0.6

/** All that a locator knows of a stretch of some seconds. */
export interface Scene {
  readonly arrivals: readonly Arrival[]
  /** Every gateway that listened, also those that heard nothing; positions in one tangent plane. */
  readonly places: ReadonlyMap<string, GatewayPlace>
  /** Up to when each gateway has told all that it heard, seconds since 1970 UTC. */
  readonly heardUntil: ReadonlyMap<string, number>
  readonly weather: Weather
}

/**
 * Finds the shots that explain the arrivals of a stretch of time, by time of discharge. Pure and deterministic; it may be
 * called again whenever arrivals come in. Fewer than three gateways give no shot.
 */
export function locateShots(scene: Scene): LocatedShot[] {
  const air = airOf(scene.weather)
  let stations = stationsOf(scene.arrivals, scene.places, scene.heardUntil, air)
  const shots: LocatedShot[] = []
  for (let found = 0; found < mostBursts; found++) {
    const explained = explain(stations, air)
    if (!explained || explained.burst.score < burstPrice) break
    if (explained.probability >= leastProbability) shots.push(...shotsOf(explained.burst, explained.probability))
    stations = without(stations, explained.burst)
  }
  return shots.sort((a, b) => a.time - b.time)
}

export function explain(stations: readonly Station[], air: Air): { burst: Burst; probability: number } | null {
  const bursts = findSeeds(stations, air, seedCount).flatMap(seed => growBurst(stations, air, seed) ?? [])
  const burst = bursts.reduce<Burst | null>((a, b) => (a && a.score >= b.score ? a : b), null)
  return burst && { burst, probability: posterior(burst, bursts) }
}

/** Probability of a burst's place among all places that would explain the same arrivals, and of no shot at all. */
function posterior(best: Burst, bursts: readonly Burst[]): number {
  const heard = new Set(best.tracks.flatMap(({ picks }) => picks.flatMap(pick => pick?.arrival.id ?? [])))
  const rivals: Burst[] = []
  for (const burst of [...bursts].sort((a, b) => b.score - a.score)) {
    const shares = burst.tracks.some(({ picks }) => picks.some(pick => pick && heard.has(pick.arrival.id)))
    const known = [best, ...rivals].some(
      ({ solution: { east, north } }) =>
        Math.hypot(east - burst.solution.east, north - burst.solution.north) < samePlace,
    )
    if (shares && !known) rivals.push(burst)
  }
  const odds = rivals.reduce((sum, rival) => sum + Math.exp(rival.score - best.score), 0)
  return 1 / (1 + odds + Math.exp(burstPrice - best.score))
}

function shotsOf(burst: Burst, probability: number): LocatedShot[] {
  const { solution, lags, tracks } = burst
  const [[ee = 0, en = 0] = [], [, nn = 0] = []] = solution.inverse
  return lags.map((lag, round) => ({
    time: solution.time + lag,
    timeError: 0.01,
    position: { east: solution.east, north: solution.north, up: solution.up },
    threeDimensional: false,
    covariance: [
      [ee + 4, en],
      [en, nn + 4],
    ],
    probability,
    arrivals: tracks.flatMap(({ picks, anchor }, i) => {
      const pick = picks[round]
      return pick ? [{ id: pick.arrival.id, residual: solution.residuals[i]! + (pick.time - lag - anchor) }] : []
    }),
  }))
}

/** What is left when a burst is explained: its own arrivals and those that may be its echoes are gone. */
function without(stations: readonly Station[], burst: Burst): Station[] {
  return stations.map(station => {
    const track = burst.tracks.find(({ station: { gateway } }) => gateway === station.gateway)
    if (!track) return station
    const heard = track.picks.flatMap(pick => (pick ? [pick.time] : []))
    const candidates = station.candidates.filter(({ time }) => !heard.some(t => time >= t && time < t + echoSeconds))
    return { ...station, candidates }
  })
}
