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

/**
 * What has to be added to `performance.timeOrigin + performance.now()` to read the wall clock as it is now, milliseconds.
 * `Date.now()` follows steps but has whole milliseconds; the offset is moved only when the two disagree by more than that.
 */
let offset = 0
function wallOffset(): number {
  const fine = performance.timeOrigin + performance.now() + offset
  const coarse = Date.now()
  if (fine < coarse) offset += coarse - fine
  else if (fine >= coarse + 1) offset -= fine - (coarse + 1)
  return offset
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
