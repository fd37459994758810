/** The most characters that a plate may have here; it is what a key of 63 bits holds. */
export const longestPlate = 12

/** Why a text is not a plate. Said instead of the text, so that no log or report ever holds one. */
export type TextFault = 'empty' | 'too-long' | 'foreign-character'

export type NormalisedPlate = { readonly text: string } | { readonly fault: TextFault }

// Space, hyphen, full stop, apostrophe, slash, the soft and no-break forms, the dashes, and the dots and bullets that
// agencies and readers put between groups.
const separators = /[\s\-.'/\u00ad\u00b7\u2010-\u2015\u2022\u2212]+/g
const plain = /^[0-9A-Z]+$/
const foreign = /[^0-9A-Za-z]/

/**
 * Upper-case letters A to Z and digits, without separators: the one form in which plates are compared. Anything else (an
 * umlaut, another script, a reader's `?` for a character that it could not read) is refused, never guessed at.
 */
export function normalisePlate(raw: string): NormalisedPlate {
  if (raw.length <= longestPlate && plain.test(raw)) return { text: raw }
  const text = raw.replace(separators, '')
  if (text.length === 0) return { fault: 'empty' }
  if (foreign.test(text)) return { fault: 'foreign-character' }
  if (text.length > longestPlate) return { fault: 'too-long' }
  return { text: text.toUpperCase() }
}

/**
 * A state, province or country as its code (`PA`, `D`, `QUE`), upper case, without a country in front (`US-PA`); null where
 * nothing is given. What is not a code is kept in upper case and compares with nothing: see `compareStates`.
 */
export function normaliseState(raw: string | null): string | null {
  const text = (raw ?? '').trim().toUpperCase()
  if (text === '') return null
  return /^[A-Z]{2}-[A-Z]{1,3}$/.test(text) ? text.slice(3) : text
}

/** `unknown` unless both sides are codes of the same kind: a name against a code says nothing of the vehicle. */
export function compareStates(read: string | null, listed: string | null): 'agrees' | 'differs' | 'unknown' {
  if (read === null || listed === null) return 'unknown'
  if (read === listed) return 'agrees'
  const code = /^[A-Z]{1,3}$/
  return code.test(read) && code.test(listed) && read.length === listed.length ? 'differs' : 'unknown'
}
