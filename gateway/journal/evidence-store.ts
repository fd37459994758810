import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

/*
 * Evidence of alerts, on flash: one file a piece in a folder of its own, `{UTC, milliseconds since 1970}-{id}.{jpg, wav}`. The time is
 * in the name, so that what has to go is known without opening anything and after any step of the file system's clock.
 *
 * With a key the name ends in `.sealed` and the file holds a nonce of 12 bytes, the tag of 16 and the content under AES-256-GCM
 * (NIST SP 800-38D), with the piece's id as associated data: a file given another's name does not open.
 */

const mediaTypes = { jpg: 'image/jpeg', wav: 'audio/wav' } as const

export interface EvidenceStoreOptions {
  readonly folder: string
  readonly format: keyof typeof mediaTypes
  /** Seconds that a piece is kept; 0 keeps none. */
  readonly keepSeconds: number
  /** Most bytes of all pieces together; the oldest go first. 64 MiB unless given. */
  readonly byteLimit?: number
  /** 32 bytes; without them pieces lie there as they are. */
  readonly key?: Uint8Array | null
  /** Wall clock, seconds since 1970 UTC. */
  readonly clock: () => number
}

export interface KeptEvidence {
  readonly id: string
  readonly mediaType: string
  /** Of the content, lower-case hexadecimal. */
  readonly sha256: string
  readonly bytes: number
  /** When it is deleted, seconds since 1970 UTC. */
  readonly until: number
}

/** A piece that lies in the store. */
export interface StoredEvidence {
  readonly id: string
  readonly mediaType: string
  readonly sealed: boolean
  /** Of the file. */
  readonly bytes: number
  /** When it was kept and when it is deleted, seconds since 1970 UTC. */
  readonly since: number
  readonly until: number
}

const named = /^(\d{13})-([a-z0-9-]{1,80})\.(jpg|wav)(\.sealed)?(\.new)?$/
const nonceLength = 12
const tagLength = 16
const cipher = 'aes-256-gcm'

/** Where the evidence of alerts lies until its time is over. */
export class EvidenceStore {
  readonly #options: EvidenceStoreOptions

  constructor(options: EvidenceStoreOptions) {
    this.#options = options
  }

  /** Writes a piece and returns when it is on the disk; null where none may be kept. Throws what the file system says. */
  keep(id: string, content: Uint8Array): KeptEvidence | null {
    const { folder, format, keepSeconds, key = null, clock } = this.#options
    if (keepSeconds <= 0) return null
    mkdirSync(folder, { recursive: true, mode: 0o750 })
    const now = clock()
    const file = join(folder, `${Math.round(now * 1000)}-${id}.${format}${key === null ? '' : '.sealed'}`)
    writeFileSync(`${file}.new`, key === null ? content : sealed(id, content, key), { mode: 0o600, flush: true })
    renameSync(`${file}.new`, file)
    const directory = openSync(folder, 'r')
    try {
      fsyncSync(directory)
    } finally {
      closeSync(directory)
    }
    const sha256 = createHash('sha256').update(content).digest('hex')
    return { id, mediaType: mediaTypes[format], sha256, bytes: content.length, until: now + keepSeconds }
  }

  /** A piece's content; null where there is none, or its time is over. Throws what the file system says, and when it does not open. */
  read(id: string): { mediaType: string; content: Uint8Array } | null {
    const { folder, key = null, clock } = this.#options
    const piece = this.#pieces().find(each => each.id === id && !each.unfinished)
    if (piece === undefined || clock() >= piece.until) return null
    const bytes = readFileSync(join(folder, piece.file))
    if (!piece.sealed) return { mediaType: piece.mediaType, content: bytes }
    if (key === null) throw new Error('it is encrypted, and no key is configured')
    return { mediaType: piece.mediaType, content: opened(id, bytes, key) }
  }

  /** Newest first, without those whose time is over. */
  list(): StoredEvidence[] {
    const now = this.#options.clock()
    return this.#pieces()
      .filter(({ unfinished, until }) => !unfinished && now < until)
      .map(({ id, mediaType, sealed, bytes, since, until }) => ({ id, mediaType, sealed, bytes, since, until }))
  }

  /** Deletes what is older than its time, or too much. Returns what went. Throws what the file system says. */
  purge(): { readonly id: string; readonly why: 'expired' | 'no-room' }[] {
    const { folder, byteLimit = 64 * 2 ** 20, clock } = this.#options
    const now = clock()
    const gone: { id: string; why: 'expired' | 'no-room' }[] = []
    let bytes = 0
    for (const { file, id, until, unfinished, bytes: size } of this.#pieces()) {
      bytes += size
      const expired = now >= until
      if (!unfinished && !expired && bytes <= byteLimit) continue
      rmSync(join(folder, file))
      if (!unfinished) gone.push({ id, why: expired ? 'expired' : 'no-room' })
    }
    return gone
  }

  #pieces() {
    const { folder, keepSeconds } = this.#options
    let files: string[] = []
    try {
      files = readdirSync(folder)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
    return files
      .flatMap(file => {
        const [, time, id, format, mark, unfinished] = named.exec(file) ?? []
        if (time === undefined || id === undefined) return []
        const since = Number(time) / 1000
        return [
          {
            file,
            id,
            mediaType: mediaTypes[format === 'wav' ? 'wav' : 'jpg'],
            sealed: mark !== undefined,
            bytes: statSync(join(folder, file)).size,
            since,
            until: since + keepSeconds,
            unfinished: unfinished !== undefined,
          },
        ]
      })
      .sort((one, other) => other.since - one.since)
  }
}

function sealed(id: string, content: Uint8Array, key: Uint8Array): Buffer {
  const nonce = randomBytes(nonceLength)
  const encryption = createCipheriv(cipher, key, nonce).setAAD(Buffer.from(id))
  const body = Buffer.concat([encryption.update(content), encryption.final()])
  return Buffer.concat([nonce, encryption.getAuthTag(), body])
}

function opened(id: string, bytes: Buffer, key: Uint8Array): Buffer {
  const tag = bytes.subarray(nonceLength, nonceLength + tagLength)
  const decryption = createDecipheriv(cipher, key, bytes.subarray(0, nonceLength), { authTagLength: tagLength })
    .setAAD(Buffer.from(id))
    .setAuthTag(tag)
  return Buffer.concat([decryption.update(bytes.subarray(nonceLength + tagLength)), decryption.final()])
}
