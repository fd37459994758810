import type { BoundedQueue } from '../bounded-queue.js'
import type { DriverClock } from '../driver.js'
import { BackOff } from '../retry.js'
import type { InputLevel, SwitchEdge } from './digital-io.js'

/** Why lines are not held, or not any longer. */
export interface NotHeld {
  readonly fault: 'device-absent' | 'device-busy' | 'device-refused'
  readonly why: string
}

export interface HoldOptions {
  readonly chip: string
  readonly clock: DriverClock
  /** 0 to 1, for the spread of the back-off. */
  readonly random?: () => number
}

/** Holds lines again and again until the signal aborts, and reports when they are not held. */
export async function keepHolding(
  { chip, clock, random }: HoldOptions,
  queue: BoundedQueue<InputLevel | SwitchEdge>,
  hold: (signal: AbortSignal) => Promise<NotHeld>,
  signal: AbortSignal,
): Promise<void> {
  const backOff = new BackOff({ first: 0.25, longest: 5, ...(random && { random }) })
  while (!signal.aborted) {
    const began = clock.monotonic()
    const { fault, why } = await hold(signal)
    if (signal.aborted) return
    const state = fault === 'device-absent' ? 'absent' : 'faulty'
    queue.report(state, fault, `The lines of ${chip} cannot be held: ${why}`)
    backOff.worked(clock.monotonic() - began)
    await clock.sleep(backOff.next(), signal)
  }
}
