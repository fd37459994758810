import type { ArrayShape } from './array-shape.js'
import type { FourierOfSize, RealFourier } from './fourier.js'
import type { ImpulseSpectra } from './impulse-spectra.js'
import { invertSmall } from './small-matrix.js'

/** Correlations are made this much finer than samples. */
const finer = 4
/** Grid points across the main lobe of the widest pair at the highest frequency. */
const pointsPerLobe = 4
const leastStep = 0.02
const mostStep = 0.1
/** Directions may lie this far beyond the unit circle, as the air may be colder than thought. */
const rim = 1.06
const starts = 3
const iterations = 8

interface Pair {
  readonly first: number
  readonly second: number
  /** From the second to the first, metres along the array's axes. */
  readonly baseline: readonly number[]
}

/** The direction in which the microphones align best. */
export interface Peak {
  readonly cosines: readonly number[]
  /** Inverse covariance of the cosines, as noise alone would have it. */
  readonly information: readonly (readonly number[])[]
  /** By how much the phases scatter more than noise explains, as variance; at least 1. */
  readonly inflation: number
  readonly coherence: number
  readonly deflection: number
}

interface Top {
  readonly cosines: readonly number[]
  readonly sum: number
  readonly curvature: readonly (readonly number[])[]
}

/** Steered response power of one array over all directions that it can tell apart. */
export class SteeredSearch {
  readonly shape: ArrayShape
  /** Sum over microphones of their coordinates' products, square metres. */
  readonly lever: readonly (readonly number[])[]
  readonly #speed: number
  readonly #pairs: readonly Pair[]
  readonly #step: number
  readonly #grid: readonly (readonly number[])[]
  /** For each pair the sample of its correlation that belongs to each grid point. */
  readonly #lags: readonly Int32Array[]
  readonly #fourier: RealFourier

