/** What may stand on a plate. */
export const plateAlphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'

/**
 * What a recogniser thinks of a line of text from left to right: for each step the probability of no character (the first
 * column) and of each character of the alphabet. Rows sum to 1.
 */
export interface CharacterMatrix {
  readonly steps: number
  /** `steps` rows of `plateAlphabet.length + 1`. */
  readonly values: Float64Array
}

const columns = plateAlphabet.length + 1

/** A character of a greedily read line: how sure, and where its middle is, 0 at the left end of the line and 1 at the right. */
export interface ReadCharacter {
  readonly character: string
  readonly confidence: number
  readonly middle: number
}

/** The likeliest character at each step, repetitions and gaps taken out (greedy connectionist decoding). */
export function greedyCharacters({ steps, values }: CharacterMatrix): ReadCharacter[] {
  const found: ReadCharacter[] = []
  let before = 0
  for (let step = 0; step < steps; step++) {
    let best = 0
    for (let column = 1; column < columns; column++) {
      if ((values[step * columns + column] ?? 0) > (values[step * columns + best] ?? 0)) best = column
    }
    const confidence = values[step * columns + best] ?? 0
    const read = { character: plateAlphabet[best - 1] ?? '', confidence, middle: (step + 0.5) / steps }
    const last = found.at(-1)
    if (best !== 0 && best === before && last !== undefined) {
      if (confidence > last.confidence) found[found.length - 1] = read
    } else if (best !== 0) found.push(read)
    before = best
  }
  return found
}

/** The greedily read line, and the product of its characters' probabilities. */
export function greedyText(matrix: CharacterMatrix): { text: string; confidence: number } {
  const characters = greedyCharacters(matrix)
  return {
    text: characters.map(({ character }) => character).join(''),
    confidence: characters.reduce((product, { confidence }) => product * confidence, 1),
  }
}

/** The likeliest texts by prefix beam search (Graves, ICML 2006; Hannun 2014), best first. */
export function likelyTexts({ steps, values }: CharacterMatrix, width: number): string[] {
  let beams = new Map<string, { blank: number; other: number }>([['', { blank: 1, other: 0 }]])
  for (let step = 0; step < steps; step++) {
    const next = new Map<string, { blank: number; other: number }>()
    const at = (text: string) => {
      const known = next.get(text) ?? { blank: 0, other: 0 }
      next.set(text, known)
      return known
    }
    const gap = values[step * columns] ?? 0
    for (const [text, { blank, other }] of beams) {
      const last = text.at(-1)
      at(text).blank += (blank + other) * gap
      for (let column = 1; column < columns; column++) {
        const value = values[step * columns + column] ?? 0
        if (value < 1e-4) continue
        const character = plateAlphabet[column - 1] ?? ''
        if (character === last) {
          at(text).other += other * value
          at(text + character).other += blank * value
        } else at(text + character).other += (blank + other) * value
      }
    }
    const kept = [...next].sort(([, a], [, b]) => b.blank + b.other - a.blank - a.other).slice(0, width)
    const scale = kept.reduce((sum, [, { blank, other }]) => sum + blank + other, 0) || 1
    beams = new Map(kept.map(([text, { blank, other }]) => [text, { blank: blank / scale, other: other / scale }]))
  }
  return [...beams.keys()]
}

/** Natural logarithm of the probability of a text, over all ways to spread it over the steps (Graves, ICML 2006). */
export function logProbability({ steps, values }: CharacterMatrix, text: string): number {
  const symbols = [0, ...[...text].flatMap(character => [plateAlphabet.indexOf(character) + 1, 0])]
  if (symbols.length === 1) return Number.NEGATIVE_INFINITY
  let before = new Float64Array(symbols.length)
  let logScale = 0
  for (let step = 0; step < steps; step++) {
    const now = new Float64Array(symbols.length)
    let sum = 0
    for (let state = 0; state < symbols.length; state++) {
      const symbol = symbols[state] ?? 0
      let reach = step === 0 ? (state < 2 ? 1 : 0) : (before[state] ?? 0) + (state > 0 ? (before[state - 1] ?? 0) : 0)
      if (step > 0 && state > 1 && symbol !== 0 && symbol !== symbols[state - 2]) reach += before[state - 2] ?? 0
      const value = reach * (values[step * columns + symbol] ?? 0)
      now[state] = value
      sum += value
    }
    if (sum === 0) return Number.NEGATIVE_INFINITY
    for (let state = 0; state < now.length; state++) now[state] = (now[state] ?? 0) / sum
    logScale += Math.log(sum)
    before = now
  }
  return logScale + Math.log((before.at(-1) ?? 0) + (before.at(-2) ?? 0))
}
