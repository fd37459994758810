import { BoundedQueue } from '../bounded-queue.js'
import type { DriverClock, StateReport } from '../driver.js'
import type { GnssReceiver, PositionFix } from './gnss.js'

export interface SimulatedReceiverOptions {
  readonly name: string
  readonly clock: DriverClock
  /** Fixes that may wait for the reader; 64 unless given. */
  readonly capacity?: number
}

/** A receiver that a program plugs in and moves. Not plugged in at first. */
export class SimulatedReceiver implements GnssReceiver {
  readonly name: string
  readonly #options: SimulatedReceiverOptions
  #queue: BoundedQueue<PositionFix> | null = null
  #present = false
  #lost = false

  constructor(options: SimulatedReceiverOptions) {
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<PositionFix | StateReport, void, void> {
    const queue = new BoundedQueue<PositionFix>(this.#options.capacity ?? 64)
    this.#queue = queue
    if (!this.#present) this.plug(false)
    else if (this.#lost) this.lose()
    try {
      for await (const item of queue.take(signal)) {
        yield item.kind === 'state' ? item : { ...item, dropped: queue.takeDropped() }
      }
    } finally {
      if (this.#queue === queue) this.#queue = null
    }
  }

  plug(present: boolean): void {
    this.#present = present
    if (!present) this.#queue?.report('absent', 'device-absent', 'The simulated receiver is not there.')
  }

  /** The receiver has lost the sky. */
  lose(): void {
    this.#lost = true
    this.#queue?.report('faulty', 'no-fix', 'The simulated receiver has no position yet.')
  }

  /** @param horizontalError metres */
  fix(latitude: number, longitude: number, horizontalError = 3): void {
    if (!this.#present) return
    this.#lost = false
    const systemTime = this.#options.clock.system()
    this.#queue?.report('ready', null, 'The simulated receiver gives positions.')
    this.#queue?.push({
      kind: 'fix',
      utc: systemTime,
      latitude,
      longitude,
      altitude: null,
      horizontalError,
      satellites: null,
      systemTime,
      dropped: 0,
    })
  }
}
