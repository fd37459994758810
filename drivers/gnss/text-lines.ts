/** Longer lines are noise. Characters. */
const longest = 16_384

/** Cuts bytes into lines of text; what is no ASCII comes out as other characters and fits no checksum. */
export class TextLines {
  #pending = ''

  push(chunk: Uint8Array): string[] {
    const lines = (this.#pending + Buffer.from(chunk).toString('latin1')).split('\n')
    this.#pending = (lines.pop() ?? '').slice(-longest)
    return lines.map(line => line.trim())
  }

  reset(): void {
    this.#pending = ''
  }
}
