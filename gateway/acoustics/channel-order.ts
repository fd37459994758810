import type { Microphone } from './array-shape.js'

/** The sound around the first wave front of an impulse, one array a channel. */
export interface ImpulseFront {
  readonly channels: readonly Float32Array[]
  /** Hertz. */
  readonly sampleRate: number
  /** Where the source is, if somebody clapped on purpose, degrees clockwise from the array's front. */
  readonly azimuth?: number | undefined
}

/** What one impulse says of a channel order. */
export interface OrderVerdict {
  /** Two channels, counted from 0, that fit better when exchanged; null where the order as it is fits. */
  readonly swapped: readonly [number, number] | null
  /** How many times likelier than the order as it is, natural logarithm; with no swap, how far the next best is behind. */
  readonly margin: number
  /** By two channels, such as `0,3`: how many times likelier the order as it is, than with them exchanged, natural logarithm. */
  readonly against: ReadonlyMap<string, number>
  /** Channels whose wave is upside down against the others'. */
  readonly reversed: readonly number[]
}

const speedOfSound = 340
/** One standard deviation of a lag between two channels, samples, and at least so many seconds. */
const lagErrorSamples = 0.35
const leastLagError = 8e-6
/** One standard deviation of a clap's azimuth as a person judges it, radians. */
const azimuthError = (15 * Math.PI) / 180
/** Two channels whose best correlation stays below this did not hear the same wave. */
const leastCorrelation = 0.4

interface Lag {
  readonly one: number
  readonly other: number
  /** How much later `other` hears it, seconds. */
  readonly lag: number
  readonly inverted: boolean
}

/**
 * Compares the lags of an impulse's wave front with those that a plane wave from anywhere would have, for the channels as they
 * are and with any two exchanged. An exchange that mirrors the array (any two of a regular tetrahedron, opposite corners of a
 * square) gives lags that another direction gives too: only an impulse from a known azimuth tells it.
 *
 * @param usable channels that work
 * @returns null where fewer than three channels heard the same wave
 */
export function judgeOrder(
  front: ImpulseFront,
  microphones: readonly Microphone[],
  usable: readonly number[],
): OrderVerdict | null {
  const lags = lagsOf(front, microphones, usable)
  const heard = [...new Set(lags.flatMap(({ one, other }) => [one, other]))].sort((a, b) => a - b)
  if (heard.length < 3) return null
  const error = Math.max(leastLagError, lagErrorSamples / front.sampleRate)
  const places = microphones.map(({ right, forward, up }): Vector => [right, forward, up])
  const costOf = (order: readonly Vector[]): number => planeWaveMisfit(lags, order, error, front.azimuth)
  const own = costOf(places)
  const exchanges = heard
    .flatMap((one, index) => heard.slice(index + 1).map(other => [one, other] as const))
    .map(pair => ({ pair, cost: costOf(exchanged(places, pair)) }))
    .sort((a, b) => a.cost - b.cost)
  const [best] = exchanges
  if (best === undefined) return null
  // Each pair of channels counts once in the cost, but m channels have only m - 1 lags of their own.
  const weight = (heard.length - 1) / Math.max(1, lags.length) / 2
  const margin = weight * Math.abs(own - best.cost)
  const against = new Map(exchanges.map(({ pair, cost }) => [pair.join(), weight * (cost - own)]))
  return { swapped: best.cost < own ? best.pair : null, margin, against, reversed: reversedOf(lags, heard) }
}

type Vector = readonly [number, number, number]

function exchanged(places: readonly Vector[], [one, other]: readonly [number, number]): Vector[] {
  return places.map((place, index) => (index === one ? places[other] : index === other ? places[one] : place) ?? place)
}

function lagsOf(
  { channels, sampleRate }: ImpulseFront,
  microphones: readonly Microphone[],
  usable: readonly number[],
): Lag[] {
  const widest = Math.max(...usable.flatMap(a => usable.map(b => distance(microphones[a], microphones[b]))))
  // Exchanged channels still have lags that the array allows, but not these two microphones.
  const most = Math.ceil((1.1 * widest * sampleRate) / speedOfSound) + 2
  return usable.flatMap((one, index) =>
    usable.slice(index + 1).flatMap(other => {
      const found = strongestLag(channels[one] ?? new Float32Array(), channels[other] ?? new Float32Array(), most)
      return found === null ? [] : [{ one, other, lag: found.lag / sampleRate, inverted: found.inverted }]
    }),
  )
}

