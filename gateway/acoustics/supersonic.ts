import type { Arrival, SourceRange } from './arrival.js'
import { type HeardFront, rangeOfShooter } from './shock-wave.js'

/** A muzzle blast follows its bullet's shock wave within this time, seconds. */
const longestDelay = 3
/** Shock waves fainter than the loudest by more than this are its echoes, decibel. */
const echoBelow = 10
/** Both fronts are picked at one array, so that its clock's error cancels; seconds. */
const mostPickingError = 0.002
/** Nothing else in a street sends a shock wave ahead of a blast from another side that one bullet explains. */
const gunProbability = 0.97

/**
 * Pairs the shock waves and muzzle blasts of one array, in order of time. A shock wave's arrival is marked, as it comes from the
 * bullet's path; a blast's is given the shooter's range where the physics allows one. Memory is bounded by `longestDelay`.
 */
export class ShockPairing {
  readonly #air: { readonly speedOfSound: number; readonly speedOfSoundError: number }
  #shocks: Arrival[] = []

  /** @param air metres a second, and its standard deviation as a share */
  constructor(air: { readonly speedOfSound: number; readonly speedOfSoundError: number }) {
    this.#air = air
  }

  /** Takes the next arrival and whether its sound is an N-wave; gives it as it should be told. */
  take(arrival: Arrival, isShock: boolean): Arrival {
    this.#shocks = this.#shocks.filter(({ time }) => time > arrival.time - longestDelay)
    if (isShock) {
      this.#shocks.push(arrival)
      return { ...arrival, shockWave: true }
    }
    const loudest = Math.max(...this.#shocks.map(({ soundLevel }) => soundLevel))
    const at = this.#shocks.findIndex(({ soundLevel }) => soundLevel >= loudest - echoBelow)
    const range = at < 0 ? null : this.#range(this.#shocks[at], arrival)
    if (range === null) return arrival
    // Rounds keep their order: what came before this one's shock wave has no blast to come.
    this.#shocks.splice(0, at + 1)
    return { ...arrival, range, gunProbability: Math.max(gunProbability, arrival.gunProbability ?? 0) }
  }

  #range(shock: Arrival | undefined, blast: Arrival): SourceRange | null {
    const [first, second] = [front(shock), front(blast)]
    const found = first && second && rangeOfShooter(first, second, this.#air)
    return found && { distance: found.range, nearest: found.nearest, farthest: found.farthest }
  }
}

function front(arrival: Arrival | undefined): HeardFront | null {
  if (arrival?.bearing == null) return null
  const { time, timeError, bearing } = arrival
  return { time, timeError: Math.min(mostPickingError, timeError), bearing }
}
