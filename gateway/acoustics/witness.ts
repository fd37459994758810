import type { Arrival, GatewayPlace, LocalPosition, LocatedShot } from './arrival.js'
import { type Air, travelTime } from './propagation.js'

/**
 * What one located shot says of each gateway that may have heard it: how its times compare with those that the other
 * gateways lead one to expect there.
 */

/** Sound takes ways of its own around buildings, seconds, one standard deviation. Measured: 12 ms. */
const pathError = 0.012
/** Arrivals so far from the expected time may be the shot under a clock that is wrong, seconds. */
export const clockReach = 1
/** Gateways further from a shot are not expected to hear it, metres. */
export const hearingRange = 1200
/** Degrees of freedom of Student's distribution of a deviation: outliers are rare but real. */
export const freedom = 4
/** Within so many standard deviations a gateway agrees with the others. */
const agreement = 2.5
const iterations = 12

/** A shot that is settled, and all that was heard around it. Positions in one tangent plane, times in seconds since 1970 UTC. */
export interface Witness {
  readonly time: number
  readonly position: LocalPosition
  readonly air: Air
  readonly gateways: readonly WitnessGateway[]
}

export interface WitnessGateway {
  readonly place: GatewayPlace
  /** The arrival that the locator took for this shot; null where it found none. */
  readonly matched: Arrival | null
  /** Everything else that could be it, if the clock were wrong. */
  readonly arrivals: readonly Arrival[]
}

/** How a gateway's arrivals lie to what the others expect there. */
export interface Deviation {
  readonly gateway: string
  /** When the shot was, seconds since 1970 UTC, and where. */
  readonly time: number
  readonly position: LocalPosition
  /** Seconds by which each arrival near the expected time is later than it, and one standard deviation. */
  readonly residuals: readonly number[]
  readonly error: number
  /** Seconds by which sound comes later for each metre that the gateway really stands further east, and north. */
  readonly slowness: { readonly east: number; readonly north: number }
  /** What the gateway itself says of its errors, metres and seconds. */
  readonly statedPositionError: number
  readonly statedTimeError: number
  /** How many other gateways agree with each other on this shot. */
  readonly others: number
}

/** A located shot as a witness: which arrivals are its own by the locator, and what else was heard about when it should be. */
export function witnessOf(
  { time, position, arrivals: explained }: LocatedShot,
  arrivals: readonly Arrival[],
  places: Iterable<GatewayPlace>,
  air: Air,
): Witness {
  const matched = new Set(explained.map(({ id }) => id))
  const gateways: WitnessGateway[] = []
  for (const place of places) {
    const east = place.position.east - position.east
    const north = place.position.north - position.north
    if (Math.hypot(east, north) > hearingRange) continue
    const expected = time + travelTime(air, east, north, place.position.up - position.up)
    const own = arrivals.filter(({ gateway }) => gateway === place.gateway)
    gateways.push({
      place,
      matched: own.find(({ id }) => matched.has(id)) ?? null,
      arrivals: own.filter(each => !matched.has(each.id) && Math.abs(each.time - expected) < 1.2 * clockReach),
    })
  }
  return { time, position, air, gateways }
}

/** One standard deviation of an arrival against straight sound from a source, seconds. */
function spread(arrival: Arrival, place: GatewayPlace, air: Air): number {
  return Math.hypot(pathError, arrival.timeError, place.positionError / air.speed)
}

interface Fit {
  readonly east: number
  readonly north: number
  readonly time: number
  readonly slower: number
  readonly inverse: number[][]
  readonly agreeing: number
}

/**
 * Place and time of the shot from some gateways: reweighted least squares for Student's distribution over east, north, time
 * and the share by which sound is slower than thought, which the weather's error holds near zero.
 */
