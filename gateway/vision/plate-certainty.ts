import { type CharacterMatrix, greedyText } from './character-matrix.js'
import type { TextModels } from './models.js'
import type { Picture } from './picture.js'
import { alikeFolded, hasKnownForm } from './plate-forms.js'
import { displacedLooks, type Look, type Piece, readInPieces } from './plate-looks.js'
import { boxOf, type TextRegion, widened } from './region.js'

/** How far two ways of reading agree on a text; characters that look alike count as the same. */
export interface Certainty {
  /** See `agreementOn`. */
  readonly whole: number
  /** Probability that the surest of the looks that read the whole line otherwise, displaced ones too, gives its own text, 0 to 1. */
  readonly otherwise: number
  /** Share of the characters that were read the same in pieces, 0 to 1. */
  readonly pieces: number
  /** Probability of the likeliest other reading of a piece: of a character, or of one more or one less; 0 to 1. */
  readonly against: number
  /** Whether some issuer makes up plates so. */
  readonly known: boolean
}

/** Reads the text again in pieces and, where no doubt is left, from lines that are cut askew; not where the whole line is too doubtful anyway. */
export async function certaintyOf(
  models: TextModels,
  picture: Picture,
  text: string,
  looks: readonly Look[],
): Promise<Certainty> {
  const folded = alikeFolded(text)
  const known = hasKnownForm(text)
  const agreeing = looks
    .map(look => ({ look, ...greedyText(look.matrix) }))
    .filter(read => alikeFolded(read.text) === folded)
    .sort((one, other) => other.confidence - one.confidence)
  const matrices = looks.map(({ matrix }) => matrix)
  const whole = agreementOn(text, matrices)
  const otherwise = surestOther(folded, matrices)
  const [clearest] = agreeing
  if (clearest === undefined || text.length < 4 || whole < leastWhole)
    return { whole, otherwise, pieces: 0, against: 0, known }
  const pieces = compare(folded, await readInPieces(models, picture, clearest.look))
  if (!isCertain(1, { whole, otherwise, known, ...pieces })) return { whole, otherwise, known, ...pieces }
  const displaced = surestOther(folded, await displacedLooks(models, picture, clearest.look.region))
  return { whole, otherwise: Math.max(otherwise, displaced), known, ...pieces }
}

/** Probability that the surest of the looks that read another text gives its own; 0 where none does. */
function surestOther(folded: string, looks: readonly CharacterMatrix[]): number {
  const others = looks.map(greedyText).filter(({ text }) => alikeFolded(text) !== folded)
  return Math.max(0, ...others.map(({ confidence }) => confidence))
}

/** Mean probability over looks at a whole line, none where one reads otherwise, look-alikes aside; 0 to 1. */
export function agreementOn(text: string, looks: readonly CharacterMatrix[]): number {
  const folded = alikeFolded(text)
  const agreeing = looks.map(greedyText).filter(read => alikeFolded(read.text) === folded)
  return agreeing.reduce((sum, { confidence }) => sum + confidence, 0) / Math.max(1, looks.length)
}

function compare(folded: string, pieces: readonly Piece[]): { pieces: number; against: number } {
  const same = new Set<number>()
  let against = 0
  for (const { from, to, characters } of pieces) {
    if (characters.length === to - from) {
      for (const [index, { character, confidence }] of characters.entries()) {
        if (alikeFolded(character) === folded[from + index]) same.add(from + index)
        else against = Math.max(against, confidence)
      }
    } else if (characters.length > to - from)
      against = Math.max(against, Math.min(...characters.map(({ confidence }) => confidence)))
  }
  return { pieces: same.size / folded.length, against }
}

/** Under this the whole line is not read in pieces. */
const leastWhole = 0.3
/** The vote and the whole line must be so clear, and no piece read otherwise with this probability. */
const [clearVote, clearWhole, clearAgainst] = [0.9, 0.68, 0.8]
/** No look may be surer than not of another text. */
const moreThanNot = 0.5

/**
 * Whether a person need not doubt the characters: both ways of reading agree on every one of them, no look objects, and plates are
 * made up so. A character too many or too few mostly makes a form that nobody issues, and of a vanity plate no form vouches for
 * any character.
 */
export function isCertain(voted: number, { whole, otherwise, pieces, against, known }: Certainty): boolean {
  const clear = voted > clearVote && whole > clearWhole && pieces === 1
  return clear && otherwise < moreThanNot && against < clearAgainst && known
}

/**
 * Whether the picture shows what is round a line of text: where it ends close to the line, a plate is only coming or going, and
 * whether the line is all of it cannot be told.
 */
export function hasSurroundings(region: TextRegion, { width, height }: Picture): boolean {
  const [left, top, wide, high] = boxOf(widened(region, 1.15, 2).corners)
  return left >= 0 && top >= 0 && left + wide <= width && top + high <= height
}

/** The surest and, where no look at the whole line agrees, the least sure that the agreement makes a text. */
const [mostConfidence, leastConfidence] = [0.98, 0.2]

/**
 * Probability that the text is right: among those that came into question, times how often texts that the looks agree on so far
 * are (a straight line through the pictures that the reader was tuned on).
 */
export function calibrated(voted: number, { whole }: Pick<Certainty, 'whole'>): number {
  return voted * Math.min(mostConfidence, leastConfidence + ((1 - leastConfidence) * whole) / clearWhole)
}
