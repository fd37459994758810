import type { Arrival, GatewayPlace, LocalPosition } from './arrival.js'
import type { Air } from './propagation.js'

/**
 * What single observations say about a hypothesis "a shot here, then", as natural logarithms of likelihood ratios against
 * "these arrivals are clutter". Association in clutter by likelihood ratio: Blackman and Popoli, Design and Analysis of
 * Modern Tracking Systems, 6.2.
 */

/** Residual of a direct arrival, seconds: rooftops delay sound more often than they speed it up. Measured ±12 ms, late-skewed. */
const earlyScale = 0.008
const lateScale = 0.012
/** Degrees of freedom of the residual's Student distribution: outliers are rare but real. */
export const residualFreedom = 4
/**
 * Onsets that are not shots at one gateway: ripples of the background and the city's own bangs, each a rate a second and
 * the decibel of salience over which it thins out by e.
 */
const ripples = { rate: 0.6, scale: 1.5 }
const bangs = { rate: 0.05, scale: 5 }
/** Salience of direct arrivals spreads over about so many decibel; beyond the limit more of it proves nothing. */
const salienceSpread = 30
const salienceLimit = 20
const leastSalience = 3
/** Within this distance nearly every shot is heard, and what is missed right beside the gun, metres and a probability. */
const hearingRange = 1000
const deafness = 0.03

/** Echoes that follow a blast: how many a second at first, and how soon they die away, seconds. */
const echoes = { rate: 2, scale: 4.5 }
const echoDecay = 0.25
/** How often a gateway that hears a shot hears only its echo, a probability. */
const onlyEcho = 0.08
/** What remains between rounds of one burst at one gateway, beside the picking error, seconds. Measured: 0.1 ms median. */
const repeatScale = 0.0005
/** The same gun at the same place is as loud again at a gateway, decibel; and how often it is not. Measured: 0.5 dB. */
const repeatLevelScale = 2
const oddLevel = 0.05

export interface Candidate {
  readonly arrival: Arrival
  readonly time: number
  readonly timeError: number
  /** Logarithm of how much likelier this salience is for a shot than for clutter, per second. */
  readonly weight: number
}

/** A gateway and what it heard, by time. */
export interface Station {
  readonly gateway: string
  readonly position: LocalPosition
  /** One standard deviation of an arrival that the place's error causes, seconds. */
  readonly siteError: number
  readonly heardUntil: number
  readonly candidates: readonly Candidate[]
}

/** Density of onsets that are not shots, a second and a decibel. */
function clutterDensity(salience: number): number {
  const above = Math.max(0, Math.min(salience, salienceLimit) - leastSalience)
  return (
    (ripples.rate / ripples.scale) * Math.exp(-above / ripples.scale) +
    (bangs.rate / bangs.scale) * Math.exp(-above / bangs.scale)
  )
}

/** Logarithm of how much likelier a salience is for a direct arrival than for clutter, seconds. */
function salienceWeight(salience: number): number {
  return -Math.log(salienceSpread * clutterDensity(salience))
}

/**
 * What the onsets after a candidate say of it, as a logarithm: a blast is followed by echoes, which are no clutter then,
 * and an echo is not followed by the blast. Poisson processes with and without the echoes' rate.
 */
function echoEvidence(time: number, later: readonly Arrival[]): number {
  let evidence = -echoes.rate * echoDecay
  for (const { time: other, salience } of later) {
    const delay = other - time
    if (delay <= 0) continue
    if (delay > 4 * echoDecay) break
    const above = Math.max(0, Math.min(salience, salienceLimit) - leastSalience)
    const density = (echoes.rate / echoes.scale) * Math.exp(-above / echoes.scale - delay / echoDecay)
    evidence += Math.log1p(density / clutterDensity(salience))
  }
  return evidence
}

