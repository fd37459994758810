import type { Arrival, GatewayPlace, LocalPosition } from './arrival.js'
import { type BearingRow, bearingRow } from './bearing-fit.js'
import type { Air } from './propagation.js'

// What single observations say about "a shot here, then", as likelihood ratios against "these arrivals are clutter":
// association in clutter after Blackman and Popoli, Design and Analysis of Modern Tracking Systems, 6.2. The figures were
// measured on the live-fire recordings of Tech Note 098 (firing positions 1, 2 and 4) or are rounded guesses of physics.

/**
 * Scales of a direct arrival's residual around the best place, early and late, seconds. Around the true place residuals
 * are ±12 ms; three of some five degrees of freedom go into the place. Buildings delay sound more often than they help it.
 */
const earlyScale = 0.005
const lateScale = 0.008
/** Degrees of freedom of the residual's Student distribution: outliers are rare but real. */
export const residualFreedom = 4
/**
 * Onsets that are not shots at one gateway: ripples of the background and the city's own bangs, each a rate a second and
 * the decibel of salience over which it thins out by e.
 */
const ripples = { rate: 0.6, scale: 1.5 }
const bangs = { rate: 0.05, scale: 5 }
/** Ripples are counted below this salience, over at least this long, seconds. */
const faintSalience = 6
const shortestSpan = 8
/** Echoes that follow a blast: a rate a second at first, decibel as above, and how fast they die away, seconds. */
export const echoDecay = 0.25
const echoes = { rate: 2, scale: 4.5, decay: echoDecay }
/** Salience of direct arrivals spreads over about so many decibel; beyond the limit more of it proves nothing. */
const salienceSpread = 30
const salienceLimit = 20
const leastSalience = 3
/**
 * The share of shots that is heard falls off with distance like a Gaussian of a width, metres, and is never one. How wide is the
 * same for all gateways that may hear a shot: a barrel that points away, houses around it or a gale silence many at once, so
 * that the silence of each says less than that of the one before. The first is what the live-fire recordings are like; the
 * second is what fits simulated days, at half the share that fits them best, since they are the windier.
 */
const audibilities = [
  { share: 0.9, range: 1000 },
  { share: 0.1, range: 500 },
] as const
const deafness = 0.03
export const audibilityShares: readonly number[] = audibilities.map(({ share }) => share)
/** How often a gateway that hears a shot hears only its echo, a probability. Measured: 8 of 480; taken as more. */
const onlyEcho = 0.07
/** What remains between rounds of one burst at one gateway, beside the picking error, seconds. Measured: 0.1 ms median. */
const repeatScale = 0.0005
/** The same gun at the same place is as loud again at a gateway, decibel; and how often it is not. Measured: 0.5 dB. */
const repeatLevelScale = 2
const oddLevel = 0.05
/** Shots are where gateways are: their distance from the nearest one, metres, one standard deviation. */
const coverage = 250

/** An arrival with what it is worth to any hypothesis. */
export interface Candidate {
  readonly arrival: Arrival
  readonly time: number
  readonly timeError: number
  /** Logarithm of how much likelier the onset is as a direct arrival than as clutter, seconds. */
  readonly weight: number
  /** e to the power of `weight`. */
  readonly boost: number
  /** Scales of its residual, early and late: path, place and picking together, seconds. */
  readonly early: number
  readonly late: number
}

/** A gateway and what it heard, by time. */
export interface Station {
  readonly gateway: string
  readonly position: LocalPosition
  readonly positionError: number
  readonly heardUntil: number
  /** Onsets a second that are ripples of its background. */
  readonly rippleRate: number
  readonly candidates: readonly Candidate[]
}

/** Density of onsets that are not shots, a second and a decibel, where so many ripples come a second. */
function clutterDensity(salience: number, rippleRate: number): number {
  const above = Math.max(0, Math.min(salience, salienceLimit) - leastSalience)
  return (
    (rippleRate / ripples.scale) * Math.exp(-above / ripples.scale) +
    (bangs.rate / bangs.scale) * Math.exp(-above / bangs.scale)
  )
}

