import type { LocalPosition } from '../../gateway/acoustics/arrival.js'
import type { Random } from './random.js'

/** Where a source is relative to the gateways: well within their hull, about on its border, or well outside. */
export type GeometryClass = 'inside' | 'edge' | 'outside'
export const geometryClasses: readonly GeometryClass[] = ['inside', 'edge', 'outside']

/** How deep in the hull a source of each class lies, in radii of the circle of the hull's area. */
const depths: Readonly<Record<GeometryClass, readonly [number, number]>> = {
  inside: [0.1, Number.POSITIVE_INFINITY],
  edge: [-0.1, 0.1],
  outside: [-0.6, -0.15],
}

/** Height of a shooter's hands, metres. */
export const shoulderHeight = 1.4

/**
 * Gateways on poles, `spacing` metres apart as a rule (a square of spacing² for each), none nearer than 0.6 of it, and not in a
 * line: the hull is at least 0.45 spacings wide.
 */
export function drawGateways(random: Random, count: number, spacing: number): LocalPosition[] {
  const side = spacing * Math.sqrt(count)
  for (;;) {
    const places: LocalPosition[] = []
    for (let attempt = 0; places.length < count && attempt < 60 * count; attempt++) {
      const place = {
        east: random.between(-side / 2, side / 2),
        north: random.between(-side / 2, side / 2),
        up: random.between(6, 12),
      }
      if (places.every(other => planDistance(other, place) >= 0.6 * spacing)) places.push(place)
    }
    if (places.length === count && (count < 3 || widthOf(hullOf(places)) >= 0.45 * spacing)) return places
  }
}

/**
 * A source of the class: `edge` within a tenth of the hull's radius of its border, `outside` 0.15 to 0.6 radii beyond it. Fewer
 * than three gateways have no hull: it is then 30 to 200 m from the first, whatever the class.
 */
export function drawSource(random: Random, gateways: readonly LocalPosition[], geometry: GeometryClass): LocalPosition {
  const hull = hullOf(gateways)
  if (hull.length < 3) {
    const [azimuth, distance] = [random.between(0, 2 * Math.PI), random.between(30, 200)]
    const { east, north } = gateways[0]!
    return {
      east: east + distance * Math.sin(azimuth),
      north: north + distance * Math.cos(azimuth),
      up: shoulderHeight,
    }
  }
  const radius = Math.sqrt(areaOf(hull) / Math.PI)
  const [least, most] = depths[geometry]
  const eastern = gateways.map(({ east }) => east)
  const northern = gateways.map(({ north }) => north)
  for (;;) {
    const place = {
      east: random.between(Math.min(...eastern) - 0.7 * radius, Math.max(...eastern) + 0.7 * radius),
      north: random.between(Math.min(...northern) - 0.7 * radius, Math.max(...northern) + 0.7 * radius),
      up: shoulderHeight,
    }
    const depth = depthInside(place, hull)
    if (depth >= least * radius && depth <= most * radius) return place
  }
}

export function planDistance(a: LocalPosition, b: LocalPosition): number {
  return Math.hypot(a.east - b.east, a.north - b.north)
}

/** The convex hull, counter-clockwise seen from above (Andrew's monotone chain). */
export function hullOf(points: readonly LocalPosition[]): LocalPosition[] {
  const sorted = [...points].sort((a, b) => a.east - b.east || a.north - b.north)
  const chain = (from: readonly LocalPosition[]): LocalPosition[] => {
    const hull: LocalPosition[] = []
    for (const point of from) {
      while (hull.length >= 2 && turn(hull.at(-2)!, hull.at(-1)!, point) <= 0) hull.pop()
      hull.push(point)
    }
    return hull.slice(0, -1)
  }
  return [...chain(sorted), ...chain(sorted.reverse())]
}

function turn(a: LocalPosition, b: LocalPosition, c: LocalPosition): number {
  return (b.east - a.east) * (c.north - a.north) - (b.north - a.north) * (c.east - a.east)
}

export function areaOf(hull: readonly LocalPosition[]): number {
  return hull.reduce((sum, point, i) => sum + turn(hull[0]!, point, hull[(i + 1) % hull.length]!) / 2, 0)
}

/** The least distance between two parallel lines that hold the hull between them. */
function widthOf(hull: readonly LocalPosition[]): number {
  return Math.min(
    ...hull.map((a, i) => {
      const b = hull[(i + 1) % hull.length]!
      return Math.max(...hull.map(point => turn(a, b, point))) / planDistance(a, b)
    }),
  )
}

/** Metres from the hull's border: positive inside, negative outside. */
export function depthInside(place: LocalPosition, hull: readonly LocalPosition[]): number {
  let outside = false
  let nearest = Number.POSITIVE_INFINITY
  hull.forEach((a, i) => {
    const b = hull[(i + 1) % hull.length]!
    if (turn(a, b, place) < 0) outside = true
    const along =
      ((place.east - a.east) * (b.east - a.east) + (place.north - a.north) * (b.north - a.north)) /
      planDistance(a, b) ** 2
    const share = Math.max(0, Math.min(1, along))
    const foot = { east: a.east + share * (b.east - a.east), north: a.north + share * (b.north - a.north), up: 0 }
    nearest = Math.min(nearest, planDistance(place, foot))
  })
  return outside ? -nearest : nearest
}
