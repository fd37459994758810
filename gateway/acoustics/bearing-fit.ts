import { turn } from './array-shape.js'
import type { Bearing, LocalPosition } from './arrival.js'
import { type Air, travelTime } from './propagation.js'
import { invertSmall } from './small-matrix.js'

/** Headings are surveyed, and walls and slopes turn sound, by so much, degrees, one standard deviation. */
const siteError = 2
/** How often a bearing is not the source's but an echo's or another sound's, a probability. */
const strayShare = 0.15
/** Closer than this to its gateway a source has no direction, metres. */
const nearest = 1
const radians = Math.PI / 180

/** A bearing and the gateway that took it, in the plane of the position that is looked for. */
export interface BearingSighting {
  readonly position: LocalPosition
  /** One standard deviation of `position` a horizontal axis, metres. */
  readonly positionError: number
  readonly bearing: Bearing
}

/** One equation of a least squares fit over (east, north, up, time): add weight × gradient × residual to the right side. */
export interface BearingRow {
  /** How much likelier the bearing is for a source there than for a sound from anywhere. */
  readonly ratio: number
  /** Measured less predicted azimuth, radians. */
  readonly residual: number
  /** Radians by which the predicted azimuth grows a metre east, north, up, and a second. */
  readonly gradient: readonly [number, number, number, number]
  /** One over the variance, radians⁻², times the probability that the bearing is the source's. */
  readonly weight: number
}

/** What bearings say of a source at one place. */
export interface BearingTerm {
  /** Natural logarithm of how much likelier the bearings are for a source there than for sounds from anywhere. */
  readonly logLikelihood: number
  /** One row a sighting, in their order. */
  readonly rows: readonly BearingRow[]
}

/**
 * How well bearings agree with a source at `place`. A bearing is normal about the azimuth from which the front comes in, or,
 * as an echo, from anywhere. Wind carries the front along, so that it comes from the source's image upwind.
 */
export function bearingTerm(place: LocalPosition, sightings: readonly BearingSighting[], air: Air): BearingTerm {
  const rows = sightings.map(sighting => bearingRow(place, sighting, air))
  return { logLikelihood: rows.reduce((sum, { ratio }) => sum + Math.log(ratio), 0), rows }
}

/** What one bearing says of a source at `place`; see `bearingTerm`. */
export function bearingRow(place: LocalPosition, sighting: BearingSighting, air: Air): BearingRow {
  const { position, positionError, bearing } = sighting
  const { azimuth, east, north, up } = apparentAzimuth(place, position, air)
  const distance = Math.max(nearest, Math.hypot(place.east - position.east, place.north - position.north))
  const deviation = Math.hypot(bearing.error, siteError, Math.min(180, positionError / distance / radians))
  const residual = turn(azimuth, bearing.azimuth)
  const own = ((1 - strayShare) * Math.exp(-0.5 * (residual / deviation) ** 2)) / (deviation * Math.sqrt(2 * Math.PI))
  const stray = strayShare / 360
  return {
    ratio: (own + stray) * 360,
    residual: residual * radians,
    gradient: [east, north, up, 0],
    weight: own / (own + stray) / (deviation * radians) ** 2,
  }
}

/** Where the front seems to come from, degrees, and how that changes with the source's place, radians a metre. */
function apparentAzimuth(source: LocalPosition, gateway: LocalPosition, air: Air) {
  const dx = source.east - gateway.east
  const dy = source.north - gateway.north
  const dz = source.up - gateway.up
  const distance = Math.max(nearest, Math.hypot(dx, dy, dz))
  const speed = distance / Math.max(travelTime(air, -dx, -dy, -dz), 1e-6)
  const x = (dx / distance) * speed + air.windEast
  const y = (dy / distance) * speed + air.windNorth
  const square = Math.max(dx * dx + dy * dy, nearest ** 2)
  return { azimuth: (Math.atan2(x, y) / radians + 360) % 360, east: dy / square, north: -dx / square, up: 0 }
}

