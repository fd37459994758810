/** Rate at which the sound around an onset is judged, hertz, and the band that is left of it: every array from 8 kHz up has it. */
export const bandRate = 8000
const lowCorner = 300
const highCorner = 3000
/** How far a sound is looked at before and after its onset, seconds. */
export const judgedBefore = 0.4
export const judgedAfter = 0.25
/** Half the length of the low-pass, seconds: it has fallen by 40 dB where 8 kHz recordings end. */
const kernelHalf = 0.0025
/** Sections of a Butterworth filter of fourth order, by their quality (Oppenheim and Schafer, Discrete-Time Signal Processing, 7.2). */
const qualities = [0.541196, 1.306563]

export interface BandSound {
  /** At `bandRate`; the onset is at sample `judgedBefore * bandRate`. Outside `from` to `to` there was no sound: zeros. */
  readonly samples: Float64Array
  readonly from: number
  readonly to: number
}

/**
 * Brings sound of one sample rate to the one band and rate in which sounds are judged, so that what is left tells as little
 * as may be of the microphone and the recording. A windowed sinc takes what lies above 3 kHz and moves the samples onto a grid
 * through the onset; a high-pass takes what lies below 300 Hz.
 */
export class BandReader {
  readonly #sampleRate: number
  readonly #half: number
  readonly #phases: number
  readonly #kernel: Float64Array

  /** @param sampleRate hertz, 8,000 or more @throws RangeError */
  constructor(sampleRate: number) {
    if (!(sampleRate >= bandRate)) throw new RangeError(`sample rate ${sampleRate} Hz`)
    this.#sampleRate = sampleRate
    this.#half = Math.ceil(kernelHalf * sampleRate)
    this.#phases = Math.max(16, Math.ceil((256 * bandRate) / sampleRate))
    const taps = 2 * this.#half
    this.#kernel = new Float64Array((this.#phases + 1) * taps)
    for (let phase = 0; phase <= this.#phases; phase++) {
      let sum = 0
      const row = phase * taps
      for (let tap = 0; tap < taps; tap++) {
        const time = (tap - this.#half + 1 - phase / this.#phases) / sampleRate
        this.#kernel[row + tap] = lowPass(time)
        sum += this.#kernel[row + tap]!
      }
      for (let tap = 0; tap < taps; tap++) this.#kernel[row + tap]! /= sum
    }
  }

  /** @param onset where in `samples` the onset is, samples, with a fraction. Samples that are no numbers count as 0. */
  read(samples: ArrayLike<number>, onset: number): BandSound {
    const ratio = this.#sampleRate / bandRate
    const before = judgedBefore * bandRate
    const length = before + judgedAfter * bandRate
    const out = new Float64Array(length)
    const from = Math.min(length, Math.max(0, Math.ceil(before + (this.#half - onset) / ratio)))
    const to = Math.max(
      from,
      Math.min(length, Math.floor(before + (samples.length - 1 - this.#half - onset) / ratio) + 1),
    )
    const kernel = this.#kernel
    const half = this.#half
    const phases = this.#phases
    const taps = 2 * half
    for (let i = from; i < to; i++) {
      const place = onset + (i - before) * ratio
      const whole = Math.floor(place)
      const row = Math.round((place - whole) * phases) * taps
      const first = whole - half + 1
      let sum = 0
      for (let tap = 0; tap < taps; tap++) sum += samples[first + tap]! * kernel[row + tap]!
      out[i] = Number.isFinite(sum) ? sum : 0
    }
    highPass(out, from, to)
    return { samples: out, from, to }
  }
}

function lowPass(time: number): number {
  if (Math.abs(time) >= kernelHalf) return 0
  const angle = 2 * Math.PI * highCorner * time
  const sinc = angle === 0 ? 1 : Math.sin(angle) / angle
  return sinc * (0.5 + 0.5 * Math.cos((Math.PI * time) / kernelHalf))
}

/** In place. What came before `from` counts as the level of the first sample, so that a constant makes no step. */
function highPass(samples: Float64Array, from: number, to: number): void {
  const corner = Math.tan((Math.PI * lowCorner) / bandRate)
  for (const quality of qualities) {
    const scale = 1 / (1 + corner / quality + corner * corner)
    const a1 = 2 * (corner * corner - 1) * scale
    const a2 = (1 - corner / quality + corner * corner) * scale
    const level = samples[from] ?? 0
    let s1 = 0
    let s2 = 0
    for (let i = from; i < to; i++) {
      const x = samples[i]! - level
      const y = scale * x + s1
      s1 = -2 * scale * x - a1 * y + s2
      s2 = scale * x - a2 * y
      samples[i] = y
    }
  }
}
