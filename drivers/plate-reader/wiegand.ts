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
/** A frame is over when nothing has begun for so many seconds. */
const frameGap = 0.03
const longestFrame = 64

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
        const settled = pulses.pending ? await nextOrQuiet(next, frameGap, clock, signal) : await next
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

/** Puts edges together into frames. */
class Pulses {
  readonly #options: WiegandPlateReaderOptions
  #bits: number[] = []
  #spoilt = false
  #low: { readonly line: number; readonly at: number } | null = null
  #last: SwitchEdge | null = null
  #discarded = { frames: 0, bytes: 0, reads: 0 }

  constructor(options: WiegandPlateReaderOptions) {
    this.#options = options
  }

  get pending(): boolean {
    return this.#bits.length > 0 || this.#spoilt
  }

  /** The read of the frame before, when this edge begins another. */
  take(edge: SwitchEdge): PlateRead | HashedRead | null {
    const { data0, data1 } = this.#options
    if (edge.line !== data0 && edge.line !== data1) return null
    const over = this.#last !== null && edge.monotonic - this.#last.monotonic > frameGap
    const read = over ? this.finish() : null
    if (edge.dropped > 0) this.#spoilt = true
    this.#last = edge
    if (edge.level === 'low') {
      if (this.#low !== null) this.#spoilt = true
      this.#low = { line: edge.line, at: edge.monotonic }
      return read
    }
    const began = this.#low
    if (began === null || began.line !== edge.line) return read
    this.#low = null
    const width = edge.monotonic - began.at
    if (width < shortestPulse) return read
    if (width > longestPulse || this.#bits.length >= longestFrame) this.#spoilt = true
    else this.#bits.push(edge.line === data1 ? 1 : 0)
    return read
  }

  /** The frame is over. */
  finish(): PlateRead | HashedRead | null {
    if (!this.pending) return null
    const content = this.#spoilt || this.#bits.length !== this.#options.bits ? null : decodeWiegand(this.#bits)
    const systemTime = this.#last?.systemTime ?? this.#options.clock.system()
    this.#begin()
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
    this.#last = null
  }

  #begin(): void {
    this.#bits = []
    this.#spoilt = false
    this.#low = null
  }
}
