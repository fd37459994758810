/** The newest sound of several channels, as it came in. */
export class SoundRing {
  readonly #rings: Float32Array[]
  readonly #length: number
  /** Number of the next sample, and of the oldest that belongs to the same unbroken sound. */
  #end = 0
  #start = 0

  /** @param length how many samples it holds at least */
  constructor(channels: number, length: number) {
    this.#length = 2 ** Math.ceil(Math.log2(length))
    this.#rings = Array.from({ length: channels }, () => new Float32Array(this.#length))
  }

  /** Number of the oldest sample that is held. */
  get oldest(): number {
    return Math.max(this.#start, this.#end - this.#length)
  }

  /** Forgets the past; the next sample has this number. */
  restart(sample: number): void {
    this.#start = sample
    this.#end = sample
  }

  /** Takes the `count` samples from `from` on of each channel; at most as many as it holds. */
  write(channels: readonly Float32Array[], from: number, count: number): void {
    const at = this.#end & (this.#length - 1)
    const head = Math.min(count, this.#length - at)
    for (let channel = 0; channel < channels.length; channel++) {
      const input = channels[channel]!
      const ring = this.#rings[channel]!
      for (let i = 0; i < head; i++) ring[at + i] = input[from + i]!
      for (let i = head; i < count; i++) ring[i - head] = input[from + i]!
    }
    this.#end += count
  }

  /** A copy of one channel's samples `from` to `to`, which must be held. */
  cut(channel: number, from: number, to: number): Float32Array {
    const ring = this.#rings[channel]!
    const first = from & (this.#length - 1)
    const head = ring.subarray(first, first + to - from)
    const samples = new Float32Array(to - from)
    samples.set(head)
    samples.set(ring.subarray(0, to - from - head.length), head.length)
    return samples
  }

  /** The largest magnitude in one channel's samples `from` to `to`. */
  peak(channel: number, from: number, to: number): number {
    const ring = this.#rings[channel]!
    const mask = this.#length - 1
    let peak = 0
    for (let i = from; i < to; i++) {
      const magnitude = Math.abs(ring[i & mask]!)
      if (magnitude > peak) peak = magnitude
    }
    return peak
  }
}
