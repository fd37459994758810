import { turn } from './array-shape.js'
import type { Bearing } from './arrival.js'
import type { Snippet } from './listener.js'

/**
 * Supersonic rounds: a bullet drags a shock cone whose front reaches a microphone as an N-wave, before the muzzle blast.
 * Maher, Acoustical Characterization of Gunshots (IEEE SAFE 2007); Sallai et al., Weapon Classification and Shooter Localization
 * Using Distributed Multichannel Acoustic Sensors (J. Systems Architecture 2011).
 */

/** Below this an N-wave is a few samples and looks like any click, hertz. */
const leastSampleRate = 32_000
/** N-waves of small arms from half a metre to a hundred metres off the bullet's path (Whitham 1952), seconds. */
const shortest = 80e-6
const longest = 700e-6
/** Suction over pressure; a blast's suction is a third of its pressure or less. */
const leastSymmetry = 0.6
const mostSymmetry = 1.6
/** Correlation of what lies between the two peaks with a straight fall. */
const leastStraightness = 0.95
/** After an N-wave it is quiet for as long again, at most this share of its peak. */
const mostAfterwards = 0.5

/** So many samples in a row within this share of the extreme are cut flat by a converter; what is left of the fall is less straight. */
const flatSamples = 3
const flatShare = 0.97
const leastClippedStraightness = 0.85

/** An impulse that falls in a straight line from a sudden pressure to a sudden suction. */
export interface NWave {
  /** From front to front, seconds. */
  readonly duration: number
  /** Suction over pressure, 1 for a perfect N; where it is clipped, their times. */
  readonly symmetry: number
  /** Correlation of the fall with a straight line, 0 to 1. */
  readonly straightness: number
}

/** The N-wave at a snippet's onset as its loudest channel has it; null where there is none, or the sample rate cannot show one. */
export function nWaveOf({ channels, sampleRate, onset }: Snippet): NWave | null {
  if (sampleRate < leastSampleRate) return null
  const from = Math.max(0, Math.floor(onset - 0.002 * sampleRate))
  const windows = channels.map(channel => channel.subarray(from, Math.ceil(onset + 0.003 * sampleRate)))
  const loudest = windows.reduce((a, b) => (peakOf(b) > peakOf(a) ? b : a), new Float32Array())
  const quiet = Math.max(1, Math.floor(0.001 * sampleRate))
  const level = loudest.subarray(0, quiet).reduce((sum, value) => sum + value / quiet, 0)
  const wave = loudest.map(value => value - level)
  let top = 0
  for (let i = 0; i < wave.length; i++) if (wave[i]! > wave[top]!) top = i
  let bottom = top
  const last = Math.min(wave.length - 1, top + Math.ceil(longest * sampleRate))
  for (let i = top; i <= last; i++) if (wave[i]! < wave[bottom]!) bottom = i
  const [pressure, suction] = [wave[top] ?? 0, -(wave[bottom] ?? 0)]
  if (!(pressure > 0 && suction > 0) || pressure < 0.6 * peakOf(wave)) return null
  const flat = { top: flatFrom(wave, top), bottom: flatFrom(wave, bottom) }
  const isClipped = Math.max(flat.top - top, flat.bottom - bottom) >= flatSamples - 1
  const end = isClipped ? flat.bottom : bottom
  // A band limit rounds the corners by about a sample each; the fronts lie outside the peaks.
  const duration = (end - top + 1) / sampleRate
  const symmetry = isClipped ? halves(wave.subarray(top, end + 1)) : suction / pressure
  const fall = isClipped ? wave.subarray(flat.top, bottom + 1) : wave.subarray(top, bottom + 1)
  const straightness = bottom - top < 2 ? 0 : -correlation(fall)
  const rest = wave.subarray(end + 3, end + 3 + Math.ceil(duration * sampleRate))
  const isN =
    duration >= shortest &&
    duration <= longest &&
    symmetry >= leastSymmetry &&
    symmetry <= mostSymmetry &&
    straightness >= (isClipped ? leastClippedStraightness : leastStraightness) &&
    peakOf(rest) <= mostAfterwards * pressure
  return isN ? { duration, symmetry, straightness } : null
}

