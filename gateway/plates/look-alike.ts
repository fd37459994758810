import { longestPlate } from './text.js'

/**
 * Characters that readers take for one another, as makers of plate readers publish them. Each class is named by its first
 * character. Equivalence is transitive on purpose: it makes the class of a whole plate one number, found by one look-up.
 */
export const lookAlikeClasses = ['0ODQ', '1IL', '2Z', '5S', '6G', '8B'] as const

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const base = 37
// 37 ** 10 is below 2 ** 53: this many characters are packed in ordinary numbers.
const exactInNumbers = 10

const digits = new Uint8Array(128)
const foldedDigits = new Uint8Array(128)
const foldedAnyCase = new Uint8Array(128)
const foldedCharacters: string[] = Array(128).fill('')
for (const [index, character] of [...alphabet].entries()) {
  const first = lookAlikeClasses.find(members => members.includes(character))?.[0] ?? character
  digits[character.charCodeAt(0)] = index + 1
  foldedDigits[character.charCodeAt(0)] = alphabet.indexOf(first) + 1
  foldedCharacters[character.charCodeAt(0)] = first
  for (const form of [character, character.toLowerCase()]) {
    foldedAnyCase[form.charCodeAt(0)] = alphabet.indexOf(first) + 1
  }
}

/**
 * A normalised plate of 1 to 12 characters as a number of base 37 (`0` is 1, `Z` is 36, the last character is the lowest
 * digit): unique, and within SQLite's signed 64 bits. Throws RangeError on any other text, without repeating it.
 */
export function packPlate(text: string): bigint {
  return pack(text, digits)
}

/** The key of the look-alike class of a normalised plate: `packPlate` of `foldLookAlikes`. Throws RangeError likewise. */
export function packLookAlikeClass(text: string): bigint {
  return pack(text, foldedDigits)
}

/** The text of a key. Throws RangeError where no text has that key. */
export function unpackPlate(key: bigint): string {
  let text = ''
  for (let rest = key; rest > 0n; rest /= 37n) {
    const character = alphabet[Number(rest % 37n) - 1]
    if (character === undefined) throw new RangeError('No plate has this key.')
    text = character + text
  }
  if (text.length === 0 || text.length > longestPlate) throw new RangeError('No plate has this key.')
  return text
}

/** A normalised plate with each character replaced by the first of its class; other characters are left out. */
export function foldLookAlikes(text: string): string {
  let folded = ''
  for (let index = 0; index < text.length; index++) {
    folded += foldedCharacters[text.charCodeAt(index)] ?? ''
  }
  return folded
}

/** Whether a text has a normalised plate or a look-alike of it in it, whatever the case and the signs between. */
export function containsLookAlike(text: string, plate: string): boolean {
  for (let start = 0; start + plate.length <= text.length; start++) {
    let matched = 0
    for (let index = start; index < text.length; index++) {
      const value = foldedAnyCase[text.charCodeAt(index)] ?? 0
      if (value === 0) continue
      if (value !== foldedDigits[plate.charCodeAt(matched)]) break
      matched++
      if (matched === plate.length) return true
    }
  }
  return false
}

function pack(text: string, values: Uint8Array): bigint {
  const length = text.length
  if (length === 0 || length > longestPlate) throw new RangeError('A plate has 1 to 12 characters.')
  let head = 0
  const inNumbers = Math.min(length, exactInNumbers)
  for (let index = 0; index < inNumbers; index++) head = head * base + digit(text, index, values)
  let key = BigInt(head)
  for (let index = inNumbers; index < length; index++) key = key * 37n + BigInt(digit(text, index, values))
  return key
}

function digit(text: string, index: number, values: Uint8Array): number {
  const value = values[text.charCodeAt(index)] ?? 0
  if (value === 0) throw new RangeError('A plate has letters A to Z and digits only.')
  return value
}
