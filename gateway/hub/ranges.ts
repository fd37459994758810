/** Both ends belong to it. */
export type Range = readonly [first: number, last: number]

/** A set of whole numbers as ascending ranges that do not touch. Adding at the end, the usual case, takes constant time. */
export class RangeSet {
  readonly #ranges: [number, number][] = []

  constructor(ranges: Iterable<Range> = []) {
    for (const [first, last] of ranges) this.add(first, last)
  }

  add(first: number, last: number = first): void {
    const ranges = this.#ranges
    let index = this.#lastFrom(first)
    const before = ranges[index]
    if (before !== undefined && before[1] >= first - 1) {
      if (before[1] >= last) return
      before[1] = last
    } else {
      index += 1
      ranges.splice(index, 0, [first, last])
    }
    const current = ranges[index]
    if (current === undefined) return
    let next = ranges[index + 1]
    while (next !== undefined && next[0] <= current[1] + 1) {
      current[1] = Math.max(current[1], next[1])
      ranges.splice(index + 1, 1)
      next = ranges[index + 1]
    }
  }

  has(value: number): boolean {
    return (this.#ranges[this.#lastFrom(value)]?.[1] ?? Number.NEGATIVE_INFINITY) >= value
  }

  /** The last number of the unbroken run that holds `value`; null where it is not in the set. */
  runEnd(value: number): number | null {
    const range = this.#ranges[this.#lastFrom(value)]
    return range !== undefined && range[1] >= value ? range[1] : null
  }

  /** The ranges between `first` and `last` that are not in the set, in order. */
  missing(first: number, last: number): Range[] {
    const gaps: Range[] = []
    let at = first
    for (let index = Math.max(0, this.#lastFrom(first)); at <= last; index += 1) {
      const range = this.#ranges[index]
      if (range === undefined || range[0] > last) {
        gaps.push([at, last])
        break
      }
      if (range[0] > at) gaps.push([at, range[0] - 1])
      at = Math.max(at, range[1] + 1)
    }
    return gaps
  }

  /** The greatest number; null for an empty set. */
  get last(): number | null {
    return this.#ranges.at(-1)?.[1] ?? null
  }

  toJSON(): Range[] {
    return this.#ranges.map(([first, last]) => [first, last])
  }

  /** Index of the last range that begins at or before `value`; -1 where none does. */
  #lastFrom(value: number): number {
    const ranges = this.#ranges
    const end = ranges.at(-1)
    if (end === undefined || end[0] <= value) return ranges.length - 1
    let low = 0
    let high = ranges.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if ((ranges[middle]?.[0] ?? 0) > value) high = middle
      else low = middle + 1
    }
    return low - 1
  }
}
