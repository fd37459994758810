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
/** A reading further off than this is not believed unless those after it say the same, seconds. */
const wild = 0.02
/** The newest readings, that tell together whether the line still holds: less than half a second of blocks. */
const recentReadings = 8
/** The line begins anew where they are all off to one side, by so many robust standard deviations of what it was fitted to. */
const breakDeviations = 2.5
/** And by at least this share of the error that they claim, which is seldom as large as they say. */
const breakShare = 0.6
/** One standard deviation of the rate that a line which begins anew takes from the one before. */
const keptRateError = 20e-6

interface Reading {
  readonly sample: number
  readonly system: number
  readonly error: number
}

/** `offset` is what had to be added to the system clock when it was read, as far as was known then; `clockError` is the error of that. */
interface Observation extends Reading {
  readonly offset: number
  readonly clockError: number
}

/** Errors are one standard deviation: that of `utc`, which belongs to `sample`, and independently that of the slope. */
interface Line {
  readonly sample: number
  readonly utc: number
  readonly utcError: number
  readonly secondsPerSample: number
  readonly slopeError: number
}

/**
 * Tells when a sample was taken: a robust straight line from sample indices to UTC, fitted to capture timestamps (iteratively
 * reweighted least squares with Huber weights). Each was corrected by what was known of the system clock when it was read, so
 * that a correction that the clock takes out meanwhile cancels. The slope is at first that of the nominal rate, as uncertain as
 * crystals are, and follows the timestamps as far as they tell more.
 *
 * The line counts as off by at least as much as the newest readings, corrected as of now, are off it; where they agree that it no
 * longer holds it begins anew with them. Both happen as soon as another correction is told, before the next reading.
 */
export class SampleClock {
  readonly #nominalRate: number
  #observations: Observation[] = []
  #recent: Reading[] = []
  /** The offset is the last that was known. */
  #status: ClockStatus = { offset: 0, error: Number.POSITIVE_INFINITY }
  /** What the slope was before there were observations, with its error. */
  #prior: { readonly slope: number; readonly error: number }
  #line: Line
  /** Robust standard deviation of the observations about the line. */
  #scale = 0
  /** By how much the newest readings are off the line, in their middle. */
  #residual = 0

  /** @param sampleRate nominal rate, hertz */
  constructor(sampleRate: number) {
    this.#nominalRate = sampleRate
    const [slope, error] = [1 / sampleRate, usualRateError / sampleRate]
    this.#prior = { slope, error }
    this.#line = { sample: 0, utc: 0, utcError: 0, secondsPerSample: slope, slopeError: error }
  }

