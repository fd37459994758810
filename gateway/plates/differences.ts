/** One place where a read and a listed plate differ. An empty side is a character that only the other one has. */
export interface CharacterDifference {
  /** Which character, counted from 1 as people count; in the listed plate where the read lacks it, else in the read. */
  readonly position: number
  readonly read: string
  readonly listed: string
}

/** The places at which two texts of the same length differ. Throws RangeError on different lengths. */
export function substitutions(read: string, listed: string): CharacterDifference[] {
  if (read.length !== listed.length) throw new RangeError('Only texts of one length can be compared by place.')
  const found: CharacterDifference[] = []
  for (let index = 0; index < read.length; index++) {
    const one = read.charAt(index)
    const other = listed.charAt(index)
    if (one !== other) found.push({ position: index + 1, read: one, listed: other })
  }
  return found
}

/** The one substitution, insertion or deletion that tells the texts apart; null where none or more than one is needed. */
export function oneEdit(read: string, listed: string): CharacterDifference | null {
  if (read.length === listed.length) {
    const places = substitutions(read, listed)
    return places.length === 1 ? (places[0] ?? null) : null
  }
  const [short, long] = read.length < listed.length ? [read, listed] : [listed, read]
  if (long.length - short.length !== 1) return null
  let index = 0
  while (index < short.length && short[index] === long[index]) index++
  if (short.slice(index) !== long.slice(index + 1)) return null
  const extra = long.charAt(index)
  return read === short
    ? { position: index + 1, read: '', listed: extra }
    : { position: index + 1, read: extra, listed: '' }
}

/**
 * The text itself and every text that it becomes by losing one character. Two texts are at most one edit apart only if they
 * share one of these (the deletion neighbourhood of Mor and Fraenkel, 1982), so that an index of them finds the pairs.
 */
export function deletionNeighbourhood(text: string): string[] {
  const found = new Set([text])
  for (let index = 0; index < text.length; index++) found.add(text.slice(0, index) + text.slice(index + 1))
  return [...found]
}
