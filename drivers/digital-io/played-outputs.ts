import type { DriverClock } from '../driver.js'
import type { ChipLines } from './digital-io.js'
import { type Drive, type Level, play } from './drive.js'

/** Outputs whose levels this program sets one by one; released at first. */
export class PlayedOutputs {
  readonly #lines: ChipLines
  readonly #write: (line: number, level: Level) => void
  readonly #clock: DriverClock
  readonly #playing = new Map<number, AbortController>()

  constructor(lines: ChipLines, write: (line: number, level: Level) => void, clock: DriverClock) {
    this.#lines = lines
    this.#write = write
    this.#clock = clock
    this.release()
  }

  set(line: number, drive: Drive): void {
    this.#playing.get(line)?.abort()
    const playing = new AbortController()
    this.#playing.set(line, playing)
    void play(drive, level => this.#write(line, level), this.#clock, playing.signal)
  }

  release(): void {
    for (const playing of this.#playing.values()) playing.abort()
    this.#playing.clear()
    for (const { line, released } of this.#lines.outputs) this.#write(line, released)
  }
}
