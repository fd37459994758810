import { setImmediate as turn } from 'node:timers/promises'
import type { DriverClock } from '../../../drivers/driver.js'

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

/**
 * A clock that jumps to the next moment at which somebody wants to be woken, once everybody who was woken before has done what there
 * was to do. Any number of tasks may sleep on it; they wake in the order of their times.
 */
export class EventTime implements DriverClock {
  #now = 0
  #start: number
  #offset: number
  /** Soonest last. */
  #sleepers: Sleeper[] = []
  #held = 0

  /** @param systemStart seconds since 1970 UTC */
  constructor(systemStart: number) {
    this.#start = systemStart
    this.#offset = systemStart
  }

  system(): number {
    return this.#offset + this.#now
  }

  monotonic(): number {
    return this.#now
  }

  /** What a clock would show that nobody has set, seconds since 1970 UTC. @param moment of the monotonic clock */
  trueTime(moment: number): number {
    return this.#start + moment
  }

  sleep(seconds: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise(resolve => {
      const wake = (): void => {
        signal.removeEventListener('abort', abort)
        resolve()
      }
      const sleeper = { at: this.#now + Math.max(0, seconds), wake }
      const abort = (): void => {
        this.#sleepers.splice(this.#sleepers.indexOf(sleeper), 1)
        resolve()
      }
      signal.addEventListener('abort', abort, { once: true })
      this.#add(sleeper)
    })
  }

  /** Tasks that sleep. */
  get sleepers(): number {
    return this.#sleepers.length
  }

  /** Calls `act` at that moment, seconds of the monotonic clock. */
  at(moment: number, act: () => void): void {
    this.#add({ at: moment, wake: act })
  }

  /** Sets the system clock, as an NTP client does. */
  stepSystem(seconds: number): void {
    this.#offset += seconds
  }

  /** The second before comes once more, for everybody's clocks. */
  leap(): void {
    this.#offset -= 1
    this.#start -= 1
  }

  /** Time stands still for whoever has work that takes real time, until what is returned is called. */
  hold(): () => void {
    this.#held += 1
    return () => {
      this.#held -= 1
    }
  }

  /** Lets time pass up to that moment. */
  async runUntil(moment: number): Promise<void> {
    for (;;) {
      do await turn()
      while (this.#held > 0)
      const next = this.#sleepers.at(-1)
      if (next === undefined || next.at > moment) break
      this.#now = Math.max(this.#now, next.at)
      while ((this.#sleepers.at(-1)?.at ?? Number.POSITIVE_INFINITY) <= this.#now) this.#sleepers.pop()?.wake()
    }
    this.#now = Math.max(this.#now, moment)
  }

  #add(sleeper: Sleeper): void {
    let low = 0
    let high = this.#sleepers.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#sleepers[middle]?.at ?? 0) > sleeper.at) low = middle + 1
      else high = middle
    }
    this.#sleepers.splice(low, 0, sleeper)
  }
}
