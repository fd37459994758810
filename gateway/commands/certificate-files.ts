import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import type { Configuration } from '../config/schema.js'
import { credentialPrefix } from '../config/secret-file.js'
import { messageOf, PolewatchError } from '../errors.js'
import { belongsTo, newUnitKey, pemCertificates } from '../uplink/unit-certificate.js'

/** Whose files they are on a unit: nobody else reads the key, and its owner may not change it either. */
const owner = 'polewatch-uplink'

/**
 * The unit's key and certificate where the configuration names them. A new key waits beside the old one, as `KEY.pending`, until
 * its certificate is there: an answer that was lost is asked for again with the same key, and a pair is replaced whole. The
 * certificate goes first, so that a pending key that fits the certificate in use shows where a crash came between the two.
 */
export class CertificateFiles {
  readonly #key: string
  readonly #certificate: string
  readonly #authority: string | null

  /** @throws PW_ENROLMENT_SETTINGS where the configuration names no files */
  constructor({ ca, certificate, key }: Configuration['uplink']['tls']) {
    this.#key = fileOf('uplink.tls.key', key)
    this.#certificate = fileOf('uplink.tls.certificate', certificate)
    this.#authority = ca === null || ca.startsWith(credentialPrefix) ? null : ca
    this.#finish()
  }

  /** The key and certificate in use; null where there is no pair. */
  current(): { key: string; certificate: string } | null {
    const key = read(this.#key)
    const certificate = read(this.#certificate)
    return key !== null && certificate !== null && belongsTo(certificate, key) ? { key, certificate } : null
  }

  /** The key that waits for its certificate, made if there is none. */
  pendingKey(): { key: string; file: string } {
    const file = this.#pending
    const waiting = read(file)
    if (waiting !== null) return { key: waiting, file }
    const key = newUnitKey()
    write(file, key, 0o400)
    return { key, file }
  }

  /** Takes the certificate (with those that lead to a root) of the key that waits. */
  replace(chain: string): void {
    write(this.#certificate, chain, 0o444)
    this.#finish()
  }

  /**
   * Keeps the authority's certificates where uplink looks for those of the broker's, unless that is `trust` itself, or the city has put others there: who
   * signs units need not have signed the broker. What enrolment has written is known by its hash in `CA.enrolled` and is replaced when the authority
   * has another root; so is a file of the city with the very same certificates. Whether others of the city stay.
   */
  keepAuthority(certificates: readonly string[], trust: string): boolean {
    const file = this.#authority
    if (file === null || file === trust) return false
    const text = certificates.join('')
    const present = read(file)
    const mark = `${file}.enrolled`
    const written = (read(mark) ?? '').split('\n')
    if (present !== null && present.trim() !== '') {
      if (!written.includes(hashOf(present)) && !sameCertificates(present, text)) return true
      if (present === text && written.includes(hashOf(present))) return false
    }
    // Both hashes, so that what a crash leaves between the two files is known as well.
    write(mark, [...(present === null ? [] : [hashOf(present)]), hashOf(text), ''].join('\n'), 0o444)
    if (present !== text) write(file, text, 0o444)
    return false
  }

  get #pending(): string {
    return `${this.#key}.pending`
  }

  #finish(): void {
    const key = read(this.#pending)
    const certificate = read(this.#certificate)
    if (key === null || certificate === null || !belongsTo(certificate, key)) return
    renameSync(this.#pending, this.#key)
    synchronise(dirname(this.#key))
  }
}

function fileOf(name: string, path: string | null): string {
  if (path !== null && !path.startsWith(credentialPrefix)) return path
  throw new PolewatchError('PW_ENROLMENT_SETTINGS', { why: `${name} names no file` })
}

function sameCertificates(one: string, other: string): boolean {
  const sorted = (text: string): string => pemCertificates(text.replaceAll('\r', '')).sort().join('')
  return sorted(one) === sorted(other)
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function read(file: string): string | null {
  try {
    return existsSync(file) ? readFileSync(file, 'utf8') : null
  } catch (error) {
    throw new PolewatchError('PW_KEY_FILE', { file, why: messageOf(error) }, error)
  }
}

function write(file: string, text: string, mode: number): void {
  try {
    // The other roles may look for the certificate, whatever the mask of this process.
    if (mkdirSync(dirname(file), { recursive: true }) !== undefined) chmodSync(dirname(file), 0o755)
    const draft = `${file}.writing`
    writeFileSync(draft, text, { mode: 0o600, flush: true })
    chmodSync(draft, mode)
    const user = ownerNumber()
    if (user !== null) chownSync(draft, user, 0)
    renameSync(draft, file)
    synchronise(dirname(file))
  } catch (error) {
    throw new PolewatchError('PW_KEY_FILE', { file, why: messageOf(error) }, error)
  }
}

function ownerNumber(): number | null {
  if (process.getuid?.() !== 0) return null
  try {
    return Number(execFileSync('id', ['-u', owner], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  } catch {
    return null
  }
}

function synchronise(folder: string): void {
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
