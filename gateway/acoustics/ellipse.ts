import type { LocatedShot } from './arrival.js'

/** An ellipse on the ground: half axes in metres, orientation of the longer one in degrees clockwise from true north. */
export interface UncertaintyEllipse {
  readonly semiMajor: number
  readonly semiMinor: number
  readonly orientation: number
  readonly confidence: number
}

/** Chi-squared with two degrees of freedom: 95 % of a plane Gaussian lies within this squared Mahalanobis distance. */
const chiSquared95 = 5.991464547107979

/** The ellipse that holds the source with 95 % confidence, from the covariance of (east, north) in square metres. */
export function ellipse95(covariance: LocatedShot['covariance']): UncertaintyEllipse {
  const [[ee, en], [, nn]] = covariance
  const mean = (ee + nn) / 2
  const half = Math.hypot((ee - nn) / 2, en)
  // The major axis makes an angle θ with east where tan 2θ = 2en / (ee − nn).
  const fromEast = Math.atan2(2 * en, ee - nn) / 2
  return {
    semiMajor: Math.sqrt(chiSquared95 * (mean + half)),
    semiMinor: Math.sqrt(chiSquared95 * Math.max(0, mean - half)),
    orientation: (((90 - (fromEast * 180) / Math.PI) % 180) + 180) % 180,
    confidence: 0.95,
  }
}
