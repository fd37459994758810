import type { DriverClock } from '../../../drivers/driver.js'
import { type Line, LineError, type LineListener, type OpenLine } from '../../../drivers/plate-reader/line.js'
import type { Episode, Troubles } from './episodes.js'

/** How often the far end of a line speaks, seconds. */
const saysEvery = 1

/** The far end of a line: what it says in this second, and in which trouble it is. */
export type Speaker = (seconds: number, trouble: Episode | null) => Uint8Array | null

/**
 * A line whose far end speaks once a second and has troubles: `unplugged` and `busy` are the line's own, all others the speaker
 * turns into what it says.
 */
export class TroubledLine {
  readonly #clock: DriverClock
  readonly #troubles: Troubles
  #listener: LineListener | null = null

  constructor(clock: DriverClock, troubles: Troubles) {
    this.#clock = clock
    this.#troubles = troubles
  }

  readonly open: OpenLine = async (listener): Promise<Line> => {
    const name = this.#now()?.name
    if (name === 'unplugged') throw new LineError('device-absent', 'There is no such line.')
    if (name === 'busy') throw new LineError('device-busy', 'Another program has the line.')
    this.#listener = listener
    return {
      present: () => this.#listener === listener,
      write: () => {},
      close: async () => {
        if (this.#listener === listener) this.#listener = null
      },
    }
  }

  /** Speaks until the signal aborts. */
  async speak(say: Speaker, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(saysEvery, signal)
      const trouble = this.#now()
      if (trouble?.name === 'unplugged' || trouble?.name === 'busy') {
        this.#listener?.lost('unplugged')
        this.#listener = null
        continue
      }
      const bytes = say(this.#clock.monotonic(), trouble)
      if (bytes !== null) this.#listener?.bytes(bytes)
    }
  }

  #now(): Episode | null {
    return this.#troubles.at(this.#clock.monotonic())
  }
}
