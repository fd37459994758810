import { z } from 'zod'

/** Digital silence, decibel of full scale: what a channel is told to have that gives nothing but zeros. */
export const silence = -120

/** How loud a channel was. Decibel of full scale, `silence` to 0. */
export const channelLevel = z.object({ level: z.number(), peak: z.number() })

export type ChannelLevel = Readonly<z.infer<typeof channelLevel>>

const heardImpulse = z.object({
  /** Counts from 1 since the role began. */
  number: z.int(),
  /** Onset, seconds since 1970 UTC. */
  time: z.number(),
  /** How far it stood out, decibel of the power step. */
  salience: z.number(),
  /** By channel: how far it rose above what was there before, decibel. */
  rise: z.array(z.number()),
  /** Degrees clockwise from true north and their standard deviation; null where the array gives none. */
  bearing: z.object({ azimuth: z.number(), error: z.number() }).nullable(),
})

/** How loud the channels of each array are, and the last impulses of each, oldest first. There is no sound in it. */
export const soundReport = z.array(
  z.object({ array: z.string(), levels: z.array(channelLevel).nullable(), impulses: z.array(heardImpulse) }),
)

export type SoundReport = z.infer<typeof soundReport>
export type HeardImpulse = z.infer<typeof heardImpulse>

/** The part of an impulse that reaches a microphone straight, and what came before it, seconds about the onset. */
const before = { from: 0.018, to: 0.002 }
const after = { from: 0.001, to: 0.02 }

/** Follows how loud each channel of an array is: root mean square and peak since the last report. */
export class LevelMeter {
  #sums: number[] = []
  #peaks: number[] = []
  #samples = 0

  /** @param channels samples of full scale 1; they are read and not kept */
  hear(channels: readonly Float32Array[]): void {
    if (channels.length !== this.#sums.length) this.#clear(channels.length)
    channels.forEach((samples, channel) => {
      let sum = 0
      let peak = 0
      for (const sample of samples) {
        sum += sample * sample
        peak = Math.max(peak, Math.abs(sample))
      }
      this.#sums[channel] = (this.#sums[channel] ?? 0) + sum
      this.#peaks[channel] = Math.max(this.#peaks[channel] ?? 0, peak)
    })
    this.#samples += channels[0]?.length ?? 0
  }

  /** Levels since the last call; null where nothing was heard since. */
  report(): ChannelLevel[] | null {
    if (this.#samples === 0) return null
    const levels = this.#sums.map((sum, channel) => ({
      level: decibel(Math.sqrt(sum / this.#samples)),
      peak: decibel(this.#peaks[channel] ?? 0),
    }))
    this.#clear(levels.length)
    return levels
  }

  #clear(channels: number): void {
    this.#sums = new Array<number>(channels).fill(0)
    this.#peaks = new Array<number>(channels).fill(0)
    this.#samples = 0
  }
}

/** How far an impulse rises above what was there before it, by channel, decibel. @param onset in the channels, samples */
export function impulseRise(channels: readonly Float32Array[], sampleRate: number, onset: number): number[] {
  const part = (samples: Float32Array, from: number, to: number): Float32Array =>
    samples.subarray(
      Math.max(0, Math.round(onset + from * sampleRate)),
      Math.max(0, Math.round(onset + to * sampleRate)),
    )
  return channels.map(samples => {
    const quiet = part(samples, -before.from, -before.to)
    const loud = part(samples, -after.from, after.to)
    const power = quiet.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, quiet.length)
    const peak = loud.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0)
    return decibel(peak) - decibel(Math.sqrt(power))
  })
}

function decibel(amplitude: number): number {
  return Math.max(silence, 20 * Math.log10(amplitude))
}
