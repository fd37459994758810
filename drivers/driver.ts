/** A device's condition. `absent` is normal: the driver keeps looking for the device and says so once. */
export type DeviceState = 'absent' | 'ready' | 'faulty'

/** A change of a device's condition. Drivers name faults by short kebab-case words and know no error codes. */
export interface StateReport {
  readonly kind: 'state'
  readonly state: DeviceState
  /** Name of the fault, such as `device-absent`, `silent` or `wrong-sample-rate`; null while `ready`. */
  readonly fault: string | null
  /** One sentence for a person, never holding a plate, a key or sound. */
  readonly detail: string
}

/**
 * Hardware behind a stream of timestamped readings.
 *
 * Constructing does nothing. `readings` opens the device and yields until `signal` aborts, then returns without throwing.
 * An absent, unplugged or silent device is reported as a `StateReport`, retried with jittered back-off, and never ends the
 * stream; only a setting that can never work (a geometry with another number of channels) throws. At most one call of
 * `readings` may be active. Queues are bounded; what was dropped is counted in the readings that follow.
 */
export interface Driver<Reading extends { readonly kind: string }> {
  /** The name from the configuration, unique within the gateway. */
  readonly name: string
  readings(signal: AbortSignal): AsyncIterable<Reading | StateReport>
}

/** The clocks a driver may use, passed in so that tests and replays can turn time themselves. */
export interface DriverClock {
  /** The system's wall clock, seconds since 1970 UTC, uncorrected. */
  system(): number
  /** A clock that never steps, seconds from an arbitrary start. */
  monotonic(): number
  /** Resolves after that many seconds, or at once when the signal aborts; never rejects. */
  sleep(seconds: number, signal: AbortSignal): Promise<void>
}
