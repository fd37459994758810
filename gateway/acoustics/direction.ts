import { ArrayShape, type Microphone, turn } from './array-shape.js'
import type { Bearing } from './arrival.js'
import type { FourierOfSize } from './fourier.js'
import { type ImpulseSpectra, ImpulseWindow } from './impulse-spectra.js'
import type { Snippet } from './listener.js'
import { choleskyColumns, invertSmall } from './small-matrix.js'
import { SteeredSearch } from './steered-search.js'

/** The peak must rise above what chance phases give by so many of their standard deviations, and align at least so much. */
const leastDeflection = 4.5
const leastCoherence = 0.6
/** Cosines beyond the unit circle by more than this, or a solid array's off the sphere, are no plane wave. */
const cosineTolerance = 0.12
/** Microphones differ in place and phase by so much, seconds of sound, one standard deviation. */
const mismatch = 1.5e-6
const unknownSpeedError = 0.016
/** The whole front, or only its sharpest part where that stands out by itself, seconds. */
const fronts = [0.0025, 0.0014]
/** Nobody mounts and surveys better than this, degrees. */
const leastError = 0.5
/** Bearings with a larger error are none, degrees. */
const mostError = 10
const mostElevationError = 15

export interface DirectionOptions {
  readonly microphones: readonly Microphone[]
  /** Where the array's front faces, degrees clockwise from true north. */
  readonly heading: number
  readonly sampleRate: number
  readonly fourier: FourierOfSize
  /** Metres a second; only elevations of plane arrays and the angles of lines lean on it. */
  readonly speedOfSound?: number
  /** One standard deviation of the speed of sound, as a share of it; by default that of an unknown temperature. */
  readonly speedError?: number
  /** How much of the sound after its onset counts, seconds; by default the front of a muzzle blast, before most echoes. */
  readonly duration?: number
}

/** What an array says of an impulse's direction. */
export interface Direction {
  /** Null where the array leaves more than one azimuth, as a line does, or none. */
  readonly bearing: Bearing | null
  /** Cosines with the array's own axes, towards the source, and their covariance. */
  readonly cosines: readonly number[]
  readonly covariance: readonly (readonly number[])[]
  /** One standard deviation of the elevation, degrees; null with it. */
  readonly elevationError: number | null
  /** Mean cosine of the phase differences that the direction leaves, weighted: 1 is one plane wave. */
  readonly coherence: number
  /** How far the peak rises above what chance phases give, in their standard deviations. */
  readonly deflection: number
}

/**
 * Direction of impulses from one compact array of any shape: generalised cross-correlation with phase transform over all
 * pairs of microphones (Knapp and Carter 1976), each frequency weighted by how well it stands out against the noise before
 * the onset, steered over all directions (DiBiase, Silverman and Brandstein 2001) and refined between grid points and samples by
 * Newton's method. The error is the Cramér-Rao bound at the peak's curvature, widened where phases agree less than the noise explains.
 */
export class DirectionFinder {
  readonly #options: DirectionOptions
  readonly #speed: number
  readonly #windows: readonly ImpulseWindow[]
  readonly #searches = new Map<string, SteeredSearch>()

  constructor(options: DirectionOptions) {
    this.#options = options
    this.#speed = options.speedOfSound ?? 340
    const { aperture } = new ArrayShape(options.microphones, options.heading)
    const { sampleRate, duration, fourier } = options
    const durations = duration === undefined ? fronts : [duration]
    this.#windows = durations.map(each => new ImpulseWindow(sampleRate, aperture / this.#speed, each, fourier))
  }

  bearing(snippet: Snippet): Bearing | null {
    return this.find(snippet)?.bearing ?? null
  }

  /** Null where the sound is no single plane wave that stands out, or fewer than three microphones live. */
  find(snippet: Snippet): Direction | null {
    const found = this.#windows.flatMap(window => this.#findIn(window, snippet) ?? [])
    return found.reduce<Direction | null>((best, each) => (best && spread(best) <= spread(each) ? best : each), null)
  }

  #findIn(window: ImpulseWindow, { channels, onset }: Snippet): Direction | null {
    const spectra = window.of(channels.slice(0, this.#options.microphones.length), onset)
    if (spectra === null || spectra.microphones.length < 3) return null
    const search = this.#search(spectra, window.highCorner)
    const { shape } = search
    if (shape.dimensions === 0) return null
    const peak = search.highest(spectra)
    const length = Math.hypot(...peak.cosines)
    if (peak.deflection < leastDeflection || peak.coherence < leastCoherence) return null
    if (length > 1 + cosineTolerance || (shape.dimensions === 3 && length < 1 - cosineTolerance)) return null
    const noise = invertSmall(peak.information)
    const lever = invertSmall(search.lever)
    if (noise === null || lever === null) return null
    const placing = (mismatch * this.#speed) ** 2
    const speeding = (this.#options.speedError ?? unknownSpeedError) ** 2
    const covariance = noise.map((row, i) =>
      row.map(
        (value, j) => value * peak.inflation + lever[i]![j]! * placing + peak.cosines[i]! * peak.cosines[j]! * speeding,
      ),
    )
    return {
      ...this.#bearing(shape, peak.cosines, covariance),
      cosines: peak.cosines,
      covariance,
      coherence: peak.coherence,
      deflection: peak.deflection,
    }
  }

  #bearing(
    shape: ArrayShape,
    cosines: readonly number[],
    covariance: readonly (readonly number[])[],
  ): Pick<Direction, 'bearing' | 'elevationError'> {
    const nothing = { bearing: null, elevationError: null }
    const best = shape.sightline(cosines)
    if (best === null) return nothing
    let [azimuthVariance, elevationVariance] = [leastError ** 2 + best.ambiguity ** 2, leastError ** 2]
    for (const column of choleskyColumns(covariance)) {
      const [more, less] = [1, -1].map(sign => shape.sightline(cosines.map((value, i) => value + sign * column[i]!)))
      if (!more || !less) return nothing
      azimuthVariance += (turn(less.azimuth, more.azimuth) / 2) ** 2
      elevationVariance += ((more.elevation - less.elevation) / 2) ** 2
    }
    const [error, elevationError] = [Math.sqrt(azimuthVariance), Math.sqrt(elevationVariance)]
    if (error > mostError) return nothing
    const tells = shape.tellsElevation && elevationError <= mostElevationError
    return {
      bearing: { azimuth: best.azimuth, elevation: tells ? best.elevation : null, error },
      elevationError: tells ? elevationError : null,
    }
  }

  /** The search over the microphones that live; arrays that lose some have few such sets. */
  #search({ microphones, size }: ImpulseSpectra, highest: number): SteeredSearch {
    const key = `${size} ${microphones.join()}`
    let search = this.#searches.get(key)
    if (search === undefined) {
      const { heading, sampleRate, fourier } = this.#options
      const shape = new ArrayShape(
        microphones.map(i => this.#options.microphones[i]!),
        heading,
      )
      search = new SteeredSearch(shape, {
        sampleRate,
        speedOfSound: this.#speed,
        highest,
        size,
        fourier,
      })
      if (this.#searches.size >= 8) this.#searches.clear()
      this.#searches.set(key, search)
    }
    return search
  }
}

/** Sum of the cosines' variances. */
function spread({ covariance }: Direction): number {
  return covariance.reduce((sum, row, i) => sum + row[i]!, 0)
}
