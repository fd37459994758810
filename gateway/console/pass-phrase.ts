import { randomBytes, randomInt, scrypt, timingSafeEqual } from 'node:crypto'
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { PolewatchError } from '../errors.js'

/** scrypt, RFC 7914: 16 MiB and some tenths of a second on a small computer. */
const cost = { N: 2 ** 14, r: 8, p: 1 }
const saltLength = 16
const hashLength = 32
/** Without characters that are mistaken for others; 20 of them are worth 98 bits. */
const letters = 'abcdefghjkmnpqrstuvwxyz23456789'

/** A new pass phrase: five groups of four characters. */
export function newPassPhrase(): string {
  const group = (): string => Array.from({ length: 4 }, () => letters[randomInt(letters.length)]).join('')
  return Array.from({ length: 5 }, group).join('-')
}

/** Keeps a pass phrase as its hash in a file that its owner may write and its group may read. @throws PW_KEY_FILE */
export async function keepPassPhrase(file: string, phrase: string): Promise<void> {
  const salt = randomBytes(saltLength)
  const text = `scrypt ${salt.toString('base64')} ${(await hashOf(phrase, salt)).toString('base64')}\n`
  try {
    writeFileSync(file, text, { mode: 0o640, flush: true })
    // Root may make it under a mask that keeps the console's user from it.
    chmodSync(file, 0o640)
  } catch (error) {
    throw new PolewatchError(
      'PW_KEY_FILE',
      { file, why: error instanceof Error ? error.message : String(error) },
      error,
    )
  }
}

/** What a pass phrase is checked by. */
export class PassPhrase {
  readonly #salt: Buffer
  readonly #hash: Buffer

  private constructor(salt: Buffer, hash: Buffer) {
    this.#salt = salt
    this.#hash = hash
  }

  /** @throws PW_CONSOLE_PHRASE where there is none, or one that neither root nor this user has made */
  static read(file: string): PassPhrase {
    const refused = (why: string): PolewatchError => new PolewatchError('PW_CONSOLE_PHRASE', { file, why })
    let text: string
    try {
      const { uid } = statSync(file)
      if (uid !== 0 && uid !== process.geteuid?.()) throw refused('another user has made it')
      text = readFileSync(file, 'utf8')
    } catch (error) {
      if (error instanceof PolewatchError) throw error
      throw refused(error instanceof Error ? error.message : String(error))
    }
    const [kind, salt = '', hash = ''] = text.trim().split(' ')
    const passPhrase = new PassPhrase(Buffer.from(salt, 'base64'), Buffer.from(hash, 'base64'))
    if (kind !== 'scrypt' || passPhrase.#salt.length !== saltLength || passPhrase.#hash.length !== hashLength)
      throw refused('it does not hold what polewatch console --new-phrase writes')
    return passPhrase
  }

  async matches(phrase: string): Promise<boolean> {
    return timingSafeEqual(await hashOf(phrase, this.#salt), this.#hash)
  }
}

/** Spaces and capitals, which telephones add, do not count. */
function hashOf(phrase: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const written = phrase.replace(/\s/g, '').toLowerCase()
    scrypt(written, salt, hashLength, cost, (error, hash) => (error === null ? resolve(hash) : reject(error)))
  })
}
