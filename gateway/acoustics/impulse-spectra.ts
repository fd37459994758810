import { BandPassFilter, bandPass } from './filter.js'
import type { FourierOfSize, RealFourier } from './fourier.js'
import { silentPower } from './onset.js'

/** Band in which directions are found, hertz: below is the wind's, above microphones differ. */
const lowCorner = 250
const highestCorner = 10_000
/** The filter has settled after this long, and background shorter than that again says too little, seconds. */
const settling = 0.004
/** Shares of the window's duration: how long before the onset it opens, and the flanks where it opens and where it closes. */
const before = 0.6
const opening = 0.2
const closing = 0.6
/** Spectra of power are smoothed over this band to either side, hertz and as a share of the frequency. */
const smoothing = 150
const smoothingShare = 0.2
/** A frequency counts from this ratio of the impulse's power to the noise's. */
const leastRatio = 0.3
/** Over all frequencies together its power must exceed the noise's by this share, which steep noise by itself hardly does. */
const leastGain = 0.5
/** However loud the impulse, microphones agree no better than this ratio of powers would have it. */
const mostRatio = 100
/** A microphone this much weaker than the middle one (power) is dead. */
const deadShare = 1e-3

/** An impulse at the frequencies where it stands out, one row a microphone that lives. */
export interface ImpulseSpectra {
  /** Indices of the microphones that the rows belong to. */
  readonly microphones: readonly number[]
  /** Indices of the frequencies in a transform of `size`. */
  readonly bins: Int32Array
  /** Radians a second. */
  readonly frequencies: Float64Array
  /** Cosine and sine of the phase. */
  readonly cosine: readonly Float64Array[]
  readonly sine: readonly Float64Array[]
  /** Power of the impulse over that of the noise. */
  readonly ratio: readonly Float64Array[]
  readonly size: number
  /** Frequencies that are independent of each other for each one given: below 1, as the window is shorter than `size`. */
  readonly independence: number
}

/** Cuts the first milliseconds of an impulse out of a snippet and holds its spectrum against the noise before it. */
export class ImpulseWindow {
  readonly sampleRate: number
  readonly highCorner: number
  readonly #fourier: RealFourier
  readonly #window: Float64Array
  readonly #lead: number
  readonly #power: number
  readonly #filter: BandPassFilter

