import {
  audibilityShares,
  bearingOf,
  type Candidate,
  coverageEvidence,
  directDensity,
  hearingProbability,
  type Station,
} from './evidence.js'
import { type Air, travelTime } from './propagation.js'

/** A first guess: a place, a discharge time, and how well it explains the arrivals. */
export interface Seed {
  readonly east: number
  readonly north: number
  readonly time: number
  readonly score: number
}

/** Sound may take this much less or more than the straight line says and still make a seed, seconds. */
const slack = 0.03
/** Candidates further than this from the expected time do not count for a seed, seconds. */
const window = 0.06
/** Two seeds closer than this are one, metres and seconds. */
const seedDistance = 15
const seedTime = 0.04
/** A source is sought no further than this from the nearest gateway, metres. */
export const reach = 600
/** A distance may come out this much below zero, metres. */
const roundingError = 5
/** Candidates worth less than this start no guess, but may join one. */
const leastWeight = -2.5
/** Of candidates within this time of each other, seconds, no more than about so many start a guess. */
const crowdSeconds = 0.4
const crowd = 4
/** Each station is combined with so many of its nearest neighbours. */
const neighbours = 5

/**
 * Gives `found` the places from which sound would reach three stations at times `t1`, `t2`, `t3` and when it left, relative
 * to the first: the intersection of two hyperbolas in closed form (Bancroft 1985, in the plane). None, one or two.
 */
export function placesOfThree(
  stations: readonly [Station, Station, Station],
  t1: number,
  t2: number,
  t3: number,
  speed: number,
  found: (east: number, north: number, time: number) => void,
): void {
  const [{ position: origin }, { position: first }, { position: second }] = stations
  const x1 = first.east - origin.east
  const y1 = first.north - origin.north
  const x2 = second.east - origin.east
  const y2 = second.north - origin.north
  const lead1 = speed * (t2 - t1)
  const lead2 = speed * (t3 - t1)
  const determinant = x1 * y2 - x2 * y1
  const square1 = x1 * x1 + y1 * y1
  const square2 = x2 * x2 + y2 * y2
  if (Math.abs(determinant) < 1e-3 * Math.sqrt(square1 * square2)) return
  // The source is at (ax + bx r, ay + by r), r its distance from the first station.
  const k1 = (square1 - lead1 * lead1) / 2
  const k2 = (square2 - lead2 * lead2) / 2
  const ax = (k1 * y2 - k2 * y1) / determinant
  const ay = (k2 * x1 - k1 * x2) / determinant
  const bx = (lead2 * y1 - lead1 * y2) / determinant
  const by = (lead1 * x2 - lead2 * x1) / determinant
  const a = bx * bx + by * by - 1
  const b = ax * bx + ay * by
  const c = ax * ax + ay * ay
  const discriminant = b * b - a * c
  // Where the times just miss each other, the nearest point to an intersection will do for a guess.
  const root = Math.sqrt(Math.max(0, discriminant))
  if (!(discriminant > -0.05 * c)) return
  for (let sign = 1; sign >= (discriminant > 0 ? -1 : 1); sign -= 2) {
    const r = Math.abs(a) < 1e-12 ? -c / (2 * b) : (-b + sign * root) / a
    if (r >= 0 && r + lead1 >= -roundingError && r + lead2 >= -roundingError)
      found(origin.east + ax + bx * r, origin.north + ay + by * r, t1 - r / speed)
  }
}

/** Gives `found` the place in the direction of `azimuth` from one station from which sound reaches another at `t2`, if there is one. */
export function placeOnBearing(
  { position: from }: Station,
  { position: to }: Station,
  azimuth: number,
  t1: number,
  t2: number,
  speed: number,
  found: (east: number, north: number, time: number) => void,
): void {
  const [sine, cosine] = [Math.sin((azimuth * Math.PI) / 180), Math.cos((azimuth * Math.PI) / 180)]
  const [x, y] = [to.east - from.east, to.north - from.north]
  const lead = speed * (t2 - t1)
  // At r metres from the first, r + lead from the second: the law of cosines, linear in r.
  const r = (x * x + y * y - lead * lead) / (2 * (x * sine + y * cosine + lead))
  if (r > 0 && r < 2 * reach && r + lead > 0) found(from.east + r * sine, from.north + r * cosine, t1 - r / speed)
}

/** Of `quickScore`, which is called too often to ask for memory each time. */
const scratch = new Float64Array(audibilityShares.length)

/**
 * How well a shot at a place and time explains each station's best candidate, or its silence. Minus infinity where that is
 * surely less than `least`, given the most that each station and those after it can add (`mostAhead`).
 */
function quickScore(
  stations: readonly Station[],
  mostAhead: Float64Array,
  air: Air,
  east: number,
  north: number,
  time: number,
  least: number,
): number {
  const products = scratch
  products.set(audibilityShares)
  let total = 1
  let nearest = Number.POSITIVE_INFINITY
  const enough = Math.exp(least)
  for (let index = 0; index < stations.length; index++) {
    if (total * mostAhead[index]! < enough) return Number.NEGATIVE_INFINITY
    const station = stations[index]!
    const dx = station.position.east - east
    const dy = station.position.north - north
    const distance = Math.sqrt(dx * dx + dy * dy)
    if (distance < nearest) nearest = distance
    const expected = time + travelTime(air, dx, dy, 0)
    let best = 0
    const candidates = station.candidates
    for (let i = firstAfter(candidates, expected - window); i < candidates.length; i++) {
      const candidate = candidates[i]!
      const residual = candidate.time - expected
      if (residual > window) break
      const seen =
        candidate.arrival.bearing && bearingOf(candidate, station, { east, north, up: station.position.up }, air)
      const value = candidate.boost * directDensity(candidate, residual) * (seen?.ratio ?? 1)
      if (value > best) best = value
    }
    const listening = expected <= station.heardUntil
    total = 0
    for (let audibility = 0; audibility < products.length; audibility++) {
      const heard = hearingProbability(distance, audibility)
      const unheard = listening ? 1 - heard : 1
      total += products[audibility]! *= heard * best > unheard ? heard * best : unheard
    }
  }
  return nearest > reach ? Number.NEGATIVE_INFINITY : Math.log(total) + coverageEvidence(nearest)
}

