import type { DriverClock } from '../driver.js'
import { systemClock } from '../system-clock.js'

/** CLOCK_MONOTONIC, seconds, as the kernel stamps edges; the clock of `performance.now` starts elsewhere. */
export function kernelMonotonic(): number {
  return Number(process.hrtime.bigint()) / 1e9
}

/** A stamp of the kernel with the wall clock's time of then: that of now less what has passed since. */
export function wallTimeOf(monotonic: number, clock: DriverClock): { monotonic: number; systemTime: number } {
  return { monotonic, systemTime: clock.system() - Math.max(0, kernelMonotonic() - monotonic) }
}

/** The clocks of this machine, where stamps of the kernel are compared with now. */
export const kernelClock: DriverClock = { ...systemClock, monotonic: kernelMonotonic }
