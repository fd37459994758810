import { type Deviation, freedom } from './witness.js'

/**
 * How well a wrong clock or a wrong place explains the deviations of one gateway, against none of both. Arrivals at a gateway
 * are its direct sound, if it hears any, among a Poisson process of others (Blackman and Popoli, Design and Analysis of
 * Modern Tracking Systems, 6.2), so that sounds which have nothing to do with the shot count for nothing either way.
 */

export type FaultKind = 'clock' | 'position'

/** What is wrong with a gateway: seconds by which its times are late, or where it really stands from where it says, metres. */
export interface Explanation {
  readonly kind: FaultKind
  readonly late: number
  readonly east: number
  readonly north: number
  /** One standard deviation, seconds for a clock, metres for a position. */
  readonly error: number
  /** Logarithm of how much likelier the deviations are with this fault than with none, less what so large a one surprises. */
  readonly gain: number
}

/** A gateway hears the direct sound of a shot that it should hear with this probability. */
const hears = 0.85
/** Other onsets at a gateway, a second. */
const clutterRate = 0.5
/** Shots nearer to each other than this come to a gateway by the same way and count as one, metres. */
const samePlace = 40
/** Metres off from which the search for a wrong place starts, all around. */
const startRadii = [14, 32]
const directions = 8
/** The newest deviations whose arrivals the search for a wrong clock starts from. */
const startDeviations = 6
const refinements = 10
/** A fault is found when it changes by less than this at one step, seconds and metres. */
const exactness = { clock: 2e-4, position: 0.1 }
/** Faults of a few times this size are rarer by the square, as in Cauchy's distribution; seconds and metres. */
const usualSize = { clock: 0.05, position: 20 }

type Shift = Pick<Explanation, 'late' | 'east' | 'north'>
const none: Shift = { late: 0, east: 0, north: 0 }

/** How large a fault is: seconds for a clock, metres for a position. */
export function sizeOf({ kind, late, east, north }: Shift & Pick<Explanation, 'kind'>): number {
  return kind === 'clock' ? Math.abs(late) : Math.hypot(east, north)
}

/** Each deviation's share: those of shots at one place are worth one together. */
export function shares(deviations: readonly Deviation[]): number[] {
  return deviations.map(
    ({ position }) =>
      1 /
      deviations.filter(
        ({ position: other }) => Math.hypot(other.east - position.east, other.north - position.north) < samePlace,
      ).length,
  )
}

/** Student's density, with four degrees of freedom, of an arrival `late` seconds after the expected time, per second. */
function density(late: number, error: number): number {
  const ratio = late / error
  const tail = 1 + (ratio * ratio) / freedom
  return 0.375 / (error * tail * tail * Math.sqrt(tail))
}

function shiftOf({ slowness }: Deviation, { late, east, north }: Shift): number {
  return late + east * slowness.east + north * slowness.north
}

/** Logarithm of the likelihood of one deviation under a fault, against clutter alone. */
function evidence(deviation: Deviation, fault: Shift): number {
  const shift = shiftOf(deviation, fault)
  let sum = 0
  for (const residual of deviation.residuals) sum += density(residual - shift, deviation.error)
  return Math.log(1 - hears + (hears * sum) / clutterRate)
}

/** Logarithm of how much likelier the deviations are under one fault than under another, by default none. */
export function likelihood(
  deviations: readonly Deviation[],
  weights: readonly number[],
  fault: Shift,
  other = none,
): number {
  return deviations.reduce(
    (sum, deviation, i) => sum + weights[i]! * (evidence(deviation, fault) - evidence(deviation, other)),
    0,
  )
}

/** The wrong clock that explains the deviations best. */
export function wrongClock(deviations: readonly Deviation[], weights: readonly number[]): Explanation {
  const starts = deviations.slice(-startDeviations).flatMap(({ residuals }) => residuals)
  const shifts = starts.map(late => ({ late, east: 0, north: 0 }))
  return best('clock', deviations, weights, shifts)
}

/** The wrong place that explains the deviations best. */
export function wrongPosition(deviations: readonly Deviation[], weights: readonly number[]): Explanation {
  const shifts = startRadii.flatMap(radius =>
    Array.from({ length: directions }, (_, i) => {
      const angle = (2 * Math.PI * i) / directions
      return { late: 0, east: radius * Math.sin(angle), north: radius * Math.cos(angle) }
    }),
  )
  return best('position', deviations, weights, shifts)
}

function best(
  kind: FaultKind,
  deviations: readonly Deviation[],
  weights: readonly number[],
  starts: readonly Shift[],
): Explanation {
  const ranked = starts
    .map(shift => ({ shift, gain: likelihood(deviations, weights, shift) }))
    .sort((a, b) => b.gain - a.gain)
    .slice(0, 2)
  let found: Explanation = { kind, ...none, error: Number.POSITIVE_INFINITY, gain: 0 }
  for (const { shift } of ranked) {
    const refined = refine(kind, deviations, weights, shift)
    const size = sizeOf({ kind, ...refined })
    const gain = likelihood(deviations, weights, refined) - Math.log1p((size / usualSize[kind]) ** 2)
    if (gain > found.gain) found = { kind, ...refined, gain }
  }
  return found
}

/** Expectation and maximisation: which arrivals the fault explains, then the fault that explains those best. */
function refine(
  kind: FaultKind,
  deviations: readonly Deviation[],
  weights: readonly number[],
  start: Shift,
): Shift & { error: number } {
  let fault = start
  let error = Number.POSITIVE_INFINITY
  for (let round = 0; round < refinements; round++) {
    let next = fault
    let [a, b, c, right1, right2] = [1e-12, 0, 1e-12, 0, 0]
    deviations.forEach((deviation, i) => {
      const shift = shiftOf(deviation, fault)
      const total = Math.exp(evidence(deviation, fault))
      const [x, y] = kind === 'clock' ? [1, 0] : [deviation.slowness.east, deviation.slowness.north]
      for (const residual of deviation.residuals) {
        const ratio = (residual - shift) / deviation.error
        const share = (hears * density(residual - shift, deviation.error)) / clutterRate / total
        const student = (freedom + 1) / (freedom + ratio * ratio)
        const weight = (weights[i]! * share * student) / deviation.error ** 2
        a += weight * x * x
        b += weight * x * y
        c += weight * y * y
        right1 += weight * x * residual
        right2 += weight * y * residual
      }
    })
    if (kind === 'clock') {
      next = { ...none, late: right1 / a }
      error = 1 / Math.sqrt(a)
    } else {
      const determinant = Math.max(a * c - b * b, 1e-30)
      next = {
        late: 0,
        east: (c * right1 - b * right2) / determinant,
        north: (a * right2 - b * right1) / determinant,
      }
      // The longer axis of the error ellipse.
      error = Math.sqrt(((a + c) / 2 + Math.hypot((a - c) / 2, b)) / determinant)
    }
    const change = { late: next.late - fault.late, east: next.east - fault.east, north: next.north - fault.north }
    fault = next
    if (sizeOf({ kind, ...change }) < exactness[kind]) break
  }
  return { ...fault, error }
}
