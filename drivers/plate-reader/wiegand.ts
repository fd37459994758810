import type { DigitalIo, SwitchEdge } from '../digital-io/digital-io.js'
import { nextOrQuiet } from '../digital-io/next-or-quiet.js'
import type { DriverClock, StateReport } from '../driver.js'
import { nothing } from './fields.js'
import type { HashedRead, PlateRead, PlateReader } from './plate-reader.js'
import { decodeWiegand } from './wiegand-code.js'

export interface WiegandPlateReaderOptions {
  readonly name: string
  /** Where both lines are; nobody else may read it. */
  readonly inputs: DigitalIo
  /** Line on which a pulse is a zero. */
  readonly data0: number
  /** Line on which a pulse is a one. */
  readonly data1: number
  /** The only frames taken; others are counted as discarded. */
  readonly bits: 26 | 64
  readonly clock: DriverClock
}

/**
 * Pulses last 20 to 100 µs and begin 200 µs to 20 ms apart in the SIA's standard for 26-bit readers (AC-01); Nedap's are 50 µs
 * and 1 ms. A kernel's stamps are late now and then, so that the limits are wider.
 */
const shortestPulse = 5e-6
const longestPulse = 2e-3
/** A frame is over when by the kernel's stamps nothing has happened for so many seconds. */
const frameGap = 0.03
/** A process may be held up while the rest of a frame waits: half a frame is given up when nothing has come for so many seconds. */
const patience = 0.25
/** The longest frame has 64 pulses; more edges than of two are noise. */
const mostEdges = 256

/** Reads plates from two Wiegand lines. Faults are those of the lines. */
export class WiegandPlateReader implements PlateReader {
  readonly name: string
  readonly #options: WiegandPlateReaderOptions

  constructor(options: WiegandPlateReaderOptions) {
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<PlateRead | HashedRead | StateReport, void, void> {
    const { inputs, clock } = this.#options
    const pulses = new Pulses(this.#options)
    const stop = new AbortController()
    const onAbort = () => stop.abort()
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) stop.abort()
    const edges = inputs.readings(stop.signal)[Symbol.asyncIterator]()
    let next = edges.next()
    try {
      while (!signal.aborted) {
        const quiet = pulses.complete ? frameGap : patience
        const settled = pulses.pending ? await nextOrQuiet(next, quiet, clock, signal) : await next
        if (settled === 'quiet') {
          const read = pulses.finish()
          if (read !== null) yield read
          continue
        }
        if (settled.done) return
        const item = settled.value
        next = edges.next()
        if (item.kind === 'state') {
          pulses.forget()
          yield item
        } else if (item.kind === 'edge') {
          const read = pulses.take(item)
          if (read !== null) yield read
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      // The lines' own wait has to end first: an iterator that is waiting cannot be returned.
      stop.abort()
      await edges.return?.()
    }
  }
}

/**
 * Puts edges together into frames. Edges of two lines may overtake each other on their way here, so that what a frame says is
 * decided by the kernel's stamps, when all of it has come.
 */
class Pulses {
  readonly #options: WiegandPlateReaderOptions
  #edges: SwitchEdge[] = []
  #rises = 0
  #spoilt = false
  /** By its stamp. */
  #latest: SwitchEdge | null = null
  #discarded = { frames: 0, bytes: 0, reads: 0 }

  constructor(options: WiegandPlateReaderOptions) {
    this.#options = options
  }

  get pending(): boolean {
    return this.#edges.length > 0 || this.#spoilt
  }

  /** Whether as many pulses have ended as a frame has. */
  get complete(): boolean {
    return this.#rises >= this.#options.bits
  }

  /** The read of the frame before, when this edge begins another. */
  take(edge: SwitchEdge): PlateRead | HashedRead | null {
    const { data0, data1 } = this.#options
    if (edge.line !== data0 && edge.line !== data1) return null
    const over = this.#latest !== null && edge.monotonic - this.#latest.monotonic > frameGap
    const read = over ? this.finish() : null
    if (edge.dropped > 0) this.#spoilt = true
    if (this.#latest === null || edge.monotonic > this.#latest.monotonic) this.#latest = edge
    if (this.#edges.length >= mostEdges) this.#spoilt = true
    else this.#edges.push(edge)
    if (edge.level === 'high') this.#rises += 1
    return read
  }

  /** The frame is over. */
  finish(): PlateRead | HashedRead | null {
    const bits = this.#spoilt ? null : this.#bits()
    const systemTime = this.#latest?.systemTime ?? this.#options.clock.system()
    this.#begin()
    // What is too short for a pulse was no frame.
    if (bits?.length === 0) return null
    const content = bits === null || bits.length !== this.#options.bits ? null : decodeWiegand(bits)
    if (content === null) {
      this.#discarded.frames += 1
      return null
    }
    const discarded = this.#discarded
    this.#discarded = { frames: 0, bytes: 0, reads: 0 }
    if (content.bits === 26) return { kind: 'hashed-plate', hash: content.hash, systemTime, discarded }
    return { kind: 'plate', ...nothing, text: content.text, systemTime, discarded }
  }

  /** The lines have gone or come: what had begun is broken off. */
  forget(): void {
    if (this.pending) this.#discarded.frames += 1
    this.#begin()
    this.#latest = null
  }

  /** Null for what is no row of pulses. */
  #bits(): number[] | null {
    const bits: number[] = []
    let low: SwitchEdge | null = null
    for (const edge of this.#edges.sort((one, other) => one.monotonic - other.monotonic)) {
      if (edge.level === 'low') {
        if (low !== null) return null
        low = edge
      } else if (low?.line === edge.line) {
        const width = edge.monotonic - low.monotonic
        low = null
        if (width < shortestPulse) continue
        if (width > longestPulse) return null
        bits.push(edge.line === this.#options.data1 ? 1 : 0)
      }
    }
    return bits
  }

  #begin(): void {
    this.#edges = []
    this.#rises = 0
    this.#spoilt = false
  }
}
