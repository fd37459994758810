import type { HeardImpulse, SoundReport } from '../acoustics/level-meter.js'

/** A microphone has heard an impulse when it rises so far above what was there before, decibel. */
export const heardRise = 10

/** One impulse, as whoever clapped wants to see it. */
export interface Clap {
  readonly array: string
  /** Seconds since 1970 UTC. */
  readonly time: number
  /** Numbers of the microphones, from 1, that heard it and that did not. */
  readonly heard: readonly number[]
  readonly missed: readonly number[]
  readonly bearing: HeardImpulse['bearing']
}

/** Follows which microphones have heard a clap since it began. */
export class ClapTest {
  #last: number | null = null
  /** By array: microphones that have yet to hear one. */
  readonly #waiting: Map<string, Set<number>>

  /** @param channels number of microphones by the name of the array */
  constructor(channels: ReadonlyMap<string, number>) {
    const numbers = (count: number): Set<number> => new Set(Array.from({ length: count }, (_, channel) => channel + 1))
    this.#waiting = new Map([...channels].map(([array, count]) => [array, numbers(count)]))
  }

  /** Takes what sensing says now and gives the claps that are new; the first call only notes what was before. */
  take(report: SoundReport): Clap[] {
    const impulses = report.flatMap(({ array, impulses }) => impulses.map(impulse => ({ array, ...impulse })))
    const newest = impulses.reduce((most, { number }) => Math.max(most, number), 0)
    const before = this.#last
    this.#last = newest
    // Sensing that began anew counts from 1 again.
    const fresh = before === null ? [] : impulses.filter(({ number }) => number > before || newest < before)
    const claps = fresh.map(({ array, time, rise, bearing }) => {
      const numbered = rise.map((decibel, channel) => ({ decibel, number: channel + 1 }))
      const heard = numbered.filter(({ decibel }) => decibel >= heardRise).map(({ number }) => number)
      const missed = numbered.filter(({ decibel }) => decibel < heardRise).map(({ number }) => number)
      return { array, time, heard, missed, bearing }
    })
    for (const { array, heard } of claps) for (const number of heard) this.#waiting.get(array)?.delete(number)
    return claps.filter(({ heard }) => heard.length > 0)
  }

  /** Microphones that have heard none, as health names them. */
  get missing(): string[] {
    return [...this.#waiting].flatMap(([array, numbers]) => [...numbers].map(number => `${array} microphone ${number}`))
  }
}
