import type { Point, Quadrilateral } from './picture.js'
import type { TextRegion } from './region.js'

/** Probability from which a pixel is text, and the mean that a region needs. */
const pixelThreshold = 0.3
const regionThreshold = 0.45
/** The network marks the core of a line; the line reaches out by this share of area over circumference. */
const outset = 1.7
const smallestSide = 3

/**
 * Finds the lines of text in a map of probabilities (rows from the top), by differentiable binarisation: connected pixels above
 * the threshold, the smallest rectangle round each, pushed outwards (Liao et al., AAAI 2020). Corners are in pixels of the map.
 */
export function textRegions(map: Float32Array, width: number, height: number): TextRegion[] {
  const labels = new Uint8Array(map.length)
  const regions: TextRegion[] = []
  for (let start = 0; start < map.length; start++) {
    if (labels[start] !== 0 || (map[start] ?? 0) <= pixelThreshold) continue
    const { outline, score } = flood(map, labels, width, height, start)
    const rectangle = smallestRectangle(outline)
    if (rectangle === null || score < regionThreshold || Math.min(rectangle.along, rectangle.across) < smallestSide)
      continue
    regions.push({ ...pushedOut(rectangle), score })
  }
  return regions
}

/** The pixels at the left and right end of each row of a connected patch, which hold its hull, and its mean probability. */
function flood(
  map: Float32Array,
  labels: Uint8Array,
  width: number,
  height: number,
  start: number,
): { outline: Point[]; score: number } {
  const stack = [start]
  const ends = new Map<number, [number, number]>()
  let sum = 0
  let count = 0
  labels[start] = 1
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    const [x, y] = [at % width, Math.floor(at / width)]
    sum += map[at] ?? 0
    count++
    const row = ends.get(y)
    if (row === undefined) ends.set(y, [x, x])
    else ends.set(y, [Math.min(row[0], x), Math.max(row[1], x)])
    for (const [nx, ny] of [
      [x - 1, y],
      [x + 1, y],
      [x, y - 1],
      [x, y + 1],
    ] as const) {
      const next = ny * width + nx
      if (nx < 0 || ny < 0 || nx >= width || ny >= height || labels[next] !== 0 || (map[next] ?? 0) <= pixelThreshold)
        continue
      labels[next] = 1
      stack.push(next)
    }
  }
  const outline = [...ends].flatMap(([y, [left, right]]) => [
    { x: left, y },
    { x: right + 1, y },
    { x: left, y: y + 1 },
    { x: right + 1, y: y + 1 },
  ])
  return { outline, score: sum / count }
}

interface Rectangle {
  readonly centre: Point
  /** Direction of the line of text, radians, between -45 and 45 degrees of level. */
  readonly angle: number
  readonly along: number
  readonly across: number
}

/** The rectangle of least area round points: one of its sides lies on a side of the hull. */
function smallestRectangle(points: readonly Point[]): Rectangle | null {
  const corners = hull(points)
  let best: Rectangle | null = null
  for (const [index, from] of corners.entries()) {
    const to = corners[(index + 1) % corners.length]
    if (to === undefined) continue
    const angle = Math.atan2(to.y - from.y, to.x - from.x)
    const [cosine, sine] = [Math.cos(angle), Math.sin(angle)]
    const us = corners.map(({ x, y }) => x * cosine + y * sine)
    const vs = corners.map(({ x, y }) => y * cosine - x * sine)
    const [left, right, top, bottom] = [Math.min(...us), Math.max(...us), Math.min(...vs), Math.max(...vs)]
    const area = (right - left) * (bottom - top)
    if (best !== null && area >= best.along * best.across) continue
    const [u, v] = [(left + right) / 2, (top + bottom) / 2]
    const centre = { x: u * cosine - v * sine, y: v * cosine + u * sine }
    best = levelled({ centre, angle, along: right - left, across: bottom - top })
  }
  return best
}

function levelled({ centre, angle, along, across }: Rectangle): Rectangle {
  const quarter = Math.round(angle / (Math.PI / 2))
  const turned = angle - (quarter * Math.PI) / 2
  return quarter % 2 === 0
    ? { centre, angle: turned, along, across }
    : { centre, angle: turned, along: across, across: along }
}

/** Convex hull, counterclockwise (Andrew's monotone chain). */
function hull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a.x - b.x || a.y - b.y)
  const half = (ordered: readonly Point[]): Point[] => {
    const chain: Point[] = []
    for (const point of ordered) {
      for (
        let [a, b] = [chain.at(-2), chain.at(-1)];
        a !== undefined && b !== undefined;
        [a, b] = [chain.at(-2), chain.at(-1)]
      ) {
        if ((b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x) > 0) break
        chain.pop()
      }
      chain.push(point)
    }
    return chain.slice(0, -1)
  }
  return [...half(sorted), ...half(sorted.reverse())]
}

function pushedOut({ centre, angle, along, across }: Rectangle): Omit<TextRegion, 'score'> {
  const distance = (outset * along * across) / (2 * (along + across))
  const [width, height] = [along + 2 * distance, across + 2 * distance]
  return { corners: cornersOf(centre, angle, width, height), width, height }
}

function cornersOf({ x, y }: Point, angle: number, width: number, height: number): Quadrilateral {
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)]
  const corner = (u: number, v: number): Point => ({
    x: x + (u * width * cosine - v * height * sine) / 2,
    y: y + (v * height * cosine + u * width * sine) / 2,
  })
  return [corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)]
}
