/** In-place complex discrete Fourier transforms of one size, a power of two (Cooley and Tukey 1965, decimation in time). */
export class Fourier {
  readonly size: number
  /** Twiddle factors of the stage that joins halves of length h, from index h on. */
  readonly #cosine: Float64Array
  readonly #sine: Float64Array
  readonly #reversed: Uint32Array

  constructor(size: number) {
    if (size < 2 || (size & (size - 1)) !== 0) throw new RangeError(`size ${size} is not a power of two`)
    this.size = size
    this.#cosine = new Float64Array(size)
    this.#sine = new Float64Array(size)
    for (let half = 1; half < size; half <<= 1) {
      for (let offset = 0; offset < half; offset++) {
        this.#cosine[half + offset] = Math.cos((Math.PI * offset) / half)
        this.#sine[half + offset] = -Math.sin((Math.PI * offset) / half)
      }
    }
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
    const twiddleCosine = this.#cosine
    const twiddleSine = this.#sine
    for (let half = 1; half < size; half <<= 1) {
      for (let block = 0; block < size; block += 2 * half) {
        for (let offset = 0; offset < half; offset++) {
          const cosine = twiddleCosine[half + offset]!
          const sine = twiddleSine[half + offset]!
          const i = block + offset
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
