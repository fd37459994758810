import { BoundedQueue } from '../bounded-queue.js'
import type { DriverClock, StateReport } from '../driver.js'
import { BackOff } from '../retry.js'
import { type Discarded, LayoutParser, type PlateReaderLayout } from './layout.js'
import { type Line, LineError, type LineListener, type OpenLine } from './line.js'
import type { PlateRead, PlateReader } from './plate-reader.js'

export interface LinePlateReaderOptions {
  readonly name: string
  /** What the line is called in sentences, such as "The serial line /dev/ttyUSB0". */
  readonly title: string
  readonly open: OpenLine
  readonly layout: PlateReaderLayout
  readonly clock: DriverClock
  /** Reads that may wait for the receiver; 256 unless given. */
  readonly capacity?: number
  /** So many bytes without a good frame are noise; 512 unless given. */
  readonly noiseBytes?: number
  /** 0 to 1, for the spread of the back-off. */
  readonly random?: () => number
}

/** Seconds between looks at whether the device file is still there and bytes come. */
const lookSeconds = 0.25
/**
 * A frame that has begun is given up when so many looks in a row saw no byte: a little more than a second. Looks are counted, not
 * seconds: a process that stands still for long finds the rest of its frame waiting, and the line was not quiet.
 */
const quietLooks = 5

/** Reads as they wait in the queue: `discarded` counts from the beginning. */
type QueuedRead = Omit<PlateRead, 'discarded'> & { readonly discarded: Discarded }

/**
 * Reads plates from a line, by a layout. Faults that it reports: `device-absent`, `device-busy`, `device-refused`, and `line-noise`
 * when bytes come but no frames, which the next good frame clears.
 */
export class LinePlateReader implements PlateReader {
  readonly name: string
  readonly #options: LinePlateReaderOptions

  constructor(options: LinePlateReaderOptions) {
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<PlateRead | StateReport, void, void> {
    const queue = new BoundedQueue<QueuedRead>(this.#options.capacity ?? 256)
    let before: Discarded = { frames: 0, bytes: 0 }
    for await (const item of queue.takeFrom(stop => this.#listen(queue, stop), signal)) {
      if (item.kind === 'state') {
        yield item
        continue
      }
      const { frames, bytes } = item.discarded
      const discarded = { frames: frames - before.frames, bytes: bytes - before.bytes, reads: queue.takeDropped() }
      before = item.discarded
      yield { ...item, discarded }
    }
  }

  async #listen(queue: BoundedQueue<QueuedRead>, signal: AbortSignal): Promise<void> {
    const { clock, title, random, layout, open } = this.#options
    let line: Line | null = null
    const parser = new LayoutParser(layout, bytes => line?.write(bytes))
    const backOff = new BackOff({ first: 0.25, longest: 5, ...(random && { random }) })
    while (!signal.aborted) {
      parser.reset()
      const gone = new AbortController()
      const abandon = () => gone.abort()
      signal.addEventListener('abort', abandon)
      const quiet = { looks: 0 }
      const listener = this.#listener(queue, parser, quiet, abandon)
      const opened = clock.monotonic()
      try {
        line = await open(listener, signal)
        try {
          if (!signal.aborted) queue.report('ready', null, `${title} is open.`)
          while (!gone.signal.aborted && line.present()) {
            await clock.sleep(lookSeconds, gone.signal)
            quiet.looks += 1
            if (quiet.looks === quietLooks) parser.reset()
          }
        } finally {
          await line.close()
          line = null
        }
        if (!signal.aborted) queue.report('absent', 'device-absent', `${title} has gone.`)
      } catch (error) {
        if (!(error instanceof LineError)) throw error
        queue.report(error.fault === 'device-absent' ? 'absent' : 'faulty', error.fault, error.message)
      } finally {
        signal.removeEventListener('abort', abandon)
      }
      backOff.worked(clock.monotonic() - opened)
      await clock.sleep(backOff.next(), signal)
    }
  }

  #listener(
    queue: BoundedQueue<QueuedRead>,
    parser: LayoutParser,
    quiet: { looks: number },
    lost: () => void,
  ): LineListener {
    const { clock, title, noiseBytes = 512 } = this.#options
    let noisy = false
    return {
      lost,
      waiting: detail => queue.report('absent', 'device-absent', detail),
      bytes: chunk => {
        quiet.looks = 0
        const systemTime = clock.system()
        for (const { read, discarded } of parser.push(chunk)) {
          if (noisy) queue.report('ready', null, `${title} gives good frames again.`)
          noisy = false
          queue.push({ kind: 'plate', ...read, systemTime, discarded })
        }
        if (noisy || parser.bytesSinceFrame <= noiseBytes) return
        noisy = true
        const detail = `${title}: ${parser.bytesSinceFrame} bytes came and no frame of ${this.#options.layout.name}: check baud rate, wiring and layout.`
        queue.report('faulty', 'line-noise', detail)
      },
    }
  }
}
