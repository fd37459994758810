import { EventEmitter } from 'node:events'
import { BoundedQueue } from '../bounded-queue.js'
import type { DriverClock, StateReport } from '../driver.js'
import { type Line, LineError } from '../plate-reader/line.js'
import { openSerialLine } from '../plate-reader/serial-line.js'
import { BackOff } from '../retry.js'
import type { SensorBoardMap } from './pin-map.js'
import type { Measurement, SensorBoard } from './sensor-board.js'
import { type FirmataIo, type JohnnyFive, type Sensor, sensorOf } from './sensors.js'

export interface FirmataBoardOptions {
  readonly name: string
  /** Device file, best a stable name below /dev/serial/by-id. */
  readonly path: string
  readonly map: SensorBoardMap
  readonly clock: DriverClock
  /** Measurements that may wait for the reader; 256 unless given. */
  readonly capacity?: number
  /** A board that does not introduce itself for so long has no Firmata, seconds; 8 unless given: an Uno boots for two. */
  readonly greetingSeconds?: number
  /** A board that says nothing for so long is silent, seconds; 10 unless given. */
  readonly silentSeconds?: number
  /** 0 to 1, for the spread of the back-off. */
  readonly random?: () => number
}

/** Seconds between looks at the line and at what is due. */
const lookSeconds = 0.05
/** A board that is not asked says its version after booting; one that has booted long ago has to be asked. Milliseconds. */
const askAfter = 500
/** No word of Firmata is longer; what is, is noise, which the library would gather for ever. */
const longestWord = 1024

/**
 * A microcontroller with StandardFirmata on a serial line, read by johnny-five. Everything is made anew for each opening. The
 * libraries are loaded when the first line is open. Faults as of `SensorBoard`.
 */
export class FirmataBoard implements SensorBoard {
  readonly name: string
  readonly #options: FirmataBoardOptions

