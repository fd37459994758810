import { BoundedQueue } from '../bounded-queue.js'
import type { DriverClock, StateReport } from '../driver.js'
import type { DigitalInputs, SwitchEdge } from './digital-io.js'

export interface SimulatedInputsOptions {
  readonly name: string
  readonly clock: DriverClock
  /** Edges that may wait for the receiver; 4096 unless given. */
  readonly capacity?: number
}

/** Lines that a program moves. Not plugged in at first. */
export class SimulatedInputs implements DigitalInputs {
  readonly name: string
  readonly #options: SimulatedInputsOptions
  #queue: BoundedQueue<SwitchEdge> | null = null
  #present = false

  constructor(options: SimulatedInputsOptions) {
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<SwitchEdge | StateReport, void, void> {
    const queue = new BoundedQueue<SwitchEdge>(this.#options.capacity ?? 4096)
    this.#queue = queue
    this.#report()
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
    this.#report()
  }

  /** @param at seconds of the monotonic clock; now unless given */
  move(line: number, level: SwitchEdge['level'], at = this.#options.clock.monotonic()): void {
    const { clock } = this.#options
    const systemTime = clock.system() + at - clock.monotonic()
    this.#queue?.push({ kind: 'edge', line, level, monotonic: at, systemTime, dropped: 0 })
  }

  #report(): void {
    if (this.#present) this.#queue?.report('ready', null, 'The simulated lines are there.')
    else this.#queue?.report('absent', 'device-absent', 'The simulated lines are not there.')
  }
}
