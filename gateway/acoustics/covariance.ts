import type { LocatedShot } from './arrival.js'
import type { Square } from './elsewhere.js'
import {
  bearingOf,
  directProbability,
  echoDecay,
  onlyEchoDensity,
  residualFreedom,
  studentDensity,
} from './evidence.js'
import { type Air, travelTime } from './propagation.js'
import type { Explanation } from './rivals.js'
import { gradientOf, heightError, solveSymmetric } from './solve.js'

/** What all arrivals share and no number of gateways averages out (survey, map, mean wind), metres a horizontal axis. */
const commonError = 1.2
/**
 * Residuals are measured about the best place, which has taken three of some six degrees of freedom; about the true place they
 * are so much wider.
 */
const wider = 1.2
/** Chi-squared with two degrees of freedom: 95 % of a plane Gaussian lies within this squared Mahalanobis distance. */
const chiSquared95 = 5.991464547107979
/**
 * Of what is expected elsewhere so much is there. Measured on 344 simulated shots that three gateways placed: 19 % were expected more
 * than 50 m off, and 8 % were. It rules the ellipse alone, not what a place is worth.
 */
const trueElsewhere = 0.5
/** The posterior is summed over so many nodes a side of the best place and time, which lie denser near it. */
const placeNodes = 10
const timeNodes = 7

export interface Precision {
  readonly covariance: LocatedShot['covariance']
  /** Standard deviation of the discharge, seconds. */
  readonly timeError: number
  /** Radius of a circle as large as the 95 % ellipse would be if no other place were open, metres. */
  readonly radius: number
}

/** Nodes of a sum over a line, in standard deviations, and the width each stands for; they reach out to about twelve. */
function nodes(side: number): { at: number; width: number }[] {
  const spread = 4.2 / side
  return Array.from({ length: 2 * side + 1 }, (_, i) => {
    const at = 0.35 * Math.sinh(spread * (i - side))
    return { at, width: 0.35 * Math.cosh(spread * (i - side)) }
  })
}

const placeGrid = nodes(placeNodes)
const timeGrid = nodes(timeNodes)

/**
 * Covariance of a burst's place about the place given: the posterior under the measured path errors, summed numerically
 * around the best place, so that outliers and curved valleys count; with other explanations of the same place, the error of
 * the speed of sound and what is common to all arrivals added. `upError` is one standard deviation of the height, metres.
 */
