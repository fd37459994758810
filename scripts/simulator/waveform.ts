import { fourier, powerOfTwo } from './fourier.js'
import type { Complex } from './physics.js'
import type { Random } from './random.js'

/** Sound of a source: pascal at one metre where it is loudest. */
export interface Sound {
  readonly samples: Float64Array
  readonly sampleRate: number
  /** Samples that come before the source's time. */
  readonly lead: number
}

/** The Fourier integral of a pressure curve at one frequency, pascal seconds. */
export type Spectrum = (frequency: number) => Complex

/** Samples on either side of a pulse for the ringing of the band limit. */
export const guard = 64

/** Gain of the band limit: 1 up to 0.4 of the sample rate, a half cosine to 0 at 0.5. */
export function bandLimit(frequency: number, sampleRate: number): number {
  const share = Math.abs(frequency) / sampleRate
  if (share <= 0.4) return 1
  return share >= 0.5 ? 0 : 0.5 + 0.5 * Math.cos((Math.PI * (share - 0.4)) / 0.1)
}

/** Samples of a curve that begins `delay` seconds after sample `guard`, made from its spectrum and so free of aliases. */
export function sampled(spectrum: Spectrum, sampleRate: number, seconds: number, delay = 0): Float64Array {
  const size = powerOfTwo(Math.ceil((seconds + delay) * sampleRate) + 2 * guard)
  const real = new Float64Array(size)
  const imaginary = new Float64Array(size)
  for (let k = 0; k <= size / 2; k++) {
    const frequency = (k * sampleRate) / size
    const value = spectrum(frequency)
    const gain = bandLimit(frequency, sampleRate) * sampleRate
    const angle = -2 * Math.PI * frequency * (delay + guard / sampleRate)
    const cosine = gain * Math.cos(angle)
    const sine = gain * Math.sin(angle)
    real[k] = value.real * cosine - value.imaginary * sine
    imaginary[k] = k === 0 ? 0 : value.real * sine + value.imaginary * cosine
    if (k > 0 && k < size / 2) {
      real[size - k] = real[k]!
      imaginary[size - k] = -imaginary[k]!
    }
  }
  fourier(size).inverse(real, imaginary)
  return real
}

/** Adds a pulse to `samples` so that it begins at `seconds` after `lead`, between samples where need be. */
export function addPulse(sound: Sound, spectrum: Spectrum, seconds: number, length: number, gain = 1): void {
  const start = sound.lead + seconds * sound.sampleRate
  const whole = Math.floor(start)
  const pulse = sampled(spectrum, sound.sampleRate, length, (start - whole) / sound.sampleRate)
  addAt(sound.samples, pulse, whole - guard, gain)
}

/** Adds `addend` from index `start` on, leaving out what lies outside. */
export function addAt(samples: Float64Array | Float32Array, addend: ArrayLike<number>, start: number, gain = 1): void {
  const from = Math.max(0, -start)
  const to = Math.min(addend.length, samples.length - start)
  for (let i = from; i < to; i++) samples[start + i] = samples[start + i]! + gain * addend[i]!
}

/** A blast: a jump to `peak` pascal, back to zero after `positive` seconds, then suction; `decay` is the shape. */
export interface Blast {
  readonly peak: number
  readonly positive: number
  readonly decay: number
}

/** Pressure `time` seconds after the front: Friedlander, Proc. Roy. Soc. A 186 (1946). */
export function friedlander(time: number, { peak, positive, decay }: Blast): number {
  return time < 0 ? 0 : peak * (1 - time / positive) * Math.exp((-decay * time) / positive)
}

export function friedlanderSpectrum({ peak, positive, decay }: Blast): Spectrum {
  return frequency => {
    const [a, w] = [decay / positive, 2 * Math.PI * frequency]
    const square = a * a + w * w
    const twice = square * square * positive
    return {
      real: peak * (a / square - (a * a - w * w) / twice),
      imaginary: peak * (-w / square + (2 * a * w) / twice),
    }
  }
}

