import type { DriverClock, StateReport } from '../driver.js'
import type { AudioBlock, MicrophoneArray } from './microphone-array.js'

/** A short loud sound that the simulated array hears. */
export interface SimulatedImpulse {
  /** Onset at a microphone without delay, seconds since the stream began. */
  readonly at: number
  /** Peak, full scale 1. */
  readonly level: number
  /** Seconds by which each channel hears it later; none unless given. */
  readonly delays?: readonly number[]
}

/** A stretch of the stream in which the simulated device is not as it should be. */
export interface SimulatedFault {
  /** Seconds since the stream began. */
  readonly from: number
  readonly until: number
  /** `absent`: unplugged, no blocks. `zeros`: blocks that hold nothing but zeros. */
  readonly fault: 'absent' | 'zeros'
}

/** What is wrong with a simulated microphone or its line for the whole stream. */
export type SimulatedLineFault = 'reversed' | 'dead' | 'stuck' | 'muffled'

/** How a simulated array is wrongly connected; channels count from 0. */
export interface SimulatedWiring {
  /** Two channels whose plugs are exchanged. */
  readonly swapped?: readonly [number, number]
  /** By channel, as it is heard after any exchange. */
  readonly lines?: Readonly<Record<number, SimulatedLineFault>>
}

export interface SimulatedArrayOptions {
  readonly name: string
  readonly channels: number
  /** Hertz. */
  readonly sampleRate: number
  readonly clock: DriverClock
  /** 0.1 unless given. */
  readonly blockSeconds?: number
  /** Root mean square of the noise floor, full scale 1; 0.001 unless given. */
  readonly noiseLevel?: number
  readonly impulses?: readonly SimulatedImpulse[]
  readonly faults?: readonly SimulatedFault[]
  /** As it should be unless given. */
  readonly wiring?: SimulatedWiring
  /** The same seed makes the same samples; 1 unless given. */
  readonly seed?: number
}

/**
 * An array of noise and impulses in real time by the clock that it is given. An impulse is the Friedlander wave of a blast
 * with a positive phase of 1.5 ms, sampled without a filter.
 */
export class SimulatedArray implements MicrophoneArray {
  readonly name: string
  readonly #options: SimulatedArrayOptions

  constructor(options: SimulatedArrayOptions) {
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<AudioBlock | StateReport, void, void> {
    const { clock, sampleRate, blockSeconds = 0.1, seed = 1 } = this.#options
    const size = Math.max(1, Math.round(blockSeconds * sampleRate))
    const systemStart = clock.system()
    const start = clock.monotonic()
    const random = generator(seed)
    const wiring = new Wiring(this.#options.wiring)
    let present: boolean | null = null
    for (let first = 0; !signal.aborted; first += size) {
      const absent = this.#fault(first / sampleRate) === 'absent'
      if (absent === present || present === null) {
        present = !absent
        yield absent
          ? { kind: 'state', state: 'absent', fault: 'device-absent', detail: 'The simulated array is unplugged.' }
          : { kind: 'state', state: 'ready', fault: null, detail: 'The simulated array delivers.' }
      }
      const wait = start + (first + size) / sampleRate - clock.monotonic()
      if (wait > 0) await clock.sleep(wait, signal)
      if (signal.aborted) return
      const channels = wiring.connect(this.#samples(first, size, random))
      if (absent) continue
      yield {
        kind: 'audio',
        channels,
        sampleRate,
        firstSample: first,
        systemTime: systemStart + first / sampleRate,
        systemTimeError: 0,
      }
    }
  }

  #fault(seconds: number): SimulatedFault['fault'] | null {
    return this.#options.faults?.find(fault => fault.from <= seconds && seconds < fault.until)?.fault ?? null
  }

  #samples(first: number, size: number, random: () => number): Float32Array[] {
    const { channels, sampleRate, noiseLevel = 0.001, impulses = [] } = this.#options
    const zeros = this.#fault(first / sampleRate) === 'zeros'
    return Array.from({ length: channels }, (_, channel) => {
      const samples = new Float32Array(size)
      for (let index = 0; index < size; index += 1) samples[index] = gaussian(random) * noiseLevel
      if (zeros) return samples.fill(0)
      for (const impulse of impulses) {
        const onset = (impulse.at + (impulse.delays?.[channel] ?? 0)) * sampleRate - first
        const end = Math.min(size, Math.ceil(onset + blastSeconds * sampleRate))
        for (let index = Math.max(0, Math.ceil(onset)); index < end; index += 1) {
          samples[index]! += impulse.level * blast((index - onset) / sampleRate)
        }
      }
      return samples.map(sample => Math.max(-1, Math.min(1, sample)))
    })
  }
}

/** What a stuck line gives, full scale 1. */
const stuckAt = 0.25
/** Share of the sample before in each of the muffling passes: at 48 kHz three of them take 28 dB at 8 kHz. */
const muffling = 0.7
const mufflingPasses = 3

/** The way from the microphones to the channels; what the muffled ones heard last stays with it. */
class Wiring {
  readonly #wiring: SimulatedWiring
  readonly #memory = new Map<number, number[]>()

  constructor(wiring: SimulatedWiring = {}) {
    this.#wiring = wiring
  }

  connect(microphones: readonly Float32Array[]): Float32Array[] {
    const { swapped: [one, other] = [-1, -1], lines = {} } = this.#wiring
    return microphones.map((own, channel) => {
      const samples = (channel === one ? microphones[other] : channel === other ? microphones[one] : own) ?? own
      switch (lines[channel]) {
        case 'reversed':
          return samples.map(sample => -sample)
        case 'dead':
          return new Float32Array(samples.length)
        case 'stuck':
          return new Float32Array(samples.length).fill(stuckAt)
        case 'muffled':
          return this.#muffle(samples, channel)
        default:
          return samples
      }
    })
  }

  #muffle(samples: Float32Array, channel: number): Float32Array {
    const memory = this.#memory.get(channel) ?? Array.from({ length: mufflingPasses }, () => 0)
    this.#memory.set(channel, memory)
    return samples.map(sample => {
      let heard = sample
      for (const [pass, before] of memory.entries()) {
        heard = muffling * before + (1 - muffling) * heard
        memory[pass] = heard
      }
      return heard
    })
  }
}

const positivePhase = 0.0015
const blastSeconds = 0.02

/** Friedlander wave, 1 at its onset; seconds since then. */
function blast(seconds: number): number {
  const phase = seconds / positivePhase
  return (1 - phase) * Math.exp(-phase)
}

/** Numbers spread evenly over 0 to 1, the ends excluded (xorshift: Marsaglia, Journal of Statistical Software 8, 2003). */
function generator(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 4294967296
  }
}

/** Standard normal, by Box and Muller. */
function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random())
}
