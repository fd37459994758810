import type { DriverClock } from '../driver.js'

/** The next item, or `quiet` when so many seconds have passed first; the item alone once the signal has aborted. */
export async function nextOrQuiet<Result>(
  next: Promise<Result>,
  seconds: number,
  clock: DriverClock,
  signal: AbortSignal,
): Promise<Result | 'quiet'> {
  const waiting = new AbortController()
  const abort = () => waiting.abort()
  signal.addEventListener('abort', abort)
  const quiet = async (): Promise<Result | 'quiet'> => {
    await clock.sleep(seconds, waiting.signal)
    return signal.aborted ? next : 'quiet'
  }
  try {
    return await Promise.race([next, quiet()])
  } finally {
    waiting.abort()
    signal.removeEventListener('abort', abort)
  }
}
