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
/** Of so many of the likeliest texts characters are exchanged for others like them. */
const mostVaried = 4
const alike = ['0ODQ', '1IL', '2Z', '5S', '6G', '8B', '4A', '7T', 'VY', 'MHWN', 'UV', 'CG', 'EF', 'PF', 'XK']

interface Scored {
  readonly text: string
  /** Natural logarithm of the probability that the looks give it, and of that together with its form. */
  readonly seen: number
  readonly likely: number
}

/** What the looks at one plate say together; null where they say nothing. */
export function vote(looks: readonly CharacterMatrix[]): VotedText | null {
  const seenIn = (text: string): number =>
    (Math.min(looks.length, looksPerVote) / looks.length) *
    looks.reduce((sum, look) => sum + Math.max(leastLog, logProbability(look, text)), 0)
  const scored = new Map<string, Scored>()
  const score = (text: string) => {
    if (text.length < 3 || scored.has(text)) return
    const seen = seenIn(text)
    scored.set(text, { text, seen, likely: seen + formEvidence(text) })
  }
  const inOrder = () => [...scored.values()].sort((a, b) => b.likely - a.likely)
  for (const look of looks) for (const text of likelyTexts(look, beamWidth)) score(text)
  for (const { text } of inOrder().slice(0, mostVaried)) for (const other of neighbours(text)) score(other)
  const ordered = inOrder()
  const [best] = ordered
  if (best === undefined) return null
  const rawText = ordered.reduce((a, b) => (b.seen > a.seen ? b : a)).text
  const total = ordered.reduce((sum, { likely }) => sum + Math.exp(likely - best.likely), 0)
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
