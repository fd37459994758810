import { type CharacterMatrix, likelyTexts, logProbability } from './character-matrix.js'
import { alikeOfKnownForm, formEvidence } from './plate-forms.js'

/** A text that pieces of one plate were read as together. */
export interface VotedText {
  readonly text: string
  /** Probability among the texts that came into question, 0 to 1. */
  readonly confidence: number
  /** The text before anything was known of how plates are made up. */
  readonly rawText: string
}

const beamWidth = 8
/** Looks at one plate share their mistakes: so many of them count as one. */
const looksPerVote = 2.5
/** No single look rules a text out by more than this. */
const leastLog = -25
const alike = ['0ODQ', '1IL', '2Z', '5S', '6G', '8B', '4A', '7T', 'VY', 'MHWN', 'UV', 'CG', 'EF', 'PF', 'XK']

/** What the looks at one plate say together; null where they say nothing. */
export function vote(looks: readonly CharacterMatrix[]): VotedText | null {
  const texts = new Set(looks.flatMap(look => likelyTexts(look, beamWidth)))
  for (const text of [...texts]) for (const other of neighbours(text)) texts.add(other)
  const seenIn = (text: string): number =>
    (Math.min(looks.length, looksPerVote) / looks.length) *
    looks.reduce((sum, look) => sum + Math.max(leastLog, logProbability(look, text)), 0)
  const scored = [...texts]
    .filter(text => text.length >= 3)
    .map(text => ({ text, seen: seenIn(text), likely: seenIn(text) + formEvidence(text) }))
    .sort((a, b) => b.likely - a.likely)
  const [best] = scored
  if (best === undefined) return null
  const rawText = scored.reduce((a, b) => (b.seen > a.seen ? b : a)).text
  const total = scored.reduce((sum, { likely }) => sum + Math.exp(likely - best.likely), 0)
  const [formed] = alikeOfKnownForm(best.text).sort((a, b) => seenIn(b) - seenIn(a))
  return { text: formed ?? best.text, confidence: 1 / total, rawText }
}

/** Texts with one character exchanged for one that looks like it. */
function neighbours(text: string): string[] {
  return [...text].flatMap((character, index) =>
    alike
      .filter(group => group.includes(character))
      .flatMap(group => [...group].filter(other => other !== character))
      .map(other => text.slice(0, index) + other + text.slice(index + 1)),
  )
}
