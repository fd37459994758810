import type { Area } from './motion.js'
import type { Picture } from './picture.js'

/** Left, top, width and height, pixels. */
export type Box = readonly [number, number, number, number]

/** The box of a part of a picture with a margin (a share of its size) around it, whole pixels within the picture. */
export function boxAround({ left, top, right, bottom }: Area, margin: number, { width, height }: Picture): Box {
  const [wide, high] = [margin * (right - left), margin * (bottom - top)]
  const clamp = (share: number, size: number) => Math.max(0, Math.min(size, Math.round(share * size)))
  const [x, y] = [clamp(left - wide, width), clamp(top - high, height)]
  return [x, y, Math.max(1, clamp(right + wide, width) - x), Math.max(1, clamp(bottom + high, height) - y)]
}

/** The box made larger about its middle by factors, cut off at the edges of the picture. */
export function grownBox([left, top, width, height]: Box, along: number, across: number, of: Picture): Box {
  const x = Math.max(0, Math.round(left + (width * (1 - along)) / 2))
  const y = Math.max(0, Math.round(top + (height * (1 - across)) / 2))
  return [
    x,
    y,
    Math.max(1, Math.min(of.width - x, Math.round(width * along))),
    Math.max(1, Math.min(of.height - y, Math.round(height * across))),
  ]
}

/** A copy of a part of a picture; the box must lie within it. */
export function pieceOf(picture: Picture, [left, top, width, height]: Box): Picture {
  const data = new Uint8Array(3 * width * height)
  for (let row = 0; row < height; row++) {
    const from = 3 * ((top + row) * picture.width + left)
    data.set(picture.data.subarray(from, from + 3 * width), 3 * row * width)
  }
  return { width, height, data }
}
