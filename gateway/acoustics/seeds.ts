import { hearingProbability, residualEvidence, type Station } from './evidence.js'
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
/** A source is sought no further than this from the nearest gateway, metres. */
export const reach = 600
/** Two seeds closer than this are one, metres and seconds. */
const seedDistance = 15
const seedTime = 0.04

/**
 * The places from which sound would reach three stations at the times given: two circles' worth of algebra, closed form
 * (Bancroft 1985, in the plane). None, one or two.
 */
export function placesOfThree(
  stations: readonly [Station, Station, Station],
  times: readonly [number, number, number],
  speed: number,
): { east: number; north: number; time: number }[] {
  const [origin, first, second] = stations
  const x1 = first.position.east - origin.position.east
  const y1 = first.position.north - origin.position.north
  const x2 = second.position.east - origin.position.east
  const y2 = second.position.north - origin.position.north
  const lead1 = speed * (times[1] - times[0])
  const lead2 = speed * (times[2] - times[0])
  const determinant = x1 * y2 - x2 * y1
  const square1 = x1 * x1 + y1 * y1
  const square2 = x2 * x2 + y2 * y2
  if (Math.abs(determinant) < 1e-3 * Math.sqrt(square1 * square2)) return []
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
  const roots: number[] = []
  if (Math.abs(a) < 1e-12) {
    if (b !== 0) roots.push(-c / (2 * b))
  } else if (discriminant >= 0) {
    const root = Math.sqrt(discriminant)
    roots.push((-b + root) / a, (-b - root) / a)
  } else if (discriminant > -c * 0.05) {
    roots.push(-b / a)
  }
  return roots
    .filter(r => r >= 0 && r + lead1 >= -5 && r + lead2 >= -5)
    .map(r => ({
      east: origin.position.east + ax + bx * r,
      north: origin.position.north + ay + by * r,
      time: times[0] - r / speed,
    }))
}

/** How well a shot at a place and time explains each station's best candidate, or its silence. */
export function quickScore(stations: readonly Station[], air: Air, east: number, north: number, time: number): number {
  let score = 0
  let nearest = Number.POSITIVE_INFINITY
  for (const station of stations) {
    const dx = station.position.east - east
    const dy = station.position.north - north
    const distance = Math.sqrt(dx * dx + dy * dy)
    if (distance < nearest) nearest = distance
    const expected = time + travelTime(air, dx, dy, 0)
    const heard = hearingProbability(distance)
    let best = expected > station.heardUntil ? 0 : Math.log(1 - heard)
    const candidates = station.candidates
    for (let i = firstAfter(station, expected - 0.05); i < candidates.length; i++) {
      const candidate = candidates[i]!
      const residual = candidate.time - expected
      if (residual > 0.1) break
      const value = Math.log(heard) + candidate.weight + residualEvidence(station, candidate.timeError, residual)
      if (value > best) best = value
    }
    score += best
  }
  return nearest > reach ? Number.NEGATIVE_INFINITY : score + nearnessEvidence(nearest)
}

/** Shots are where gateways are: a network covers the places it is meant for. */
export function nearnessEvidence(distance: number): number {
  return -0.5 * (distance / 250) ** 2
}

/** Index of the first candidate at or after a time. */
export function firstAfter(station: Station, time: number): number {
  const candidates = station.candidates
  let low = 0
  let high = candidates.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (candidates[middle]!.time < time) low = middle + 1
    else high = middle
  }
  return low
}

/** The best `count` first guesses from all triples of candidates that one source could have caused, best first. */
export function findSeeds(stations: readonly Station[], air: Air, count: number): Seed[] {
  const seeds: Seed[] = []
  const hearing = stations.filter(station => station.candidates.length > 0)
  const apart = (a: Station, b: Station) =>
    Math.hypot(a.position.east - b.position.east, a.position.north - b.position.north) / air.speed + slack
  for (let i = 0; i < hearing.length; i++) {
    const first = hearing[i]!
    for (let j = i + 1; j < hearing.length; j++) {
      const second = hearing[j]!
      const apart12 = apart(first, second)
      for (let k = j + 1; k < hearing.length; k++) {
        const third = hearing[k]!
        const apart13 = apart(first, third)
        const apart23 = apart(second, third)
        for (const { time: t1 } of first.candidates) {
          for (let b = firstAfter(second, t1 - apart12); b < second.candidates.length; b++) {
            const t2 = second.candidates[b]!.time
            if (t2 > t1 + apart12) break
            const until = Math.min(t1 + apart13, t2 + apart23)
            for (
              let c = firstAfter(third, Math.max(t1 - apart13, t2 - apart23));
              c < third.candidates.length && third.candidates[c]!.time <= until;
              c++
            ) {
              const t3 = third.candidates[c]!.time
              for (const { east, north, time } of placesOfThree([first, second, third], [t1, t2, t3], air.speed)) {
                const score = quickScore(stations, air, east, north, time)
                if (score > Number.NEGATIVE_INFINITY) seeds.push({ east, north, time, score })
              }
            }
          }
        }
      }
    }
  }
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
