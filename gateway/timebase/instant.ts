/** A corrected instant: seconds since 1970 UTC and one standard deviation of their error, seconds. */
export interface Instant {
  readonly utc: number
  readonly error: number
}

/** A reading of the uncorrected system clock. It shares no field with `Instant`, so neither passes for the other. */
export interface SystemInstant {
  readonly system: number
  /** One standard deviation of the reading itself, not of the clock, seconds. */
  readonly readingError: number
}

/** What is known of the system clock: add `offset` to a system time to get UTC. */
export interface ClockStatus {
  readonly offset: number
  /** One standard deviation of the offset, seconds; Infinity where nothing is known. */
  readonly error: number
}
