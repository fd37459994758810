import { bearingOf, type Candidate, directProbability, residualFreedom, type Station } from './evidence.js'
import { type Air, travelTime } from './propagation.js'

/** How far a source may be above or below the gateways around it, metres, one standard deviation. */
export const heightError = 15
const iterations = 8
/** A step of the solver is at most this long, metres, and the last one shorter than that. */
const longestStep = 60
const shortestStep = 0.01

/** When a station heard the source; `lead` is the candidate whose scales apply. */
export interface Sighting {
  readonly station: Station
  readonly time: number
  readonly lead: Candidate
}

/** A source: metres, seconds since 1970 UTC, and by how many seconds each sighting is later than predicted. */
export interface Solution {
  readonly east: number
  readonly north: number
  readonly up: number
  readonly time: number
  readonly residuals: readonly number[]
}

/** The height assumed for a source: the gateways' own middle height. */
export function assumedHeight(stations: readonly Station[]): number {
  const heights = stations.map(station => station.position.up).sort((a, b) => a - b)
  return heights.length === 0 ? 0 : (heights[(heights.length - 1) >> 1]! + heights[heights.length >> 1]!) / 2
}

/** Derivatives of an arrival's time by (east, north, up, time) of the source. */
export function gradientOf(
  station: Station,
  air: Air,
  source: { readonly east: number; readonly north: number; readonly up: number },
): readonly [number, number, number, number] {
  const dx = station.position.east - source.east
  const dy = station.position.north - source.north
  const dz = station.position.up - source.up
  const square = Math.max(1, dx * dx + dy * dy + dz * dz)
  const slowness = travelTime(air, dx, dy, dz) / square
  return [-dx * slowness, -dy * slowness, -dz * slowness, 1]
}

/**
 * The source that explains the sightings best, from a first guess: iteratively reweighted least squares for Student's
 * distribution with late-skewed scales, height held by a prior around `height`; bearings count as far as they are the source's.
 */
export function solve(
  sightings: readonly Sighting[],
  air: Air,
  height: number,
  guess: { readonly east: number; readonly north: number; readonly time: number },
): Solution {
  let { east, north, time } = guess
  let up = height
  for (let iteration = 0; iteration < iterations; iteration++) {
    // Sums of the normal equations; the matrix is symmetric.
    let [ee, en, eu, et, nn, nu, nt, uu, ut, tt] = [1e-8, 0, 0, 0, 1e-8, 0, 0, 1 / heightError ** 2, 0, 1e-8]
    let [e, n, u, t] = [0, 0, (height - up) / heightError ** 2, 0]
    for (const { station, time: heard, lead } of sightings) {
      const { position } = station
      const residual = heard - time - travelTime(air, position.east - east, position.north - north, position.up - up)
      const scale = residual < 0 ? lead.early : lead.late
      const ratio = (residual / scale) ** 2
      const seen = bearingOf(lead, station, { east, north, up }, air)
      const direct = directProbability(lead, residual, seen?.ratio)
      const weight = (direct * (residualFreedom + 1)) / ((residualFreedom + ratio) * scale * scale)
      const [x, y, z] = gradientOf(station, air, { east, north, up })
      ee += weight * x * x
      en += weight * x * y
      eu += weight * x * z
      et += weight * x
      nn += weight * y * y
      nu += weight * y * z
      nt += weight * y
      uu += weight * z * z
      ut += weight * z
      tt += weight
      e += weight * x * residual
      n += weight * y * residual
      u += weight * z * residual
      t += weight * residual
      if (seen === null) continue
      const pull = direct * seen.weight
      const [across, along] = seen.gradient
      ee += pull * across * across
      en += pull * across * along
      nn += pull * along * along
      e += pull * across * seen.residual
      n += pull * along * seen.residual
    }
    const step = solveSymmetric(
      [
        [ee, en, eu, et],
        [en, nn, nu, nt],
        [eu, nu, uu, ut],
        [et, nt, ut, tt],
      ],
      [e, n, u, t],
    )
    const length = Math.hypot(step[0]!, step[1]!)
    const damping = length > longestStep ? longestStep / length : 1
    east += damping * step[0]!
    north += damping * step[1]!
    up += damping * step[2]!
    time += damping * step[3]!
    if (length < shortestStep) break
  }
  const residuals = sightings.map(
    ({ station: { position }, time: heard }) =>
      heard - time - travelTime(air, position.east - east, position.north - north, position.up - up),
  )
  return { east, north, up, time, residuals }
}

/** Solves a small symmetric positive definite system by Cholesky, after bringing its diagonal to one. */
export function solveSymmetric(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const size = right.length
  // Time in seconds beside metres spans many powers of ten.
  const scale = matrix.map((row, i) => 1 / Math.sqrt(Math.max(row[i]!, 1e-30)))
  const lower: number[][] = []
  const x: number[] = []
  for (let i = 0; i < size; i++) {
    const row: number[] = []
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i]![j]! * scale[i]! * scale[j]!
      for (let k = 0; k < j; k++) sum -= (j === i ? row[k]! : lower[j]![k]!) * row[k]!
      row.push(j === i ? Math.sqrt(Math.max(sum, 1e-12)) : sum / lower[j]![j]!)
    }
    lower.push(row)
    let sum = right[i]! * scale[i]!
    for (let k = 0; k < i; k++) sum -= row[k]! * x[k]!
    x.push(sum / row[i]!)
  }
  for (let i = size - 1; i >= 0; i--) {
    let sum = x[i]!
    for (let k = i + 1; k < size; k++) sum -= lower[k]![i]! * x[k]!
    x[i] = sum / lower[i]![i]!
  }
  return x.map((value, i) => value * scale[i]!)
}
