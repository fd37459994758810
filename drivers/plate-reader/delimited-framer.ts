import { type DelimitedFraming, endsWith, type Frame, type Framer } from './framing.js'

const none: readonly Frame[] = []

export class DelimitedFramer implements Framer {
  readonly #overhead: number
  readonly #start: Uint8Array | null
  readonly #end: Uint8Array
  readonly #frame: Uint8Array
  #length = 0
  #state: 'outside' | 'inside' | 'skipping'
  /** The last bytes outside a frame's content, or matching a start mark inside it. */
  #recent: number[] = []
  #dropped = 0

  constructor(framing: DelimitedFraming) {
    this.#start = framing.start ?? null
    this.#end = framing.end
    this.#frame = new Uint8Array(framing.maximumBytes + framing.end.length)
    this.#overhead = (framing.start?.length ?? 0) + framing.end.length
    this.#state = this.#start === null ? 'inside' : 'outside'
  }

  get pending(): number {
    return this.#state === 'inside' ? this.#length + (this.#start?.length ?? 0) : 0
  }

  get dropped(): number {
    return this.#dropped
  }

  take(byte: number): readonly Frame[] {
    this.#recent.push(byte)
    if (this.#recent.length > Math.max(this.#start?.length ?? 0, this.#end.length)) this.#recent.shift()
    if (this.#start !== null && endsWith(this.#recent, this.#recent.length, this.#start)) {
      if (this.#state === 'inside') this.#dropped += 1
      this.#begin('inside')
      return none
    }
    if (this.#state === 'outside') return none
    if (this.#state === 'skipping') {
      if (endsWith(this.#recent, this.#recent.length, this.#end)) this.#begin('inside')
      return none
    }
    this.#frame[this.#length] = byte
    this.#length += 1
    if (endsWith(this.#frame, this.#length, this.#end)) {
      const content = this.#frame.slice(0, this.#length - this.#end.length)
      this.#begin(this.#start === null ? 'inside' : 'outside')
      const header = this.#start ?? new Uint8Array(0)
      return [{ content, header, size: content.length + this.#overhead, checked: false }]
    }
    if (this.#length === this.#frame.length) {
      this.#dropped += 1
      this.#length = 0
      this.#state = this.#start === null ? 'skipping' : 'outside'
    }
    return none
  }

  reset(): void {
    if (this.#length > 0 || (this.#state === 'inside' && this.#start !== null)) this.#dropped += 1
    this.#begin(this.#start === null ? 'inside' : 'outside')
  }

  #begin(state: 'inside' | 'outside'): void {
    this.#state = state
    this.#length = 0
    this.#recent = []
  }
}
