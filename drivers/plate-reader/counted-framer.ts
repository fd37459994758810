import { checksum, checksumBytes } from './checksum.js'
import { type CountedFraming, endsWith, type Frame, type Framer } from './framing.js'

/**
 * Frames of a counted length. Bytes that turn out to be no frame are looked through again for the beginning of one, so that
 * noise or half a frame never swallows the good frame behind it for longer than the longest frame takes.
 */
export class CountedFramer implements Framer {
  readonly #framing: CountedFraming
  readonly #buffer: Uint8Array
  readonly #contentAt: number
  readonly #trailer: number
  #filled = 0
  #dropped = 0

  constructor(framing: CountedFraming) {
    this.#framing = framing
    this.#contentAt = framing.start.length + framing.headerBytes
    this.#trailer = checksumBytes(framing.check) + (framing.end?.length ?? 0)
    const content = 'fixed' in framing.length ? framing.length.fixed : framing.maximumBytes
    this.#buffer = new Uint8Array(this.#contentAt + content + this.#trailer)
  }

  get pending(): number {
    return this.#filled
  }

  get dropped(): number {
    return this.#dropped
  }

  take(byte: number): readonly Frame[] {
    this.#buffer[this.#filled] = byte
    this.#filled += 1
    const frames: Frame[] = []
    while (this.#filled > 0) {
      const found = this.#examine()
      if (found === 'incomplete') break
      if (found === 'noise' || found === 'broken') {
        if (found === 'broken') this.#dropped += 1
        this.#forget(1)
      } else {
        frames.push(found)
        this.#forget(found.size)
      }
    }
    return frames
  }

  reset(): void {
    if (this.#filled >= this.#framing.start.length) this.#dropped += 1
    this.#filled = 0
  }

  #examine(): Frame | 'incomplete' | 'noise' | 'broken' {
    const { start, check, end, maximumBytes } = this.#framing
    const compared = Math.min(this.#filled, start.length)
    for (let index = 0; index < compared; index += 1) if (this.#buffer[index] !== start[index]) return 'noise'
    if (this.#filled < this.#contentAt) return 'incomplete'
    const length = this.#contentLength()
    if (length > maximumBytes) return 'broken'
    const size = this.#contentAt + length + this.#trailer
    if (this.#filled < size) return 'incomplete'
    if (end !== undefined && !endsWith(this.#buffer, size, end)) return 'broken'
    const checkedUntil = this.#contentAt + length
    if (check !== undefined) {
      const sum = checksum(check, this.#buffer.subarray(0, checkedUntil))
      if (!endsWith(this.#buffer, checkedUntil + sum.length, sum)) return 'broken'
    }
    const content = this.#buffer.slice(this.#contentAt, checkedUntil)
    return { content, header: this.#buffer.slice(0, this.#contentAt), size, checked: check !== undefined }
  }

  #contentLength(): number {
    const { length, start } = this.#framing
    if ('fixed' in length) return length.fixed
    let value = 0
    for (let index = 0; index < length.bytes; index += 1) {
      const place = length.order === 'big' ? index : length.bytes - 1 - index
      value = value * 256 + (this.#buffer[start.length + length.at + place] ?? 0)
    }
    return value
  }

  #forget(bytes: number): void {
    this.#buffer.copyWithin(0, bytes, this.#filled)
    this.#filled -= bytes
  }
}
