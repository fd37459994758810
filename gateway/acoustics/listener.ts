import type { Arrival, Bearing } from './arrival.js'
import { judgedAfter, judgedBefore } from './band.js'
import { type ChannelOnset, OnsetPicker } from './channel-onset.js'
import { ImpulseJudge } from './classifier.js'
import { BandPassFilter, bandPass } from './filter.js'
import { type Step, StepDetector } from './onset.js'
import { SoundRing } from './sound-ring.js'

/** The band in which muzzle blasts stand out over a few hundred metres and that every sample rate from 8 kHz carries, hertz. */
const lowCorner = 300
const highCorner = 3000
/** Power is followed in frames of this length, whatever the sample rate, seconds. */
const frameSeconds = 0.001
/** The onset is looked for from so long before the step to so long after, seconds. */
const searchBefore = 0.02
const searchAfter = 0.05
/** One standard deviation of a perfect onset: the muzzle blast's own length and the filter's delay, seconds. */
const leastPickingError = 0.0003
/** A sound is judged when so much of it has been heard since the step, whatever the onset turns out to be, seconds. */
const judgingDelay = judgedAfter + 0.02
/** Full scale 1. A channel that reaches it may clip, and another one is judged where there is one. */
const clippingLevel = 0.97

/** The sound around an onset: the array's channels as they came in, for a direction finder. */
export interface Snippet {
  readonly channels: readonly Float32Array[]
  readonly sampleRate: number
  /** Where in the snippet the onset is, samples. */
  readonly onset: number
}

export interface ListenerOptions {
  readonly gateway: string
  /** Changes whenever the numbering of arrivals starts anew. */
  readonly epoch: string
  /** Hertz, 8,000 to 96,000. */
  readonly sampleRate: number
  /** 1 to 16. */
  readonly channels: number
  /** Peak level of full scale, decibel re 20 µPa; 120 where the array is not calibrated. */
  readonly fullScaleLevel?: number
  /** Number of the first arrival. */
  readonly firstNumber?: number
  /** Finds the direction of a snippet, which it may keep. */
  readonly bearing?: (snippet: Snippet) => Bearing | null
  /** Takes each new arrival with its sound and gives it as it should be told. */
  readonly finish?: (arrival: Arrival, snippet: Snippet) => Arrival
}

/** When the sample with this index, counted from the start of the stream and possibly fractional, was captured. */
export type SampleClock = (sampleIndex: number) => { readonly utc: number; readonly error: number }

/** An arrival whose sound is not over. */
interface Unjudged {
  readonly arrival: Arrival
  readonly onset: number
  readonly channel: number
  /** The frame with which enough has been heard. */
  readonly due: number
}

/**
 * Finds the onsets of impulses in the sound of one array, as it streams in, and judges each by its sound. Memory is bounded;
 * the same samples give the same arrivals whatever the size of the blocks; an arrival is given at most 0.3 s of sound after
 * its onset.
 */
export class ArrayListener {
  readonly #options: ListenerOptions
  readonly #filters: BandPassFilter[]
  readonly #filtered: Float32Array[]
  readonly #raw: SoundRing
  readonly #ringLength: number
  readonly #framePower: Float64Array
  readonly #steps: StepDetector
  readonly #judge: ImpulseJudge
  readonly #picker: OnsetPicker
  #number: number
  /** The next sample expected, and the first since the stream last broke. */
  #position = Number.NaN
  #start = 0
  #frame = 0
  #frameStart = 0
  #frameEnd = 0
  #clock: SampleClock | null = null
  #unjudged: Unjudged[] = []

