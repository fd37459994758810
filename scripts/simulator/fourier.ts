/** In-place complex discrete Fourier transforms of one size, a power of two (Cooley and Tukey 1965, decimation in time). */
export class Fourier {
  readonly size: number
  readonly #cosine: Float64Array
  readonly #sine: Float64Array
  readonly #reversed: Uint32Array

  constructor(size: number) {
    if (size < 2 || (size & (size - 1)) !== 0) throw new RangeError(`size ${size} is not a power of two`)
    this.size = size
    this.#cosine = Float64Array.from({ length: size / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / size))
    this.#sine = Float64Array.from({ length: size / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / size))
    this.#reversed = new Uint32Array(size)
    for (let i = 1; i < size; i++) this.#reversed[i] = (this.#reversed[i >> 1]! >> 1) | (i & 1 ? size >> 1 : 0)
  }

  /** X[k] = sum of x[n] exp(-2πi kn / size). */
  forward(real: Float64Array, imaginary: Float64Array): void {
    const { size } = this
    for (let i = 1; i < size; i++) {
      const j = this.#reversed[i]!
      if (j <= i) continue
      const r = real[i]!
      const s = imaginary[i]!
      real[i] = real[j]!
      imaginary[i] = imaginary[j]!
      real[j] = r
      imaginary[j] = s
    }
    for (let half = 1; half < size; half <<= 1) {
      const step = size / (2 * half)
      for (let offset = 0; offset < half; offset++) {
        const cosine = this.#cosine[offset * step]!
        const sine = this.#sine[offset * step]!
        for (let i = offset; i < size; i += 2 * half) {
          const j = i + half
          const r = real[j]! * cosine - imaginary[j]! * sine
          const s = real[j]! * sine + imaginary[j]! * cosine
          real[j] = real[i]! - r
          imaginary[j] = imaginary[i]! - s
          real[i] = real[i]! + r
          imaginary[i] = imaginary[i]! + s
        }
      }
    }
  }

  /** x[n] = (1 / size) times the sum of X[k] exp(2πi kn / size). */
  inverse(real: Float64Array, imaginary: Float64Array): void {
    this.forward(imaginary, real)
    const scale = 1 / this.size
    for (let i = 0; i < this.size; i++) {
      real[i] = real[i]! * scale
      imaginary[i] = imaginary[i]! * scale
    }
  }
}

const transforms = new Map<number, Fourier>()

/** The transform of that size, made once. */
export function fourier(size: number): Fourier {
  let transform = transforms.get(size)
  if (transform === undefined) {
    transform = new Fourier(size)
    transforms.set(size, transform)
  }
  return transform
}

/** The smallest power of two that is not below `length`. */
export function powerOfTwo(length: number): number {
  let size = 2
  while (size < length) size *= 2
  return size
}