export function precisionOf(
  { burst, kin, elsewhere }: Explanation,
  air: Air,
  upError: number = heightError,
): Precision {
  const { solution, tracks } = burst
  const observations = tracks.map(({ station, lead, time }, i) => {
    const gradient = gradientOf(station, air, solution)
    const height = (upError * gradient[2]) / Math.SQRT2
    const { east, north, up } = station.position
    const travel = travelTime(air, east - solution.east, north - solution.north, up - solution.up)
    const early = Math.hypot(wider * lead.early, height)
    const late = Math.hypot(wider * lead.late, height)
    const residual = solution.residuals[i]!
    const ratio = residual / (residual < 0 ? early : late)
    const seen = bearingOf(lead, station, solution, air)
    const direct = directProbability(lead, residual, seen?.ratio)
    const weight = (direct * (residualFreedom + 1)) / ((residualFreedom + ratio * ratio) * early * late)
    return { station, lead, time, gradient, travel, early, late, weight, seen, direct }
  })
  const normal = [
    [1e-8, 0, 0],
    [0, 1e-8, 0],
    [0, 0, 1e-8],
  ]
  // How air that is slower, or blows to the east or the north, moves the place.
  const slowed = [0, 0, 0]
  const blownEast = [0, 0, 0]
  const blownNorth = [0, 0, 0]
  observations.forEach(({ gradient: [east, north], travel, weight, seen, direct }) => {
    const gradient = [east, north, 1]
    for (let row = 0; seen !== null && row < 2; row++)
      for (let column = 0; column < 2; column++)
        normal[row]![column]! += direct * seen.weight * seen.gradient[row]! * seen.gradient[column]!
    // Wind shortens a path's time by its part along the path.
    const blown = (travel * air.windError) / air.speed
    for (let row = 0; row < 3; row++) {
      slowed[row]! += weight * gradient[row]! * travel * air.speedError
      blownEast[row]! += weight * gradient[row]! * blown * east * air.speed
      blownNorth[row]! += weight * gradient[row]! * blown * north * air.speed
      for (let column = 0; column < 3; column++) normal[row]![column]! += weight * gradient[row]! * gradient[column]!
    }
  })
  const [ee, en] = solveSymmetric(normal, [1, 0, 0])
  const [, nn] = solveSymmetric(normal, [0, 1, 0])
  const timeScale = Math.sqrt(solveSymmetric(normal, [0, 0, 1])[2]!)
  const shifts = [slowed, blownEast, blownNorth].map(cause => solveSymmetric(normal, cause))
  // The lower Cholesky factor of the linear covariance spans the grid.
  const a = Math.sqrt(ee!)
  const b = en! / a
  const c = Math.sqrt(Math.max(1e-6, nn! - b * b))
  const sums = { one: 0, ee: 0, en: 0, nn: 0, tt: 0 }
  const late = new Float64Array(observations.length)
  const ratio = new Float64Array(observations.length)
  const echo = new Float64Array(observations.length)
  for (const first of placeGrid) {
    for (const second of placeGrid) {
      const east = a * first.at
      const north = b * first.at + c * second.at
      let middle = 0
      let weights = 0
      const place = { east: solution.east + east, north: solution.north + north, up: solution.up }
      for (let i = 0; i < observations.length; i++) {
        const { station, lead, time, weight } = observations[i]!
        const { position } = station
        ratio[i] = bearingOf(lead, station, place, air)?.ratio ?? 1
        const travel = travelTime(
          air,
          position.east - solution.east - east,
          position.north - solution.north - north,
          position.up - solution.up,
        )
        late[i] = time - travel - solution.time
        middle += weight * late[i]!
        weights += weight
      }
      middle /= weights
      for (let i = 0; i < observations.length; i++)
        echo[i] = onlyEchoDensity(0) * Math.exp((middle - late[i]!) / echoDecay)
      let mass = 0
      for (const third of timeGrid) {
        const time = middle + timeScale * third.at
        const sinceEcho = Math.exp((timeScale * third.at) / echoDecay)
        let density = first.width * second.width * third.width
        for (let i = 0; i < observations.length; i++) {
          const { early, late: slow } = observations[i]!
          const residual = late[i]! - time
          density *= studentDensity(residual, early, slow) * ratio[i]! + (residual < 0 ? 0 : echo[i]! * sinceEcho)
        }
        mass += density
        sums.tt += density * time * time
      }
      sums.one += mass
      sums.ee += mass * east * east
      sums.en += mass * east * north
      sums.nn += mass * north * north
    }
  }
  const common = commonError ** 2
  let eastEast = sums.ee / sums.one
  let eastNorth = sums.en / sums.one
  let northNorth = sums.nn / sums.one
  const whole = kin.reduce((sum, { odds }) => sum + odds, 1)
  for (const { burst: other, odds } of kin) {
    const east = other.solution.east - solution.east
    const north = other.solution.north - solution.north
    eastEast += (odds / whole) * east * east
    eastNorth += (odds / whole) * east * north
    northNorth += (odds / whole) * north * north
  }
  let timeVariance = sums.tt / sums.one + common / air.speed ** 2
  for (const [east, north, time] of shifts) {
    eastEast += east! ** 2
    eastNorth += east! * north!
    northNorth += north! ** 2
    timeVariance += time! ** 2
  }
  const covariance = widened(
    [
      [eastEast + common, eastNorth],
      [eastNorth, northNorth + common],
    ],
    elsewhere,
  )
  return {
    covariance,
    timeError: Math.sqrt(timeVariance),
    radius: Math.sqrt(chiSquared95 * Math.sqrt((eastEast + common) * (northNorth + common) - eastNorth ** 2)),
  }
}

/** A Gaussian is told by so many rings of so many points. */
const rings = 20
const spokes = 8

/**
 * A covariance whose 95 % ellipse holds 95 % of a Gaussian and of what lies elsewhere together; its shape is that of their
 * common second moments.
 */
function widened(local: Precision['covariance'], expected: readonly Square[]): Precision['covariance'] {
  const elsewhere = expected.map(({ east, north, mass }) => ({ east, north, mass: trueElsewhere * mass }))
  const total = elsewhere.reduce((sum, { mass }) => sum + mass, 1)
  if (total < 1.001) return local
  const [[ee, en], [, nn]] = local
  let [eastEast, eastNorth, northNorth] = [ee / total, en / total, nn / total]
  for (const { east, north, mass } of elsewhere) {
    eastEast += (mass / total) * east * east
    eastNorth += (mass / total) * east * north
    northNorth += (mass / total) * north * north
  }
  const a = Math.sqrt(ee)
  const b = en / a
  const c = Math.sqrt(nn - b * b)
  const points = [...elsewhere]
  for (let ring = 0; ring < rings; ring++) {
    const distance = Math.sqrt(-2 * Math.log(1 - (ring + 0.5) / rings))
    for (let spoke = 0; spoke < spokes; spoke++) {
      const [x, y] = [Math.cos, Math.sin].map(part => distance * part((2 * Math.PI * spoke) / spokes))
      points.push({ east: a * x!, north: b * x! + c * y!, mass: 1 / (rings * spokes) })
    }
  }
  const determinant = eastEast * northNorth - eastNorth * eastNorth
  const squares = points
    .map(({ east, north, mass }) => {
      const square = (northNorth * east * east - 2 * eastNorth * east * north + eastEast * north * north) / determinant
      return { square, mass }
    })
    .sort((first, second) => first.square - second.square)
  let left = total
  const edge = squares.find(({ mass }) => {
    left -= mass
    return left <= 0.05 * total
  })
  const scale = (edge?.square ?? chiSquared95) / chiSquared95
  return [
    [scale * eastEast, scale * eastNorth],
    [scale * eastNorth, scale * northNorth],
  ]
}