/** One standard deviation of a residual, seconds; `timeError` is the arrival's own. */
export function residualScale(station: Station, timeError: number, residual: number): number {
  const scale = residual < 0 ? earlyScale : lateScale
  return Math.sqrt(scale * scale + station.siteError * station.siteError + timeError * timeError)
}

/** Density of a direct arrival's residual, per second: Student's, with another scale for early than for late. */
function directDensity(station: Station, timeError: number, residual: number): number {
  const early = residualScale(station, timeError, -1)
  const late = residualScale(station, timeError, 1)
  const ratio = residual / (residual < 0 ? early : late)
  // 0.75 is twice the peak of Student's density with four degrees of freedom.
  return (0.75 / (early + late)) * (1 + (ratio * ratio) / residualFreedom) ** (-(residualFreedom + 1) / 2)
}

/** Density of the residual where only an echo was heard, per second. */
function echoDensity(residual: number): number {
  return residual < 0 ? 0 : Math.exp(-residual / echoDecay) / echoDecay
}

/** Logarithm of the density of a residual, per second: mostly a direct arrival's, sometimes an echo's where that went unheard. */
export function residualEvidence(station: Station, timeError: number, residual: number): number {
  return Math.log((1 - onlyEcho) * directDensity(station, timeError, residual) + onlyEcho * echoDensity(residual))
}

/** Probability that an arrival with this residual came straight, 0 to 1. */
export function directProbability(station: Station, timeError: number, residual: number): number {
  const direct = (1 - onlyEcho) * directDensity(station, timeError, residual)
  return direct / (direct + onlyEcho * echoDensity(residual) + 1e-9)
}

/**
 * Logarithm of the density of how a round deviates from the pattern that an earlier one of the same burst left at a gateway:
 * in time, per second, and in level, decibel, where only a difference counts against it.
 */
export function repeatEvidence(timeError: number, deviation: number, levelDifference: number): number {
  const scale = repeatScale + timeError
  const level = (1 - oddLevel) * Math.exp(-Math.abs(levelDifference) / repeatLevelScale) + oddLevel
  return Math.log(level / (2 * scale)) - Math.abs(deviation) / scale
}

/** Probability that a gateway hears a shot at that distance, metres. */
export function hearingProbability(distance: number): number {
  const share = distance / hearingRange
  return (1 - deafness) * Math.exp(-share * share)
}

/** Sorts arrivals by gateway and time; those of unknown gateways are left out. */
export function stationsOf(
  arrivals: readonly Arrival[],
  places: ReadonlyMap<string, GatewayPlace>,
  heardUntil: ReadonlyMap<string, number>,
  air: Air,
): Station[] {
  const byGateway = new Map<string, Candidate[]>()
  for (const arrival of arrivals) {
    if (!Number.isFinite(arrival.time)) continue
    const { time, timeError } = arrival
    const candidates = byGateway.get(arrival.gateway) ?? []
    candidates.push({ arrival, time, timeError, weight: salienceWeight(arrival.salience) })
    byGateway.set(arrival.gateway, candidates)
  }
  for (const [gateway, candidates] of byGateway) {
    candidates.sort((a, b) => a.time - b.time || (a.arrival.id < b.arrival.id ? -1 : 1))
    const sorted = candidates.map(({ arrival }) => arrival)
    byGateway.set(
      gateway,
      candidates.map((candidate, i) => ({
        ...candidate,
        weight: candidate.weight + echoEvidence(candidate.time, sorted.slice(i + 1)),
      })),
    )
  }
  return [...places.values()]
    .sort((a, b) => (a.gateway < b.gateway ? -1 : 1))
    .map(({ gateway, position, positionError }) => ({
      gateway,
      position,
      siteError: positionError / air.speed,
      heardUntil: heardUntil.get(gateway) ?? Number.NEGATIVE_INFINITY,
      candidates: (byGateway.get(gateway) ?? []).sort(
        (a, b) => a.time - b.time || (a.arrival.id < b.arrival.id ? -1 : 1),
      ),
    }))
}
