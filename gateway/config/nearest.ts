/** The candidate that a person most likely meant, or null where none is near: at most a third of its letters differ. */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  let best: string | null = null
  let least = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    if (candidate.length < 3) continue
    const edits = distance(word.slice(0, 64).toLowerCase(), candidate.toLowerCase())
    if (edits < least && edits <= Math.max(1, Math.floor(candidate.length / 3))) {
      best = candidate
      least = edits
    }
  }
  return best
}

/** Letters inserted, left out, replaced or swapped with their neighbour (optimal string alignment). */
function distance(from: string, to: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1]
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      current[column] = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (beforeLast[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    beforeLast = last
    last = current
  }
  return last[to.length] ?? 0
}
