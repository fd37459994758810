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

/**
 * The hash of a plate, from a reader that tells no more. With 24 bits one read in seventeen collides with a list of a million:
 * it is a kind of its own so that it cannot be matched, and never alerts.
 */
export interface HashedRead {
  readonly kind: 'hashed-plate'
  /** The last 24 bits of the SHA-1 of the plate in upper case without spaces. */
  readonly hash: number
  readonly systemTime: number
  readonly discarded: PlateRead['discarded']
}

export type PlateReader = Driver<PlateRead | HashedRead>