/** Density of echoes of this salience so long after a blast, a second and a decibel. */
function echoDensity(salience: number, delay: number): number {
  if (delay <= 0 || delay > 4 * echoes.decay) return 0
  const above = Math.max(0, Math.min(salience, salienceLimit) - leastSalience)
  return (echoes.rate / echoes.scale) * Math.exp(-above / echoes.scale - delay / echoes.decay)
}

/**
 * Logarithm of an onset's worth, seconds. `blasts` are known arrivals of other shots, whose echoes it may be. What follows
 * counts too: a blast is followed by echoes, which are then no clutter, but an echo is not followed by the blast (Poisson
 * processes with and without the echoes' rate).
 */
function onsetWeight(
  arrival: Arrival,
  later: readonly Arrival[],
  blasts: readonly number[],
  rippleRate: number,
): number {
  const density = (time: number, salience: number) =>
    blasts.reduce((sum, blast) => sum + echoDensity(salience, time - blast), clutterDensity(salience, rippleRate))
  let weight = -Math.log(salienceSpread * density(arrival.time, arrival.salience)) - echoes.rate * echoes.decay
  for (const { time, salience } of later) {
    const delay = time - arrival.time
    if (delay > 4 * echoes.decay) break
    weight += Math.log1p(echoDensity(salience, delay) / density(time, salience))
  }
  return weight
}

/** One gateway's arrivals as candidates, by time. */
export function candidatesOf(
  arrivals: readonly Arrival[],
  positionError: number,
  air: Air,
  rippleRate: number,
  blasts: readonly number[],
): Candidate[] {
  const sorted = [...arrivals].sort((a, b) => a.time - b.time || (a.id < b.id ? -1 : 1))
  return sorted.map((arrival, i) => {
    const weight = onsetWeight(arrival, sorted.slice(i + 1), blasts, rippleRate)
    // Place and picking err like Gaussians; Student's variance is twice its squared scale.
    const timing = Math.hypot(positionError / air.speed, arrival.timeError) / Math.SQRT2
    return {
      arrival,
      time: arrival.time,
      timeError: arrival.timeError,
      weight,
      boost: Math.exp(weight),
      early: Math.hypot(earlyScale, timing),
      late: Math.hypot(lateScale, timing),
    }
  })
}

/**
 * What the locator reads of an arrival, as an object of one and the same shape whoever made it: the engine translates code for
 * the shapes that it has met, and anew for each that it has not, which costs more than locating.
 */
function alike({ id, gateway, time, timeError, salience, soundLevel, bearing, gunProbability }: Arrival): Arrival {
  const same = bearing && { azimuth: bearing.azimuth, elevation: bearing.elevation, error: bearing.error }
  return { id, gateway, time, timeError, salience, soundLevel, bearing: same, gunProbability }
}

/** Sorts arrivals by gateway and time; those of unknown gateways, or of no known time or place, and shock waves are left out. */
export function stationsOf(
  arrivals: readonly Arrival[],
  places: ReadonlyMap<string, GatewayPlace>,
  heardUntil: ReadonlyMap<string, number>,
  air: Air,
): Station[] {
  const byGateway = new Map<string, Arrival[]>()
  for (const arrival of arrivals) {
    if (!Number.isFinite(arrival.time) || !Number.isFinite(arrival.timeError) || arrival.shockWave) continue
    const known = byGateway.get(arrival.gateway)
    if (known) known.push(alike(arrival))
    else byGateway.set(arrival.gateway, [alike(arrival)])
  }
  const times = [...byGateway.values()].flatMap(heard => heard.map(({ time }) => time))
  const span =
    times.reduce((most, time) => Math.max(most, time), 0) -
    times.reduce((least, time) => Math.min(least, time), Number.POSITIVE_INFINITY)
  return [...places.values()]
    .filter(({ positionError }) => Number.isFinite(positionError))
    .sort((a, b) => (a.gateway < b.gateway ? -1 : 1))
    .map(({ gateway, position, positionError }) => {
      const heard = byGateway.get(gateway) ?? []
      const faint = heard.filter(({ salience }) => salience < faintSalience).length
      // Only a count that chance does not explain (two standard deviations of Poisson's) makes a gateway a noisy one.
      const rippleRate = Math.max(ripples.rate, (faint - 2 * Math.sqrt(faint)) / Math.max(span, shortestSpan))
      return {
        gateway,
        position: { east: position.east, north: position.north, up: position.up },
        positionError,
        heardUntil: heardUntil.get(gateway) ?? Number.NEGATIVE_INFINITY,
        rippleRate,
        candidates: candidatesOf(heard, positionError, air, rippleRate, []),
      }
    })
}

