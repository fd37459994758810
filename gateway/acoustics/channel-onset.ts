import { risingCrossing, silentPower } from './onset.js'

/** Background is measured over this long before the search, seconds. */
const backgroundSeconds = 0.03
/** Share of the way from background to peak, in decibel, at which the sound has set in. */
const onsetShare = 0.65

/** An onset in one channel: place and length of the rise, samples, peak (full scale 1) and the peak's power over the background's. */
export interface ChannelOnset {
  readonly onset: number
  readonly rise: number
  readonly peak: number
  readonly contrast: number
}

/** Picks the onset of a step in one channel's filtered sound to a part of a sample. */
export class OnsetPicker {
  readonly #search: Float64Array
  readonly #smoothing: number
  readonly #background: number

  /**
   * @param smoothing seconds over which power is averaged
   * @param longest seconds of the longest stretch that is searched
   */
  constructor(sampleRate: number, smoothing: number, longest: number) {
    this.#search = new Float64Array(Math.ceil(longest * sampleRate) + 1)
    this.#smoothing = Math.max(1, Math.round(smoothing * sampleRate))
    this.#background = Math.round(backgroundSeconds * sampleRate)
  }

  /**
   * The onset between two samples of a ring whose length is a power of two and whose oldest sample is given.
   *
   * @returns null where the channel heard no step
   */
  pick(ring: Float32Array, oldest: number, from: number, to: number): ChannelOnset | null {
    const mask = ring.length - 1
    const backgroundFrom = Math.max(oldest, from - this.#background)
    let background = 0
    for (let i = backgroundFrom; i < from; i++) background += ring[i & mask]! ** 2
    background /= Math.max(1, from - backgroundFrom)
    const lead = Math.floor(this.#smoothing / 2)
    const search = this.#search
    const length = Math.min(search.length, to - from - lead)
    let sum = 0
    let peak = 0
    for (let i = Math.max(oldest, from + lead - this.#smoothing); i < from + lead; i++) sum += ring[i & mask]! ** 2
    for (let i = 0; i < length; i++) {
      const entering = ring[(from + i + lead) & mask]!
      sum += entering ** 2
      const leaving = from + i + lead - this.#smoothing
      if (leaving >= oldest) sum -= ring[leaving & mask]! ** 2
      search[i] = Math.max(0, sum) / this.#smoothing
      peak = Math.max(peak, Math.abs(entering))
    }
    if (!(peak * peak > silentPower)) return null
    const onset = risingCrossing(search, length, background, onsetShare)
    const early = risingCrossing(search, length, background, onsetShare - 0.15)
    const late = risingCrossing(search, length, background, onsetShare + 0.15)
    if (onset === null) return null
    const rise = Math.max(0, (late ?? onset) - (early ?? onset)) / 2
    return { onset: from + onset, rise, peak, contrast: (peak * peak) / (background + silentPower) }
  }
}
