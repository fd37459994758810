/** A microphone as the device files give it, metres from the array's middle, seen along the array's heading. */
export interface Microphone {
  readonly right: number
  readonly forward: number
  readonly up: number
}

type Vector = readonly [number, number, number]

/** What the lags of an array say of a source: one direction where it can tell, else how far apart those are that it cannot. */
export interface Sightline {
  /** Degrees clockwise from true north. */
  readonly azimuth: number
  readonly elevation: number
  /** Half the angle between the azimuths that explain the sound equally well, degrees; 0 where there is one. */
  readonly ambiguity: number
}

/** Along an axis with less extent than this (root mean square, metres, and as a share of the widest) lags say nothing. */
const leastExtent = 0.004
const leastShare = 0.08
/** A plane array within so much of level (cosine) tells elevation but for the sign, and what matters comes from above. */
const levelCosine = 0.95
const radians = Math.PI / 180

/**
 * Microphones along the array's own axes, widest first, with as many axes as lags can tell apart: one of a line, two of a
 * plane, three of a solid. A direction is given by its cosines with those axes, positive towards the source.
 */
export class ArrayShape {
  /** 0 where all microphones are in one place. */
  readonly dimensions: number
  /** Coordinates of each microphone along the axes, metres from their mean. */
  readonly coordinates: readonly (readonly number[])[]
  /** Largest distance of two microphones, metres. */
  readonly aperture: number
  /** East, north and up; beyond `dimensions` come the axes that lags say nothing of. */
  readonly #axes: readonly Vector[]

  /** @param heading where the array's front faces, degrees clockwise from true north */
  constructor(microphones: readonly Microphone[], heading: number) {
    const [sine, cosine] = [Math.sin(heading * radians), Math.cos(heading * radians)]
    const places = microphones.map(
      ({ right, forward, up }): Vector => [right * cosine + forward * sine, forward * cosine - right * sine, up],
    )
    const mean = [0, 1, 2].map(i => places.reduce((sum, place) => sum + place[i]!, 0) / Math.max(1, places.length))
    const centred = places.map(([x, y, z]): Vector => [x - mean[0]!, y - mean[1]!, z - mean[2]!])
    const scatter = [0, 1, 2].map(i =>
      [0, 1, 2].map(j => centred.reduce((sum, place) => sum + place[i]! * place[j]!, 0) / Math.max(1, places.length)),
    )
    const principal = principalAxes(scatter)
    const widest = Math.sqrt(Math.max(0, principal[0]?.variance ?? 0))
    const limit = Math.max(leastExtent, leastShare * widest)
    this.dimensions = principal.filter(({ variance }) => Math.sqrt(Math.max(0, variance)) > limit).length
    this.#axes = principal.map(({ axis }) => axis)
    this.coordinates = centred.map(place => this.#axes.slice(0, this.dimensions).map(axis => dot(axis, place)))
    this.aperture = Math.max(
      0,
      ...centred.flatMap(a => centred.map(b => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]))),
    )
  }

  /** Cosines with the axes of the direction at an azimuth and elevation, degrees. */
  cosinesOf(azimuth: number, elevation: number): number[] {
    const level = Math.cos(elevation * radians)
    const direction: Vector = [
      level * Math.sin(azimuth * radians),
      level * Math.cos(azimuth * radians),
      Math.sin(elevation * radians),
    ]
    return this.#axes.slice(0, this.dimensions).map(axis => dot(axis, direction))
  }

  /** Whether elevations are to be believed: of a solid array, and of a level one, where they count as above the horizon. */
  get tellsElevation(): boolean {
    return this.dimensions === 3 || (this.dimensions === 2 && Math.abs(this.#axes[2]![2]) > levelCosine)
  }

  /**
   * The direction with these cosines; null where it has no azimuth. Of two mirror images by a plane the upper one is given;
   * of the cone about a line the two level directions count, and one of them is given.
   */
  sightline(cosines: readonly number[]): Sightline | null {
    const length = Math.hypot(...cosines)
    const scale = this.dimensions === 3 || length > 1 ? 1 / Math.max(length, 1e-9) : 1
    const along = [0, 1, 2].map(i =>
      cosines.reduce((sum, cosine, axis) => sum + cosine * scale * this.#axes[axis]![i]!, 0),
    )
    const [x = 0, y = 0, z = 0] = along
    const rest = Math.sqrt(Math.max(0, 1 - (length * scale) ** 2))
    if (this.dimensions === 0) return null
    const across = this.dimensions === 1 ? levelAcross(this.#axes[0]!, rest) : ahead(this.#axes[2]!, rest)
    if (across === null) return null
    const upper = across[2] >= 0 ? 1 : -1
    const [one, other] = [upper, -upper].map(sign =>
      angles(x + sign * across[0], y + sign * across[1], z + sign * across[2]),
    )
    return { ...one!, ambiguity: this.dimensions === 3 ? 0 : Math.abs(turn(one!.azimuth, other!.azimuth)) / 2 }
  }
}

/** From one azimuth to another the short way, degrees, clockwise positive. */
export function turn(from: number, to: number): number {
  return ((((to - from + 180) % 360) + 360) % 360) - 180
}

function angles(x: number, y: number, z: number): { azimuth: number; elevation: number } {
  return {
    azimuth: (Math.atan2(x, y) / radians + 360) % 360,
    elevation: Math.atan2(z, Math.hypot(x, y)) / radians,
  }
}

function ahead([x, y, z]: Vector, distance: number): Vector {
  return [x * distance, y * distance, z * distance]
}

/** The level step of length `distance` across a level line; null where the line is not level. */
function levelAcross([x, y]: Vector, distance: number): Vector | null {
  const level = Math.hypot(x, y)
  return level < levelCosine ? null : [(-y / level) * distance, (x / level) * distance, 0]
}

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/** Eigenvectors of a symmetric matrix of three rows, largest eigenvalue first, by Jacobi's rotations. */
function principalAxes(matrix: readonly (readonly number[])[]): { axis: Vector; variance: number }[] {
  const a = matrix.map(row => [...row])
  const vectors = [0, 1, 2].map(i => [0, 1, 2].map(j => (i === j ? 1 : 0)))
  for (let sweep = 0; sweep < 20; sweep++) {
    for (const [p, q] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const) {
      if (Math.abs(a[p]![q]!) < 1e-18) continue
      const angle = 0.5 * Math.atan2(2 * a[p]![q]!, a[q]![q]! - a[p]![p]!)
      const [c, s] = [Math.cos(angle), Math.sin(angle)]
      for (const rows of [a, vectors]) {
        for (const row of rows) {
          const [u, v] = [row[p]!, row[q]!]
          row[p] = c * u - s * v
          row[q] = s * u + c * v
        }
      }
      for (let i = 0; i < 3; i++) {
        const [u, v] = [a[p]![i]!, a[q]![i]!]
        a[p]![i] = c * u - s * v
        a[q]![i] = s * u + c * v
      }
    }
  }
  return [0, 1, 2]
    .map(i => ({ axis: [vectors[0]![i]!, vectors[1]![i]!, vectors[2]![i]!] as const, variance: a[i]![i]! }))
    .sort((one, other) => other.variance - one.variance)
}
