import type { LocalPosition } from './arrival.js'

/** WGS 84: degrees north and east, metres above the ellipsoid. */
export interface GeodeticPosition {
  readonly latitude: number
  readonly longitude: number
  readonly altitude: number
}

const semiMajorAxis = 6378137
const flattening = 1 / 298.257223563
const eccentricitySquared = flattening * (2 - flattening)
const radians = Math.PI / 180

/**
 * Tangent plane (east, north, up in metres) at an origin, by way of earth-centred coordinates; exact at any distance.
 */
export class TangentPlane {
  readonly origin: GeodeticPosition
  readonly #centre: readonly [number, number, number]
  readonly #axes: { east: Vector; north: Vector; up: Vector }

  constructor(origin: GeodeticPosition) {
    this.origin = origin
    this.#centre = toEarthCentred(origin)
    const [sinLat, cosLat] = [Math.sin(origin.latitude * radians), Math.cos(origin.latitude * radians)]
    const [sinLon, cosLon] = [Math.sin(origin.longitude * radians), Math.cos(origin.longitude * radians)]
    this.#axes = {
      east: [-sinLon, cosLon, 0],
      north: [-sinLat * cosLon, -sinLat * sinLon, cosLat],
      up: [cosLat * cosLon, cosLat * sinLon, sinLat],
    }
  }

  toLocal(position: GeodeticPosition): LocalPosition {
    const [x, y, z] = toEarthCentred(position)
    const offset: Vector = [x - this.#centre[0], y - this.#centre[1], z - this.#centre[2]]
    return {
      east: dot(this.#axes.east, offset),
      north: dot(this.#axes.north, offset),
      up: dot(this.#axes.up, offset),
    }
  }

  toGeodetic({ east, north, up }: LocalPosition): GeodeticPosition {
    const along = (i: 0 | 1 | 2): number =>
      this.#centre[i] + this.#axes.east[i] * east + this.#axes.north[i] * north + this.#axes.up[i] * up
    return toGeodetic([along(0), along(1), along(2)])
  }
}

type Vector = readonly [number, number, number]

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

function toEarthCentred({ latitude, longitude, altitude }: GeodeticPosition): Vector {
  const sinLat = Math.sin(latitude * radians)
  const cosLat = Math.cos(latitude * radians)
  const primeVertical = semiMajorAxis / Math.sqrt(1 - eccentricitySquared * sinLat * sinLat)
  return [
    (primeVertical + altitude) * cosLat * Math.cos(longitude * radians),
    (primeVertical + altitude) * cosLat * Math.sin(longitude * radians),
    (primeVertical * (1 - eccentricitySquared) + altitude) * sinLat,
  ]
}

/** Fixed-point iteration on the latitude; converges to below a micrometre in six rounds anywhere near the ground. */
function toGeodetic([x, y, z]: Vector): GeodeticPosition {
  const distance = Math.hypot(x, y)
  let latitude = Math.atan2(z, distance * (1 - eccentricitySquared))
  let altitude = 0
  for (let i = 0; i < 6; i++) {
    const sinLat = Math.sin(latitude)
    const primeVertical = semiMajorAxis / Math.sqrt(1 - eccentricitySquared * sinLat * sinLat)
    altitude = distance / Math.cos(latitude) - primeVertical
    latitude = Math.atan2(z, distance * (1 - (eccentricitySquared * primeVertical) / (primeVertical + altitude)))
  }
  return { latitude: latitude / radians, longitude: Math.atan2(y, x) / radians, altitude }
}
