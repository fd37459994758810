import { directProbability, residualFreedom, residualScale, type Station } from './evidence.js'
import { type Air, travelTime } from './propagation.js'

/** How far a source may be above or below the gateways around it, metres, one standard deviation. */
const heightError = 15
const iterations = 8

/** When a station heard the source. */
export interface Sighting {
  readonly station: Station
  readonly time: number
  readonly timeError: number
}

/** A source and how well it is known. */
export interface Solution {
  readonly east: number
  readonly north: number
  readonly up: number
  readonly time: number
  /** Inverse of the normal matrix over (east, north, up, time). */
  readonly inverse: readonly (readonly number[])[]
  /** Seconds by which each sighting is later than predicted, in their order. */
  readonly residuals: readonly number[]
  /** Sum of squared residuals over their variances, each by its weight. */
  readonly misfit: number
}

/** The height assumed for a source: the gateways' own middle height. */
export function assumedHeight(stations: readonly Station[]): number {
  const heights = stations.map(station => station.position.up).sort((a, b) => a - b)
  return heights.length === 0 ? 0 : (heights[(heights.length - 1) >> 1]! + heights[heights.length >> 1]!) / 2
}

/**
 * The source that explains the sightings best, from a first guess: iteratively reweighted least squares for Student's
 * distribution with late-skewed scales, height held by a prior around `height`.
 */
export function solve(
  sightings: readonly Sighting[],
  air: Air,
  height: number,
  guess: { east: number; north: number; time: number },
): Solution {
  let { east, north, time } = guess
  let up = height
  const residuals = new Array<number>(sightings.length).fill(0)
  let inverse: number[][] = []
  let misfit = 0
  for (let iteration = 0; iteration < iterations; iteration++) {
    const normal = [
      [1e-8, 0, 0, 0],
      [0, 1e-8, 0, 0],
      [0, 0, 1 / heightError ** 2, 0],
      [0, 0, 0, 1e-8],
    ]
    const right = [0, 0, (height - up) / heightError ** 2, 0]
    misfit = 0
    for (let i = 0; i < sightings.length; i++) {
      const { station, time: heard, timeError } = sightings[i]!
      const dx = station.position.east - east
      const dy = station.position.north - north
      const dz = station.position.up - up
      const travel = travelTime(air, dx, dy, dz)
      const residual = heard - time - travel
      residuals[i] = residual
      const scale = residualScale(station, timeError, residual)
      const ratio = (residual / scale) ** 2
      const direct = directProbability(station, timeError, residual)
      const weight = (direct * (residualFreedom + 1)) / (residualFreedom + ratio) / (scale * scale)
      misfit += weight * residual * residual
      const distance = Math.max(1, Math.sqrt(dx * dx + dy * dy + dz * dz))
      const slowness = travel / (distance * distance)
      const gradient = [-dx * slowness, -dy * slowness, -dz * slowness, 1]
      for (let row = 0; row < 4; row++) {
        right[row]! += weight * gradient[row]! * residual
        for (let column = 0; column < 4; column++) normal[row]![column]! += weight * gradient[row]! * gradient[column]!
      }
    }
    inverse = invertSymmetric(normal)
    const step = inverse.map(row => row.reduce((sum, value, column) => sum + value * right[column]!, 0))
    const length = Math.hypot(step[0]!, step[1]!)
    const damping = length > 60 ? 60 / length : 1
    east += damping * step[0]!
    north += damping * step[1]!
    up += damping * step[2]!
    time += damping * step[3]!
    if (length < 0.01) break
  }
  return { east, north, up, time, inverse, residuals, misfit }
}

/** Inverse of a small symmetric positive definite matrix, by Gauss and Jordan. */
export function invertSymmetric(matrix: readonly (readonly number[])[]): number[][] {
  const size = matrix.length
  // Time in seconds beside metres spans many powers of ten, so that rows and columns are brought to a unit diagonal.
  const scale = matrix.map((row, i) => 1 / Math.sqrt(Math.max(row[i]!, 1e-30)))
  const work = matrix.map((row, i) => [
    ...row.map((value, j) => value * scale[i]! * scale[j]!),
    ...row.map((_, j) => (i === j ? 1 : 0)),
  ])
  for (let pivot = 0; pivot < size; pivot++) {
    const head = work[pivot]!
    const divisor = head[pivot]!
    for (let column = 0; column < 2 * size; column++) head[column]! /= divisor
    for (let row = 0; row < size; row++) {
      if (row === pivot) continue
      const factor = work[row]![pivot]!
      for (let column = 0; column < 2 * size; column++) work[row]![column]! -= factor * head[column]!
    }
  }
  return work.map((row, i) => row.slice(size).map((value, j) => value * scale[i]! * scale[j]!))
}