  constructor(
    shape: ArrayShape,
    options: {
      readonly sampleRate: number
      readonly speedOfSound: number
      /** Hertz. */
      readonly highest: number
      /** Of the transforms that the spectra come from. */
      readonly size: number
      readonly fourier: FourierOfSize
    },
  ) {
    const { sampleRate, speedOfSound, highest, size, fourier } = options
    const { coordinates, dimensions } = shape
    this.shape = shape
    this.#speed = speedOfSound
    this.#fourier = fourier(size * finer)
    this.#pairs = coordinates.flatMap((from, first) =>
      coordinates.slice(first + 1).map((to, offset) => ({
        first,
        second: first + 1 + offset,
        baseline: from.map((value, axis) => value - to[axis]!),
      })),
    )
    this.lever = square(dimensions, (i, j) => coordinates.reduce((sum, place) => sum + place[i]! * place[j]!, 0))
    const lobe = speedOfSound / highest / Math.max(shape.aperture, 1e-3)
    this.#step = Math.min(mostStep, Math.max(leastStep, lobe / pointsPerLobe))
    this.#grid = dimensions === 3 ? sphere(this.#step) : disc(dimensions, this.#step)
    const mask = size * finer - 1
    this.#lags = this.#pairs.map(({ baseline }) =>
      Int32Array.from(this.#grid, cosines => {
        // The first microphone hears the sound earlier by this, so that its correlation peaks at minus as much.
        const lead = (dot(baseline, cosines) / speedOfSound) * sampleRate * finer
        return Math.round(-lead) & mask
      }),
    )
  }

  highest(spectra: ImpulseSpectra): Peak {
    const weights = this.#weights(spectra)
    const response = this.#response(spectra, weights)
    let best: Top | null = null
    for (let start = 0; start < starts; start++) {
      let top = -1
      for (let i = 0; i < response.length; i++) if (top < 0 || response[i]! > response[top]!) top = i
      if (!(response[top]! > 0)) break
      const from = this.#grid[top]!
      const refined = this.#refine(spectra, weights, from)
      if (best === null || refined.sum > best.sum) best = refined
      for (let i = 0; i < response.length; i++) {
        if (isNear(this.#grid[i]!, from, pointsPerLobe * this.#step)) response[i] = Number.NEGATIVE_INFINITY
      }
    }
    const { cosines, sum, curvature } = best ?? this.#refine(spectra, weights, this.#grid[0]!)
    return { cosines, ...this.#quality(spectra, weights, sum, curvature) }
  }

  /**
   * Weight of each pair at each frequency: what the pair tells of its lag among all microphones, the maximum likelihood
   * weight of Hannan and Thomson (1973) for more than two.
   */
  #weights({ bins, ratio }: ImpulseSpectra): Float64Array[] {
    const all = new Float64Array(bins.length).fill(1)
    for (const row of ratio) for (let k = 0; k < row.length; k++) all[k]! += row[k]!
    return this.#pairs.map(({ first, second }) =>
      Float64Array.from(all, (sum, k) => (ratio[first]![k]! * ratio[second]![k]!) / sum),
    )
  }

  /** The response at every grid point, from the pairs' correlations. */
  #response({ bins, cosine, sine }: ImpulseSpectra, weights: readonly Float64Array[]): Float64Array {
    const { size } = this.#fourier
    const spectrum = new Float32Array(size)
    const correlation = new Float32Array(size)
    const response = new Float64Array(this.#grid.length)
    this.#pairs.forEach(({ first, second }, pair) => {
      const [c1, s1, c2, s2] = [cosine[first]!, sine[first]!, cosine[second]!, sine[second]!]
      const weight = weights[pair]!
      for (let at = 0; at < bins.length; at++) {
        const k = 2 * bins[at]!
        spectrum[k] = weight[at]! * (c1[at]! * c2[at]! + s1[at]! * s2[at]!)
        spectrum[k + 1] = weight[at]! * (s1[at]! * c2[at]! - c1[at]! * s2[at]!)
      }
      this.#fourier.inverse(spectrum, correlation)
      const lags = this.#lags[pair]!
      for (let i = 0; i < lags.length; i++) response[i]! += correlation[lags[i]!]!
    })
    return response
  }

  /** Climbs from `start` to the top of the response, between grid points. */
  #refine(spectra: ImpulseSpectra, weights: readonly Float64Array[], start: readonly number[]): Top {
    let cosines = [...start]
    let here = this.#slope(spectra, weights, cosines)
    for (let iteration = 0; iteration < iterations; iteration++) {
      const inverse = invertSmall(here.bend)
      if (inverse === null) break
      let move = inverse.map(row => dot(row, here.gradient))
      const length = Math.hypot(...move)
      if (length < 1e-6) break
      if (length > this.#step) move = move.map(value => (value * this.#step) / length)
      let next = here
      let there = cosines
      for (let halving = 0; halving < 4; halving++) {
        there = cosines.map((value, i) => value + move[i]!)
        next = this.#slope(spectra, weights, there)
        if (next.sum >= here.sum) break
        move = move.map(value => value / 2)
      }
      if (next.sum < here.sum) break
      cosines = there
      here = next
    }
    return { cosines, sum: here.sum, curvature: here.curvature }
  }

  /** The response at any direction, its gradient, its curvature, and a curvature that is never negative to climb by. */
  #slope({ frequencies, cosine, sine }: ImpulseSpectra, weights: readonly Float64Array[], cosines: readonly number[]) {
    const size = this.shape.dimensions
    const count = frequencies.length
    const aligned = this.shape.coordinates.map((place, microphone) => {
      const lead = dot(place, cosines) / this.#speed
      const [c, s] = [cosine[microphone]!, sine[microphone]!]
      const real = new Float64Array(count)
      const imaginary = new Float64Array(count)
      for (let k = 0; k < count; k++) {
        const angle = frequencies[k]! * lead
        const [a, b] = [Math.cos(angle), Math.sin(angle)]
        real[k] = c[k]! * a + s[k]! * b
        imaginary[k] = s[k]! * a - c[k]! * b
      }
      return { real, imaginary }
    })
    let sum = 0
    const gradient = new Array<number>(size).fill(0)
    const curvature = square(size, () => 0)
    const bend = square(size, () => 0)
    this.#pairs.forEach(({ first, second, baseline }, pair) => {
      const [one, other] = [aligned[first]!, aligned[second]!]
      const weight = weights[pair]!
      let [slope, curve, most] = [0, 0, 0]
      for (let k = 0; k < count; k++) {
        const cosineLeft = one.real[k]! * other.real[k]! + one.imaginary[k]! * other.imaginary[k]!
        const sineLeft = one.imaginary[k]! * other.real[k]! - one.real[k]! * other.imaginary[k]!
        const perSecond = weight[k]! * frequencies[k]!
        sum += weight[k]! * cosineLeft
        slope += perSecond * sineLeft
        curve += perSecond * frequencies[k]! * cosineLeft
        most += perSecond * frequencies[k]!
      }
      const climbing = Math.max(curve, 0.25 * most)
      for (let i = 0; i < size; i++) {
        const lag = baseline[i]! / this.#speed
        gradient[i]! += slope * lag
        for (let j = 0; j < size; j++) {
          const product = (lag * baseline[j]!) / this.#speed
          curvature[i]![j]! += curve * product
          bend[i]![j]! += climbing * product
        }
      }
    })
    return { sum, gradient, curvature, bend }
  }

  #quality(
    { ratio, independence }: ImpulseSpectra,
    weights: readonly Float64Array[],
    sum: number,
    curvature: readonly (readonly number[])[],
  ): Omit<Peak, 'cosines'> {
    let [most, squares, expected] = [0, 0, 0]
    this.#pairs.forEach(({ first, second }, pair) => {
      const weight = weights[pair]!
      for (let k = 0; k < weight.length; k++) {
        most += weight[k]!
        squares += weight[k]! ** 2
        // Variance of each phase is half the inverse ratio of powers, and one minus cosine half the square of the angle.
        expected += weight[k]! * Math.min(1, (1 / ratio[first]![k]! + 1 / ratio[second]![k]!) / 4)
      }
    })
    return {
      information: curvature.map(row => row.map(value => 2 * independence * value)),
      inflation: Math.max(1, (most - sum) / expected),
      coherence: sum / most,
      deflection: (sum * Math.sqrt(independence)) / Math.sqrt(squares / 2),
    }
  }
}

function square(size: number, value: (i: number, j: number) => number): number[][] {
  return Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => value(i, j)))
}

function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

function isNear(a: readonly number[], b: readonly number[], limit: number): boolean {
  let square = 0
  for (let i = 0; i < a.length; i++) square += (a[i]! - b[i]!) ** 2
  return square < limit * limit
}

/** Points a `step` apart on a line or in a disc just wider than the unit circle. */
function disc(dimensions: number, step: number): number[][] {
  const count = Math.ceil(rim / step)
  const line = Array.from({ length: 2 * count + 1 }, (_, i) => (i - count) * step)
  if (dimensions < 2) return line.map(x => [x])
  return line.flatMap(x => line.filter(y => Math.hypot(x, y) <= rim).map(y => [x, y]))
}

/** About `step` apart on the unit sphere, by the golden angle. */
function sphere(step: number): number[][] {
  const count = Math.ceil((4 * Math.PI) / step ** 2)
  const golden = Math.PI * (3 - Math.sqrt(5))
  return Array.from({ length: count }, (_, i) => {
    const z = 1 - (2 * i + 1) / count
    const radius = Math.sqrt(1 - z * z)
    return [radius * Math.cos(golden * i), radius * Math.sin(golden * i), z]
  })
}
