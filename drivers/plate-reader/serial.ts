import { BoundedQueue } from '../bounded-queue.js'
import type { DriverClock, StateReport } from '../driver.js'
import { BackOff } from '../retry.js'
import { type Discarded, LayoutParser, type LineSettings, type PlateReaderLayout } from './layout.js'
import type { PlateRead, PlateReader } from './plate-reader.js'
import { LineError, type LineListener, openSerialLine, type SerialLine } from './serial-line.js'

export interface SerialPlateReaderOptions {
  readonly name: string
  /** Device file, best a stable name below /dev/serial/by-id. */
  readonly path: string
  readonly layout: PlateReaderLayout
  /** What differs from the layout's own line settings. */
  readonly line?: Partial<LineSettings>
  readonly clock: DriverClock
  /** Reads that may wait for the receiver; 256 unless given. */
  readonly capacity?: number
  /** So many bytes without a good frame are noise; 512 unless given. */
  readonly noiseBytes?: number
  readonly openLine?: (path: string, settings: LineSettings, listener: LineListener) => Promise<SerialLine>
  /** 0 to 1, for the spread of the back-off. */
  readonly random?: () => number
}

/** A frame that has begun is given up when the line is quiet for so many seconds. */
const quietSeconds = 1
/** Seconds between looks at whether the device file is still there. */
const presenceSeconds = 1
/** A line that was open for so many seconds counts as working, and the back-off starts anew. */
const settledSeconds = 5

/** Reads as they wait in the queue: `discarded` counts from the beginning. */
type QueuedRead = Omit<PlateRead, 'discarded'> & { readonly discarded: Discarded }

/**
 * Reads plates from a serial line. Faults that it reports: `device-absent`, `device-busy`, `device-refused`, and `line-noise`
 * when bytes come but no frames, which the next good frame clears.
 */
export class SerialPlateReader implements PlateReader {
  readonly name: string
  readonly #options: SerialPlateReaderOptions

  constructor(options: SerialPlateReaderOptions) {
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<PlateRead | StateReport, void, void> {
    const queue = new BoundedQueue<QueuedRead>(this.#options.capacity ?? 256)
    const stop = new AbortController()
    const onAbort = () => stop.abort()
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) stop.abort()
    const failures: unknown[] = []
    const listening = this.#listen(queue, stop.signal).catch((error: unknown) => {
      failures.push(error)
      stop.abort()
    })
    try {
      let before: Discarded = { frames: 0, bytes: 0 }
      for await (const item of queue.take(stop.signal)) {
        if (item.kind === 'state') {
          yield item
          continue
        }
        const { frames, bytes } = item.discarded
        const discarded = { frames: frames - before.frames, bytes: bytes - before.bytes, reads: queue.takeDropped() }
        before = item.discarded
        yield { ...item, discarded }
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      stop.abort()
      await listening
    }
    if (failures.length > 0) throw failures[0]
  }

  async #listen(queue: BoundedQueue<QueuedRead>, signal: AbortSignal): Promise<void> {
    const { clock, path, random, layout, openLine = openSerialLine } = this.#options
    const settings = { ...layout.line, ...this.#options.line }
    const parser = new LayoutParser(layout)
    const backOff = new BackOff({ first: 0.25, longest: 5, ...(random && { random }) })
    while (!signal.aborted) {
      parser.reset()
      const gone = new AbortController()
      const abandon = () => gone.abort()
      signal.addEventListener('abort', abandon)
      const listener = this.#listener(queue, parser, abandon)
      const opened = clock.monotonic()
      try {
        const line = await openLine(path, settings, listener)
        try {
          if (!signal.aborted)
            queue.report('ready', null, `The serial line ${path} is open at ${settings.baudRate} baud.`)
          while (!gone.signal.aborted && line.present()) await clock.sleep(presenceSeconds, gone.signal)
        } finally {
          await line.close()
        }
        if (!signal.aborted) queue.report('absent', 'device-absent', `The serial line ${path} has gone.`)
      } catch (error) {
        if (!(error instanceof LineError)) throw error
        queue.report(error.fault === 'device-absent' ? 'absent' : 'faulty', error.fault, error.message)
      } finally {
        signal.removeEventListener('abort', abandon)
      }
      if (clock.monotonic() - opened > settledSeconds) backOff.reset()
      await clock.sleep(backOff.next(), signal)
    }
  }

  #listener(queue: BoundedQueue<QueuedRead>, parser: LayoutParser, lost: () => void): LineListener {
    const { clock, path, noiseBytes = 512 } = this.#options
    let noisy = false
    let last = clock.monotonic()
    return {
      lost,
      bytes: chunk => {
        const now = clock.monotonic()
        if (now - last > quietSeconds) parser.reset()
        last = now
        const systemTime = clock.system()
        for (const { read, discarded } of parser.push(chunk)) {
          if (noisy) queue.report('ready', null, `The serial line ${path} gives good frames again.`)
          noisy = false
          queue.push({ kind: 'plate', ...read, systemTime, discarded })
        }
        if (noisy || parser.bytesSinceFrame <= noiseBytes) return
        noisy = true
        const detail = `${parser.bytesSinceFrame} bytes came on ${path} and no frame of ${this.#options.layout.name}: check baud rate, wiring and layout.`
        queue.report('faulty', 'line-noise', detail)
      },
    }
  }
}
