import { createHash } from 'node:crypto'
import { packLookAlikeClass, packPlate } from '../../gateway/plates/look-alike.js'

/** A plate found in bytes, and the form in which it stands there. */
export interface Found {
  readonly plate: string
  readonly form: string
  readonly at: number
}

const digests = ['md5', 'sha1', 'sha256'] as const

/**
 * Looks for plates in any bytes: as text of one or two bytes a character, in capitals or not, with a sign between the parts;
 * as the packed key of the hotlist or of its look-alike class, in either order of bytes; as a digest of the usual kinds, raw or
 * in hexadecimal. All plates are three letters, the same in each, and four digits.
 */
export class PlateScan {
  readonly #text: RegExp
  readonly #wide: RegExp
  readonly #plates: ReadonlySet<string>
  readonly #keys = new Map<number, string>()
  readonly #digests = new Map<number, { plate: string; name: string; digest: Buffer }>()
  readonly #lowest: number
  readonly #highest: number

  constructor(letters: string, plates: readonly string[]) {
    this.#plates = new Set(plates)
    this.#text = new RegExp(`(${letters})[ -]?(\\d{4})`, 'gi')
    this.#wide = new RegExp(`(${[...letters].join('\\0')})\\0((?:\\d\\0){3}\\d)`, 'gi')
    for (const plate of plates) {
      this.#keys.set(Number(packPlate(plate)), plate)
      this.#keys.set(Number(packLookAlikeClass(plate)), plate)
      for (const name of digests) {
        const digest = createHash(name).update(plate).digest()
        this.#digests.set(digest.readUInt32BE(0), { plate, name, digest })
      }
    }
    const keys = [...this.#keys.keys()]
    this.#lowest = keys.reduce((one, other) => Math.min(one, other))
    this.#highest = keys.reduce((one, other) => Math.max(one, other))
  }

  find(bytes: Buffer): Found[] {
    const found: Found[] = []
    const text = bytes.toString('latin1')
    for (const [pattern, form] of [
      [this.#text, 'text'],
      [this.#wide, 'text of two bytes'],
    ] as const) {
      for (const match of text.matchAll(pattern)) {
        const plate = `${match[1]}${match[2]}`.replaceAll('\0', '').toUpperCase()
        if (this.#plates.has(plate)) found.push({ plate, form, at: match.index })
      }
    }
    for (const match of text.matchAll(/[0-9a-f]{32,}/gi)) {
      for (let start = 0; start + 32 <= match[0].length; start++) {
        const digest = this.#digestIn(Buffer.from(match[0].slice(start, start + 64), 'hex'), 0)
        if (digest !== null) found.push({ ...digest, form: `${digest.form} in hexadecimal`, at: match.index + start })
      }
    }
    for (let at = 0; at + 6 <= bytes.length; at++) {
      for (const key of [bytes.readUIntBE(at, 6), bytes.readUIntLE(at, 6)]) {
        const plate = key >= this.#lowest && key <= this.#highest ? this.#keys.get(key) : undefined
        if (plate !== undefined) found.push({ plate, form: 'packed key', at })
      }
      const digest = this.#digestIn(bytes, at)
      if (digest !== null) found.push({ ...digest, at })
    }
    return found
  }

  #digestIn(bytes: Buffer, at: number): { plate: string; form: string } | null {
    if (at + 16 > bytes.length) return null
    const known = this.#digests.get(bytes.readUInt32BE(at))
    if (known === undefined || !known.digest.subarray(0, 16).equals(bytes.subarray(at, at + 16))) return null
    return { plate: known.plate, form: known.name }
  }
}
