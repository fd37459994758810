/** Range of the frequency axis, hertz. Rows above half the sample rate stay empty. */
export const lowestFrequency = 100
export const highestFrequency = 6000
/** Length of the window of one spectrum, about, seconds. */
const windowSeconds = 0.02
/** Digital silence: what is not above it is no sound, decibel re full scale. */
export const silence = -140

/** What a spectrogram holds: decibel re full scale, row 0 the highest frequency; NaN where there was no sound. */
export interface SpectrogramImage {
  readonly columns: number
  readonly rows: number
  /** Samples from one column to the next. */
  readonly samplesPerColumn: number
  readonly levels: Float32Array
}

/**
 * The spectrogram of one channel as it streams in, frequencies on a logarithmic scale. Memory is bounded: when the columns
 * run out, each two neighbours become one that keeps the louder of both.
 */
export class Spectrogram {
  readonly #window: Float64Array
  readonly #fourier: FourierTransform
  readonly #hop: number
  readonly #rows: readonly { readonly from: number; readonly to: number }[]
  readonly #capacity: number
  readonly #levels: Float32Array
  readonly #ring: Float64Array
  #columns = 0
  #hopsPerColumn = 1
  #position = 0
  #soundFrom = 0
  /** Largest absolute sample so far, full scale 1. */
  peak = 0

  /** @param sampleRate hertz @param rows from the lowest to the highest frequency @param columns at most, even */
  constructor(sampleRate: number, rows: number, columns: number) {
    const size = 2 ** Math.round(Math.log2(windowSeconds * sampleRate))
    this.#fourier = new FourierTransform(size)
    this.#window = Float64Array.from({ length: size }, (_, i) => (2 / size) * (1 - Math.cos((2 * Math.PI * i) / size)))
    this.#hop = size / 4
    this.#ring = new Float64Array(size)
    this.#capacity = columns
    this.#levels = new Float32Array(rows * columns).fill(Number.NaN)
    const ratio = highestFrequency / lowestFrequency
    const bin = (row: number): number => (lowestFrequency * ratio ** (row / rows) * size) / sampleRate
    this.#rows = Array.from({ length: rows }, (_, row) => ({ from: bin(rows - row - 1), to: bin(rows - row) }))
  }

  /** Takes the next samples, full scale ±1; `firstSample` counts from the start of the stream, what is skipped stays empty. */
  push(samples: Float32Array, firstSample: number): void {
    const size = this.#ring.length
    if (firstSample > this.#position) {
      this.#ring.fill(0)
      this.#position = firstSample
      this.#soundFrom = firstSample
    }
    for (let i = Math.max(0, this.#position - firstSample); i < samples.length; i++) {
      const sample = samples[i]!
      this.#ring[this.#position % size] = Number.isFinite(sample) ? sample : 0
      this.peak = Math.max(this.peak, Math.abs(this.#ring[this.#position % size]!))
      this.#position++
      if (this.#position % this.#hop === 0) this.#transform()
    }
  }

  image(): SpectrogramImage {
    const rows = this.#rows.length
    const levels = new Float32Array(rows * this.#columns)
    for (let row = 0; row < rows; row++) {
      const from = row * this.#capacity
      levels.set(this.#levels.subarray(from, from + this.#columns), row * this.#columns)
    }
    return { columns: this.#columns, rows, samplesPerColumn: this.#hop * this.#hopsPerColumn, levels }
  }

  #transform(): void {
    const size = this.#ring.length
    // The middle of the window is the place that the spectrum is drawn at.
    const middle = Math.max(this.#soundFrom, this.#position - size / 2)
    let column = Math.floor(middle / (this.#hop * this.#hopsPerColumn))
    while (column >= this.#capacity) {
      this.#merge()
      column = Math.floor(column / 2)
    }
    this.#columns = Math.max(this.#columns, column + 1)
    const power = this.#fourier.power(i => this.#ring[(this.#position + i) % size]! * this.#window[i]!)
    this.#rows.forEach(({ from, to }, row) => {
      if (to > size / 2) return
      const place = row * this.#capacity + column
      const level = Math.max(silence, 10 * Math.log10(meanBetween(power, from, to)))
      const before = this.#levels[place]!
      this.#levels[place] = Number.isNaN(before) ? level : Math.max(before, level)
    })
  }

  #merge(): void {
    const half = Math.ceil(this.#columns / 2)
    this.#rows.forEach((_, row) => {
      const levels = this.#levels.subarray(row * this.#capacity, (row + 1) * this.#capacity)
      for (let column = 0; column < half; column++) {
        const [first, second] = [levels[2 * column]!, levels[2 * column + 1] ?? Number.NaN]
        levels[column] = Number.isNaN(first) ? second : Number.isNaN(second) ? first : Math.max(first, second)
      }
      levels.fill(Number.NaN, half)
    })
    this.#columns = half
    this.#hopsPerColumn *= 2
  }
}

/** Mean power of the bins in a band; where it holds none, what lies on the straight line between its neighbours. */
function meanBetween(power: Float64Array, from: number, to: number): number {
  const first = Math.ceil(from)
  const last = Math.floor(to)
  if (last <= first) {
    const middle = (from + to) / 2
    const below = Math.floor(middle)
    const share = middle - below
    return power[below]! * (1 - share) + (power[below + 1] ?? 0) * share
  }
  let sum = 0
  for (let bin = first; bin <= last; bin++) sum += power[bin]!
  return sum / (last - first + 1)
}

/** Radix-2 transform after Cooley and Tukey (1965), for pictures; the hearing does not use it. */
class FourierTransform {
  readonly #size: number
  readonly #real: Float64Array
  readonly #imaginary: Float64Array
  readonly #cosine: Float64Array
  readonly #sine: Float64Array
  readonly #reversed: Uint32Array
  readonly #power: Float64Array

  constructor(size: number) {
    this.#size = size
    this.#real = new Float64Array(size)
    this.#imaginary = new Float64Array(size)
    this.#cosine = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size))
    this.#sine = Float64Array.from({ length: size / 2 }, (_, k) => Math.sin((2 * Math.PI * k) / size))
    this.#power = new Float64Array(size / 2 + 1)
    this.#reversed = new Uint32Array(size)
    for (let i = 1; i < size; i++) this.#reversed[i] = (this.#reversed[i >> 1]! >> 1) | (i & 1 ? size / 2 : 0)
  }

  /** Squared magnitudes of the bins 0 to size / 2; the array is reused by the next call. */
  power(sample: (index: number) => number): Float64Array {
    const [real, imaginary] = [this.#real, this.#imaginary]
    for (let i = 0; i < this.#size; i++) real[this.#reversed[i]!] = sample(i)
    imaginary.fill(0)
    for (let half = 1; half < this.#size; half *= 2) {
      const stride = this.#size / (2 * half)
      for (let start = 0; start < this.#size; start += 2 * half) {
        for (let k = 0; k < half; k++) {
          const [upper, lower] = [start + k, start + k + half]
          const [c, s] = [this.#cosine[k * stride]!, this.#sine[k * stride]!]
          const re = real[lower]! * c + imaginary[lower]! * s
          const im = imaginary[lower]! * c - real[lower]! * s
          real[lower] = real[upper]! - re
          imaginary[lower] = imaginary[upper]! - im
          real[upper] = real[upper]! + re
          imaginary[upper] = imaginary[upper]! + im
        }
      }
    }
    for (let k = 0; k < this.#power.length; k++) this.#power[k] = real[k]! ** 2 + imaginary[k]! ** 2
    return this.#power
  }
}
