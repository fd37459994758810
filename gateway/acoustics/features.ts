import { type BandSound, bandRate, judgedAfter, judgedBefore } from './band.js'
import { evenness, normalisedPeak, powerSpectrum, spectrumSize } from './spectra.js'

/** Power is looked at in frames of 2 ms, one every millisecond. */
const frameHop = bandRate / 1000
const frameLength = 2 * frameHop
const onsetFrame = 1000 * judgedBefore
const frameCount = 1000 * (judgedBefore + judgedAfter)
/** The filters have settled after so many frames of sound. */
const settling = 6
/** The loudest moment is looked for from so many frames before the given onset to so many after. */
const peakBefore = 15
const peakAfter = 60
/** What lies more than this below the peak is not told apart from silence, decibel. */
const range = 45

/** What the features are; all are independent of the sound's level. Decibels are relative to the loudest 2 ms. */
export const featureNames = [
  'background',
  'rise',
  'abruptness',
  'after 6 ms',
  'after 15 ms',
  'after 30 ms',
  'after 60 ms',
  'after 100 ms',
  'after 150 ms',
  'loudest later',
  'slope of decay',
  'roughness of decay',
  'far before',
  'before',
  'just before',
  'loudest before',
  'unrest before',
  'crest',
  'centre',
  'concentration',
  'low band',
  'middle band',
  'evenness',
  'tone',
  'tail centre',
  'tail evenness',
  'tail tone',
  'pitch',
  'repetition',
  'likeness to before',
] as const

/** Frames of power and where in them the sound sets in and is loudest. */
interface Envelope {
  readonly power: Float64Array
  readonly first: number
  readonly last: number
  readonly onset: number
  readonly peak: number
  readonly peakPower: number
  /** Median power of what comes before. */
  readonly background: number
}

/**
 * Describes the sound around an onset, in the order of `featureNames`. Where a part of it was not heard, what is next to it
 * stands for it. Null where there is no sound, or none of it before or after the onset.
 */
export function impulseFeatures(sound: BandSound): Float64Array | null {
  const envelope = envelopeOf(sound)
  if (envelope === null) return null
  const features = [
    ...attack(envelope),
    ...decay(envelope),
    ...precedence(envelope),
    ...shape(sound, envelope),
    ...spectral(sound, envelope),
  ]
  return Float64Array.from(features, value => (Number.isFinite(value) ? value : 0))
}

function envelopeOf({ samples, from, to }: BandSound): Envelope | null {
  const power = new Float64Array(frameCount)
  const first = Math.ceil(from / frameHop) + settling
  const last = Math.min(frameCount, Math.floor((to - frameLength) / frameHop) + 1)
  if (first > onsetFrame - peakBefore - 10 || last < onsetFrame + 40) return null
  for (let frame = first; frame < last; frame++) {
    let sum = 0
    for (let i = frame * frameHop; i < frame * frameHop + frameLength; i++) sum += samples[i]! ** 2
    power[frame] = sum / frameLength
  }
  let peak = onsetFrame - peakBefore
  for (let frame = peak; frame < Math.min(last, onsetFrame + peakAfter); frame++)
    if (power[frame]! > power[peak]!) peak = frame
  const peakPower = power[peak]!
  if (!(peakPower > 0)) return null
  const floor = peakPower * 10 ** (-range / 10)
  let onset = peak
  for (let round = 0; round < 2; round++) {
    const background = Math.max(
      floor,
      quantile(power, Math.max(first, onset - 110), Math.max(first + 8, onset - 8), 0.5),
    )
    onset = onsetOf(power, first, peak, background)
  }
  const background = Math.max(floor, quantile(power, Math.max(first, onset - 110), Math.max(first + 8, onset - 4), 0.5))
  return { power, first, last, onset, peak, peakPower, background }
}

