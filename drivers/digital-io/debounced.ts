import type { DriverClock, StateReport } from '../driver.js'
import { Debounce, type SettledLevel } from './debounce.js'
import type { DigitalIo } from './digital-io.js'
import { nextOrQuiet } from './next-or-quiet.js'

/**
 * What the inputs come to, with the chip's states.
 *
 * @param quiet by line: how long a level must last to count, seconds; other lines are left out
 * @param clock whose monotonic time is that of the edges' stamps
 */
export async function* debounced(
  io: DigitalIo,
  quiet: ReadonlyMap<number, number>,
  clock: DriverClock,
  signal: AbortSignal,
): AsyncGenerator<SettledLevel | StateReport, void, void> {
  const debounce = new Debounce(quiet)
  const readings = io.readings(signal)[Symbol.asyncIterator]()
  let next = readings.next()
  while (true) {
    const { pending } = debounce
    // A whole wait, although the last edge is older by now: what has come meanwhile has its turn first.
    const item = pending === null ? await next : await nextOrQuiet(next, pending, clock, signal)
    if (item === 'quiet') yield* debounce.due(clock.monotonic())
    else if (item.done) return
    else {
      next = readings.next()
      if (item.value.kind === 'state') yield item.value
      else yield* debounce.take(item.value)
    }
  }
}
