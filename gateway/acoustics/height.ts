import type { Burst } from './burst.js'
import { bearingOf, directProbability, residualFreedom } from './evidence.js'
import { type Air, travelTime } from './propagation.js'
import { gradientOf, type Solution, solveSymmetric } from './solve.js'

/** A height less certain than this, metres, one standard deviation, is none: poles of like height tell of no height. */
const mostHeightError = 5
/** Ground and air bend sound up and down by so much, degrees, one standard deviation, beside the array's own error. */
const elevationError = 3
/** Four numbers are solved for; so many observations say whether they agree. */
const fewestObservations = 5
/** Residuals are measured about a place that took its share of them; about the truth they are so much wider. */
const wider = 1.2
const iterations = 12
const longestStep = 20
const radians = Math.PI / 180

/** A source whose height was solved for. */
export interface SolvedHeight {
  readonly solution: Solution
  /** One standard deviation of `solution.up`, metres. */
  readonly heightError: number
}

/**
 * The burst's source in three dimensions, from times and from arrays' elevations with nothing assumed of its height: least
 * squares reweighted for Student's distribution. Null where gateways and arrays do not fix the height.
 */
export function solveHeight({ tracks, solution }: Burst, air: Air): SolvedHeight | null {
  let { east, north, up, time } = solution
  for (let iteration = 0; iteration <= iterations; iteration++) {
    const { matrix, right, observations } = equationsAt(tracks, air, { east, north, up, time })
    const variance = solveSymmetric(matrix, [0, 0, 1, 0])[2]!
    const heightError = Math.sqrt(Math.max(0, variance))
    if (observations < fewestObservations || !(heightError <= mostHeightError)) return null
    const step = solveSymmetric(matrix, right)
    const length = Math.hypot(step[0]!, step[1]!, step[2]!)
    if (length < 0.01 || iteration === iterations) {
      const residuals = tracks.map(({ station: { position }, time: heard }) => {
        return heard - time - travelTime(air, position.east - east, position.north - north, position.up - up)
      })
      return length < 1 ? { solution: { east, north, up, time, residuals }, heightError } : null
    }
    const damping = Math.min(1, longestStep / length)
    east += damping * step[0]!
    north += damping * step[1]!
    up += damping * step[2]!
    time += damping * step[3]!
  }
  return null
}

/** Normal equations over (east, north, up, time) at a place, and how many arrivals and elevations came straight. */
function equationsAt(tracks: Burst['tracks'], air: Air, source: Omit<Solution, 'residuals'>) {
  const matrix = Array.from({ length: 4 }, (_, row) =>
    Array.from({ length: 4 }, (_, column) => (row === column ? 1e-8 : 0)),
  )
  const right = [0, 0, 0, 0]
  let observations = 0
  const add = (gradient: readonly number[], residual: number, weight: number) => {
    for (let row = 0; row < 4; row++) {
      right[row]! += weight * gradient[row]! * residual
      for (let column = 0; column < 4; column++) matrix[row]![column]! += weight * gradient[row]! * gradient[column]!
    }
  }
  for (const { station, lead, time } of tracks) {
    const [dx, dy, dz] = [
      source.east - station.position.east,
      source.north - station.position.north,
      source.up - station.position.up,
    ]
    const residual = time - source.time - travelTime(air, -dx, -dy, -dz)
    const scale = wider * (residual < 0 ? lead.early : lead.late)
    const seen = bearingOf(lead, station, source, air)
    const direct = directProbability(lead, residual, seen?.ratio)
    const ratio = (residual / scale) ** 2
    observations += direct
    add(
      gradientOf(station, air, source),
      residual,
      (direct * (residualFreedom + 1)) / ((residualFreedom + ratio) * scale * scale),
    )
    if (seen === null) continue
    add(seen.gradient, seen.residual, direct * seen.weight)
    const bearing = lead.arrival.bearing
    if (bearing === null || bearing.elevation === null) continue
    const across = Math.max(1, Math.hypot(dx, dy))
    const square = across * across + dz * dz
    const deviation = Math.hypot(bearing.error, elevationError) * radians
    const above = bearing.elevation * radians - Math.atan2(dz, across)
    const gradient = [(-dz * dx) / (across * square), (-dz * dy) / (across * square), across / square, 0]
    observations += direct
    add(
      gradient,
      above,
      (direct * (residualFreedom + 1)) / ((residualFreedom + (above / deviation) ** 2) * deviation ** 2),
    )
  }
  return { matrix, right, observations }
}
