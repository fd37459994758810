import type { ClockStatus, Instant, SystemInstant } from './instant.js'

/** Sound cards keep their nominal rate within this share; crystals are sold at ±100 ppm and age. */
const largestRateError = 300e-6
/** One standard deviation of that share before it has been measured. */
const usualRateError = 100e-6
/** Observations kept, at least `spacing` seconds apart: about ten minutes of history. */
const capacity = 150
const spacing = 4
/** Early ones are closer: apart by this share of the time since the first, as neighbours share their jitter. */
const earlySpacing = 0.2
/** Residuals beyond this many robust standard deviations count less (Huber's constant for 95 % efficiency). */
const huber = 1.345
/** No reading is better than that, seconds. */
const smallestError = 1e-6
/** A reading further off than this, five times running, is a step of the system clock or lost sound: the fit begins anew. */
const stepTolerance = 0.02
const stepsToRestart = 5

interface Observation {
  readonly sample: number
  readonly system: number
  readonly error: number
}

/** Errors are one standard deviation: that of `system`, which belongs to `sample`, and independently that of the slope. */
interface Line {
  readonly sample: number
  readonly system: number
  readonly systemError: number
  readonly secondsPerSample: number
  readonly slopeError: number
}

/**
 * Tells when a sample was taken: a robust straight line from sample indices to the system clock, fitted to capture
 * timestamps (iteratively reweighted least squares with Huber weights), plus what is known of the system clock itself. Its
 * slope is at first that of the nominal rate, as uncertain as crystals are, and follows the timestamps as far as they tell more.
 */
export class SampleClock {
  readonly #nominalRate: number
  #observations: Observation[] = []
  #status: ClockStatus = { offset: 0, error: Number.POSITIVE_INFINITY }
  #outOfLine = 0
  #line: Line

  /** @param sampleRate nominal rate, hertz */
  constructor(sampleRate: number) {
    this.#nominalRate = sampleRate
    this.#line = {
      sample: 0,
      system: 0,
      systemError: 0,
      secondsPerSample: 1 / sampleRate,
      slopeError: usualRateError / sampleRate,
    }
  }

  /** Takes one capture timestamp: when the sample with this index was taken, as the system clock read it. */
  observe(sample: number, at: SystemInstant): void {
    const residual = at.system - this.#systemTime(sample)
    if (this.#observations.length > 0 && Math.abs(residual) > stepTolerance + 5 * at.readingError) {
      this.#outOfLine++
      if (this.#outOfLine < stepsToRestart) return
      this.#observations = []
    }
    this.#outOfLine = 0
    const first = this.#observations[0]
    const last = this.#observations.at(-1)
    if (first !== undefined && last !== undefined) {
      const apart = Math.min(spacing * this.#nominalRate, earlySpacing * (sample - first.sample))
      if (sample - last.sample < apart) return
    }
    this.#observations.push({ sample, system: at.system, error: at.readingError })
    if (this.#observations.length > capacity) this.#observations.shift()
    this.#fit()
  }

  /** Takes what chrony or a setting says of the system clock. */
  setClockStatus(status: ClockStatus): void {
    this.#status = status
  }

  /** Sample rate as the system clock sees it, hertz. */
  get sampleRate(): number {
    return 1 / this.#line.secondsPerSample
  }

  /** When the sample was taken. The index may be fractional. Error is infinite until the first observation. */
  timeOf(sample: number): Instant {
    if (this.#observations.length === 0) return { utc: Number.NaN, error: Number.POSITIVE_INFINITY }
    const { systemError, slopeError } = this.#line
    return {
      utc: this.#systemTime(sample) + this.#status.offset,
      error: Math.hypot(systemError, slopeError * (sample - this.#line.sample), this.#status.error),
    }
  }

  #systemTime(sample: number): number {
    return this.#line.system + (sample - this.#line.sample) * this.#line.secondsPerSample
  }

  #fit(): void {
    const nominal = 1 / this.#nominalRate
    const points = this.#observations
    const last = points.at(-1)
    if (last === undefined) return
    const priorWeight = 1 / (usualRateError * nominal) ** 2
    const distances = points.map(point => point.sample - last.sample)
    const delays = points.map(point => point.system - last.system)
    let weights = points.map(point => 1 / (point.error + smallestError) ** 2)
    for (let pass = 0; pass < 5; pass++) {
      const total = sum(weights)
      const meanDistance = sum(distances.map((distance, i) => weights[i]! * distance)) / total
      const meanDelay = sum(delays.map((delay, i) => weights[i]! * delay)) / total
      let numerator = priorWeight * nominal
      let denominator = priorWeight
      distances.forEach((distance, i) => {
        const x = distance - meanDistance
        numerator += weights[i]! * x * (delays[i]! - meanDelay)
        denominator += weights[i]! * x * x
      })
      const slope = Math.min(
        Math.max(numerator / denominator, nominal * (1 - largestRateError)),
        nominal * (1 + largestRateError),
      )
      this.#line = {
        sample: last.sample + meanDistance,
        system: last.system + meanDelay,
        systemError: 1 / Math.sqrt(total),
        secondsPerSample: slope,
        slopeError: 1 / Math.sqrt(denominator),
      }
      const residuals = delays.map((delay, i) => delay - meanDelay - slope * (distances[i]! - meanDistance))
      const scale = 1.4826 * median(residuals.map(Math.abs))
      weights = points.map((point, i) => {
        // What the readings say of their error is believed only as far as they agree with each other.
        const deviation = Math.max(point.error, scale) + smallestError
        const tolerance = huber * deviation
        const base = 1 / deviation ** 2
        const size = Math.abs(residuals[i]!)
        return size <= tolerance ? base : (base * tolerance) / size
      })
    }
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length === 0
    ? 0
    : sorted.length % 2 === 1
      ? sorted[middle]!
      : (sorted[middle - 1]! + sorted[middle]!) / 2
}