  constructor(options: FirmataBoardOptions) {
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<Measurement | StateReport, void, void> {
    const queue = new BoundedQueue<Measurement>(this.#options.capacity ?? 256)
    for await (const item of queue.takeFrom(stop => this.#run(queue, stop), signal)) {
      yield item.kind === 'state' ? item : { ...item, dropped: queue.takeDropped() }
    }
  }

  async #run(queue: BoundedQueue<Measurement>, signal: AbortSignal): Promise<void> {
    const { clock, path, map, random } = this.#options
    const backOff = new BackOff({ first: 0.25, longest: 30, ...(random && { random }) })
    const settings = { baudRate: map.baudRate, dataBits: 8, parity: 'none', stopBits: 1, flowControl: 'none' } as const
    while (!signal.aborted) {
      const gone = new AbortController()
      const abandon = () => gone.abort()
      signal.addEventListener('abort', abandon)
      const wire = new Wire(clock)
      try {
        const line = await openSerialLine(path, settings, { lost: abandon, bytes: chunk => wire.hear(chunk) })
        try {
          backOff.worked(await this.#serve(wire, line, queue, gone.signal))
        } finally {
          await line.close()
        }
        if (!signal.aborted && !(line.present() && !gone.signal.aborted)) {
          queue.report('absent', 'device-absent', `The board on ${path} has gone.`)
        }
      } catch (error) {
        if (!(error instanceof LineError)) throw error
        if (!signal.aborted) {
          queue.report(error.fault === 'device-absent' ? 'absent' : 'faulty', error.fault, error.message)
        }
      } finally {
        signal.removeEventListener('abort', abandon)
      }
      await clock.sleep(backOff.next(), signal)
    }
  }

  /** Measures as long as the board is there and speaks. Returns for how long it spoke, seconds; 0 where it never measured. */
  async #serve(wire: Wire, line: Line, queue: BoundedQueue<Measurement>, gone: AbortSignal): Promise<number> {
    const { clock, path, map, greetingSeconds = 8, silentSeconds = 10 } = this.#options
    const [five, { Firmata }] = await Promise.all([
      import('johnny-five').then(module => module.default),
      import('firmata-io').then(module => module.default),
    ])
    if (gone.aborted) return 0
    const opened = clock.monotonic()
    const io = new Firmata(wire, { reportVersionTimeout: askAfter, samplingInterval: map.samplingInterval * 1000 })
    wire.join(line, io)
    const ready = new Promise<void>(resolve => io.once('ready', () => resolve()))
    let greeted = false
    ready.then(() => {
      greeted = true
    })
    const spoke = () => (greeted ? (wire.heard ?? opened) - opened : 0)
    const due = new Map<Sensor, number>()
    const board = new HeldBoard(five, io)
    try {
      while (!gone.aborted && line.present()) {
        const now = clock.monotonic()
        if (!greeted && now - opened > greetingSeconds) {
          if (wire.heard === null) queue.report('faulty', 'silent', `The board on ${path} does not answer.`)
          else queue.report('faulty', 'wrong-firmware', `What the board on ${path} says is not Firmata.`)
          return 0
        }
        if (greeted && now - (wire.heard ?? opened) > silentSeconds) {
          queue.report('faulty', 'silent', `The board on ${path} has said nothing for ${silentSeconds} seconds.`)
          return spoke()
        }
        if (greeted && due.size === 0) {
          queue.report('ready', null, `The board on ${path} measures.`)
          for (const sensor of board.sensors(map, () => clock.monotonic())) due.set(sensor, now)
        }
        for (const [sensor, at] of due) {
          if (now < at) continue
          const measured = sensor.take()
          if (measured.length > 0) due.set(sensor, now + sensor.interval)
          for (const item of measured) {
            queue.push({ kind: 'measurement', ...item, systemTime: clock.system(), dropped: 0 })
          }
        }
        await clock.sleep(lookSeconds, gone)
      }
      return spoke()
    } finally {
      board.release()
      wire.release()
    }
  }
}

/** What firmata-io takes for a serial port: it outlives neither line nor library. */
class Wire extends EventEmitter {
  readonly #clock: DriverClock
  #line: Line | null = null
  #io: FirmataIo | null = null
  /** When something was last heard, seconds of the monotonic clock; null before. */
  heard: number | null = null

  constructor(clock: DriverClock) {
    super()
    this.#clock = clock
  }

  join(line: Line, io: FirmataIo): void {
    this.#line = line
    this.#io = io
    io.on('error', () => {})
  }

  hear(chunk: Uint8Array): void {
    this.heard = this.#clock.monotonic()
    try {
      this.emit('data', chunk)
      if ((this.#io?.buffer.length ?? 0) > longestWord) this.#io?.buffer.splice(0)
    } catch {
      // firmata-io takes every word for a good one, and throws in the middle of one that noise has hurt.
      this.#io?.buffer.splice(0)
    }
  }

  write(bytes: Uint8Array, done: () => void): void {
    this.#line?.write(bytes)
    done()
  }

  release(): void {
    if (this.#io !== null) {
      clearTimeout(this.#io.reportVersionTimeoutId)
      this.#io.removeAllListeners()
      this.#io.pins.length = 0
    }
    this.removeAllListeners()
    this.#line = null
    this.#io = null
  }
}

/** A board of johnny-five, which by itself would never be forgotten. */
class HeldBoard {
  readonly #five: JohnnyFive
  readonly #io: FirmataIo
  #board: InstanceType<JohnnyFive['Board']> | null = null
  #sensors: Sensor[] = []

  constructor(five: JohnnyFive, io: FirmataIo) {
    this.#five = five
    this.#io = io
  }

  /** To be called when the io is ready. */
  sensors(map: SensorBoardMap, monotonic: () => number): readonly Sensor[] {
    const five = this.#five
    const io = this.#io
    // With `sigint` it would end the whole process by itself.
    const board = new five.Board({ io, repl: false, debug: false, sigint: false })
    board.on('error', () => {})
    this.#board = board
    this.#sensors = map.sensors.map(settings => sensorOf(settings, { five, board, io, map, monotonic }))
    return this.#sensors
  }

  release(): void {
    for (const sensor of this.#sensors) sensor.release()
    this.#sensors = []
    if (this.#board === null) return
    const { cache } = this.#five.Board
    const index = cache.indexOf(this.#board)
    if (index >= 0) cache.splice(index, 1)
    this.#board.removeAllListeners()
    this.#board = null
  }
}