  /** @throws RangeError when the sample rate or the number of channels is out of range. */
  constructor(options: ListenerOptions) {
    const { sampleRate, channels } = options
    if (!(sampleRate >= 8000 && sampleRate <= 96000)) throw new RangeError(`sample rate ${sampleRate} Hz`)
    if (!Number.isInteger(channels) || channels < 1 || channels > 16) throw new RangeError(`${channels} channels`)
    this.#options = options
    this.#number = options.firstNumber ?? 1
    const sections = bandPass(lowCorner, highCorner, sampleRate)
    this.#filters = Array.from({ length: channels }, () => new BandPassFilter(sections))
    this.#ringLength = 2 ** Math.ceil(Math.log2(0.25 * sampleRate))
    this.#filtered = Array.from({ length: channels }, () => new Float32Array(this.#ringLength))
    this.#raw = new SoundRing(channels, (judgedBefore + judgingDelay + 0.1) * sampleRate)
    this.#framePower = new Float64Array(channels)
    this.#steps = new StepDetector(channels, frameSeconds)
    this.#judge = new ImpulseJudge(sampleRate)
    this.#picker = new OnsetPicker(sampleRate, frameSeconds, searchBefore + searchAfter)
  }

  /**
   * Takes the next samples, one array a channel, all of one length, full scale 1; they are not kept. `firstSample` counts
   * from the start of the stream: what was lost is a gap, what was seen before is skipped. Arrivals come in order of onset.
   */
  push(channels: readonly Float32Array[], firstSample: number, timeOf: SampleClock): Arrival[] {
    if (channels.length !== this.#options.channels) throw new RangeError(`${channels.length} channels`)
    const arrivals: Arrival[] = []
    const length = channels[0]?.length ?? 0
    let from = 0
    if (Number.isNaN(this.#position) || firstSample > this.#position) {
      arrivals.push(...this.flush())
      this.#restart(firstSample)
    } else {
      from = this.#position - firstSample
    }
    this.#clock = timeOf
    while (from < length) {
      const count = Math.min(length - from, this.#frameEnd - this.#position)
      this.#take(channels, from, count)
      from += count
      if (this.#position === this.#frameEnd) {
        const step = this.#endFrame()
        if (step) this.#unjudged.push(this.#arrival(step, timeOf))
        while (this.#unjudged[0] !== undefined && this.#unjudged[0].due <= this.#frame)
          arrivals.push(...this.#unjudged.splice(0, 1).map(each => this.#judged(each)))
      }
    }
    return arrivals
  }

  /** Gives the arrivals that still waited for more sound. The stream may go on, but only as after a gap. */
  flush(): Arrival[] {
    const clock = this.#clock
    if (!clock || Number.isNaN(this.#position)) return []
    this.#unjudged.push(...this.#steps.drain().map(step => this.#arrival(step, clock)))
    const arrivals = this.#unjudged.map(each => this.#judged(each))
    this.#unjudged = []
    this.#position = Number.NaN
    return arrivals
  }

  #restart(sample: number): void {
    this.#position = sample
    this.#start = sample
    this.#raw.restart(sample)
    for (const filter of this.#filters) filter.reset()
    const { sampleRate } = this.#options
    // Frames lie where they lie in the whole stream, so the first whole one after a gap may start later.
    this.#frame = Math.floor(sample / sampleRate / frameSeconds)
    this.#framePower.fill(0)
    this.#setFrame(this.#frame)
    if (this.#frameEnd <= sample) this.#setFrame(this.#frame + 1)
    this.#steps.reset(this.#frame)
  }

  #setFrame(frame: number): void {
    this.#frame = frame
    this.#frameStart = Math.ceil(frame * frameSeconds * this.#options.sampleRate - 1e-6)
    this.#frameEnd = Math.ceil((frame + 1) * frameSeconds * this.#options.sampleRate - 1e-6)
  }

  #take(channels: readonly Float32Array[], from: number, count: number): void {
    const mask = this.#ringLength - 1
    const at = this.#position & mask
    const head = Math.min(count, this.#ringLength - at)
    for (let channel = 0; channel < channels.length; channel++) {
      const input = channels[channel]!
      const filter = this.#filters[channel]!
      const filtered = this.#filtered[channel]!
      let power = filter.process(input, from, head, filtered, at)
      if (head < count) power += filter.process(input, from + head, count - head, filtered, 0)
      this.#framePower[channel]! += power
    }
    this.#raw.write(channels, from, count)
    this.#position += count
  }

  #endFrame(): Step | null {
    const length = this.#frameEnd - Math.max(this.#frameStart, this.#start)
    for (let channel = 0; channel < this.#framePower.length; channel++) {
      const power = this.#framePower[channel]! / length
      if (!Number.isFinite(power)) this.#filters[channel]!.reset()
      this.#framePower[channel] = Number.isFinite(power) ? power : 0
    }
    const step = this.#steps.push(this.#framePower)
    this.#framePower.fill(0)
    this.#setFrame(this.#frame + 1)
    return step
  }

  #arrival(step: Step, timeOf: SampleClock): Unjudged {
    const { sampleRate, gateway, epoch } = this.#options
    const stepSample = step.frame * frameSeconds * sampleRate
    const from = Math.max(
      this.#start,
      this.#position - this.#ringLength,
      Math.floor(stepSample - searchBefore * sampleRate),
    )
    const to = Math.min(this.#position, Math.ceil(stepSample + searchAfter * sampleRate))
    const oldest = Math.max(this.#start, this.#position - this.#ringLength)
    const found = this.#filtered.flatMap((ring, channel) => {
      const picked = this.#picker.pick(ring, oldest, from, to)
      return picked === null ? [] : [{ ...picked, channel }]
    })
    const onset = found.length > 0 ? median(found.map(each => each.onset)) : stepSample
    const rise = found.length > 0 ? median(found.map(each => each.rise)) : 0.01 * sampleRate
    const peak = found.reduce((most, each) => Math.max(most, each.peak), 1e-6)
    const instant = timeOf(onset)
    const snippet = this.#snippet(from, to, onset)
    const arrival: Arrival = {
      id: `${gateway}/${epoch}/${this.#number++}`,
      gateway,
      time: instant.utc,
      timeError: Math.hypot(instant.error, leastPickingError, rise / sampleRate),
      salience: step.salience,
      soundLevel: 20 * Math.log10(peak) + (this.#options.fullScaleLevel ?? 120),
      bearing: this.#options.bearing?.(snippet) ?? null,
      gunProbability: null,
    }
    const due = step.frame + Math.round(judgingDelay / frameSeconds)
    const finished = this.#options.finish?.(arrival, snippet) ?? arrival
    return { arrival: finished, onset, channel: this.#clearest(found, from, to), due }
  }

  /** The channel in which the onset stands out most, of those that do not clip if there are any. */
  #clearest(found: readonly (ChannelOnset & { readonly channel: number })[], from: number, to: number): number {
    const clean = found.filter(({ channel }) => this.#raw.peak(channel, from, to) < clippingLevel)
    const candidates = clean.length > 0 ? clean : found
    return candidates.reduce((best, each) => (each.contrast > best.contrast ? each : best), candidates[0] ?? silent)
      .channel
  }

  #judged({ arrival, onset, channel }: Unjudged): Arrival {
    const { sampleRate } = this.#options
    const from = Math.max(this.#raw.oldest, Math.floor(onset - (judgedBefore + 0.01) * sampleRate))
    const to = Math.min(this.#position, Math.ceil(onset + (judgedAfter + 0.01) * sampleRate))
    const judgement = this.#judge.judge(this.#raw.cut(channel, from, to), onset - from)
    return judgement === null
      ? arrival
      : {
          ...arrival,
          // A shock wave with its blast says more than the blast's sound.
          gunProbability: Math.max(judgement.gun, arrival.gunProbability ?? 0),
          fireworkProbability: arrival.gunProbability === null ? judgement.firework : 0,
        }
  }

  #snippet(from: number, to: number, onset: number): Snippet {
    const channels = this.#filtered.map((_, channel) => this.#raw.cut(channel, from, to))
    return { channels, sampleRate: this.#options.sampleRate, onset: onset - from }
  }
}

/** Stands for the channels where none heard a step. */
const silent = { channel: 0, contrast: 0 }

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2
}