  /**
   * @param span the longest time sound takes across the array, seconds
   * @param duration how much of the sound after its onset counts, seconds
   */
  constructor(sampleRate: number, span: number, duration: number, fourier: FourierOfSize) {
    this.sampleRate = sampleRate
    this.highCorner = Math.min(highestCorner, 0.45 * sampleRate)
    this.#filter = new BandPassFilter(bandPass(lowCorner, this.highCorner, sampleRate))
    const inSamples = (seconds: number): number => Math.round(seconds * sampleRate)
    this.#lead = inSamples(before * duration + span / 2)
    const length = this.#lead + inSamples(duration + span / 2)
    const [rise, fall] = [inSamples(opening * duration), inSamples(closing * duration)]
    this.#window = Float64Array.from({ length }, (_, i) => {
      const flank = Math.min(1, (i + 0.5) / rise, (length - i - 0.5) / fall)
      return 0.5 - 0.5 * Math.cos(Math.PI * flank)
    })
    this.#power = this.#window.reduce((sum, value) => sum + value * value, 0)
    this.#fourier = fourier(Math.max(32, 2 ** Math.ceil(Math.log2(1.25 * length))))
  }

  /** Null where too little came before the onset, where nothing stands out, or where fewer than two microphones live. */
  of(channels: readonly Float32Array[], onset: number): ImpulseSpectra | null {
    const { size } = this.#fourier
    const length = this.#window.length
    const start = Math.round(onset) - this.#lead
    const first = Math.round(settling * this.sampleRate)
    if (start - first < length / 2 || start + length > (channels[0]?.length ?? 0) + length / 4) return null
    const loud = channels.map(channel => this.#measure(channel, start, first))
    const middle = median(loud.map(({ energy }) => energy))
    const live = [...loud.keys()].filter(i => loud[i]!.energy > deadShare * middle && loud[i]!.energy > silentPower)
    if (live.length < 2) return null
    const half = size / 2
    const ratio = new Float64Array(half)
    const gains = live.map(i => {
      const { power, noise } = loud[i]!
      let [signal, background] = [0, 0]
      for (let k = 1; k < half; k++) {
        ratio[k]! += power[k]! / noise[k]! / live.length
        signal += power[k]!
        background += noise[k]!
      }
      return Math.max(0.01, signal / background - 1)
    })
    const meanGain = gains.reduce((sum, gain) => sum + gain, 0) / gains.length
    if (meanGain < leastGain) return null
    const spacing = this.sampleRate / size
    const bins = Int32Array.from(
      [...ratio.keys()].filter(k => k > 0 && k * spacing < this.highCorner && ratio[k]! > 1 + leastRatio),
    )
    if (bins.length < 3) return null
    const rows = live.map((i, row) => {
      const { spectrum } = loud[i]!
      const share = gains[row]! / meanGain
      const phasors = Float64Array.from(bins, k => Math.hypot(spectrum[2 * k]!, spectrum[2 * k + 1]!) || 1)
      return {
        cosine: Float64Array.from(bins, (k, at) => spectrum[2 * k]! / phasors[at]!),
        sine: Float64Array.from(bins, (k, at) => spectrum[2 * k + 1]! / phasors[at]!),
        ratio: Float64Array.from(bins, k => 1 / (1 / ((ratio[k]! - 1) * share) + 1 / mostRatio)),
      }
    })
    return {
      microphones: live,
      bins,
      frequencies: Float64Array.from(bins, k => 2 * Math.PI * k * spacing),
      cosine: rows.map(row => row.cosine),
      sine: rows.map(row => row.sine),
      ratio: rows.map(row => row.ratio),
      size,
      independence: this.#power / size,
    }
  }

  /** Spectrum of one channel's window, and the smoothed powers of it and of the noise before. */
  #measure(channel: Float32Array, start: number, first: number) {
    const { size } = this.#fourier
    const length = this.#window.length
    const filtered = new Float32Array(channel.length)
    this.#filter.reset()
    this.#filter.process(channel, 0, channel.length, filtered, 0)
    const windowed = new Float32Array(size)
    const spectrum = new Float32Array(size)
    const noise = new Float64Array(size / 2)
    const cut = (from: number): void => {
      for (let i = 0; i < length; i++) windowed[i] = (filtered[from + i] ?? 0) * this.#window[i]!
      this.#fourier.forward(windowed, spectrum)
    }
    const spare = Math.max(0, start - length - first)
    const segments = 1 + Math.floor((2 * spare) / length)
    for (let segment = 0; segment < segments; segment++) {
      // The first may reach back into the filter's settling where there is just too little before the onset.
      cut(Math.max(0, Math.round(start - length - (segment * spare) / Math.max(1, segments - 1))))
      for (let k = 1; k < size / 2; k++) noise[k]! += (spectrum[2 * k]! ** 2 + spectrum[2 * k + 1]! ** 2) / segments
    }
    cut(start)
    const power = new Float64Array(size / 2)
    let energy = 0
    for (let k = 1; k < size / 2; k++) {
      power[k] = spectrum[2 * k]! ** 2 + spectrum[2 * k + 1]! ** 2
      energy += power[k]!
    }
    const reach = (smoothing * size) / this.sampleRate
    const floor = silentPower * this.#power * 1e-2
    return {
      spectrum,
      energy: (2 * energy) / (size * this.#power),
      power: smooth(power, reach, 0),
      noise: smooth(noise, 2 * reach, floor),
    }
  }
}

/** Mean over `reach` values and a share of the index to either side, never below `floor`. */
function smooth(values: Float64Array, reach: number, floor: number): Float64Array {
  const result = new Float64Array(values.length)
  for (let k = 1; k < values.length; k++) {
    const width = Math.max(1, Math.round(Math.max(reach, smoothingShare * k)))
    const [from, to] = [Math.max(1, k - width), Math.min(values.length - 1, k + width)]
    let sum = 0
    for (let i = from; i <= to; i++) sum += values[i]!
    result[k] = Math.max(floor, sum / (to - from + 1))
  }
  return result
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? 0
}
