import { BoundedQueue } from '../bounded-queue.js'
import type { DriverClock, StateReport } from '../driver.js'
import type { Measurement, Quantity, SensorBoard, SensorFault } from './sensor-board.js'

export interface SimulatedBoardOptions {
  readonly name: string
  readonly clock: DriverClock
  /** Measurements that may wait for the reader; 256 unless given. */
  readonly capacity?: number
}

/** A board that a program plugs in and whose sensors it moves. Not plugged in at first. */
export class SimulatedBoard implements SensorBoard {
  readonly name: string
  readonly #options: SimulatedBoardOptions
  #queue: BoundedQueue<Measurement> | null = null
  #present = false

  constructor(options: SimulatedBoardOptions) {
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<Measurement | StateReport, void, void> {
    const queue = new BoundedQueue<Measurement>(this.#options.capacity ?? 256)
    this.#queue = queue
    this.plug(this.#present)
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
    if (present) this.#queue?.report('ready', null, 'The simulated board measures.')
    else this.#queue?.report('absent', 'device-absent', 'The simulated board is not there.')
  }

  measure(sensor: string, quantity: Quantity, value: number | null, fault: SensorFault | null = null): void {
    if (!this.#present) return
    const systemTime = this.#options.clock.system()
    this.#queue?.push({ kind: 'measurement', sensor, quantity, value, fault, systemTime, dropped: 0 })
  }
}
