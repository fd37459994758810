/** Length of the windows before and after a moment whose powers are compared (Tech Note 098 uses a step of 50 ms), seconds. */
const stepSeconds = 0.05
/** Of all moments within this distance only the one that stands out most is an onset, seconds. */
const separationSeconds = 0.06
/** Steps of power below this are not onsets, decibel. */
const leastStep = 3
/** A channel says nothing of a step before which it was digitally silent for more than this share of the time. */
const mostSilence = 0.2
/** Power of what a 16-bit converter cannot tell from silence, full scale squared; a channel below it says nothing. */
export const silentPower = 1e-10

/** A moment where the power over all channels steps up. */
export interface Step {
  /** The first frame of the louder part, counted from the start of the stream. */
  readonly frame: number
  /** How much louder the step's second half is than its first, decibel, the median over live channels. */
  readonly salience: number
}

/**
 * Finds steps of power in frames of `frameSeconds`, over several channels. Bounded memory. A step is given at most
 * 0.11 s after it happened, as soon as no later moment can outdo it.
 */
export class StepDetector {
  readonly #channels: number
  readonly #half: number
  readonly #separation: number
  readonly #powers: Float64Array[]
  readonly #before: Float64Array
  /** Frames of digital silence in the first half of the window: where they end nothing happened in the street. */
  readonly #silent: Int32Array
  readonly #after: Float64Array
  readonly #scores: Float64Array
  readonly #sorted: Float64Array
  /** Frames seen since the last reset, and the number of the next one in the stream. */
  #seen = 0
  #next = 0

  constructor(channels: number, frameSeconds: number) {
    this.#channels = channels
    this.#half = Math.round(stepSeconds / frameSeconds)
    this.#separation = Math.round(separationSeconds / frameSeconds)
    this.#powers = Array.from({ length: channels }, () => new Float64Array(2 * this.#half))
    this.#before = new Float64Array(channels)
    this.#silent = new Int32Array(channels).fill(this.#half)
    this.#after = new Float64Array(channels)
    this.#scores = new Float64Array(2 * this.#separation + 1)
    this.#sorted = new Float64Array(channels)
  }

  /** How many frames before the newest one a step may be found at most. */
  get delay(): number {
    return this.#half + this.#separation
  }

  /** Forgets the past; the next frame is number `frame` of the stream. */
  reset(frame: number): void {
    this.#seen = 0
    this.#next = frame
    for (const powers of this.#powers) powers.fill(0)
    this.#before.fill(0)
    this.#silent.fill(this.#half)
    this.#after.fill(0)
    this.#scores.fill(Number.NEGATIVE_INFINITY)
  }

  /** Takes the mean power of each channel over the next frame. */
  push(power: Float64Array): Step | null {
    const length = 2 * this.#half
    const slot = this.#seen % length
    const middle = (this.#seen + this.#half) % length
    for (let channel = 0; channel < this.#channels; channel++) {
      const powers = this.#powers[channel]!
      this.#before[channel]! += powers[middle]! - powers[slot]!
      this.#silent[channel]! += Number(powers[middle]! <= silentPower) - Number(powers[slot]! <= silentPower)
      this.#after[channel]! += power[channel]! - powers[middle]!
      powers[slot] = power[channel]!
      // Sums by difference drift; every full turn they are made anew.
      if (slot === 0) this.#sumAnew(channel, powers)
    }
    this.#seen++
    this.#next++
    return this.#score(this.#seen < length ? Number.NEGATIVE_INFINITY : this.#medianStep())
  }

  /** Ends the stream: gives the step that still waited for rivals, if there is one. */
  drain(): Step[] {
    const steps: Step[] = []
    for (let i = 0; i < this.#separation; i++) {
      this.#seen++
      this.#next++
      const step = this.#score(Number.NEGATIVE_INFINITY)
      if (step) steps.push(step)
    }
    return steps
  }

  #sumAnew(channel: number, powers: Float64Array): void {
    let before = 0
    let after = 0
    for (let k = 1; k <= this.#half; k++) before += powers[k]!
    for (let k = this.#half + 1; k < 2 * this.#half; k++) after += powers[k]!
    this.#before[channel] = before
    this.#after[channel] = after + powers[0]!
  }

  #medianStep(): number {
    let live = 0
    for (let channel = 0; channel < this.#channels; channel++) {
      const before = Math.max(0, this.#before[channel]!) / this.#half
      const after = Math.max(0, this.#after[channel]!) / this.#half
      if (after > silentPower && this.#silent[channel]! <= mostSilence * this.#half) {
        const step = 10 * Math.log10((after + silentPower) / (before + silentPower))
        let place = live++
        while (place > 0 && this.#sorted[place - 1]! > step) {
          this.#sorted[place] = this.#sorted[place - 1]!
          place--
        }
        this.#sorted[place] = step
      }
    }
    return live === 0 ? 0 : (this.#sorted[(live - 1) >> 1]! + this.#sorted[live >> 1]!) / 2
  }

  #score(score: number): Step | null {
    const scores = this.#scores
    const length = scores.length
    const newest = this.#seen % length
    scores[newest] = score
    const candidate = (newest + length - this.#separation) % length
    const salience = scores[candidate]!
    if (!(salience >= leastStep)) return null
    for (let back = 1; back <= this.#separation; back++) {
      if (scores[(candidate + back) % length]! > salience) return null
      if (scores[(candidate + length - back) % length]! >= salience) return null
    }
    return { frame: this.#next - this.#separation - this.#half, salience }
  }
}

/**
 * Where `power` (one value a sample, smoothed) first rises through a `share` of the way, in decibel, from `background` to
 * its peak: a sample's index and a fraction, or null where it starts out above or never rises.
 */
export function risingCrossing(power: Float64Array, length: number, background: number, share: number): number | null {
  let peak = 0
  for (let i = 0; i < length; i++) if (power[i]! > peak) peak = power[i]!
  const floor = background + silentPower
  if (!(peak > floor)) return null
  const threshold = floor * (peak / floor) ** share
  if (power[0]! >= threshold) return null
  for (let i = 1; i < length; i++) {
    if (power[i]! < threshold) continue
    const before = Math.max(power[i - 1]!, silentPower * 1e-3)
    return i - 1 + Math.log(threshold / before) / Math.log(power[i]! / before)
  }
  return null
}