/** Density of a direct arrival's residual, per second: Student's with four degrees of freedom, early and late scales apart. */
export function studentDensity(residual: number, early: number, late: number): number {
  const ratio = residual / (residual < 0 ? early : late)
  const x = 1 + (ratio * ratio) / residualFreedom
  // 0.75 is twice the peak of Student's density with four degrees of freedom.
  return ((1 - onlyEcho) * 0.75) / ((early + late) * x * x * Math.sqrt(x))
}

export function directDensity(candidate: Candidate, residual: number): number {
  return studentDensity(residual, candidate.early, candidate.late)
}

/** Density of the residual where only an echo was heard, per second. */
export function onlyEchoDensity(residual: number): number {
  return residual < 0 ? 0 : (onlyEcho * Math.exp(-residual / echoes.decay)) / echoes.decay
}

/**
 * Density of a residual, per second: mostly a direct arrival's, sometimes an echo's where that went unheard, which comes from
 * anywhere. `ratio` is how much likelier the bearing is for a sound straight from the source than for one from anywhere.
 */
export function residualDensity(candidate: Candidate, residual: number, ratio: number): number {
  return directDensity(candidate, residual) * ratio + onlyEchoDensity(residual)
}

/** Probability that an arrival with this residual came straight, 0 to 1; `ratio` as above. */
export function directProbability(candidate: Candidate, residual: number, ratio = 1): number {
  const direct = directDensity(candidate, residual) * ratio
  return direct / (direct + onlyEchoDensity(residual) + 1e-9)
}

/** What a candidate's bearing says of a source at a place; null where its array gave none. */
export function bearingOf(candidate: Candidate, station: Station, source: LocalPosition, air: Air): BearingRow | null {
  const { bearing } = candidate.arrival
  const { position, positionError } = station
  return bearing && bearingRow(source, { position, positionError, bearing }, air)
}

/**
 * Logarithm of the density of how a round deviates from the pattern that an earlier one of the same burst left at a
 * gateway: in time, per second, and in level, decibel, where only a difference counts against it.
 */
export function repeatEvidence(timeError: number, deviation: number, levelDifference: number): number {
  const scale = repeatScale + timeError
  const level = (1 - oddLevel) * Math.exp(-Math.abs(levelDifference) / repeatLevelScale) + oddLevel
  return Math.log(level / (2 * scale)) - Math.abs(deviation) / scale
}

/** The probability below for every metre up to four ranges, beyond which it is nought. */
const hearing = audibilities.map(({ range }) =>
  Float64Array.from({ length: 4 * range }, (_, distance) => (1 - deafness) * Math.exp(-((distance / range) ** 2))),
)

/** Probability that a gateway hears a shot at that distance, metres, if the shot is of that audibility, an index of `audibilityShares`. */
export function hearingProbability(distance: number, audibility: number): number {
  const byDistance = hearing[audibility]!
  return distance < byDistance.length ? byDistance[Math.floor(distance)]! : 0
}

/** Logarithm of how likely a shot is so far from its nearest gateway, metres. */
export function coverageEvidence(distance: number): number {
  return -0.5 * (distance / coverage) ** 2
}
