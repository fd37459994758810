import type { Arrival } from '../acoustics/arrival.js'
import {
  type ChannelLevel,
  type HeardImpulse,
  impulseRise,
  LevelMeter,
  type SoundReport,
} from '../acoustics/level-meter.js'
import type { Snippet } from '../acoustics/listener.js'
import type { Role } from './role.js'

/** Key in the exchange of sensing: how loud each microphone is, and what impulses were heard. No sound is in it. */
export const soundKey = 'sound'

/** Seconds between two reports. */
const tellEvery = 0.5
/** Impulses kept of each array. */
const impulseLimit = 20

/** Lets whoever stands under the pole see that every microphone hears: levels twice a second, and the last impulses. */
export class SoundReporter {
  readonly #role: Role
  readonly #arrays = new Map<string, { meter: LevelMeter; impulses: HeardImpulse[] }>()
  #number = 0

  constructor(role: Role) {
    this.#role = role
  }

  hear(array: string, channels: readonly Float32Array[]): void {
    this.#of(array).meter.hear(channels)
  }

  impulse(array: string, { time, salience, bearing }: Arrival, { channels, sampleRate, onset }: Snippet): void {
    const { impulses } = this.#of(array)
    impulses.push({
      number: ++this.#number,
      time,
      salience,
      rise: impulseRise(channels, sampleRate, onset),
      bearing: bearing && { azimuth: bearing.azimuth, error: bearing.error },
    })
    if (impulses.length > impulseLimit) impulses.shift()
  }

  /** Tells it until the signal aborts. */
  async tell(signal: AbortSignal): Promise<void> {
    const last = new Map<string, ChannelLevel[] | null>()
    while (!signal.aborted) {
      const report: SoundReport = [...this.#arrays].map(([array, { meter, impulses }]) => {
        const levels = meter.report()
        // A sound card may deliver more rarely than this tells; two times nothing is nothing.
        const shown = levels ?? last.get(array) ?? null
        last.set(array, levels)
        return { array, levels: shown, impulses }
      })
      this.#role.exchange.set(soundKey, JSON.stringify(report))
      await this.#role.clock.sleep(tellEvery, signal)
    }
  }

  #of(array: string): { meter: LevelMeter; impulses: HeardImpulse[] } {
    const known = this.#arrays.get(array) ?? { meter: new LevelMeter(), impulses: [] }
    this.#arrays.set(array, known)
    return known
  }
}
