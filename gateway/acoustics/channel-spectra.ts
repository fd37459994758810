import type { FourierOfSize, RealFourier } from './fourier.js'

/** What one channel did over one window. Levels are mean powers, full scale 1. */
export interface ChannelWindow {
  /** Mean of the samples. */
  readonly offset: number
  /** Mean power without the offset. */
  readonly power: number
  /** Share of the samples at the end of the scale. */
  readonly clipped: number
  /** Mean power below 120 Hz, from 300 to 3,000 Hz, and above 4,000 Hz. */
  readonly rumble: number
  readonly middle: number
  readonly treble: number
  /** How far the harmonics of 50 or 60 Hz stand above what lies between them, decibel, the mean over harmonics. */
  readonly hum: number
  /** Correlation with the mean of the other channels from 80 Hz up to where the array is small against the wave, -1 to 1. */
  readonly agreement: number
}

/** A sample this near to full scale counts as clipped. */
const clipLevel = 0.98
/** About how long a window is, seconds: to the next power of two. */
export const windowSeconds = 0.17
const harmonics = 16
const speedOfSound = 340

/** Looks at one short window of all channels of an array at a time. */
export class ChannelSpectra {
  /** Samples a window. */
  readonly size: number
  readonly #binWidth: number
  readonly #fourier: RealFourier
  readonly #taper: Float32Array
  /** Where waves are so long that all microphones should hear the same, hertz. */
  readonly #agreeUntil: number
  readonly #work: Float32Array

  /** @param aperture largest distance of two microphones, metres; Infinity where channels are not of one array */
  constructor(sampleRate: number, aperture: number, fourier: FourierOfSize) {
    this.size = 2 ** Math.round(Math.log2(windowSeconds * sampleRate))
    this.#binWidth = sampleRate / this.size
    this.#fourier = fourier(this.size)
    this.#taper = Float32Array.from(
      { length: this.size },
      (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / this.size),
    )
    this.#agreeUntil = Math.min(1000, speedOfSound / (6 * aperture))
    this.#work = new Float32Array(this.size)
  }

  /** Takes `size` samples a channel from `from` on. */
  window(channels: readonly Float32Array[], from: number): ChannelWindow[] {
    const plain = channels.map(channel => this.#samples(channel, from))
    const spectra = plain.map(({ offset }, channel) => this.#spectrum(channels[channel] ?? this.#work, from, offset))
    return plain.map(({ offset, power, clipped }, channel) => {
      const spectrum = spectra[channel] ?? this.#work
      const others = spectra.filter((_, index) => index !== channel && (plain[index]?.power ?? 0) > 0)
      return {
        offset,
        power,
        clipped,
        rumble: this.#band(spectrum, 20, 120),
        middle: this.#band(spectrum, 300, 3000),
        treble: this.#band(spectrum, 4000, Number.POSITIVE_INFINITY),
        hum: Math.max(this.#hum(spectrum, 50), this.#hum(spectrum, 60)),
        agreement: this.#agreement(spectrum, others),
      }
    })
  }

  #samples(channel: Float32Array, from: number): { offset: number; power: number; clipped: number } {
    let sum = 0
    let squares = 0
    let clipped = 0
    for (let i = from; i < from + this.size; i++) {
      const sample = channel[i] ?? 0
      sum += sample
      squares += sample * sample
      if (sample >= clipLevel || sample <= -clipLevel) clipped++
    }
    const offset = sum / this.size
    return { offset, power: Math.max(0, squares / this.size - offset * offset), clipped: clipped / this.size }
  }

  #spectrum(channel: Float32Array, from: number, offset: number): Float32Array {
    for (let i = 0; i < this.size; i++) this.#work[i] = ((channel[from + i] ?? 0) - offset) * (this.#taper[i] ?? 0)
    const spectrum = new Float32Array(this.size)
    this.#fourier.forward(this.#work, spectrum)
    return spectrum
  }

  // Parseval, twice for the negative frequencies, over the mean square of the taper, 3/8.
  #band(spectrum: Float32Array, low: number, high: number): number {
    const last = Math.min(this.size / 2 - 1, Math.floor(high / this.#binWidth))
    let sum = 0
    for (let bin = Math.max(1, Math.ceil(low / this.#binWidth)); bin <= last; bin++) sum += powerOf(spectrum, bin)
    return (2 * sum) / (0.375 * this.size * this.size)
  }

  #hum(spectrum: Float32Array, mains: number): number {
    let excess = 0
    let counted = 0
    for (let harmonic = 1; harmonic <= harmonics; harmonic++) {
      const on = Math.round((harmonic * mains) / this.#binWidth)
      const off = [-0.5, -0.4, 0.4, 0.5].map(shift => Math.round(((harmonic + shift) * mains) / this.#binWidth))
      if (on + 1 >= this.size / 2) break
      const line = Math.max(...[-1, 0, 1].map(step => powerOf(spectrum, on + step)))
      const between = off.reduce((sum, bin) => sum + powerOf(spectrum, bin), 0) / off.length
      excess += 10 * Math.log10((line + 1e-12) / (between + 1e-12))
      counted++
    }
    return excess / Math.max(1, counted)
  }

  #agreement(spectrum: Float32Array, others: readonly Float32Array[]): number {
    if (others.length === 0) return 1
    let cross = 0
    let own = 0
    let theirs = 0
    const last = Math.min(this.size / 2 - 1, Math.floor(this.#agreeUntil / this.#binWidth))
    for (let bin = Math.ceil(80 / this.#binWidth); bin <= last; bin++) {
      const [real, imaginary] = [spectrum[2 * bin] ?? 0, spectrum[2 * bin + 1] ?? 0]
      let meanReal = 0
      let meanImaginary = 0
      for (const other of others) {
        meanReal += (other[2 * bin] ?? 0) / others.length
        meanImaginary += (other[2 * bin + 1] ?? 0) / others.length
      }
      cross += real * meanReal + imaginary * meanImaginary
      own += real * real + imaginary * imaginary
      theirs += meanReal * meanReal + meanImaginary * meanImaginary
    }
    return own > 0 && theirs > 0 ? cross / Math.sqrt(own * theirs) : 0
  }
}

function powerOf(spectrum: Float32Array, bin: number): number {
  const [real, imaginary] = [spectrum[2 * bin] ?? 0, spectrum[2 * bin + 1] ?? 0]
  return real * real + imaginary * imaginary
}