  /** Takes one capture timestamp: when the sample with this index was taken, as the system clock read it. */
  observe(sample: number, at: SystemInstant): void {
    const reading = { sample, system: at.system, error: at.readingError }
    this.#recent.push(reading)
    if (this.#recent.length > recentReadings) this.#recent.shift()
    if (this.#observations.length > 0 && this.#beginAnewWhereBroken()) return
    if (this.#isDue(reading)) {
      this.#observations.push(this.#corrected(reading))
      if (this.#observations.length > capacity) this.#observations.shift()
      this.#fit()
    }
    this.#residual = median(this.#recentResiduals())
  }

  /** Takes what chrony or a setting says of the system clock. */
  setClockStatus(status: ClockStatus): void {
    const known = Number.isFinite(status.error)
    const wasKnown = Number.isFinite(this.#status.error)
    const before = this.#status.offset
    this.#status = known ? status : { offset: before, error: status.error }
    if (this.#observations.length === 0) return
    if (known && !wasKnown) {
      // What is known first holds for what was read before as well.
      this.#observations = this.#observations.map(each =>
        Number.isFinite(each.clockError) ? each : this.#corrected(each),
      )
      this.#fit()
    }
    if (this.#status.offset !== before && !this.#beginAnewWhereBroken())
      this.#residual = median(this.#recentResiduals())
  }

  /** Sample rate as UTC sees it, hertz. */
  get sampleRate(): number {
    return 1 / this.#line.secondsPerSample
  }

  /** When the sample was taken. The index may be fractional. Error is infinite until the first observation. */
  timeOf(sample: number): Instant {
    if (this.#observations.length === 0) return { utc: Number.NaN, error: Number.POSITIVE_INFINITY }
    const { utcError, slopeError } = this.#line
    const lineError = Math.hypot(utcError, slopeError * (sample - this.#line.sample))
    return {
      utc: this.#onLine(sample),
      error: Math.hypot(Math.max(lineError, Math.abs(this.#residual)), this.#status.error),
    }
  }

  #onLine(sample: number): number {
    return this.#line.utc + (sample - this.#line.sample) * this.#line.secondsPerSample
  }

  #corrected(reading: Reading): Observation {
    const { sample, system, error } = reading
    return { sample, system, error, offset: this.#status.offset, clockError: this.#status.error }
  }

  #residualOf({ sample, system }: Reading): number {
    return system + this.#status.offset - this.#onLine(sample)
  }

  #recentResiduals(): number[] {
    return this.#recent.map(reading => this.#residualOf(reading))
  }

  #isDue(reading: Reading): boolean {
    const [first, last] = [this.#observations[0], this.#observations.at(-1)]
    if (first === undefined || last === undefined) return true
    if (Math.abs(this.#residualOf(reading)) > wild + 5 * reading.error) return false
    const apart = Math.min(spacing * this.#nominalRate, earlySpacing * (reading.sample - first.sample))
    return reading.sample - last.sample >= apart
  }

  /** Whether the newest readings agree that the line no longer holds, as no single one can; then it begins anew with them. */
  #beginAnewWhereBroken(): boolean {
    if (this.#recent.length < recentReadings) return false
    const residuals = this.#recentResiduals()
    const side = Math.sign(residuals[0]!)
    const claimed = median(this.#recent.map(({ error }) => error))
    const tolerance = Math.max(breakShare * claimed, breakDeviations * this.#scale)
    if (Math.abs(median(residuals)) <= tolerance || residuals.some(each => Math.sign(each) !== side)) return false
    const { secondsPerSample, slopeError } = this.#line
    this.#prior = { slope: secondsPerSample, error: Math.hypot(slopeError, keptRateError / this.#nominalRate) }
    this.#observations = this.#recent.map(reading => this.#corrected(reading))
    this.#fit()
    this.#residual = median(this.#recentResiduals())
    return true
  }

  #fit(): void {
    const nominal = 1 / this.#nominalRate
    const points = this.#observations
    const last = points.at(-1)
    if (last === undefined) return
    const priorWeight = 1 / this.#prior.error ** 2
    const lastUtc = last.system + last.offset
    const distances = points.map(point => point.sample - last.sample)
    const delays = points.map(point => point.system + point.offset - lastUtc)
    const errors = readingErrors(points)
    let weights = errors.map(error => 1 / (error + smallestError) ** 2)
    for (let pass = 0; pass < 5; pass++) {
      const total = sum(weights)
      const meanDistance = sum(distances.map((distance, i) => weights[i]! * distance)) / total
      const meanDelay = sum(delays.map((delay, i) => weights[i]! * delay)) / total
      let numerator = priorWeight * this.#prior.slope
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
        utc: lastUtc + meanDelay,
        utcError: 1 / Math.sqrt(total),
        secondsPerSample: slope,
        slopeError: 1 / Math.sqrt(denominator),
      }
      const residuals = delays.map((delay, i) => delay - meanDelay - slope * (distances[i]! - meanDistance))
      const scale = 1.4826 * median(residuals.map(Math.abs))
      this.#scale = scale
      weights = errors.map((error, i) => {
        // What the readings say of their error is believed only as far as they agree with each other.
        const deviation = Math.max(error, scale) + smallestError
        const tolerance = huber * deviation
        const base = 1 / deviation ** 2
        const size = Math.abs(residuals[i]!)
        return size <= tolerance ? base : (base * tolerance) / size
      })
    }
  }
}

/** Of each point; that of the system clock then where it was larger, as far as the clock was known better at the best of times. */
function readingErrors(points: readonly Observation[]): number[] {
  const clockErrors = points.map(({ clockError }) => (Number.isFinite(clockError) ? clockError : 0))
  const common = Math.min(...clockErrors)
  return points.map(({ error }, i) => Math.max(error, Math.sqrt(clockErrors[i]! ** 2 - common ** 2)))
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
