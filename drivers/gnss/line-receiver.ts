import { BoundedQueue } from '../bounded-queue.js'
import type { DriverClock, StateReport } from '../driver.js'
import { type Line, LineError, type OpenLine } from '../plate-reader/line.js'
import { BackOff } from '../retry.js'
import type { GnssParser, GnssReceiver, PositionFix } from './gnss.js'

export interface LineReceiverOptions {
  readonly name: string
  /** What the line is called in sentences, such as "The serial line /dev/ttyAMA0". */
  readonly title: string
  readonly open: OpenLine
  readonly parser: GnssParser
  /** Sent when the line has been opened. */
  readonly greeting?: string
  readonly clock: DriverClock
  /** Fixes that may wait for the reader; 64 unless given. */
  readonly capacity?: number
  /** A receiver of which nothing readable has come for so long is silent, seconds; 10 unless given. */
  readonly silentSeconds?: number
  /** 0 to 1, for the spread of the back-off. */
  readonly random?: () => number
}

/** Seconds between looks at whether the line is there and speaks. */
const lookSeconds = 1

/** A receiver at the end of a line, in whatever language the parser reads. */
export class LineReceiver implements GnssReceiver {
  readonly name: string
  readonly #options: LineReceiverOptions

  constructor(options: LineReceiverOptions) {
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<PositionFix | StateReport, void, void> {
    const queue = new BoundedQueue<PositionFix>(this.#options.capacity ?? 64)
    for await (const item of queue.takeFrom(stop => this.#listen(queue, stop), signal)) {
      yield item.kind === 'state' ? item : { ...item, dropped: queue.takeDropped() }
    }
  }

  async #listen(queue: BoundedQueue<PositionFix>, signal: AbortSignal): Promise<void> {
    const { clock, title, random, open, greeting, silentSeconds = 10 } = this.#options
    const backOff = new BackOff({ first: 0.25, longest: 5, ...(random && { random }) })
    while (!signal.aborted) {
      const gone = new AbortController()
      const abandon = () => gone.abort()
      signal.addEventListener('abort', abandon)
      const opened = clock.monotonic()
      const receiver = new Condition(this.#options, queue)
      try {
        const line: Line = await open({ lost: abandon, bytes: chunk => receiver.hear(chunk) }, signal)
        try {
          if (greeting !== undefined) line.write(Buffer.from(greeting))
          while (!gone.signal.aborted && line.present()) {
            if (receiver.quietFor() > silentSeconds) receiver.fall(silentSeconds)
            await clock.sleep(lookSeconds, gone.signal)
          }
        } finally {
          await line.close()
        }
        if (!signal.aborted) queue.report('absent', 'device-absent', `${title} has gone.`)
      } catch (error) {
        if (!(error instanceof LineError)) throw error
        if (!signal.aborted) {
          queue.report(error.fault === 'device-absent' ? 'absent' : 'faulty', error.fault, error.message)
        }
      } finally {
        signal.removeEventListener('abort', abandon)
      }
      backOff.worked(clock.monotonic() - opened)
      await clock.sleep(backOff.next(), signal)
    }
  }
}

/** How a receiver is while its line is open: it is ready only with a position, and says why it has none. */
class Condition {
  readonly #options: LineReceiverOptions
  readonly #queue: BoundedQueue<PositionFix>
  #heard: number
  #antenna: 'ok' | 'open' | 'short' = 'ok'

  constructor(options: LineReceiverOptions, queue: BoundedQueue<PositionFix>) {
    this.#options = options
    this.#queue = queue
    this.#heard = options.clock.monotonic()
    options.parser.reset()
  }

  /** Seconds since something readable came. */
  quietFor(): number {
    return this.#options.clock.monotonic() - this.#heard
  }

  fall(seconds: number): void {
    this.#queue.report('faulty', 'silent', `${this.#options.title} has given nothing readable for ${seconds} seconds.`)
  }

  hear(chunk: Uint8Array): void {
    const { clock, parser, title } = this.#options
    for (const item of parser.push(chunk)) {
      this.#heard = clock.monotonic()
      if (item.kind === 'antenna') this.#antenna = item.state
      else if (item.kind === 'fix') {
        this.#queue.report('ready', null, `${title} gives positions.`)
        this.#queue.push({ ...item, systemTime: clock.system(), dropped: 0 })
        continue
      }
      if (this.#antenna === 'open') this.#queue.report('faulty', 'antenna-open', `${title}: no antenna is connected.`)
      else if (this.#antenna === 'short') {
        this.#queue.report('faulty', 'antenna-short', `${title}: the antenna or its cable has a short circuit.`)
      } else if (item.kind === 'no-fix') this.#queue.report('faulty', 'no-fix', `${title} has no position yet.`)
    }
  }
}