function fit(witness: Witness, gateways: readonly { place: GatewayPlace; matched: Arrival }[]): Fit {
  const { air, position } = witness
  let { east, north } = position
  let time = witness.time
  let slower = 0
  let inverse: number[][] = []
  let agreeing = 0
  for (let iteration = 0; iteration < iterations; iteration++) {
    const normal = [
      [1e-8, 0, 0, 0],
      [0, 1e-8, 0, 0],
      [0, 0, 1e-8, 0],
      [0, 0, 0, 1 / air.speedError ** 2],
    ]
    const right = [0, 0, 0, -slower / air.speedError ** 2]
    agreeing = 0
    for (const { place, matched } of gateways) {
      const { travel, gradient } = path(witness, place, east, north)
      const residual = matched.time - time - travel * (1 + slower)
      const scale = spread(matched, place, air)
      const ratio = residual / scale
      if (Math.abs(ratio) < agreement) agreeing++
      const weight = (freedom + 1) / (freedom + ratio * ratio) / (scale * scale)
      const row = [-gradient.east, -gradient.north, 1, travel]
      for (let i = 0; i < 4; i++) {
        right[i]! += weight * row[i]! * residual
        for (let j = 0; j < 4; j++) normal[i]![j]! += weight * row[i]! * row[j]!
      }
    }
    inverse = invert(normal)
    const [stepEast = 0, stepNorth = 0, stepTime = 0, stepSlower = 0] = inverse.map(row =>
      row.reduce((sum, value, i) => sum + value * right[i]!, 0),
    )
    const length = Math.hypot(stepEast, stepNorth)
    const damping = length > 50 ? 50 / length : 1
    east += damping * stepEast
    north += damping * stepNorth
    time += damping * stepTime
    slower += damping * stepSlower
    if (length < 0.01) break
  }
  return { east, north, time, slower, inverse, agreeing }
}

/** Travel time to a gateway, seconds, and its growth with the gateway's place, seconds a metre. */
function path({ air, position }: Witness, place: GatewayPlace, east: number, north: number) {
  const dx = place.position.east - east
  const dy = place.position.north - north
  const dz = place.position.up - position.up
  const travel = travelTime(air, dx, dy, dz)
  const distance = Math.max(1, Math.hypot(dx, dy, dz))
  const slowness = travel / distance / distance
  return { travel, gradient: { east: dx * slowness, north: dy * slowness } }
}

/**
 * The deviation of each gateway from what the others lead one to expect; the shot is located anew without it and without
 * the `distrusted`. Gateways for which fewer than three others are left are passed over.
 */
export function deviationsOf(witness: Witness, distrusted: ReadonlySet<string>): Deviation[] {
  const reliable = witness.gateways.flatMap(({ place, matched }) =>
    matched === null || distrusted.has(place.gateway) ? [] : [{ place, matched }],
  )
  return witness.gateways.flatMap(({ place, matched, arrivals }): Deviation[] => {
    const heard = matched === null ? arrivals : [matched, ...arrivals]
    const [first] = heard
    const others = reliable.filter(other => other.place.gateway !== place.gateway)
    if (first === undefined || others.length < 3) return []
    const solution = fit(witness, others)
    const { travel, gradient } = path(witness, place, solution.east, solution.north)
    const row = [-gradient.east, -gradient.north, 1, travel]
    const variance = row.reduce(
      (sum, a, i) => sum + row.reduce((inner, b, j) => inner + a * b * solution.inverse[i]![j]!, 0),
      0,
    )
    const expected = solution.time + travel * (1 + solution.slower)
    const residuals = heard.map(({ time }) => time - expected).filter(late => Math.abs(late) <= clockReach)
    if (residuals.length === 0) return []
    return [
      {
        gateway: place.gateway,
        time: witness.time,
        position: witness.position,
        residuals,
        error: Math.hypot(spread(first, place, witness.air), Math.sqrt(Math.max(0, variance))),
        slowness: gradient,
        statedPositionError: place.positionError,
        statedTimeError: first.timeError,
        others: solution.agreeing,
      },
    ]
  })
}

/** Inverse of a small symmetric positive definite matrix by Gauss and Jordan; columns of very different size are brought to one. */
function invert(matrix: readonly (readonly number[])[]): number[][] {
  const size = matrix.length
  const scale = matrix.map((row, i) => 1 / Math.sqrt(Math.max(row[i]!, 1e-30)))
  const work = matrix.map((row, i) => [
    ...row.map((value, j) => value * scale[i]! * scale[j]! + (i === j ? 1e-12 : 0)),
    ...row.map((_, j) => (i === j ? 1 : 0)),
  ])
  for (let pivot = 0; pivot < size; pivot++) {
    const head = work[pivot]!
    const divisor = head[pivot]!
    for (let column = 0; column < 2 * size; column++) head[column]! /= divisor
    for (let row = 0; row < size; row++) {
      const factor = row === pivot ? 0 : work[row]![pivot]!
      if (factor !== 0) for (let column = 0; column < 2 * size; column++) work[row]![column]! -= factor * head[column]!
    }
  }
  return work.map((row, i) => row.slice(size).map((value, j) => value * scale[i]! * scale[j]!))
}
