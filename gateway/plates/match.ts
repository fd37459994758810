import { type CharacterDifference, oneEdit, substitutions } from './differences.js'
import { foldLookAlikes } from './look-alike.js'
import { compareStates } from './text.js'

/** An entry of a hotlist as matching sees it. Times are seconds since 1970 UTC. */
export interface HotlistEntry {
  readonly list: string
  readonly generation: number
  /** The agency's own id, or `line-` and the number of the line that the entry came from. */
  readonly id: string
  /** Normalised. */
  readonly text: string
  readonly state: string | null
  readonly purpose: string
  /** Not live before; null where the list does not say. */
  readonly effective: number | null
  /** Not live from then on. */
  readonly expires: number
  /** Whether the entry asks to be matched with one edit as well. */
  readonly oneEdit: boolean
  /** Digest of what the agency issued: the same in every generation until the entry is issued anew. */
  readonly issue: string
}

/**
 * `stale`: past its time or its greatest age. `clock-behind`: the clock says it is before the list was made. `absent`: there
 * is no list. `damaged`: there is one that cannot be read.
 */
export type Freshness = 'fresh' | 'stale' | 'clock-behind' | 'absent' | 'damaged'

/** What a hotlist gives for a text. There are no candidates unless it is `fresh`. */
export interface HotlistAnswer {
  readonly list: string
  readonly generation: number
  readonly freshness: Freshness
  /** How many entries the whole list has. */
  readonly entries: number
  readonly candidates: readonly HotlistEntry[]
}

/** A plate read, ready to be matched. */
export interface ReadToMatch {
  /** Normalised. */
  readonly text: string
  /** 0 to 1; null where the reader gives none. */
  readonly confidence: number | null
  /** Normalised; null where it was not read, or reads of the passage gave different ones. */
  readonly state: string | null
  readonly statesDiffer: boolean
  /** How many readers gave this text for this passage, at least 1. */
  readonly agreeingReaders: number
  /** When it was read, seconds since 1970 UTC. */
  readonly time: number
}

export interface MatchRules {
  /** From which confidence a single reader is believed, 0 to 1. */
  readonly minimumConfidence: number
  /** How many characters may be look-alikes of the listed ones. */
  readonly mostLookAlikes: number
  /** Plates shorter than this match exactly or not at all: among short texts nearly all have a neighbour. */
  readonly shortestInexact: number
  /** On lists with more entries than this a look-alike also needs a state that was read and agrees. */
  readonly lookAlikeWithoutStateUpTo: number
}

/**
 * Of plates that are not on a synthetic list of a million, 0.3 to 2 % have a look-alike on it, a tenth of that with the
 * state known: on long lists a look-alike without a state would mostly stop people who are not wanted.
 */
export const defaultMatchRules: MatchRules = {
  minimumConfidence: 0.9,
  mostLookAlikes: 2,
  shortestInexact: 5,
  lookAlikeWithoutStateUpTo: 1_000_000,
}

export type MatchTier = 'confirmed-candidate' | 'possible' | 'investigative'

/** Every reason for a tier, with the sentence for a person. */
export const matchReasons = {
  'text-exact': 'Every character is as listed.',
  'text-look-alike': 'Characters differ from the listed ones that readers take for one another.',
  'text-one-edit': 'One character differs, is missing or is too many; the entry asks for such reads.',
  'state-agrees': 'The state that was read is the listed one.',
  'state-not-read': 'No state was read.',
  'state-disputed': 'Reads of this passage gave different states.',
  'state-not-listed': 'The list names no state.',
  'state-not-comparable': 'The state was read or listed in a form that cannot be compared.',
  'confidence-high': 'The reader was sure enough by itself.',
  'confidence-low': 'The reader was not sure enough.',
  'confidence-not-given': 'The reader does not say how sure it is.',
  'readers-agree': 'Two readers gave the same text.',
} as const satisfies Record<string, string>

export type MatchReason = keyof typeof matchReasons

/** Why a candidate is no match. Counted, never written down with the plate. */
export type PassedOver =
  | 'state-differs'
  | 'expired'
  | 'not-yet-effective'
  | 'too-short'
  | 'too-many-look-alikes'
  | 'look-alike-without-state'
  | 'one-edit-not-asked'
  | 'text-differs'

export interface Match {
  readonly tier: MatchTier
  readonly entry: HotlistEntry
  /** Empty when the text is exact. */
  readonly differing: readonly CharacterDifference[]
  readonly reasons: readonly MatchReason[]
  /** Always true: until a person has looked at the picture, nothing is verified. */
  readonly unverified: true
}

