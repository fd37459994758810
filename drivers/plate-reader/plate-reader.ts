import type { Driver } from '../driver.js'

/** What a reader said about one plate. Fields that the reader does not give are null, never guessed. */
export interface PlateRead {
  readonly kind: 'plate'
  /** The text exactly as sent, without the layout's padding. */
  readonly text: string
  /** 0 to 1. */
  readonly confidence: number | null
  readonly country: string | null
  readonly state: string | null
  readonly lane: string | null
  readonly direction: 'approaching' | 'departing' | null
  /** The reader's own time stamp, seconds since 1970 as its clock gave it. */
  readonly readerTime: number | null
  /** System clock when the last byte of the frame arrived, seconds since 1970 UTC. */
  readonly systemTime: number
  /** Frames and bytes that could not be used since the read before. */
  readonly discarded: { readonly frames: number; readonly bytes: number; readonly reads: number }
}

export type PlateReader = Driver<PlateRead>
