import { z } from 'zod'

/** Bytes in hexadecimal, pairs of digits, spaces allowed. */
export const hexBytesSchema = z
  .string()
  .regex(/^(?:\s*[0-9a-fA-F]{2})+\s*$/, { error: 'expected bytes in hexadecimal, such as "0d 0a"', abort: true })
  .transform(text => Uint8Array.from(text.match(/[0-9a-fA-F]{2}/g) ?? [], pair => Number.parseInt(pair, 16)))

/** Frames between an end mark and, where there is one, a start mark; bytes between frames are noise. */
const delimitedSchema = z
  .strictObject({
    kind: z.literal('delimited'),
    start: hexBytesSchema.optional(),
    end: hexBytesSchema,
    /** Longest content; a longer frame is dropped. */
    maximumBytes: z.int().min(1).max(4096),
  })
  .refine(framing => framing.start?.join() !== framing.end.join(), 'start and end must differ')

/** How frames are told apart on the line. Further kinds join here and in `makeFramer`. */
export const framingSchema = z.discriminatedUnion('kind', [delimitedSchema])

export type Framing = z.infer<typeof framingSchema>

/** Cuts a stream of bytes into frames, the same ones however the stream is split. */
export interface Framer {
  /** Takes one byte; the content of a frame when the byte completes one. The caller owns it. */
  take(byte: number): Uint8Array | null
  /** Bytes of a frame that has begun, its start mark included. */
  readonly pending: number
  /** Bytes around the content of every complete frame. */
  readonly overhead: number
  /** Frames dropped so far because they were too long or broken off. */
  readonly dropped: number
  /** Forgets a frame that has begun. */
  reset(): void
}

export function makeFramer(framing: Framing): Framer {
  return new DelimitedFramer(framing)
}

class DelimitedFramer implements Framer {
  readonly overhead: number
  readonly #start: Uint8Array | null
  readonly #end: Uint8Array
  readonly #frame: Uint8Array
  #length = 0
  #state: 'outside' | 'inside' | 'skipping'
  /** The last bytes outside a frame's content, or matching a start mark inside it. */
  #recent: number[] = []
  #dropped = 0

  constructor(framing: z.infer<typeof delimitedSchema>) {
    this.#start = framing.start ?? null
    this.#end = framing.end
    this.#frame = new Uint8Array(framing.maximumBytes + framing.end.length)
    this.overhead = (framing.start?.length ?? 0) + framing.end.length
    this.#state = this.#start === null ? 'inside' : 'outside'
  }

  get pending(): number {
    return this.#state === 'inside' ? this.#length + (this.#start?.length ?? 0) : 0
  }

  get dropped(): number {
    return this.#dropped
  }

  take(byte: number): Uint8Array | null {
    this.#recent.push(byte)
    if (this.#recent.length > Math.max(this.#start?.length ?? 0, this.#end.length)) this.#recent.shift()
    if (this.#start !== null && endsWith(this.#recent, this.#recent.length, this.#start)) {
      if (this.#state === 'inside') this.#dropped += 1
      this.#begin('inside')
      return null
    }
    if (this.#state === 'outside') return null
    if (this.#state === 'skipping') {
      if (endsWith(this.#recent, this.#recent.length, this.#end)) this.#begin('inside')
      return null
    }
    this.#frame[this.#length] = byte
    this.#length += 1
    if (endsWith(this.#frame, this.#length, this.#end)) {
      const content = this.#frame.slice(0, this.#length - this.#end.length)
      this.#begin(this.#start === null ? 'inside' : 'outside')
      return content
    }
    if (this.#length === this.#frame.length) {
      this.#dropped += 1
      this.#length = 0
      this.#state = this.#start === null ? 'skipping' : 'outside'
    }
    return null
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

function endsWith(bytes: ArrayLike<number>, length: number, mark: Uint8Array): boolean {
  if (length < mark.length) return false
  for (let index = 0; index < mark.length; index += 1) {
    if (bytes[length - mark.length + index] !== mark[index]) return false
  }
  return true
}
