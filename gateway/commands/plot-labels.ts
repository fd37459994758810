/** A box on the page; x and y are its upper left corner. */
export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** Width of a line of sans-serif text, about. */
export function textWidth(words: string, size: number): number {
  return words.length * size * 0.56
}

/** The words, cut where they have more characters than `most`. */
export function shortened(words: string, most: number): string {
  return words.length <= most ? words : `${words.slice(0, most - 1)}…`
}

/** Finds room for labels beside what they name: where they cover least of what has been placed before. */
export class LabelRoom {
  readonly #bounds: Box
  readonly #taken: { readonly box: Box; readonly weight: number }[] = []

  constructor(bounds: Box) {
    this.#bounds = bounds
  }

  /** Keeps a box free, the more so the larger the weight. */
  take(box: Box, weight = 1): void {
    this.#taken.push({ box, weight })
  }

  /** Keeps a line free, less urgently than a box. */
  takeLine(x1: number, y1: number, x2: number, y2: number): void {
    const steps = Math.ceil(Math.hypot(x2 - x1, y2 - y1) / 8)
    for (let i = 0; i <= steps; i++) {
      const share = i / Math.max(1, steps)
      this.take({ x: x1 + (x2 - x1) * share - 3, y: y1 + (y2 - y1) * share - 3, width: 6, height: 6 }, 0.5)
    }
  }

  /** The best box of this size at about `gap` from (x, y); it is taken. */
  place(x: number, y: number, width: number, height: number, gap: number): Box {
    let best: Box = { x: x + gap, y: y - height / 2, width, height }
    let bestCost = Number.POSITIVE_INFINITY
    for (const reach of [gap, 2 * gap, 3.5 * gap]) {
      for (const [across, down] of directions) {
        const box = {
          x: x + across * reach - (width * (1 - across)) / 2,
          y: y + down * reach - (height * (1 - down)) / 2,
          width,
          height,
        }
        const cost = this.#cost(box) + (reach - gap) * 8
        // Less than a square unit is no difference.
        if (cost > bestCost - 1) continue
        best = box
        bestCost = cost
      }
    }
    this.take(best)
    return best
  }

  #cost(box: Box): number {
    const inside = overlap(box, this.#bounds)
    const outside = box.width * box.height - inside
    return this.#taken.reduce((sum, { box: other, weight }) => sum + weight * overlap(box, other), 20 * outside)
  }
}

/** East, west, above, below, then the corners. */
const directions = [
  [1, 0],
  [-1, 0],
  [0, -1],
  [0, 1],
  [1, -1],
  [-1, -1],
  [1, 1],
  [-1, 1],
] as const

function overlap(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x)
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y)
  return width > 0 && height > 0 ? width * height : 0
}