/** The last sample from `extreme` on that is as extreme. */
function flatFrom(wave: Float32Array, extreme: number): number {
  let last = extreme
  while (last + 1 < wave.length && wave[last + 1]! / wave[extreme]! >= flatShare) last++
  return last
}

/** How much longer the part below zero is than the one above. */
function halves(wave: Float32Array): number {
  const above = wave.reduce((count, value) => count + Number(value > 0), 0)
  return (wave.length - above) / Math.max(1, above)
}

function peakOf(samples: Float32Array): number {
  return samples.reduce((peak, value) => Math.max(peak, Math.abs(value)), 0)
}

/** Correlation of values with their index. */
function correlation(values: Float32Array): number {
  const middle = (values.length - 1) / 2
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  let [product, one, other] = [0, 0, 0]
  for (let i = 0; i < values.length; i++) {
    product += (i - middle) * (values[i]! - mean)
    one += (i - middle) ** 2
    other += (values[i]! - mean) ** 2
  }
  return product / Math.sqrt(Math.max(one * other, 1e-30))
}

/** A front and when and whence it came: seconds, degrees. */
export interface HeardFront {
  readonly time: number
  /** One standard deviation of `time` against the other front's, seconds. */
  readonly timeError: number
  readonly bearing: Bearing
}

/** What is assumed or known of the bullet. */
export interface Projectile {
  /** Speed at the muzzle over the speed of sound, least and most. */
  readonly mach: readonly [number, number]
  /** Loss of that ratio a metre, least and most. Rifle bullets lose 0.001 to 0.004, pistol bullets up to 0.01. */
  readonly loss: readonly [number, number]
}

export const rifle: Projectile = { mach: [1.6, 3.1], loss: [0.001, 0.004] }

/** Range of a shooter, metres: the middle and the ends of the interval that holds it with 95 % confidence over all assumed bullets. */
export interface ShooterRange {
  readonly range: number
  readonly nearest: number
  readonly farthest: number
  /** Degrees from the muzzle blast's bearing to the shock's. */
  readonly angle: number
}

/** Slower bullets drag no clean cone, and small changes of speed turn it much. */
const leastMach = 1.15
/** Bullets of all assumed kinds are tried in so many steps of speed and loss. */
const machSteps = 8
const lossSteps = 3
/** A range whose interval is wider than this factor is none. */
const mostRatio = 4
const longestDelay = 3
/** Deviations of angle and delay that span the interval: 95 % of a normal distribution. */
const deviations = 1.96

/**
 * Range of a shooter from the angle and the delay between shock wave and muzzle blast at one array. For a bullet that keeps its
 * speed the triangle of shooter, array and the point where the shock left the path gives range = c × delay / (1 - cos angle),
 * whatever the speed; a bullet that slows down brings it nearer, by an amount that the assumed bullets bound. Straight path,
 * still and even air.
 *
 * Null where it is no such pair or the physics does not allow a range: the shock not first, an angle too small against its error,
 * or so large that no assumed bullet's cone reaches the array, or a bullet that
 * where the shock left it was slower than Mach 1.15, or than the cube root of its Mach number at the muzzle: beyond that one angle
 * and delay belong to two paths, of which this takes the nearer.
 *
 * @param speedOfSound metres a second, and `speedOfSoundError` its standard deviation as a share
 */
