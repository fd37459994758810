import type { AudioBlock } from '../../drivers/microphone-array/microphone-array.js'
import type { Arrival } from '../acoustics/arrival.js'
import { DirectionFinder } from '../acoustics/direction.js'
import { ArrayListener, type Snippet } from '../acoustics/listener.js'
import { nWaveOf } from '../acoustics/shock-wave.js'
import { ShockPairing } from '../acoustics/supersonic.js'
import { PolewatchError } from '../errors.js'
import type { ClockStatus } from '../timebase/instant.js'
import { SampleClock } from '../timebase/sample-clock.js'
import type { ArrayDirection } from './array-direction.js'

/** An arrival is given at most this long after its onset, so that much of the newest sound is still undecided, seconds. */
const decisionDelay = 0.35

/** Impulses that stand out by this, decibel of the power step, are clear enough to judge the microphones by. */
const clearSalience = 20

/** One array's way from blocks of sound to arrivals with UTC. */
export class Ear {
  readonly #gateway: string
  readonly #part: string
  readonly #epoch: string
  readonly #fullScaleLevel: number | null
  readonly #status: () => ClockStatus
  readonly #direction: ArrayDirection | null
  readonly #impulse: (snippet: Snippet) => void
  readonly #onset: (arrival: Arrival, snippet: Snippet) => void
  #clock: SampleClock | null = null
  #listener: ArrayListener | null = null
  #arrivalsSoFar = 0
  #sampleRate = 0

  constructor(options: {
    readonly gateway: string
    /** What a person calls the array. */
    readonly part: string
    /** Changes whenever the gateway starts anew; one ear's alone. */
    readonly epoch: string
    /** Decibel re 20 µPa at full scale; null where the array is not calibrated. */
    readonly fullScaleLevel: number | null
    /** What is known of the system clock now; asked at every block. */
    readonly clock: () => ClockStatus
    /** What bearings need; null where the array gives none. */
    readonly direction: ArrayDirection | null
    /** Told the sound around the onset of every impulse that stands out well. */
    readonly impulse?: (snippet: Snippet) => void
    /** Told every impulse with the sound around its onset. */
    readonly onset?: (arrival: Arrival, snippet: Snippet) => void
  }) {
    this.#gateway = options.gateway
    this.#part = options.part
    this.#epoch = options.epoch
    this.#fullScaleLevel = options.fullScaleLevel
    this.#status = options.clock
    this.#direction = options.direction
    this.#impulse = options.impulse ?? (() => {})
    this.#onset = options.onset ?? (() => {})
  }

  /** @throws PolewatchError PW_SAMPLE_RATE when the array's rate cannot be listened to */
  take(block: AudioBlock): { arrivals: Arrival[]; heardUntil: number; soundUntil: number } {
    const length = block.channels[0]?.length ?? 0
    if (this.#clock === null || this.#listener === null || block.sampleRate !== this.#sampleRate) this.#begin(block)
    const clock = this.#clock
    const listener = this.#listener
    if (clock === null || listener === null)
      return { arrivals: [], heardUntil: Number.NEGATIVE_INFINITY, soundUntil: block.systemTime }
    clock.setClockStatus(this.#status())
    clock.observe(block.firstSample, { system: block.systemTime, readingError: block.systemTimeError })
    const arrivals = listener.push(block.channels, block.firstSample, sample => clock.timeOf(sample))
    this.#arrivalsSoFar += arrivals.length
    const soundUntil = clock.timeOf(block.firstSample + length).utc
    return { arrivals, heardUntil: soundUntil - decisionDelay, soundUntil }
  }

  /** The arrivals that still waited for sound that will not come. */
  finish(): Arrival[] {
    return this.#listener?.flush() ?? []
  }

  #begin({ sampleRate, channels }: AudioBlock): void {
    this.#sampleRate = sampleRate
    this.#clock = new SampleClock(sampleRate)
    try {
      const direction = this.#direction && new DirectionFinder({ ...this.#direction, sampleRate })
      const { speedOfSound = 340, speedError = 0.016 } = this.#direction ?? {}
      const pairing = new ShockPairing({ speedOfSound, speedOfSoundError: speedError })
      this.#listener = new ArrayListener({
        gateway: this.#gateway,
        epoch: this.#epoch,
        sampleRate,
        channels: channels.length,
        firstNumber: this.#arrivalsSoFar + 1,
        ...(this.#fullScaleLevel === null ? {} : { fullScaleLevel: this.#fullScaleLevel }),
        ...(direction === null ? {} : { bearing: snippet => direction.bearing(snippet) }),
        finish: (arrival, snippet) => {
          if (arrival.salience >= clearSalience) this.#impulse(snippet)
          this.#onset(arrival, snippet)
          return pairing.take(arrival, nWaveOf(snippet) !== null)
        },
      })
    } catch (error) {
      throw new PolewatchError(
        'PW_SAMPLE_RATE',
        { part: this.#part, rate: sampleRate, channels: channels.length },
        error,
      )
    }
  }
}
