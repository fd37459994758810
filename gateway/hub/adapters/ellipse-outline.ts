import { TangentPlane } from '../../acoustics/geodesy.js'
import type { MessageData } from '../../messages/table.js'

type Shot = MessageData<'gunfire'>['shots'][number]
export type LocatedShot = Shot & {
  readonly position: NonNullable<Shot['position']>
  readonly uncertainty: NonNullable<Shot['uncertainty']>
}

export function isLocated(shot: Shot): shot is LocatedShot {
  return shot.position !== null && shot.uncertainty !== null
}

const corners = 36

/**
 * The ellipse round a shot as a closed ring of [longitude, latitude] in degrees, counterclockwise as RFC 7946 wants the
 * outside of a polygon; the last point is the first.
 */
export function ellipseOutline({ position, uncertainty }: LocatedShot): [number, number][] {
  const plane = new TangentPlane({ ...position, altitude: position.altitude ?? 0 })
  const { semiMajor, semiMinor, orientation } = uncertainty
  const turned = (orientation * Math.PI) / 180
  const ring = Array.from({ length: corners }, (_, corner): [number, number] => {
    const angle = (-2 * Math.PI * corner) / corners
    const [along, across] = [semiMajor * Math.cos(angle), semiMinor * Math.sin(angle)]
    const { longitude, latitude } = plane.toGeodetic({
      east: along * Math.sin(turned) + across * Math.cos(turned),
      north: along * Math.cos(turned) - across * Math.sin(turned),
      up: 0,
    })
    return [rounded(longitude), rounded(latitude)]
  })
  return [...ring, ...ring.slice(0, 1)]
}

/** Seven decimals of a degree are a centimetre. */
export function rounded(degrees: number): number {
  return Number(degrees.toFixed(7))
}
