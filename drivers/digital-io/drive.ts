import type { DriverClock } from '../driver.js'

/** A line's level as it is on the wire, whatever it means. */
export type Level = 'high' | 'low'

/** How an output is driven: at a level, which changes after each of the times in turn, over and over; without times it stays. */
export interface Drive {
  readonly level: Level
  /** Seconds; an even number of them, or none. */
  readonly changes: readonly number[]
}

export function sameDrive(one: Drive, other: Drive): boolean {
  return one.level === other.level && one.changes.join() === other.changes.join()
}

export function opposite(level: Level): Level {
  return level === 'high' ? 'low' : 'high'
}

/** Drives by calls of `set`, for lines that do not blink by themselves, until the signal aborts. */
export async function play(
  { level, changes }: Drive,
  set: (level: Level) => void,
  clock: DriverClock,
  signal: AbortSignal,
): Promise<void> {
  let now = level
  set(now)
  while (changes.length > 0) {
    for (const seconds of changes) {
      await clock.sleep(seconds, signal)
      if (signal.aborted) return
      now = opposite(now)
      set(now)
    }
  }
}