/** Pressure of an N-wave: a jump to `peak`, a straight fall to -`peak` over `duration` seconds, a jump back. */
export function nWave(time: number, peak: number, duration: number): number {
  return time < 0 || time > duration ? 0 : peak * (1 - (2 * time) / duration)
}

export function nWaveSpectrum(peak: number, duration: number): Spectrum {
  return frequency => {
    const phase = 2 * Math.PI * frequency * duration
    if (phase < 1e-3) return { real: 0, imaginary: (peak * duration * phase) / 6 }
    const [cosine, sine] = [Math.cos(phase), Math.sin(phase)]
    const scale = (peak * duration) / phase
    return {
      real: scale * ((2 * (1 - cosine)) / phase - sine),
      imaginary: scale * ((2 * sine) / phase - 1 - cosine),
    }
  }
}

/** Noise between two frequencies, edges an octave wide, root mean square 1. */
export function bandNoise(random: Random, count: number, sampleRate: number, low: number, high: number): Float64Array {
  return shapedNoise(random, count, sampleRate, frequency => {
    const rise = Math.min(1, Math.max(0, Math.log2(frequency / low) + 1))
    const fall = Math.min(1, Math.max(0, Math.log2(high / frequency) + 1))
    return rise * fall
  })
}

/** Noise whose amplitude at each frequency goes with `gain`, root mean square 1; joins its own beginning where `count` is a power of two. */
export function shapedNoise(
  random: Random,
  count: number,
  sampleRate: number,
  gain: (frequency: number) => number,
): Float64Array {
  const size = powerOfTwo(count)
  const real = new Float64Array(size)
  const imaginary = new Float64Array(size)
  for (let k = 1; k < size / 2; k++) {
    const frequency = (k * sampleRate) / size
    const amplitude = gain(frequency) * bandLimit(frequency, sampleRate)
    real[k] = amplitude * random.normal()
    imaginary[k] = amplitude * random.normal()
    real[size - k] = real[k]!
    imaginary[size - k] = -imaginary[k]!
  }
  fourier(size).inverse(real, imaginary)
  const level = rootMeanSquare(real)
  const samples = real.subarray(0, count)
  for (let i = 0; i < count; i++) samples[i] = samples[i]! / level
  return samples
}

export function rootMeanSquare(samples: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < samples.length; i++) sum += samples[i]! ** 2
  return Math.sqrt(sum / samples.length)
}

export function peakOf(samples: ArrayLike<number>): number {
  let peak = 0
  for (let i = 0; i < samples.length; i++) peak = Math.max(peak, Math.abs(samples[i]!))
  return peak
}

/** Adds a ringing mode: starts at `seconds`, `frequency` hertz, falls by e every `decay` seconds, swells over `rise` seconds. */
export function addMode(
  sound: Sound,
  seconds: number,
  mode: { readonly frequency: number; readonly decay: number; readonly gain: number; readonly rise?: number },
): void {
  const { samples, sampleRate, lead } = sound
  if (mode.frequency > 0.4 * sampleRate) return
  const start = Math.max(0, Math.ceil(lead + seconds * sampleRate))
  const stop = Math.min(samples.length, start + Math.ceil(9 * mode.decay * sampleRate))
  for (let i = start; i < stop; i++) {
    const time = (i - lead) / sampleRate - seconds
    const swell = mode.rise === undefined ? 1 : 1 - Math.exp(-time / mode.rise)
    samples[i] =
      samples[i]! + mode.gain * swell * Math.exp(-time / mode.decay) * Math.sin(2 * Math.PI * mode.frequency * time)
  }
}

/** Scales so that the largest sample is `peak` pascal. */
export function scaledTo(peak: number, sound: Sound): Sound {
  const factor = peak / peakOf(sound.samples)
  for (let i = 0; i < sound.samples.length; i++) sound.samples[i] = sound.samples[i]! * factor
  return sound
}

export function silence(sampleRate: number, seconds: number, leadSeconds = 0): Sound {
  const lead = guard + Math.ceil(leadSeconds * sampleRate)
  return { samples: new Float64Array(lead + Math.ceil(seconds * sampleRate) + guard), sampleRate, lead }
}
