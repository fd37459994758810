/** Metres in the tangent plane at the network's origin. */
export interface LocalPosition {
  readonly east: number
  readonly north: number
  readonly up: number
}

/** A gateway as the locator sees it: where it is and how well that is known (one standard deviation a horizontal axis, metres). */
export interface GatewayPlace {
  readonly gateway: string
  readonly position: LocalPosition
  readonly positionError: number
}

/** Direction that the sound came from: degrees clockwise from true north, elevation above the horizon, one standard deviation. */
export interface Bearing {
  readonly azimuth: number
  readonly elevation: number | null
  readonly error: number
}

/** How far a gun is, metres: the middle and the ends of what holds it with 95 % confidence. */
export interface SourceRange {
  readonly distance: number
  readonly nearest: number
  readonly farthest: number
}

/** An impulse that may be a muzzle blast, as heard at one gateway. */
export interface Arrival {
  /** Permanent: `gateway/epoch/number`. */
  readonly id: string
  readonly gateway: string
  /** Onset, seconds since 1970 UTC. */
  readonly time: number
  /** One standard deviation of `time`: clock and picking together, seconds. */
  readonly timeError: number
  /** How far the onset stands out against what came before; higher is surer. Unit: see `onset.ts`. */
  readonly salience: number
  /** Peak level, decibel re 20 µPa where the array is calibrated, else decibel above digital full scale minus 120. */
  readonly soundLevel: number
  readonly bearing: Bearing | null
  /** Probability that the sound by itself is a gunshot, 0 to 1; null where it was not judged. */
  readonly gunProbability: number | null
  /** Set where it is a bullet's shock wave: that comes from the bullet's path, so it tells of no place and has no blast's time. */
  readonly shockWave?: boolean
  /** How far the gun is along the bearing, where a shock wave came before and the physics allows it. */
  readonly range?: SourceRange
  /** Probability that the sound by itself is like a firework's, a blast that is no gun's; the rest up to 1 is other sounds'. */
  readonly fireworkProbability?: number | null
}

/** What the air is like; null where it is not known. Celsius, per cent, metres a second, degrees the wind comes from. */
export interface Weather {
  readonly temperature: number | null
  /** One standard deviation of the temperature, Celsius, where it is measured here; that of a station some way off unless given. */
  readonly temperatureError?: number
  readonly humidity: number | null
  readonly windSpeed: number | null
  readonly windFrom: number | null
}

/** One discharge that a single place explains. */
export interface LocatedShot {
  /** Time of discharge, seconds since 1970 UTC, and its standard deviation. */
  readonly time: number
  readonly timeError: number
  readonly position: LocalPosition
  /** Whether `position.up` was solved for; false where it is only assumed. */
  readonly threeDimensional: boolean
  /** One standard deviation of `position.up` where it was solved for, metres. */
  readonly heightError?: number
  /** Covariance of (east, north), square metres: [[ee, en], [en, nn]]. */
  readonly covariance: readonly [readonly [number, number], readonly [number, number]]
  /** 0 to 1, that this is a gunshot here. */
  readonly probability: number
  /** The arrivals that the position explains and by how many seconds each came later than it predicts. */
  readonly arrivals: readonly { readonly id: string; readonly residual: number }[]
}
