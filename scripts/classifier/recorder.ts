import { fourier, powerOfTwo } from '../simulator/fourier.js'
import { absorber, absorptionResponse } from '../simulator/physics.js'
import { filtered, reach } from '../simulator/propagate.js'
import type { Random } from '../simulator/random.js'
import type { Recording } from './wave.js'

/** What a microphone and its recorder did to a sound; drawn alike for every class, so that nothing of it tells the class. */
export interface Recorder {
  /** Hertz. */
  readonly sampleRate: number
  /** Up to where the sound reaches, hertz. */
  readonly bandwidth: number
  readonly encoding: 'linear 10' | 'linear 12' | 'linear 16' | 'mu-law'
}

const rates = [8000, 11_025, 12_000, 16_000, 22_050]
const encodings = ['linear 10', 'linear 12', 'linear 16', 'mu-law'] as const
const air = absorber({ temperature: 15, humidity: 50, pressure: 101.325 })

/**
 * The way from a source to a microphone: the loss of the air over a drawn distance, single echoes, and the dense tail of a
 * street, a wood or a room, whose energy against the direct sound's, decay and slowness to build up are drawn.
 */
export function carried(source: Float64Array, sampleRate: number, random: Random): Float64Array {
  const distance = 2 * 400 ** random.uniform()
  const response = (frequency: number) => absorptionResponse(frequency, distance, air)
  const dulled = filtered(source, sampleRate, response).subarray(reach, reach + source.length)
  if (random.chance(0.1)) return dulled
  const echoes = new Float64Array(Math.ceil(sampleRate * 0.7))
  if (random.chance(0.9)) {
    const fall = 0.012 * 25 ** random.uniform()
    const swell = random.chance(0.5) ? random.between(0, 0.008) : 0
    addTaps(echoes, sampleRate, random, {
      count: 300 + random.integer(1200),
      fall,
      swell,
      energy: random.between(-12, 11),
    })
  }
  if (random.chance(0.5)) {
    addTaps(echoes, sampleRate, random, {
      count: 1 + random.integer(10),
      fall: 0.15,
      swell: 0,
      energy: random.between(-15, 3),
    })
  }
  echoes[0] = 1
  return convolved(dulled, echoes)
}

/** Adds taps at random moments of the exponentially falling tail; `energy` in decibel above the direct sound's. */
function addTaps(
  response: Float64Array,
  sampleRate: number,
  random: Random,
  { count, fall, swell, energy }: { count: number; fall: number; swell: number; energy: number },
): void {
  const taps = Array.from({ length: count }, () => {
    const delay = random.between(0.0008, Math.min(0.69, 5 * fall))
    const gain = random.normal() * Math.exp(-delay / fall) * (swell > 0 ? 1 - Math.exp(-delay / swell) : 1)
    return { at: Math.round(delay * sampleRate), gain }
  })
  const scale = Math.sqrt(10 ** (energy / 10) / taps.reduce((sum, { gain }) => sum + gain * gain, 1e-12))
  for (const { at, gain } of taps) response[at]! += scale * gain
}

function convolved(samples: Float64Array, response: Float64Array): Float64Array {
  const size = powerOfTwo(samples.length + response.length)
  const transform = fourier(size)
  // Both are real: one goes in as the real, the other as the imaginary part.
  const real = new Float64Array(size)
  const imaginary = new Float64Array(size)
  real.set(samples)
  imaginary.set(response)
  transform.forward(real, imaginary)
  const productReal = new Float64Array(size)
  const productImaginary = new Float64Array(size)
  for (let k = 0; k < size; k++) {
    const m = (size - k) & (size - 1)
    const [a, b] = [(real[k]! + real[m]!) / 2, (imaginary[k]! - imaginary[m]!) / 2]
    const [c, d] = [(imaginary[k]! + imaginary[m]!) / 2, (real[m]! - real[k]!) / 2]
    productReal[k] = a * c - b * d
    productImaginary[k] = a * d + b * c
  }
  transform.inverse(productReal, productImaginary)
  return productReal.subarray(0, samples.length)
}

