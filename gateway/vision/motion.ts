import { type Glance, quantile } from './glance.js'

/** A part of a picture, in shares of its width and height. */
export interface Area {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/** What stands still becomes part of the background within about so many seconds. */
const settling = 3
/** A cell has changed when it differs by this, and by this many times its usual unrest. */
const leastDifference = 7
const unrests = 4
/** A cell that is darker than this says nothing of a change of the light. */
const leastLit = 8
/** So many changed cells that touch each other are something that moves; less is a leaf or a moth. */
const leastCells = 4

/**
 * Says where something moves: block differences to a background that follows. A change of the light, by the same
 * factor everywhere, is none.
 */
export class MotionGate {
  #background: Float32Array | null = null
  #unrest = new Float32Array()
  #last = 0

  /**
   * @param time of the picture, seconds from any zero
   * @returns the area in which something moves; null while nothing does, and for the first picture
   */
  look({ levels, columns, rows }: Glance, time: number): Area | null {
    const background = this.#background
    const passed = time - this.#last
    this.#last = time
    if (background === null || background.length !== levels.length || passed < 0 || passed > 60) {
      this.#background = levels.slice()
      this.#unrest = new Float32Array(levels.length).fill(1)
      return null
    }
    const light = lightFactor(levels, background)
    const rate = 1 - Math.exp(-passed / settling)
    const changed = new Uint8Array(levels.length)
    for (const [cell, level] of levels.entries()) {
      const expected = Math.min(255, light * (background[cell] ?? 0))
      const difference = level - expected
      const unrest = this.#unrest[cell] ?? 1
      if (Math.abs(difference) > Math.max(leastDifference, unrests * unrest)) changed[cell] = 1
      // Unrest is learnt slowly and only within reason, so that a car does not make its lane restless.
      this.#unrest[cell] = unrest + 0.1 * rate * (Math.min(Math.abs(difference), 3 * unrest) - unrest)
      background[cell] = expected + rate * difference
    }
    return largestGroups(changed, columns, rows)
  }
}

/**
 * The factor by which the light has changed: the median over the cells, so that what moves in less than half of the picture does
 * not count. Light and exposure multiply all levels, also those that a camera encodes as a power of the light.
 */
function lightFactor(levels: Float32Array, background: Float32Array): number {
  const factors: number[] = []
  for (const [cell, level] of levels.entries()) {
    const before = background[cell] ?? 0
    if (before >= leastLit) factors.push(level / before)
  }
  return factors.length < leastCells ? 1 : quantile(factors, 0.5)
}

/** The box round all groups of cells that are large enough. */
function largestGroups(changed: Uint8Array, columns: number, rows: number): Area | null {
  let [left, top, right, bottom] = [columns, rows, 0, 0]
  for (let start = 0; start < changed.length; start++) {
    if (changed[start] !== 1) continue
    const group = [start]
    changed[start] = 2
    // The list grows while it is walked through.
    for (const cell of group) {
      const column = cell % columns
      for (const next of [
        cell - columns,
        cell + columns,
        column > 0 ? cell - 1 : -1,
        column + 1 < columns ? cell + 1 : -1,
      ]) {
        if (changed[next] !== 1) continue
        changed[next] = 2
        group.push(next)
      }
    }
    if (group.length < leastCells) continue
    for (const cell of group) {
      left = Math.min(left, cell % columns)
      right = Math.max(right, (cell % columns) + 1)
      top = Math.min(top, Math.floor(cell / columns))
      bottom = Math.max(bottom, Math.floor(cell / columns) + 1)
    }
  }
  if (right === 0) return null
  return { left: left / columns, top: top / rows, right: right / columns, bottom: bottom / rows }
}
