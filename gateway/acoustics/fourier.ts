/**
 * Discrete Fourier transforms of real signals of one size N, with the sign and scale of X[k] = sum of x[n] exp(-2πi kn / N).
 * A spectrum is N values: X[0], X[N/2], then real and imaginary part of X[1] to X[N/2 - 1].
 */
export interface RealFourier {
  readonly size: number
  forward(samples: Float32Array, spectrum: Float32Array): void
  /** Gives N times the signal. */
  inverse(spectrum: Float32Array, samples: Float32Array): void
}

/** Makes the transform of a size, a power of two of at least 32. Pure folders are handed one; see `commands/fourier.ts`. */
export type FourierOfSize = (size: number) => RealFourier
