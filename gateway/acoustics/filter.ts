/** Coefficients of one second-order section with a0 = 1. */
export interface Section {
  readonly b0: number
  readonly b1: number
  readonly b2: number
  readonly a1: number
  readonly a2: number
}

/**
 * A Butterworth band-pass of second order a flank as two sections: a high-pass at `low` and a low-pass at `high`, hertz,
 * by the bilinear transform with both corners prewarped (Oppenheim and Schafer, Discrete-Time Signal Processing, 7.2), so
 * that every sample rate sees the same band. `high` must lie below half the sample rate.
 *
 * @throws RangeError when the corners do not fit the sample rate.
 */
export function bandPass(low: number, high: number, sampleRate: number): readonly [Section, Section] {
  if (!(low > 0 && low < high && high < sampleRate / 2))
    throw new RangeError(`band ${low} to ${high} Hz does not fit a sample rate of ${sampleRate} Hz`)
  const lowCorner = Math.tan((Math.PI * low) / sampleRate)
  const highCorner = Math.tan((Math.PI * high) / sampleRate)
  const lowScale = 1 / (1 + Math.SQRT2 * lowCorner + lowCorner * lowCorner)
  const highScale = 1 / (1 + Math.SQRT2 * highCorner + highCorner * highCorner)
  const gain = highCorner * highCorner * highScale
  return [
    {
      b0: lowScale,
      b1: -2 * lowScale,
      b2: lowScale,
      a1: 2 * (lowCorner * lowCorner - 1) * lowScale,
      a2: (1 - Math.SQRT2 * lowCorner + lowCorner * lowCorner) * lowScale,
    },
    {
      b0: gain,
      b1: 2 * gain,
      b2: gain,
      a1: 2 * (highCorner * highCorner - 1) * highScale,
      a2: (1 - Math.SQRT2 * highCorner + highCorner * highCorner) * highScale,
    },
  ]
}

/** Two cascaded sections and their state, for one channel (transposed direct form II). */
export class BandPassFilter {
  readonly #first: Section
  readonly #second: Section
  readonly #state = new Float64Array(4)
  #offset = Number.NaN

  constructor(sections: readonly [Section, Section]) {
    this.#first = sections[0]
    this.#second = sections[1]
  }

  /** Forgets the past. The next sample counts as the level the signal always had, so that a constant makes no step. */
  reset(): void {
    this.#state.fill(0)
    this.#offset = Number.NaN
  }

  /**
   * Filters `count` samples of `input` from `from` into `output` from `to` and returns the sum of squares of what came
   * out. A sample that is no number poisons the sum, and the caller must reset.
   */
  process(input: Float32Array, from: number, count: number, output: Float32Array, to: number): number {
    const { b0, b1, b2, a1, a2 } = this.#first
    const { b0: c0, b1: c1, b2: c2, a1: d1, a2: d2 } = this.#second
    const state = this.#state
    if (Number.isNaN(this.#offset) && count > 0) this.#offset = input[from]!
    const offset = this.#offset
    let s0 = state[0]!
    let s1 = state[1]!
    let s2 = state[2]!
    let s3 = state[3]!
    let sum = 0
    for (let i = 0; i < count; i++) {
      const x = input[from + i]! - offset
      const y = b0 * x + s0
      s0 = b1 * x - a1 * y + s1
      s1 = b2 * x - a2 * y
      const z = c0 * y + s2
      s2 = c1 * y - d1 * z + s3
      s3 = c2 * y - d2 * z
      output[to + i] = z
      sum += z * z
    }
    state[0] = s0
    state[1] = s1
    state[2] = s2
    state[3] = s3
    return sum
  }
}