/** Walks back from the peak to the first of three frames in a row that are, in decibel, nearer to the background than to the peak. */
function onsetOf(power: Float64Array, first: number, peak: number, background: number): number {
  const threshold = Math.sqrt(power[peak]! * background)
  let onset = peak
  let quiet = 0
  for (let frame = peak - 1; frame >= Math.max(first, peak - 60) && quiet < 3; frame--) {
    quiet = power[frame]! < threshold ? quiet + 1 : 0
    if (quiet === 0) onset = frame
  }
  return onset
}

function attack({ power, onset, peak, peakPower, background, first }: Envelope): number[] {
  let abruptness = 0
  for (let frame = Math.max(first, onset - 6); frame <= peak - 3; frame++) {
    abruptness = Math.max(abruptness, decibel(power[frame + 3]! + background) - decibel(power[frame]! + background))
  }
  return [relative(background, peakPower), Math.log(1 + peak - onset), abruptness]
}

const decayWindows = [6, 15, 30, 60, 100, 150, 230] as const

function decay(envelope: Envelope): number[] {
  const { power, peak, last, peakPower, background } = envelope
  const levels: number[] = []
  for (let w = 0; w + 1 < decayWindows.length; w++) {
    const [start, end] = [peak + decayWindows[w]!, Math.min(last, peak + decayWindows[w + 1]!)]
    // What the background alone would give is taken off, as far as it can be.
    const heard = mean(power, start, end)
    levels.push(
      end - start < 4 ? (levels.at(-1) ?? -range) : relative(Math.max(heard - background, 0.3 * background), peakPower),
    )
  }
  const later = largest(power, Math.min(last - 10, peak + 40), Math.min(last, peak + 230))
  const line = regression(envelope, peak, Math.min(last, peak + 120))
  return [...levels, relative(later, peakPower), line.slope, line.roughness]
}

/** A straight line through the decay, decibel in 100 ms, and how far 4 ms pieces stray from it, decibel. */
function regression(
  { power, peakPower, background }: Envelope,
  from: number,
  to: number,
): { slope: number; roughness: number } {
  const levels: number[] = []
  for (let frame = from; frame + 4 <= to; frame += 4)
    levels.push(relative(mean(power, frame, frame + 4) + background, peakPower))
  const count = levels.length
  const middle = (count - 1) / 2
  const average = levels.reduce((sum, level) => sum + level, 0) / count
  let product = 0
  let square = 0
  for (let i = 0; i < count; i++) {
    product += (i - middle) * (levels[i]! - average)
    square += (i - middle) ** 2
  }
  const slope = square > 0 ? product / square : 0
  const stray = levels.reduce((sum, level, i) => sum + (level - average - slope * (i - middle)) ** 2, 0)
  return { slope: 25 * slope, roughness: Math.sqrt(stray / count) }
}

function precedence({ power, first, onset, peakPower, background }: Envelope): number[] {
  const level = (from: number, to: number): number => {
    const [start, end] = [Math.max(first, onset + from), onset + to]
    return relative(end - start < 4 ? background : mean(power, start, end), peakPower)
  }
  const start = Math.max(first, onset - 380)
  const pieces: number[] = []
  for (let frame = start; frame + 10 <= onset - 20; frame += 10)
    pieces.push(relative(mean(power, frame, frame + 10), peakPower))
  const average = pieces.reduce((sum, piece) => sum + piece, 0) / Math.max(1, pieces.length)
  const unrest = Math.sqrt(pieces.reduce((sum, piece) => sum + (piece - average) ** 2, 0) / Math.max(1, pieces.length))
  const loudest = onset - 25 - start < 4 ? background : largest(power, start, onset - 25)
  return [level(-380, -150), level(-150, -30), level(-30, -4), relative(loudest, peakPower), unrest]
}

function shape({ samples }: BandSound, { power, onset, peak, last, background }: Envelope): number[] {
  let loudest = 0
  let sum = 0
  const [from, to] = [onset * frameHop, Math.min(samples.length, (peak + 12) * frameHop)]
  for (let i = from; i < to; i++) {
    loudest = Math.max(loudest, samples[i]! ** 2)
    sum += samples[i]! ** 2
  }
  let energy = 0
  let moment = 0
  let near = 0
  for (let frame = onset - 5; frame < Math.min(last, peak + 150); frame++) {
    const above = Math.max(0, power[frame]! - background)
    energy += above
    moment += above * Math.max(0, frame - onset)
    if (Math.abs(frame - peak) <= 8) near += above
  }
  return [decibel(loudest / (sum / (to - from))), Math.log(1 + moment / energy), Math.max(-20, decibel(near / energy))]
}

