import type { Driver } from '../driver.js'

/** One position that a satellite receiver gave. */
export interface PositionFix {
  readonly kind: 'fix'
  /** What the receiver says of the instant of this fix, seconds since 1970 UTC; null while it does not know the date. */
  readonly utc: number | null
  /** Degrees north and east, WGS 84. */
  readonly latitude: number
  readonly longitude: number
  /** Metres above the sea; null for a fix in two dimensions. */
  readonly altitude: number | null
  /** One standard deviation across, metres, as the receiver estimates it or by its dilution of precision. */
  readonly horizontalError: number
  /** Satellites in use; null where nobody says. */
  readonly satellites: number | null
  /** System clock when the fix was received, seconds since 1970 UTC. */
  readonly systemTime: number
  /** Fixes dropped since the one before, because the receiver of the readings did not keep up. */
  readonly dropped: number
}

/**
 * A satellite receiver. Faults: `device-absent`, `device-busy`, `device-refused`, `silent` when nothing readable comes,
 * `no-fix` while it has no position, `antenna-open` and `antenna-short` where the receiver can tell.
 */
export type GnssReceiver = Driver<PositionFix>

/** What a receiver's own language says, before anybody's clock is read. */
export type Heard =
  | ({ readonly kind: 'fix' } & Omit<PositionFix, 'kind' | 'systemTime' | 'dropped'>)
  | { readonly kind: 'no-fix' }
  | { readonly kind: 'antenna'; readonly state: 'ok' | 'open' | 'short' }

/** Reads a receiver's language from bytes as they come. */
export interface GnssParser {
  push(chunk: Uint8Array): Heard[]
  /** Forgets what has begun; to be called when the line is opened anew. */
  reset(): void
}