export interface MatchResult {
  /** Best first: by tier, then fewer differing characters, then a state that agrees. */
  readonly matches: readonly Match[]
  readonly passedOver: Readonly<Partial<Record<PassedOver, number>>>
}

const tierOrder: readonly MatchTier[] = ['confirmed-candidate', 'possible', 'investigative']

/**
 * Decides how each candidate matches a read, if at all.
 *
 * Confirmed candidate: exact, the states agree, the entry is live, and the reader is sure or a second one agrees.
 * Possible: exact but for one of these, or every difference is a look-alike. Investigative: one edit, for entries that ask.
 * States that were both read and differ are another vehicle: no match.
 */
export function matchRead(
  read: ReadToMatch,
  answer: Pick<HotlistAnswer, 'entries' | 'candidates'>,
  rules: MatchRules = defaultMatchRules,
): MatchResult {
  const matches: Match[] = []
  const passedOver: Partial<Record<PassedOver, number>> = {}
  for (const entry of answer.candidates) {
    const outcome = judge(read, entry, answer.entries, rules)
    if (typeof outcome === 'string') passedOver[outcome] = (passedOver[outcome] ?? 0) + 1
    else matches.push(outcome)
  }
  return { matches: matches.sort(compareMatches), passedOver }
}

function judge(read: ReadToMatch, entry: HotlistEntry, entries: number, rules: MatchRules): Match | PassedOver {
  if (entry.effective !== null && read.time < entry.effective) return 'not-yet-effective'
  // Written this way round so that a time that is not a number is never live.
  if (!(read.time < entry.expires)) return 'expired'
  const states = compareStates(read.state, entry.state)
  if (states === 'differs') return 'state-differs'

  const reasons: MatchReason[] = []
  let tier: MatchTier
  let differing: readonly CharacterDifference[] = []
  if (read.text === entry.text) {
    reasons.push('text-exact')
    tier = states === 'agrees' && isSure(read, rules) ? 'confirmed-candidate' : 'possible'
  } else if (foldLookAlikes(read.text) === foldLookAlikes(entry.text)) {
    differing = substitutions(read.text, entry.text)
    if (read.text.length < rules.shortestInexact) return 'too-short'
    if (differing.length > rules.mostLookAlikes) return 'too-many-look-alikes'
    if (states !== 'agrees' && entries > rules.lookAlikeWithoutStateUpTo) return 'look-alike-without-state'
    reasons.push('text-look-alike')
    tier = 'possible'
  } else {
    const edit = oneEdit(read.text, entry.text)
    if (edit === null) return 'text-differs'
    if (!entry.oneEdit) return 'one-edit-not-asked'
    if (Math.min(read.text.length, entry.text.length) < rules.shortestInexact) return 'too-short'
    differing = [edit]
    reasons.push('text-one-edit')
    tier = 'investigative'
  }
  reasons.push(stateReason(read, entry, states), ...certaintyReasons(read, rules))
  return { tier, entry, differing, reasons, unverified: true }
}

function isSure(read: ReadToMatch, rules: MatchRules): boolean {
  return read.agreeingReaders >= 2 || (read.confidence !== null && read.confidence >= rules.minimumConfidence)
}

function stateReason(read: ReadToMatch, entry: HotlistEntry, states: 'agrees' | 'unknown'): MatchReason {
  if (states === 'agrees') return 'state-agrees'
  if (read.statesDiffer) return 'state-disputed'
  if (read.state === null) return 'state-not-read'
  return entry.state === null ? 'state-not-listed' : 'state-not-comparable'
}

function certaintyReasons(read: ReadToMatch, rules: MatchRules): MatchReason[] {
  const reasons: MatchReason[] = []
  if (read.confidence === null) reasons.push('confidence-not-given')
  else reasons.push(read.confidence >= rules.minimumConfidence ? 'confidence-high' : 'confidence-low')
  if (read.agreeingReaders >= 2) reasons.push('readers-agree')
  return reasons
}

function compareMatches(one: Match, other: Match): number {
  const agrees = (match: Match) => (match.reasons.includes('state-agrees') ? 0 : 1)
  return (
    tierOrder.indexOf(one.tier) - tierOrder.indexOf(other.tier) ||
    one.differing.length - other.differing.length ||
    agrees(one) - agrees(other)
  )
}