function spectral({ samples, from, to }: BandSound, envelope: Envelope): number[] {
  const { onset, peak, first } = envelope
  const at = (frame: number): number => Math.max(from, Math.min(to - spectrumSize, frame * frameHop))
  const main = powerSpectrum(samples, [at(onset - 4)])
  const tail = powerSpectrum(samples, [at(peak + 35), at(peak + 55), at(peak + 75), at(peak + 95)])
  const before = powerSpectrum(samples, [
    at(Math.max(first, onset - 120)),
    at(Math.max(first, onset - 90)),
    at(Math.max(first, onset - 60)),
  ])
  const [mainShape, tailShape] = [evenness(main), evenness(tail)]
  const [low, middle, high] = [bandSum(main, 300, 700), bandSum(main, 700, 1400), bandSum(main, 1400, 3000)]
  const pitch = normalisedPeak(
    samples,
    (onset + 6) * frameHop,
    Math.min(to, (onset + 70) * frameHop),
    0.002 * bandRate,
    0.0125 * bandRate,
  )
  return [
    clamped(decibel(low / (middle + high)), -25, 25),
    clamped(decibel(middle / (low + high)), -25, 25),
    mainShape.flatness,
    mainShape.tone,
    Math.log(tailShape.centre / mainShape.centre),
    tailShape.flatness,
    tailShape.tone,
    pitch,
    repetition(envelope),
    likeness(main, before),
  ]
}

/** How well the envelope, in decibel, agrees with itself 24 to 220 ms later, -1 to 1. */
function repetition({ power, first, last, peakPower }: Envelope): number {
  const levels: number[] = []
  for (let frame = first; frame + 4 <= last; frame += 4) levels.push(relative(mean(power, frame, frame + 4), peakPower))
  return normalisedPeak(Float64Array.from(levels), 0, levels.length, 6, 55, true)
}

/** Root mean square difference of two spectra's shapes in eight bands, decibel. */
function likeness(one: Float64Array, other: Float64Array): number {
  const differences = Array.from({ length: 8 }, (_, band) => {
    const [low, high] = [300 * 10 ** (band / 8), 300 * 10 ** ((band + 1) / 8)]
    return decibel((bandSum(one, low, high) + 1e-30) / (bandSum(other, low, high) + 1e-30))
  })
  const average = differences.reduce((sum, difference) => sum + difference, 0) / 8
  return Math.min(20, Math.sqrt(differences.reduce((sum, difference) => sum + (difference - average) ** 2, 0) / 8))
}

function bandSum(spectrum: Float64Array, low: number, high: number): number {
  const width = bandRate / spectrumSize
  let sum = 0
  for (let bin = Math.ceil(low / width); bin < Math.ceil(high / width); bin++) sum += spectrum[bin]!
  return sum
}

function decibel(ratio: number): number {
  return 10 * Math.log10(Math.max(ratio, 1e-30))
}

function relative(power: number, peakPower: number): number {
  return clamped(decibel(power / peakPower), -range, 10)
}

function clamped(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value))
}

function mean(power: Float64Array, from: number, to: number): number {
  let sum = 0
  for (let frame = from; frame < to; frame++) sum += power[frame]!
  return to > from ? sum / (to - from) : 0
}

function largest(power: Float64Array, from: number, to: number): number {
  let value = 0
  for (let frame = from; frame < to; frame++) value = Math.max(value, power[frame]!)
  return value
}

function quantile(power: Float64Array, from: number, to: number, share: number): number {
  const sorted = power.slice(from, to).sort()
  return sorted[Math.floor(share * (sorted.length - 1))] ?? 0
}