export function rangeOfShooter(
  shock: HeardFront,
  blast: HeardFront,
  options: { readonly projectile?: Projectile; readonly speedOfSound: number; readonly speedOfSoundError: number },
): ShooterRange | null {
  const { projectile = rifle, speedOfSound, speedOfSoundError } = options
  const delay = blast.time - shock.time
  const angle = between(shock.bearing, blast.bearing)
  const angleError = Math.hypot(shock.bearing.error, blast.bearing.error)
  const delayError = Math.hypot(shock.timeError, blast.timeError)
  if (!(delay > 2 * deviations * delayError && delay < longestDelay)) return null
  if (!(angle > 2 * deviations * angleError)) return null
  const bullets = spread(projectile.mach, machSteps).flatMap(mach =>
    spread(projectile.loss, lossSteps).map(loss => ({ mach, loss })),
  )
  const path = speedOfSound * delay
  const middles = bullets.flatMap(bullet => rangeFor(bullet, path, angle) ?? [])
  if (middles.length === 0) return null
  // The share by which delay, speed and angle may be off; the angle's own by its two ends.
  const share = deviations * Math.hypot(delayError / delay, speedOfSoundError)
  const ends = [angle - deviations * angleError, angle + deviations * angleError].flatMap(end =>
    bullets.flatMap(bullet => rangeFor(bullet, path, end) ?? []),
  )
  const all = [...middles, ...ends]
  const nearest = Math.min(...all) * (1 - share)
  const farthest = Math.max(...all) * (1 + share)
  if (farthest > mostRatio * nearest) return null
  return { range: (Math.min(...middles) + Math.max(...middles)) / 2, nearest, farthest, angle }
}

function spread([least, most]: readonly [number, number], steps: number): number[] {
  return Array.from({ length: steps + 1 }, (_, i) => least + ((most - least) * i) / steps)
}

/**
 * Range for one bullet, or null where its cone cannot come from that angle. With the shock leaving the path `d` metres on,
 * where the speed is M and has been M' on average (as time counts), sin angle / R = sin β / d with cos β = 1 / M, and
 * c × delay = R (1 - cos angle + (sin angle / sin β) (1 / M - 1 / M')): solved by bisection on R.
 */
function rangeFor(
  { mach, loss }: { readonly mach: number; readonly loss: number },
  path: number,
  angle: number,
): number | null {
  const [sine, cosine] = [Math.sin((angle * Math.PI) / 180), Math.cos((angle * Math.PI) / 180)]
  if (!(angle > 0 && angle < 90)) return null
  const excess = (range: number): number | null => {
    const distance = whereShockLeft(range, sine, { mach, loss })
    if (distance === null) return null
    const there = mach - loss * distance
    const beta = Math.acos(1 / there)
    if (Math.sin(beta) * cosine < sine / there) return null
    const flight = loss * distance < 1e-6 ? distance / mach : Math.log(mach / there) / loss
    const left = sine / Math.sin(beta)
    return range * (1 - cosine + left / there) - flight - path
  }
  // Without a loss of speed the range is at its largest, and it grows with the delay.
  let [low, high] = [0, path / (1 - cosine)]
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2
    const value = excess(middle)
    if (value !== null && value < 0) low = middle
    else high = middle
  }
  const left = excess(low)
  return left !== null && Math.abs(left) < 1e-2 * path ? low : null
}

/** Distance along the path at which the shock left that is heard at `sine` of the angle; null where it never did. */
function whereShockLeft(
  range: number,
  sine: number,
  { mach, loss }: { readonly mach: number; readonly loss: number },
): number | null {
  let distance = range * sine
  for (let i = 0; i < 40; i++) {
    const there = mach - loss * distance
    if (there < Math.max(leastMach, Math.cbrt(mach))) return null
    distance = (range * sine) / Math.sqrt(1 - 1 / there ** 2)
  }
  return distance
}

/** Angle between two bearings, degrees; elevations count where both have one. */
function between(a: Bearing, b: Bearing): number {
  const [one, other] = a.elevation === null || b.elevation === null ? [0, 0] : [a.elevation, b.elevation]
  const radians = Math.PI / 180
  const cosine =
    Math.sin(one * radians) * Math.sin(other * radians) +
    Math.cos(one * radians) * Math.cos(other * radians) * Math.cos(turn(a.azimuth, b.azimuth) * radians)
  return Math.acos(Math.min(1, Math.max(-1, cosine))) / radians
}
