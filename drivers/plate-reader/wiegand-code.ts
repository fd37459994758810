/**
 * What one Wiegand frame of a plate reader says. Formats as of Nedap's ANPR LUMO installation guide, 7.3.11 and 7.3.12, and
 * WIM installation guide, 5.1 and 5.2: 26 bits carry the last 24 of the SHA-1 of the plate, between an even and an odd
 * parity bit; 64 bits carry 0110 and ten characters of six bits, empty ones first.
 */
export type WiegandContent = { readonly bits: 26; readonly hash: number } | { readonly bits: 64; readonly text: string }

const characters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const firstCharacter = 0b010000
const empty = 0b000000
const other = 0b111111

/** @param bits of one frame, each 0 or 1, the first sent first @returns null for what is no frame of either format */
export function decodeWiegand(bits: readonly number[]): WiegandContent | null {
  if (bits.length === 26) return decode26(bits)
  return bits.length === 64 ? decode64(bits) : null
}

/** Even parity over the first thirteen bits and odd over the last, as in the SIA's standard for 26 bits. */
function decode26(bits: readonly number[]): WiegandContent | null {
  const ones = (from: number, to: number) => bits.slice(from, to).reduce((sum, bit) => sum + bit, 0)
  if (ones(0, 13) % 2 !== 0 || ones(13, 26) % 2 !== 1) return null
  return { bits: 26, hash: numberOf(bits.slice(1, 25)) }
}

/** A character that the reader could not put into six bits is `?`, which matches nothing. */
function decode64(bits: readonly number[]): WiegandContent | null {
  if (numberOf(bits.slice(0, 4)) !== 0b0110) return null
  let text = ''
  for (let at = 4; at < 64; at += 6) {
    const code = numberOf(bits.slice(at, at + 6))
    if (code === empty) {
      if (text !== '') return null
      continue
    }
    const character = code === other ? '?' : characters[code - firstCharacter]
    if (character === undefined) return null
    text += character
  }
  return text === '' ? null : { bits: 64, text }
}

function numberOf(bits: readonly number[]): number {
  return bits.reduce((value, bit) => value * 2 + bit, 0)
}
