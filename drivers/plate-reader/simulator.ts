import type { DriverClock, StateReport } from '../driver.js'
import type { PlateRead, PlateReader } from './plate-reader.js'

export interface SimulatedRead {
  /** Seconds since the stream began. */
  readonly at: number
  readonly text: string
  readonly confidence?: number | null
  readonly country?: string | null
  readonly state?: string | null
  readonly lane?: string | null
  readonly direction?: PlateRead['direction']
}

/** A stretch of the stream in which the simulated reader is unplugged. */
export interface SimulatedAbsence {
  /** Seconds since the stream began. */
  readonly from: number
  readonly until: number
}

export interface SimulatedPlateReaderOptions {
  readonly name: string
  /** In order of time. */
  readonly reads: readonly SimulatedRead[]
  /** In order of time, apart from each other. Reads that fall into one are lost. */
  readonly absences?: readonly SimulatedAbsence[]
  readonly clock: DriverClock
}

/** A reader that says what it was told to, when it was told to, and is then quiet. */
export class SimulatedPlateReader implements PlateReader {
  readonly name: string
  readonly #options: SimulatedPlateReaderOptions

  constructor(options: SimulatedPlateReaderOptions) {
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<PlateRead | StateReport, void, void> {
    const { clock } = this.#options
    const start = clock.monotonic()
    let present: boolean | null = null
    for (const event of this.#events()) {
      while (!signal.aborted) {
        const wait = start + event.at - clock.monotonic()
        if (wait <= 0) break
        await clock.sleep(wait, signal)
      }
      if (signal.aborted) return
      if ('text' in event) {
        if (present) yield this.#read(event)
      } else if (event.present !== present) {
        present = event.present
        yield present
          ? { kind: 'state', state: 'ready', fault: null, detail: 'The simulated reader is connected.' }
          : { kind: 'state', state: 'absent', fault: 'device-absent', detail: 'The simulated reader is unplugged.' }
      }
    }
    while (!signal.aborted) await clock.sleep(3600, signal)
  }

  #events(): (SimulatedRead | { readonly at: number; readonly present: boolean })[] {
    const { reads, absences = [] } = this.#options
    const states = absences.flatMap(({ from, until }) => [
      { at: from, present: false },
      { at: until, present: true },
    ])
    const begin = absences.some(absence => absence.from <= 0) ? [] : [{ at: 0, present: true }]
    return [...begin, ...states, ...reads].sort((one, other) => one.at - other.at)
  }

  #read(read: SimulatedRead): PlateRead {
    return {
      kind: 'plate',
      text: read.text,
      confidence: read.confidence ?? null,
      country: read.country ?? null,
      state: read.state ?? null,
      lane: read.lane ?? null,
      direction: read.direction ?? null,
      readerTime: null,
      systemTime: this.#options.clock.system(),
      discarded: { frames: 0, bytes: 0, reads: 0 },
    }
  }
}
