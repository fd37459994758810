import type { Driver } from '../driver.js'

/** One picture of a camera. The receiver owns `data` from the moment it is yielded; the driver never writes to it again. */
export interface CameraFrame {
  readonly kind: 'frame'
  /** Pixels. */
  readonly width: number
  readonly height: number
  /** Rows from the top, red, green and blue of each pixel. */
  readonly data: Uint8Array
  /** System clock (uncorrected, seconds since 1970 UTC) when the picture was taken, as well as the source knows. */
  readonly systemTime: number
  /** One standard deviation of `systemTime` as a reading of the system clock, seconds. */
  readonly systemTimeError: number
  /** Frames that were dropped since the one before because the receiver was not ready for them. */
  readonly dropped: number
}

export type Camera = Driver<CameraFrame>

/** Pictures are made no wider than this, pixels: a plate is readable in them where it would be in the original. */
export const widestFrame = 1280
/** Frames a second that are given of a faster stream, unless told otherwise. */
export const usualFrameRate = 10
