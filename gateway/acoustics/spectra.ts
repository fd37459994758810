import { bandRate } from './band.js'

/** Length of the transform, samples at `bandRate`: 32 ms. */
export const spectrumSize = 256

const window = Float64Array.from(
  { length: spectrumSize },
  (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / spectrumSize),
)
const cosines = Float64Array.from({ length: spectrumSize / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / spectrumSize))
const sines = Float64Array.from({ length: spectrumSize / 2 }, (_, i) => Math.sin((2 * Math.PI * i) / spectrumSize))

/** Power in `spectrumSize / 2` bins under a Hann window, the mean over pieces of sound that begin at `starts`. */
export function powerSpectrum(samples: Float64Array, starts: readonly number[]): Float64Array {
  const spectrum = new Float64Array(spectrumSize / 2)
  const real = new Float64Array(spectrumSize)
  const imaginary = new Float64Array(spectrumSize)
  for (const start of starts) {
    for (let i = 0; i < spectrumSize; i++) real[i] = (samples[start + i] ?? 0) * window[i]!
    imaginary.fill(0)
    transform(real, imaginary)
    for (let bin = 0; bin < spectrum.length; bin++) {
      spectrum[bin]! += (real[bin]! ** 2 + imaginary[bin]! ** 2) / starts.length
    }
  }
  return spectrum
}

/** The fast Fourier transform of Cooley and Tukey (1965), radix 2, in place. */
function transform(real: Float64Array, imaginary: Float64Array): void {
  for (let i = 1, j = 0; i < spectrumSize; i++) {
    let bit = spectrumSize >> 1
    for (; j & bit; bit >>= 1) j ^= bit
    j ^= bit
    if (i < j) {
      ;[real[i], real[j]] = [real[j]!, real[i]!]
      ;[imaginary[i], imaginary[j]] = [imaginary[j]!, imaginary[i]!]
    }
  }
  for (let half = 1; half < spectrumSize; half *= 2) {
    const stride = spectrumSize / (2 * half)
    for (let start = 0; start < spectrumSize; start += 2 * half) {
      for (let k = 0; k < half; k++) {
        const [cosine, sine] = [cosines[k * stride]!, -sines[k * stride]!]
        const [a, b] = [start + k, start + k + half]
        const r = real[b]! * cosine - imaginary[b]! * sine
        const i = real[b]! * sine + imaginary[b]! * cosine
        real[b] = real[a]! - r
        imaginary[b] = imaginary[a]! - i
        real[a]! += r
        imaginary[a]! += i
      }
    }
  }
}

/**
 * Centre of a power spectrum between 300 and 3,000 Hz, hertz; its flatness (geometric over arithmetic mean, decibel: 0 is
 * white) and how far its strongest bin stands above the mean, decibel.
 */
export function evenness(spectrum: Float64Array): { centre: number; flatness: number; tone: number } {
  const width = bandRate / spectrumSize
  const [from, to] = [Math.ceil(300 / width), Math.floor(3000 / width)]
  let sum = 1e-30
  let moment = 0
  let logarithms = 0
  let strongest = 0
  for (let bin = from; bin <= to; bin++) {
    const power = spectrum[bin]!
    sum += power
    moment += power * bin * width
    logarithms += Math.log10(power + 1e-30)
    strongest = Math.max(strongest, power)
  }
  const count = to - from + 1
  const average = Math.log10(sum / count)
  return {
    centre: Math.max(300, moment / sum),
    flatness: Math.max(-40, 10 * (logarithms / count - average)),
    tone: 10 * (Math.log10(strongest + 1e-30) - average),
  }
}

/**
 * The largest correlation of a signal with itself at lags from `shortest` to `longest` samples, -1 to 1. With `centred` the
 * mean is taken off first. 0 where it is too short to tell.
 */
export function normalisedPeak(
  samples: Float64Array,
  from: number,
  to: number,
  shortest: number,
  longest: number,
  centred = false,
): number {
  const length = to - from
  if (length < longest + shortest) return 0
  let average = 0
  if (centred) for (let i = from; i < to; i++) average += samples[i]! / length
  let best = 0
  for (let lag = shortest; lag <= longest; lag++) {
    let product = 0
    let one = 0
    let other = 0
    for (let i = from; i + lag < to; i++) {
      const [a, b] = [samples[i]! - average, samples[i + lag]! - average]
      product += a * b
      one += a * a
      other += b * b
    }
    if (one * other > 0) best = Math.max(best, product / Math.sqrt(one * other))
  }
  return best
}
