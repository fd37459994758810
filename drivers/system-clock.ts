import type { DriverClock } from './driver.js'

/** The longest wait that a Node.js timer keeps, milliseconds; longer sleeps are slept in parts. */
const longestTimer = 2 ** 31 - 1

/** The clocks of this machine. */
export const systemClock: DriverClock = {
  system: () => (performance.timeOrigin + performance.now() + wallOffset()) / 1000,
  monotonic: () => performance.now() / 1000,
  async sleep(seconds, signal) {
    const end = performance.now() + seconds * 1000
    // The first wait is a whole one even when the process was held up meanwhile: what is ready by then gets its turn.
    for (let left = seconds * 1000; left > 0 && !signal.aborted; left = end - performance.now()) {
      await pause(Math.min(left, longestTimer), signal)
    }
  },
}

/** CLOCK_MONOTONIC, seconds: one and the same for all processes of the machine and its kernel; that of `performance.now` starts elsewhere. */
export function kernelMonotonic(): number {
  return Number(process.hrtime.bigint()) / 1e9
}

/** The clocks of this machine, where stamps of the kernel or of another process are compared with now. */
export const kernelClock: DriverClock = { ...systemClock, monotonic: kernelMonotonic }

/**
 * What has to be added to `performance.timeOrigin + performance.now()` to read the wall clock as it is now, milliseconds.
 * `Date.now()` follows steps but has whole milliseconds; the offset is moved only when the two disagree by more than that.
 */
let offset = 0
function wallOffset(): number {
  // Read on both sides, because this process may be held up between two readings.
  const before = performance.timeOrigin + performance.now()
  const coarse = Date.now()
  const after = performance.timeOrigin + performance.now()
  if (after + offset < coarse) offset = coarse - after
  else if (before + offset >= coarse + 1) offset = coarse + 1 - before
  return offset
}

/** A pair of readings further apart may have been interrupted, and another is taken; seconds. */
const swiftPair = 50e-6
const mostPairs = 5

/** Both clocks as nearly at once as they can be read. */
export function bothClocks(clock: DriverClock): { readonly system: number; readonly monotonic: number } {
  let best = { system: 0, monotonic: 0 }
  let quickest = Number.POSITIVE_INFINITY
  for (let pair = 0; pair < mostPairs && quickest > swiftPair; pair += 1) {
    const before = clock.monotonic()
    const system = clock.system()
    const after = clock.monotonic()
    if (after - before >= quickest) continue
    quickest = after - before
    best = { system, monotonic: (before + after) / 2 }
  }
  return best
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    signal.addEventListener('abort', done, { once: true })
  })
}
