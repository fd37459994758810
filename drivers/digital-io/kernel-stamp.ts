import type { DriverClock } from '../driver.js'
import { kernelMonotonic } from '../system-clock.js'

/** A stamp of the kernel with the wall clock's time of then: that of now less what has passed since. */
export function wallTimeOf(monotonic: number, clock: DriverClock): { monotonic: number; systemTime: number } {
  return { monotonic, systemTime: clock.system() - Math.max(0, kernelMonotonic() - monotonic) }
}