/** The lag of `other` behind `one` at which they are most alike or most opposite, samples with a fraction. */
function strongestLag(one: Float32Array, other: Float32Array, most: number): { lag: number; inverted: boolean } | null {
  const length = Math.min(one.length, other.length)
  const correlation = (lag: number): number => {
    let sum = 0
    for (let i = Math.max(0, -lag); i < Math.min(length, length - lag); i++)
      sum += (one[i] ?? 0) * (other[i + lag] ?? 0)
    return sum
  }
  const scale = Math.sqrt(energyOf(one) * energyOf(other))
  const values = Array.from({ length: 2 * most + 1 }, (_, index) => correlation(index - most))
  const peak = values.reduce((best, value, index) => (Math.abs(value) > Math.abs(values[best] ?? 0) ? index : best), 0)
  const height = values[peak] ?? 0
  if (!(Math.abs(height) >= leastCorrelation * scale) || scale === 0) return null
  const [before = 0, after = 0] = [values[peak - 1], values[peak + 1]]
  const curvature = before - 2 * height + after
  const shift = curvature === 0 ? 0 : (before - after) / (2 * curvature)
  return { lag: peak - most + Math.max(-0.5, Math.min(0.5, shift)), inverted: height < 0 }
}

function energyOf(samples: Float32Array): number {
  return samples.reduce((sum, sample) => sum + sample * sample, 0)
}

/** Channels opposite to the majority of those that heard the wave. */
function reversedOf(lags: readonly Lag[], heard: readonly number[]): number[] {
  const [first] = heard
  const signs = new Map(heard.map(channel => [channel, channel === first ? 1 : signAgainst(lags, first ?? 0, channel)]))
  const negative = heard.filter(channel => signs.get(channel) === -1)
  if (2 * negative.length === heard.length) return []
  return 2 * negative.length < heard.length ? negative : heard.filter(channel => signs.get(channel) === 1)
}

function signAgainst(lags: readonly Lag[], one: number, other: number): number {
  return lags.some(lag => lag.inverted && lag.one === Math.min(one, other) && lag.other === Math.max(one, other))
    ? -1
    : 1
}

/** Sum of squared misfits, in standard deviations, of the plane wave that fits best among those from every direction. */
function planeWaveMisfit(
  lags: readonly Lag[],
  places: readonly Vector[],
  error: number,
  azimuth: number | undefined,
): number {
  let best = Number.POSITIVE_INFINITY
  for (const slowness of azimuth === undefined ? directions : directionsNear(azimuth)) {
    let cost = azimuth === undefined ? 0 : (turnBetween(slowness, azimuth) / azimuthError) ** 2
    for (const { one, other, lag } of lags) {
      const [a, b] = [places[one], places[other]]
      if (a === undefined || b === undefined) continue
      // A wave that comes from a direction reaches last what lies farthest against it.
      const expected =
        -((b[0] - a[0]) * slowness[0] + (b[1] - a[1]) * slowness[1] + (b[2] - a[2]) * slowness[2]) / speedOfSound
      // One lag that went wrong must not decide.
      cost += Math.min(25, ((lag - expected) / error) ** 2)
      if (cost >= best) break
    }
    if (cost < best) best = cost
  }
  return best
}

/** Unit vectors (right, forward, up) towards every place a sound may come from, three degrees apart, none from far below. */
const directions: readonly Vector[] = Array.from({ length: 37 }, (_, row) => row * 3 - 18).flatMap(elevation => {
  const steps = Math.max(1, Math.round(120 * Math.cos((elevation * Math.PI) / 180)))
  return Array.from({ length: steps }, (_, step) => unit((360 * step) / steps, elevation))
})

function directionsNear(azimuth: number): Vector[] {
  return Array.from({ length: 31 }, (_, step) => azimuth - 45 + 3 * step).flatMap(turned =>
    [-15, 0, 15, 30, 45, 60].map(elevation => unit(turned, elevation)),
  )
}

function unit(azimuth: number, elevation: number): Vector {
  const [a, e] = [(azimuth * Math.PI) / 180, (elevation * Math.PI) / 180]
  return [Math.cos(e) * Math.sin(a), Math.cos(e) * Math.cos(a), Math.sin(e)]
}

function turnBetween([right, forward]: Vector, azimuth: number): number {
  const turned = Math.atan2(right, forward) - (azimuth * Math.PI) / 180
  return Math.abs(Math.atan2(Math.sin(turned), Math.cos(turned)))
}

function distance(a: Microphone | undefined, b: Microphone | undefined): number {
  if (a === undefined || b === undefined) return 0
  return Math.hypot(a.right - b.right, a.forward - b.forward, a.up - b.up)
}
