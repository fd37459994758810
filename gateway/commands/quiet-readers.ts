import type { PlateReaderSettings } from '../config/schema.js'
import { PolewatchError } from '../errors.js'
import type { Role } from './role.js'

/** Seconds between looks. */
const lookEvery = 60
const fault = 'reader-quiet'

/** Tells readers that are open and have read no plate for hours: nobody else notices a lens that was covered or turned away. */
export class QuietReaders {
  readonly #role: Role
  readonly #readers: readonly PlateReaderSettings[]
  /** By name: since when it has read nothing although it could have, seconds of the monotonic clock. */
  readonly #since = new Map<string, number>()

  constructor(role: Role, readers: readonly PlateReaderSettings[]) {
    this.#role = role
    this.#readers = readers
  }

  /** A reader has read something. */
  heard(reader: string): void {
    this.#since.set(reader, this.#role.clock.monotonic())
    if (this.#faultOf(reader) === fault) this.#role.ready(reader, 'It reads plates again.')
  }

  /** Looks until the signal aborts. */
  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const settings of this.#readers) this.#look(settings)
      await this.#role.clock.sleep(lookEvery, signal)
    }
  }

  #look({ name, quietHours }: PlateReaderSettings): void {
    if (quietHours === null) return
    const now = this.#role.clock.monotonic()
    const found = this.#faultOf(name)
    const since = this.#since.get(name)
    // What cannot read has its time again from its return.
    if (since === undefined || (found !== null && found !== fault)) this.#since.set(name, now)
    else if (now - since >= quietHours * 3600) {
      const error = new PolewatchError('PW_READER_QUIET', { part: name, hours: quietHours })
      this.#role.raise(name, 'faulty', fault, error.message, error.code)
    }
  }

  #faultOf(reader: string): string | null {
    return this.#role.parts.find(({ part }) => part === reader)?.fault ?? null
  }
}