/** Brings a sound from one rate to another with a windowed sinc; nothing above half the lower rate remains. */
export function resampled(samples: ArrayLike<number>, from: number, to: number): Float64Array {
  if (from === to) return new Float64Array(samples)
  const step = from / to
  const cutoff = 0.92 * Math.min(1, 1 / step)
  const half = Math.ceil(12 / cutoff)
  const length = Math.floor((samples.length - 1) / step) + 1
  const phases = 128
  const kernel = new Float64Array((phases + 1) * 2 * half)
  for (let phase = 0; phase <= phases; phase++) {
    for (let tap = 0; tap < 2 * half; tap++) {
      const x = tap - half + 1 - phase / phases
      const angle = Math.PI * cutoff * x
      const sinc = Math.abs(x) < 1e-9 ? 1 : Math.sin(angle) / angle
      kernel[phase * 2 * half + tap] =
        cutoff * sinc * (Math.abs(x) < half ? 0.5 + 0.5 * Math.cos((Math.PI * x) / half) : 0)
    }
  }
  const out = new Float64Array(length)
  for (let i = 0; i < length; i++) {
    const place = i * step
    const whole = Math.floor(place)
    const row = Math.round((place - whole) * phases) * 2 * half
    const first = whole - half + 1
    let sum = 0
    for (let tap = Math.max(0, -first); tap < Math.min(2 * half, samples.length - first); tap++) {
      sum += samples[first + tap]! * kernel[row + tap]!
    }
    out[i] = sum
  }
  return out
}

/**
 * Records a sound: another rate, another colour, another loudness, clipping now and then, and coarse or fine numbers. The loudness follows the
 * sound's own peak.
 */
export function recorded(
  { samples, sampleRate }: { samples: ArrayLike<number>; sampleRate: number },
  random: Random,
): { recording: Recording; recorder: Recorder } {
  const rate = rates[random.integer(rates.length)]!
  const encoding = encodings[random.integer(encodings.length)]!
  const sound = resampled(samples, sampleRate, rate)
  if (random.chance(0.6)) colour(sound, rate, random.between(-1, 1))
  let peak = 1e-12
  for (const value of sound) peak = Math.max(peak, Math.abs(value))
  const gain = 10 ** ((random.chance(0.35) ? random.between(0, 24) : random.between(-20, 0)) / 20) / peak
  const coded = new Float32Array(sound.length)
  for (let i = 0; i < sound.length; i++) coded[i] = code(Math.max(-1, Math.min(1, sound[i]! * gain)), encoding, random)
  return {
    recording: { sampleRate: rate, samples: coded },
    recorder: { sampleRate: rate, bandwidth: 0.46 * Math.min(rate, sampleRate), encoding },
  }
}

/** Tilts the spectrum up (towards 1) or down (towards -1), by up to about 15 dB between 300 and 3,000 Hz, as microphones and housings do. */
function colour(sound: Float64Array, sampleRate: number, tilt: number): void {
  const pole = Math.exp((-2 * Math.PI * 600) / sampleRate)
  let low = 0
  for (let i = 0; i < sound.length; i++) {
    low = pole * low + (1 - pole) * sound[i]!
    const high = sound[i]! - low
    sound[i] = tilt > 0 ? high + (1 - tilt) * low : low + (1 + 0.9 * tilt) * high
  }
}

/** G.711 is followed for the law itself; its segments are not. Steps are dithered, as a microphone's own noise does. */
function code(value: number, encoding: Recorder['encoding'], random: Random): number {
  const dither = random.uniform() + random.uniform() - 1
  if (encoding === 'mu-law') {
    const packed = Math.round((127 * Math.log1p(255 * Math.abs(value))) / Math.log(256) + 0.5 * dither) / 127
    return (Math.sign(value) * (256 ** packed - 1)) / 255
  }
  const steps = { 'linear 10': 512, 'linear 12': 2048, 'linear 16': 32_768 }[encoding]
  return Math.round(value * steps + dither) / steps
}
