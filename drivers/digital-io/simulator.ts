import { BoundedQueue } from '../bounded-queue.js'
import type { DriverClock, StateReport } from '../driver.js'
import { type ChipLines, type DigitalIo, type InputLevel, mustBeOutput, type SwitchEdge } from './digital-io.js'
import type { Drive, Level } from './drive.js'
import { PlayedOutputs } from './played-outputs.js'

export interface SimulatedIoOptions extends ChipLines {
  readonly name: string
  readonly clock: DriverClock
  /** What moves by itself, seconds from the beginning of the readings, in order; nothing unless given. */
  readonly moves?: readonly { readonly at: number; readonly line: number; readonly level: Level }[]
  /** Edges that may wait for the receiver; 4096 unless given. */
  readonly capacity?: number
}

/** Lines that a program moves, low at first. Not plugged in until `plug`. */
export class SimulatedIo implements DigitalIo {
  readonly name: string
  readonly #options: SimulatedIoOptions
  readonly #levels = new Map<number, Level>()
  readonly #outputs: PlayedOutputs
  #queue: BoundedQueue<InputLevel | SwitchEdge> | null = null
  #present = false

  constructor(options: SimulatedIoOptions) {
    this.name = options.name
    this.#options = options
    this.#outputs = new PlayedOutputs(options, (line, level) => this.#levels.set(line, level), options.clock)
  }

  async *readings(signal: AbortSignal): AsyncGenerator<InputLevel | SwitchEdge | StateReport, void, void> {
    const queue = new BoundedQueue<InputLevel | SwitchEdge>(this.#options.capacity ?? 4096)
    this.#queue = queue
    this.#report()
    try {
      for await (const item of queue.takeFrom(stop => this.#move(stop), signal)) {
        yield item.kind === 'edge' ? { ...item, dropped: queue.takeDropped() } : item
      }
    } finally {
      this.#outputs.release()
      if (this.#queue === queue) this.#queue = null
    }
  }

  set(line: number, drive: Drive): void {
    mustBeOutput(this.#options, line)
    if (this.#present && this.#queue !== null) this.#outputs.set(line, drive)
  }

  /** What is on the wire. */
  levelOf(line: number): Level {
    return this.#levels.get(line) ?? 'low'
  }

  plug(present: boolean): void {
    this.#present = present
    this.#outputs.release()
    this.#report()
  }

  /** @param at seconds of the monotonic clock; now unless given */
  move(line: number, level: Level, at = this.#options.clock.monotonic()): void {
    this.#levels.set(line, level)
    if (this.#present) this.#queue?.push({ kind: 'edge', line, level, ...this.#stamp(at), dropped: 0 })
  }

  async #move(signal: AbortSignal): Promise<void> {
    const { moves = [], clock } = this.#options
    const began = clock.monotonic()
    for (const { at, line, level } of moves) {
      await clock.sleep(began + at - clock.monotonic(), signal)
      if (signal.aborted) return
      this.move(line, level)
    }
  }

  #stamp(at: number) {
    const { clock } = this.#options
    return { monotonic: at, systemTime: clock.system() + at - clock.monotonic() }
  }

  #report(): void {
    if (!this.#present) {
      this.#queue?.report('absent', 'device-absent', 'The simulated lines are not there.')
      return
    }
    this.#queue?.report('ready', null, 'The simulated lines are there.')
    const stamp = this.#stamp(this.#options.clock.monotonic())
    for (const line of this.#options.inputs)
      this.#queue?.push({ kind: 'level', line, level: this.levelOf(line), ...stamp })
  }
}
