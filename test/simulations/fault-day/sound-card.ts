import type { DriverClock } from '../../../drivers/driver.js'
import {
  CaptureError,
  type CaptureRequest,
  type CaptureSource,
} from '../../../drivers/microphone-array/capture-source.js'
import type { ArrayGeometry } from '../../../drivers/microphone-array/geometry.js'
import type { Random } from '../../../scripts/simulator/random.js'
import type { Troubles } from './episodes.js'

/** Seconds of sound that is played again and again, and of a packet of it. */
const loopSeconds = 4
const packetSeconds = 0.05
/** Root mean square of what all microphones hear, and of what each has for itself; full scale 1. */
const street = 0.004
const ownNoise = 0.0004

/** The microphone that has the trouble of one channel, and the one that it is exchanged with. */
export const troubledChannel = 1
export const otherChannel = 2
/** After its lines are in order again, whoever mended them claps for so long, seconds. */
const clapsAfter = 60
const speedOfSound = 340

/**
 * A sound card in a quiet street, and what its troubles make of the sound. `unplugged` and `mute` are the card's; `loud` is a bang every
 * second or so. While two lines are exchanged, and a while after that, somebody claps around the array, as nothing else tells.
 */
export class TroubledCard {
  readonly #clock: DriverClock
  readonly #troubles: Troubles
  readonly #channels: number
  readonly #sampleRate: number
  readonly #healthy: Int16Array
  readonly #troubled = new Map<string, Int16Array>()
  readonly #claps: Int16Array
  #exchangedUntil = Number.NEGATIVE_INFINITY

  constructor(options: {
    readonly clock: DriverClock
    readonly troubles: Troubles
    readonly microphones: ArrayGeometry['microphones']
    /** Hertz. */
    readonly sampleRate: number
    readonly random: Random
  }) {
    const { clock, troubles, microphones, sampleRate, random } = options
    const channels = microphones.length
    this.#clock = clock
    this.#troubles = troubles
    this.#channels = channels
    this.#sampleRate = sampleRate
    const length = loopSeconds * sampleRate
    const shared = Float32Array.from({ length }, () => random.normal(0, street))
    const heard = Array.from({ length: channels }, () => shared.map(sample => sample + random.normal(0, ownNoise)))
    this.#healthy = interleaved(heard)
    const one = (change: (sample: number, index: number) => number): Int16Array =>
      interleaved(
        heard.map((own, channel) => (channel === Math.min(troubledChannel, channels - 1) ? own.map(change) : own)),
      )
    this.#troubled.set(
      'dead',
      one(() => 0),
    )
    this.#troubled.set(
      'stuck',
      one(() => 0.25),
    )
    this.#troubled.set(
      'clipped',
      one(sample => Math.max(-1, Math.min(1, 400 * sample))),
    )
    this.#troubled.set(
      'reversed',
      one(sample => -sample),
    )
    this.#troubled.set(
      'buzzing',
      one((sample, index) => sample + hum(index / sampleRate)),
    )
    this.#troubled.set(
      'muffled',
      interleaved(heard.map((own, channel) => (channel === troubledChannel ? dull(own) : own))),
    )
    const clapped = heard.map((own, channel) =>
      own.map((sample, index) => sample + claps(index / sampleRate, microphones[channel])),
    )
    this.#claps = interleaved(clapped)
    this.#troubled.set('swapped', interleaved(clapped.map((own, channel) => clapped[exchanged(channel)] ?? own)))
    const bangs = Float32Array.from({ length }, (_, index) => bang((index % (0.97 * sampleRate)) / sampleRate))
    this.#troubled.set('loud', interleaved(heard.map(own => own.map((sample, index) => sample + (bangs[index] ?? 0)))))
  }

  readonly open = async (_: CaptureRequest): Promise<CaptureSource> => {
    if (this.#trouble() === 'unplugged') throw new CaptureError('device-absent', 'There is no such card.')
    const size = Math.round(packetSeconds * this.#sampleRate)
    const began = this.#clock.monotonic()
    let packets = 0
    return {
      format: { sampleRate: this.#sampleRate, channelCount: this.#channels, sampleFormat: 's16' },
      read: () => {
        const trouble = this.#trouble()
        if (trouble === 'unplugged') throw new CaptureError('stream-ended', 'The card has gone.')
        const at = began + packets * packetSeconds
        if (at + packetSeconds > this.#clock.monotonic()) return null
        packets += 1
        if (trouble === 'mute') return null
        const now = this.#clock.monotonic()
        if (trouble === 'swapped') this.#exchangedUntil = now
        const usual = now - this.#exchangedUntil < clapsAfter ? this.#claps : this.#healthy
        const sound = this.#troubled.get(trouble ?? '') ?? usual
        const from = ((packets * size) % (loopSeconds * this.#sampleRate)) * this.#channels
        const piece = sound.slice(from, from + size * this.#channels)
        const captureTime = at + this.#clock.system() - this.#clock.monotonic()
        return { planes: [new Uint8Array(piece.buffer)], captureTime }
      },
      close: async () => {},
    }
  }

  #trouble(): string | null {
    return this.#troubles.at(this.#clock.monotonic())?.name ?? null
  }
}

function exchanged(channel: number): number {
  return channel === troubledChannel ? otherChannel : channel === otherChannel ? troubledChannel : channel
}

/** What a membrane with dirt on it lets through: the mean over half a thousandth of a second, twice. */
function dull(sound: Float32Array): Float32Array {
  const mean = (samples: Float32Array) =>
    samples.map(
      (_, index) => samples.subarray(Math.max(0, index - 7), index + 1).reduce((sum, sample) => sum + sample, 0) / 8,
    )
  return mean(mean(sound)).map(sample => 2 * sample)
}

/** One clap a second, each from another side, as a microphone hears it. */
function claps(seconds: number, place: ArrayGeometry['microphones'][number] | undefined): number {
  const clap = Math.floor(seconds)
  const azimuth = 0.4 + (clap * Math.PI) / 2.3
  const nearer = place === undefined ? 0 : place.right * Math.sin(azimuth) + place.forward * Math.cos(azimuth)
  const since = seconds - clap - 0.5 + nearer / speedOfSound
  return since < 0 ? 0 : 3 * bang(since)
}

function interleaved(channels: readonly Float32Array[]): Int16Array {
  const length = channels[0]?.length ?? 0
  const whole = new Int16Array(length * channels.length)
  for (const [channel, samples] of channels.entries()) {
    for (let index = 0; index < length; index += 1) {
      whole[index * channels.length + channel] = Math.round(32767 * Math.max(-1, Math.min(1, samples[index] ?? 0)))
    }
  }
  return whole
}

/** The mains of a bad shield, with its harmonics. */
function hum(seconds: number): number {
  let sum = 0
  for (let harmonic = 1; harmonic <= 16; harmonic += 1)
    sum += Math.sin(2 * Math.PI * 60 * harmonic * seconds + harmonic)
  return 0.01 * sum
}

/** A Friedlander wave with a positive phase of 1.5 ms. */
function bang(seconds: number): number {
  const phase = seconds / 0.0015
  return seconds > 0.03 ? 0 : 0.3 * (1 - phase) * Math.exp(-phase)
}