/** For each station, the most by which it and those after it can multiply a quick score's likelihood; see `quickScore`. */
function mostAheadOf(stations: readonly Station[]): Float64Array {
  const most = new Float64Array(stations.length)
  let product = 1
  for (let index = stations.length - 1; index >= 0; index--) {
    const { candidates } = stations[index]!
    const worth = candidates.map(candidate =>
      candidate.arrival.bearing ? Number.POSITIVE_INFINITY : candidate.boost * directDensity(candidate, 0),
    )
    product *= Math.max(1, ...worth)
    most[index] = product
  }
  return most
}

/** Index of the first candidate at or after a time. */
export function firstAfter(candidates: readonly Candidate[], time: number): number {
  let low = 0
  let high = candidates.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (candidates[middle]!.time < time) low = middle + 1
    else high = middle
  }
  return low
}

/** Triples of stations, each of a station and two of its nearest neighbours. */
function triplesOf(
  stations: readonly Station[],
  distance: (a: number, b: number) => number,
): [number, number, number][] {
  const triples = new Map<string, [number, number, number]>()
  stations.forEach((_, i) => {
    const near = stations
      .flatMap((_, k) => (k === i ? [] : [k]))
      .sort((a, b) => distance(i, a) - distance(i, b) || a - b)
      .slice(0, neighbours)
    near.forEach((j, n) => {
      for (const k of near.slice(n + 1)) {
        const triple: [number, number, number] = [i, j, k]
        triple.sort((a, b) => a - b)
        triples.set(triple.join(), triple)
      }
    })
  })
  return [...triples.values()]
}

/** The candidates worth a first guess: of those close together in time only the heaviest, by time. */
function outstanding(candidates: readonly Candidate[]): Candidate[] {
  return candidates.filter(({ time, weight }) => {
    if (weight < leastWeight) return false
    let heavier = 0
    for (let i = firstAfter(candidates, time - crowdSeconds); i < candidates.length; i++) {
      const other = candidates[i]!
      if (other.time > time + crowdSeconds) break
      if (other.weight > weight) heavier++
    }
    return heavier < crowd
  })
}

/** The best `count` first guesses from all triples of candidates that one source could have caused, and pairs with a bearing, best first. */
export function findSeeds(stations: readonly Station[], air: Air, count: number): Seed[] {
  const hearing = stations.filter(station => station.candidates.length > 0)
  const distance = (a: number, b: number) =>
    Math.hypot(
      hearing[a]!.position.east - hearing[b]!.position.east,
      hearing[a]!.position.north - hearing[b]!.position.north,
    )
  const heavy = hearing.map(station => outstanding(station.candidates))
  const mostAhead = mostAheadOf(stations)
  let seeds: Seed[] = []
  let least = Number.NEGATIVE_INFINITY
  const keep = (east: number, north: number, time: number) => {
    const score = quickScore(stations, mostAhead, air, east, north, time, least)
    if (!(score > least)) return
    seeds.push({ east, north, time, score })
    if (seeds.length < 40 * count) return
    seeds = seeds.sort((a, b) => b.score - a.score).slice(0, 20 * count)
    least = seeds.at(-1)!.score
  }
  for (const [i, j, k] of triplesOf(hearing, distance)) {
    const triple: [Station, Station, Station] = [hearing[i]!, hearing[j]!, hearing[k]!]
    const [first, second, third] = [heavy[i]!, heavy[j]!, heavy[k]!]
    const apart12 = distance(i, j) / air.speed + slack
    const apart13 = distance(i, k) / air.speed + slack
    const apart23 = distance(j, k) / air.speed + slack
    for (const { time: t1 } of first) {
      for (let b = firstAfter(second, t1 - apart12); b < second.length; b++) {
        const t2 = second[b]!.time
        if (t2 > t1 + apart12) break
        const until = Math.min(t1 + apart13, t2 + apart23)
        for (let c = firstAfter(third, Math.max(t1 - apart13, t2 - apart23)); c < third.length; c++) {
          const t3 = third[c]!.time
          if (t3 > until) break
          placesOfThree(triple, t1, t2, t3, air.speed, keep)
        }
      }
    }
  }
  hearing.forEach((from, i) => {
    hearing.forEach((to, j) => {
      const apart = distance(i, j) / air.speed + slack
      if (i === j || distance(i, j) > 2 * reach) return
      for (const { time, arrival } of heavy[i]!) {
        if (arrival.bearing === null) continue
        const others = heavy[j]!
        for (let k = firstAfter(others, time - apart); k < others.length && others[k]!.time < time + apart; k++)
          placeOnBearing(from, to, arrival.bearing.azimuth, time, others[k]!.time, air.speed, keep)
      }
    })
  })
  seeds.sort((a, b) => b.score - a.score)
  const kept: Seed[] = []
  for (const seed of seeds) {
    if (kept.length >= count) break
    const known = kept.some(
      other =>
        Math.abs(other.time - seed.time) < seedTime &&
        Math.hypot(other.east - seed.east, other.north - seed.north) < seedDistance,
    )
    if (!known) kept.push(seed)
  }
  return kept
}
