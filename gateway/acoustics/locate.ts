import type { Arrival, GatewayPlace, LocatedShot, Weather } from './arrival.js'
import type { Burst } from './burst.js'
import { type Precision, precisionOf } from './covariance.js'
import { isDistant, isRumble } from './distant.js'
import { isEcho, without } from './echoes.js'
import { stationsOf } from './evidence.js'
import { solveHeight } from './height.js'
import { airOf } from './propagation.js'
import { burstPrice, explain } from './rivals.js'
import { contradictions, straightFixes } from './tracks.js'

/** A place is reported when it is this probable among all that the arrivals leave open. */
const leastProbability = 0.63
/** A place less certain than this is none: radius of a circle as large as its 95 % ellipse, metres. */
const widestPlace = 120
/** So many more stations, of two with bearings one less, must have heard a burst where its place says than heard its rhythm
 * where it cannot be. */
const fewestStations = 3
/** A far source such as thunder rumbles from so long before to so long after a clap, seconds; then so many must agree on a place. */
const rumble = { before: 4, after: 8, stations: 6 }
/** So many sources are told apart in one stretch of time. */
const mostBursts = 8

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
 * called again whenever arrivals come in. Fewer than three gateways give no shot, two with bearings one.
 */
export function locateShots(scene: Scene): LocatedShot[] {
  const air = airOf(scene.weather)
  let stations = stationsOf(scene.arrivals, scene.places, scene.heardUntil, air)
  const known: Burst[] = []
  const found: { readonly burst: Burst; readonly fixes: number; readonly shots: readonly LocatedShot[] }[] = []
  const heard = stations
  const claps: number[] = []
  for (let turn = 0; turn < mostBursts; turn++) {
    const explained = explain(stations, air)
    if (!explained || explained.burst.score < burstPrice) break
    const { burst, probability } = explained
    const fixes = straightFixes(burst, air)
    const distant = isDistant(burst, air)
    if (distant) claps.push(...burst.lags.map(lag => burst.solution.time + lag))
    const doubted = fixes - contradictions(stations, air, burst) < fewestStations
    const height = solveHeight(burst, air)
    const solved = height ? { ...burst, solution: height.solution } : burst
    const precision = precisionOf({ ...explained, burst: solved }, air, height?.heightError)
    if (
      probability >= leastProbability &&
      precision.radius <= widestPlace &&
      !doubted &&
      !distant &&
      !known.some(earlier => isEcho(burst, earlier))
    )
      found.push({ burst, fixes, shots: shotsOf(solved, probability, precision, height?.heightError ?? null) })
    known.push(burst)
    stations = without(stations, known, air)
  }
  const rumbles = ({ time }: LocatedShot): boolean =>
    claps.some(clap => time > clap - rumble.before && time < clap + rumble.after)
  const held = found.filter(({ fixes, shots }) => fixes >= rumble.stations || !shots.some(rumbles))
  const bursts = held.map(({ burst }) => burst)
  return held
    .filter(({ burst }) => !isRumble(burst, heard, bursts, air))
    .flatMap(({ shots }) => shots)
    .sort((a, b) => a.time - b.time)
}

function shotsOf(
  burst: Burst,
  probability: number,
  { covariance, timeError }: Precision,
  heightError: number | null,
): LocatedShot[] {
  const { solution, lags, tracks } = burst
  return lags.map((lag, round) => ({
    time: solution.time + lag,
    timeError,
    position: { east: solution.east, north: solution.north, up: solution.up },
    threeDimensional: heightError !== null,
    ...(heightError === null ? {} : { heightError }),
    covariance,
    probability,
    arrivals: tracks.flatMap(({ picks, time }, i) => {
      const pick = picks[round]
      return pick ? [{ id: pick.arrival.id, residual: solution.residuals[i]! + (pick.time - lag - time) }] : []
    }),
  }))
}