/** A source where bearings cross. */
export interface BearingPosition {
  readonly east: number
  readonly north: number
  /** Covariance of (east, north), square metres: [[ee, en], [en, nn]]. */
  readonly covariance: readonly [readonly [number, number], readonly [number, number]]
  /** Sum of squared residuals over their variances; about the number of bearings less two where they agree. */
  readonly misfit: number
}

const iterations = 30
/** Where crossing bearings leave the source further off than this one way, they give no place, metres. */
const mostSpread = 250
/** Bearings this many standard deviations off the place that they should give do not cross. */
const mostDeviations = 3

/**
 * Where the bearings of two or more gateways cross, by times not at all: Gauss and Newton's method on the azimuths from the
 * closed-form crossing of Stansfield (1947). Null where they do not cross ahead of all, or so flat that the place is open.
 */
export function crossBearings(sightings: readonly BearingSighting[], air: Air): BearingPosition | null {
  const start = crossing(sightings)
  if (start === null) return null
  let [east, north] = start
  const height = sightings.reduce((sum, { position }) => sum + position.up, 0) / sightings.length
  for (let iteration = 0; iteration <= iterations; iteration++) {
    const { rows } = bearingTerm({ east, north, up: height }, sightings, air)
    // A stray would pull two bearings apart or hide one of few; all count in full, and the misfit tells.
    const fits = rows.map((row, i) => ({ ...row, weight: fullWeight(sightings[i]!, east, north) }))
    const sum = (value: (row: BearingRow) => number): number => fits.reduce((total, row) => total + value(row), 0)
    const en = sum(({ weight, gradient: [e, n] }) => weight * e * n)
    const inverse = invertSmall([
      [sum(({ weight, gradient: [e] }) => weight * e * e), en],
      [en, sum(({ weight, gradient: [, n] }) => weight * n * n)],
    ])
    if (inverse === null) return null
    const [[ee, across], [, nn]] = [
      [inverse[0]![0]!, inverse[0]![1]!],
      [inverse[1]![0]!, inverse[1]![1]!],
    ] as const
    const right = [
      sum(({ weight, gradient: [e], residual }) => weight * e * residual),
      sum(({ weight, gradient: [, n], residual }) => weight * n * residual),
    ] as const
    const step = [ee * right[0] + across * right[1], across * right[0] + nn * right[1]] as const
    const length = Math.hypot(...step)
    if (length < 0.01 || iteration === iterations) {
      const largest = (ee + nn) / 2 + Math.hypot((ee - nn) / 2, across)
      const agree = fits.every(({ residual, weight }) => Math.abs(residual) * Math.sqrt(weight) < mostDeviations)
      if (length > 1 || !agree || Math.sqrt(largest) > mostSpread) return null
      const misfit = sum(({ weight, residual }) => weight * residual * residual)
      const covariance = [[ee, across] as const, [across, nn] as const] as const
      return { east, north, covariance, misfit }
    }
    const damping = Math.min(1, 100 / length)
    east += damping * step[0]
    north += damping * step[1]
  }
  return null
}

function fullWeight({ position, positionError, bearing }: BearingSighting, east: number, north: number): number {
  const distance = Math.max(nearest, Math.hypot(east - position.east, north - position.north))
  const deviation = Math.hypot(bearing.error, siteError, Math.min(180, positionError / distance / radians))
  return 1 / (deviation * radians) ** 2
}

/** The point nearest to all lines of sight; null where they are all but parallel or fewer than two. */
function crossing(sightings: readonly BearingSighting[]): [number, number] | null {
  let [ee, en, nn, e, n] = [0, 0, 0, 0, 0]
  for (const { position, bearing } of sightings) {
    // Across the line of sight.
    const [x, y] = [Math.cos(bearing.azimuth * radians), -Math.sin(bearing.azimuth * radians)]
    const offset = x * position.east + y * position.north
    ee += x * x
    en += x * y
    nn += y * y
    e += x * offset
    n += y * offset
  }
  const determinant = ee * nn - en * en
  if (determinant < 1e-4) return null
  return [(nn * e - en * n) / determinant, (ee * n - en * e) / determinant]
}
