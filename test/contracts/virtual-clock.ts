import { setImmediate as turn } from 'node:timers/promises'
import type { DriverClock } from '../../drivers/driver.js'

/** A clock that only moves when somebody sleeps on it, and then at once. */
export class VirtualClock implements DriverClock {
  #elapsed = 0
  #offset: number

  constructor(systemStart = 1_545_180_566) {
    this.#offset = systemStart
  }

  system(): number {
    return this.#offset + this.#elapsed
  }

  monotonic(): number {
    return this.#elapsed
  }

  async sleep(seconds: number, signal: AbortSignal): Promise<void> {
    if (!signal.aborted) this.#elapsed += Math.max(0, seconds)
    await turn()
  }

  /** Sets the system clock, as an NTP client does. */
  stepSystem(seconds: number): void {
    this.#offset += seconds
  }
}
