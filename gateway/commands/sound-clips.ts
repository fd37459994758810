import type { GunfireRevision } from '../acoustics/incident.js'

/** Final revisions come at most this long after the last arrival, seconds; the beginning of a longer burst is not waited for. */
const finalWithin = 20
/** What a clip has before its first arrival and after its last, seconds. */
const before = 0.25
const after = 1

interface Block {
  readonly from: number
  readonly samples: Int16Array
}

/** The newest sound of one microphone in memory, for a clip of gunfire where the policy allows one. It never leaves memory otherwise. */
export class SoundClips {
  readonly #longest: number
  #blocks: Block[] = []
  #sampleRate = 0

  /** @param longest of a clip, seconds */
  constructor(longest: number) {
    this.#longest = longest
  }

  /** Takes a block of samples, full scale ±1, whose last one was taken at `until` (seconds since 1970 UTC). */
  hear(samples: Float32Array, sampleRate: number, until: number): void {
    if (sampleRate !== this.#sampleRate) this.#blocks = []
    this.#sampleRate = sampleRate
    const kept = Int16Array.from(samples, sample => Math.round(32767 * Math.max(-1, Math.min(1, sample))))
    this.#blocks.push({ from: until - kept.length / sampleRate, samples: kept })
    const oldest = until - this.#longest - finalWithin
    const over = this.#blocks.findIndex(({ from }) => from >= oldest)
    if (over > 0) this.#blocks.splice(0, over)
  }

  /**
   * The sound of an incident as this gateway heard it: a WAV file, 16 bit, one channel; lost sound is silence in it. Null where this
   * gateway heard nothing of it, or holds nothing any more.
   */
  of({ shots }: GunfireRevision, gateway: string): Buffer | null {
    const times = shots.flatMap(({ arrivals }) =>
      arrivals.filter(each => each.gateway === gateway).map(({ time }) => time),
    )
    if (times.length === 0) return null
    const from = Math.min(...times) - before
    return this.#cut(from, Math.min(Math.max(...times) + after, from + this.#longest))
  }

  #cut(from: number, until: number): Buffer | null {
    const rate = this.#sampleRate
    const sound = new Int16Array(Math.max(0, Math.round((until - from) * rate)))
    let heard = false
    for (const block of this.#blocks) {
      const at = Math.round((block.from - from) * rate)
      const part = block.samples.subarray(Math.max(0, -at), Math.max(0, sound.length - at))
      if (part.length === 0) continue
      sound.set(part, Math.max(0, at))
      heard = true
    }
    return heard ? waveFile(sound, rate) : null
  }
}

/** A RIFF WAVE file of one channel of 16-bit samples. */
function waveFile(samples: Int16Array, sampleRate: number): Buffer {
  const bytes = Buffer.alloc(44 + 2 * samples.length)
  bytes.write('RIFF', 0, 'latin1')
  bytes.writeUInt32LE(bytes.length - 8, 4)
  bytes.write('WAVEfmt ', 8, 'latin1')
  bytes.writeUInt32LE(16, 16)
  bytes.writeUInt16LE(1, 20)
  bytes.writeUInt16LE(1, 22)
  bytes.writeUInt32LE(sampleRate, 24)
  bytes.writeUInt32LE(2 * sampleRate, 28)
  bytes.writeUInt16LE(2, 32)
  bytes.writeUInt16LE(16, 34)
  bytes.write('data', 36, 'latin1')
  bytes.writeUInt32LE(2 * samples.length, 40)
  for (const [index, sample] of samples.entries()) bytes.writeInt16LE(sample, 44 + 2 * index)
  return bytes
}
