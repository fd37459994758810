import type { Driver } from '../driver.js'

/**
 * One block of sound from an array. The receiver owns `channels` from the moment it is yielded; the driver never writes to
 * them again.
 */
export interface AudioBlock {
  readonly kind: 'audio'
  /** One array a channel, full scale ±1, all of the same length. Not calibrated, not filtered, DC not removed. */
  readonly channels: readonly Float32Array[]
  /** Hertz, the same for the whole stream. */
  readonly sampleRate: number
  /** Index of the first sample since the stream began; a gap in the indices is sound that was lost. */
  readonly firstSample: number
  /** System clock (uncorrected, seconds since 1970 UTC) when the first sample was taken, as well as the source knows. */
  readonly systemTime: number
  /** One standard deviation of `systemTime` as a reading of the system clock, seconds. */
  readonly systemTimeError: number
}

export type MicrophoneArray = Driver<AudioBlock>
