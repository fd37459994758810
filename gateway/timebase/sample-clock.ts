import type { ClockStatus, Instant, SystemInstant } from './instant.js'

/** Sound cards keep their nominal rate within this share; crystals are sold at ±100 ppm and age. */
const largestRateError = 300e-6
/** Observations kept, at least `spacing` seconds apart: about ten minutes of history. */
const capacity = 150
const spacing = 4
/** Residuals beyond this many robust standard deviations count less (Huber's constant for 95 % efficiency). */
const huber = 1.345
/** A reading further off than this, five times running, is a step of the system clock or lost sound: the fit begins anew. */
const stepTolerance = 0.02
const stepsToRestart = 5

interface Observation {
  readonly sample: number
  readonly system: number
  readonly error: number
}

/**
 * Tells when a sample was taken: a robust straight line from sample indices to the system clock, fitted to capture
 * timestamps (iteratively reweighted least squares with Huber weights), plus what is known of the system clock itself.
 */
export class SampleClock {
  readonly #nominalRate: number
  #observations: Observation[] = []
  #status: ClockStatus = { offset: 0, error: Number.POSITIVE_INFINITY }
  #outOfLine = 0
  #line: { sample: number; system: number; secondsPerSample: number; spread: number }

  /** @param sampleRate nominal rate, hertz */
  constructor(sampleRate: number) {
    this.#nominalRate = sampleRate
    this.#line = { sample: 0, system: 0, secondsPerSample: 1 / sampleRate, spread: 0 }
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
    const last = this.#observations.at(-1)
    const few = this.#observations.length < 8
    if (last !== undefined && !few && sample - last.sample < spacing * this.#nominalRate) return
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
    return {
      utc: this.#systemTime(sample) + this.#status.offset,
      error: Math.hypot(this.#line.spread, this.#status.error),
    }
  }

  #systemTime(sample: number): number {
    return this.#line.system + (sample - this.#line.sample) * this.#line.secondsPerSample
  }

  #fit(): void {
    const nominal = 1 / this.#nominalRate
    const points = this.#observations
    const first = points[0]
    const last = points.at(-1)
    if (first === undefined || last === undefined) return
    // A slope needs a stretch of time against which the jitter is small; before that the nominal rate is the better guess.
    const stretch = (last.sample - first.sample) * nominal
    const freeSlope = points.length >= 8 && stretch >= 10
    let weights = points.map(point => 1 / (point.error + 1e-6) ** 2)
    let line = this.#line
    for (let pass = 0; pass < 5; pass++) {
      const total = sum(weights)
      const meanSample = sum(points.map((point, i) => weights[i]! * (point.sample - last.sample))) / total
      const meanSystem = sum(points.map((point, i) => weights[i]! * (point.system - last.system))) / total
      let slope = nominal
      if (freeSlope) {
        let numerator = 0
        let denominator = 0
        points.forEach((point, i) => {
          const x = point.sample - last.sample - meanSample
          numerator += weights[i]! * x * (point.system - last.system - meanSystem)
          denominator += weights[i]! * x * x
        })
        slope = Math.min(
          Math.max(numerator / denominator, nominal * (1 - largestRateError)),
          nominal * (1 + largestRateError),
        )
      }
      const intercept = last.system + meanSystem - slope * meanSample
      const residuals = points.map(point => point.system - intercept - slope * (point.sample - last.sample))
      const scale = 1.4826 * median(residuals.map(Math.abs))
      const effective = total ** 2 / sum(weights.map(weight => weight ** 2))
      const readingError = 1 / Math.sqrt(sum(points.map(point => 1 / (point.error + 1e-6) ** 2)))
      line = {
        sample: last.sample,
        system: intercept,
        secondsPerSample: slope,
        spread: Math.max(readingError, (freeSlope ? 2 : 1) * (scale / Math.sqrt(effective))),
      }
      const tolerance = huber * Math.max(scale, 1e-6)
      weights = points.map((point, i) => {
        const base = 1 / (point.error + 1e-6) ** 2
        const size = Math.abs(residuals[i]!)
        return size <= tolerance ? base : (base * tolerance) / size
      })
    }
    this.#line = line
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
