/** Sound held in memory, as a file gave it. */
export interface SoundFile {
  /** Hertz. */
  readonly sampleRate: number
  readonly channelCount: number
  /** Samples a channel that are really there. */
  readonly sampleCount: number
  /** Samples a channel that the header promises; equal to `sampleCount` unless the file was cut. */
  readonly declaredSampleCount: number
  /** New arrays, full scale ±1, one a channel; `first + count` must not exceed `sampleCount`. */
  read(first: number, count: number): Float32Array[]
}

/** The bytes are not sound that can be read. The message says in what way, without naming the file. */
export class NotSoundError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'NotSoundError'
  }
}
