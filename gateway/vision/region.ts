import type { Point, Quadrilateral } from './picture.js'

/** Where a text detector sees a line of text. */
export interface TextRegion {
  readonly corners: Quadrilateral
  /** Length of the line and its height, pixels. */
  readonly width: number
  readonly height: number
  /** Mean probability within, 0 to 1. */
  readonly score: number
}

/** The region made longer and higher about its middle, by factors. */
export function widened({ corners, width, height, score }: TextRegion, along: number, across: number): TextRegion {
  const [a, b, c, d] = corners
  const centre = { x: (a.x + b.x + c.x + d.x) / 4, y: (a.y + b.y + c.y + d.y) / 4 }
  const u = { x: ((b.x - a.x) / 2) * along, y: ((b.y - a.y) / 2) * along }
  const v = { x: ((d.x - a.x) / 2) * across, y: ((d.y - a.y) / 2) * across }
  const at = (s: number, t: number): Point => ({ x: centre.x + s * u.x + t * v.x, y: centre.y + s * u.y + t * v.y })
  return { corners: [at(-1, -1), at(1, -1), at(1, 1), at(-1, 1)], width: width * along, height: height * across, score }
}

/** The region moved down by a share of its height, and its ends turned about its middle by the tangent of an angle. */
export function tilted({ corners, width, height, score }: TextRegion, down: number, tangent: number): TextRegion {
  const [a, b, c, d] = corners
  const left = down - (tangent * width) / (2 * height)
  const right = down + (tangent * width) / (2 * height)
  const moved = (point: Point, share: number): Point => ({
    x: point.x + (d.x - a.x) * share,
    y: point.y + (d.y - a.y) * share,
  })
  return { corners: [moved(a, left), moved(b, right), moved(c, right), moved(d, left)], width, height, score }
}

/** The part of a region between two shares of its length. */
export function between(
  { corners: [a, b, c, d], width, height, score }: TextRegion,
  from: number,
  to: number,
): TextRegion {
  const along = (one: Point, other: Point, share: number): Point => ({
    x: one.x + (other.x - one.x) * share,
    y: one.y + (other.y - one.y) * share,
  })
  return {
    corners: [along(a, b, from), along(a, b, to), along(d, c, to), along(d, c, from)],
    width: width * (to - from),
    height,
    score,
  }
}

/** Left, top, width and height of the upright box round corners, whole pixels. */
export function boxOf(corners: Quadrilateral): [number, number, number, number] {
  const xs = corners.map(({ x }) => x)
  const ys = corners.map(({ y }) => y)
  const [left, top] = [Math.round(Math.min(...xs)), Math.round(Math.min(...ys))]
  return [left, top, Math.round(Math.max(...xs)) - left, Math.round(Math.max(...ys)) - top]
}

/** Whether the middle of one of the regions lies in the box round the other. */
export function coverEachOther(one: TextRegion, other: TextRegion): boolean {
  return holdsMiddleOf(one, other) || holdsMiddleOf(other, one)
}

/** Whether the middle of a region lies in the box round another. */
function holdsMiddleOf(outer: TextRegion, inner: TextRegion): boolean {
  const [left, top, width, height] = boxOf(outer.corners)
  const [x, y, w, h] = boxOf(inner.corners)
  return x + w / 2 > left && x + w / 2 < left + width && y + h / 2 > top && y + h / 2 < top + height
}

/**
 * One region over two that follow each other on one line, as a gap or an emblem in the middle of a plate parts them; null where
 * they are of different height, not level with each other or too far apart.
 */
export function joined(one: TextRegion, other: TextRegion): TextRegion | null {
  const [left, right] = one.corners[0].x < other.corners[0].x ? [one, other] : [other, one]
  const height = Math.max(left.height, right.height)
  if (Math.min(left.height, right.height) < 0.65 * height) return null
  const [a, b, c, d] = left.corners
  const [e, f, g, h] = right.corners
  const gap = Math.hypot((e.x + h.x - b.x - c.x) / 2, (e.y + h.y - b.y - c.y) / 2)
  // The right one's middle seen along and across the left one.
  const along = { x: (b.x - a.x) / left.width, y: (b.y - a.y) / left.width }
  const step = { x: (e.x + h.x - b.x - c.x) / 2, y: (e.y + h.y - b.y - c.y) / 2 }
  const forward = step.x * along.x + step.y * along.y
  const aside = Math.abs(step.y * along.x - step.x * along.y)
  if (gap > 0.9 * height || forward < -0.6 * height || aside > 0.3 * height) return null
  return {
    corners: [a, f, g, d],
    width: left.width + right.width + forward,
    height,
    score: Math.min(left.score, right.score),
  }
}
