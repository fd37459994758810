import type { Picture } from './picture.js'

/** What can be told of a picture cheaply, on a grid of cells. All levels are of 0 to 255. */
export interface Glance {
  readonly columns: number
  readonly rows: number
  /** Mean brightness of each cell, row by row. */
  readonly levels: Float32Array
  /** Greatest difference between neighbouring pixels of each cell, along its rows. */
  readonly fine: Float32Array
  /** The same between pixels four apart. */
  readonly coarse: Float32Array
  /** Two pictures that differ in any pixel looked at have different ones, chance apart. */
  readonly digest: number
}

const columns = 64

/** Looks at every second row of a picture. */
export function glanceAt({ width, height, data }: Picture): Glance {
  const rows = Math.max(1, Math.round((columns * height) / width))
  const levels = new Float32Array(columns * rows)
  const fine = new Float32Array(columns * rows)
  const coarse = new Float32Array(columns * rows)
  const counts = new Float32Array(columns * rows)
  // The edge goes on beyond the picture.
  const brightness = new Float32Array(width + 4)
  let digest = 0x811c9dc5
  for (let row = 0; row < height; row += 2) {
    const cellRow = Math.min(rows - 1, Math.floor((row * rows) / height))
    for (let column = 0, at = 3 * row * width; column < width; column++, at += 3) {
      // ITU-R BT.601, in 256ths.
      const level = (77 * (data[at] ?? 0) + 150 * (data[at + 1] ?? 0) + 29 * (data[at + 2] ?? 0)) / 256
      brightness[column] = level
      digest = Math.imul(digest ^ Math.round(level * 256), 0x01000193)
    }
    brightness.fill(brightness[width - 1] ?? 0, width)
    for (let column = 0; column < width; column += 2) {
      const cell = cellRow * columns + Math.min(columns - 1, Math.floor((column * columns) / width))
      const level = brightness[column] ?? 0
      levels[cell] = (levels[cell] ?? 0) + level
      const next = brightness[column + 1] ?? 0
      fine[cell] = Math.max(fine[cell] ?? 0, Math.abs(next - level), Math.abs((brightness[column + 2] ?? 0) - next))
      coarse[cell] = Math.max(coarse[cell] ?? 0, Math.abs((brightness[column + 4] ?? 0) - level))
      counts[cell] = (counts[cell] ?? 0) + 1
    }
  }
  for (const [cell, count] of counts.entries()) {
    levels[cell] = (levels[cell] ?? 0) / Math.max(1, count)
  }
  return { columns, rows, levels, fine, coarse, digest: digest >>> 0 }
}

/** The value that a share of others does not exceed; 0 for none. */
export function quantile(values: Iterable<number>, share: number): number {
  const sorted = Float32Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
}
