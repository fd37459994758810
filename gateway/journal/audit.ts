import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import Database from 'better-sqlite3'
import { type Connection, isStorageFault, readingError } from './storage.js'

/** What an audit record says. `detail` never holds a plate, a key or sound. */
export interface AuditEntry {
  /** What was done, in kebab case: `gunfire`, `plate-hit`, `purge`, `command` … */
  readonly action: string
  /** What it was done to: an alert's id, a stream, the name of a command. */
  readonly subject: string
  readonly detail?: AuditDetail
}

export type AuditDetail = Readonly<Record<string, string | number | boolean | null>>

/** The last record's number (0 before the first) and its hash, 64 hexadecimal digits. */
export interface AuditHead {
  readonly number: number
  readonly hash: string
}

export interface AuditRecord {
  /** Counts from 1 without gaps. */
  readonly number: number
  /** Seconds since 1970 UTC by the system clock; it may step, `number` is the order. */
  readonly time: number
  readonly action: string
  readonly subject: string
  readonly detail: AuditDetail
  readonly previousHash: string
  /** SHA-256, hexadecimal, over the RFC 8785 form of the other six members. */
  readonly hash: string
}

/** The action of a checkpoint, see audit-retention.ts. */
export const checkpointAction = 'audit-purged'

export const firstHead: AuditHead = { number: 0, hash: '0'.repeat(64) }

/** The chain's table. `seal` is a signature of `hash`, on the last record of each commit when the journal has a signer. */
export const auditSchema = `
  CREATE TABLE audit (
    number   INTEGER PRIMARY KEY,
    time     REAL NOT NULL,
    action   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    detail   TEXT NOT NULL,
    previous BLOB NOT NULL CHECK (length(previous) = 32),
    hash     BLOB NOT NULL CHECK (length(hash) = 32),
    seal     TEXT
  ) STRICT;
`

// The package declares an ES default export but is CommonJS, so a typed import cannot call it.
const canonicalize: (value: unknown) => string | undefined = createRequire(import.meta.url)('canonicalize')

/** The hash of a record, from all its other members. */
export function auditHash(record: Omit<AuditRecord, 'hash'>): string {
  const { number, time, action, subject, detail, previousHash } = record
  const text = canonicalize({ number, time, action, subject, detail, previousHash }) ?? ''
  return createHash('sha256').update(text).digest('hex')
}

/** A record as it stands in the file. */
export interface AuditRow {
  number: number
  time: number
  action: string
  subject: string
  detail: string
  previous: Buffer
  hash: Buffer
  seal: string | null
}

/** Adds records to the chain of a file that is open for writing; the caller holds the transaction. */
export class AuditWriter {
  readonly #insert: Database.Statement<[number, number, string, string, string, Buffer, Buffer]>
  readonly #seal: Database.Statement<[string, number]>
  readonly #last: Database.Statement<[], AuditRow>

  constructor(connection: Connection) {
    this.#insert = connection.prepare(
      'INSERT INTO audit (number, time, action, subject, detail, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?)',
    )
    this.#seal = connection.prepare('UPDATE audit SET seal = ? WHERE number = ?')
    this.#last = connection.prepare('SELECT * FROM audit ORDER BY number DESC LIMIT 1')
  }

  /** The head in the file, or undefined when its last record does not hash to what it says. */
  head(): AuditHead | undefined {
    const row = this.#last.get()
    if (row === undefined) return firstHead
    const record = recordOf(row)
    return record !== undefined && auditHash(record) === record.hash ? record : undefined
  }

  add(previous: AuditHead, time: number, entry: AuditEntry): AuditHead {
    const detail = entry.detail ?? {}
    const record = { number: previous.number + 1, time, action: entry.action, subject: entry.subject, detail }
    const hash = auditHash({ ...record, previousHash: previous.hash })
    this.#insert.run(
      record.number,
      time,
      entry.action,
      entry.subject,
      canonicalize(detail) ?? '{}',
      Buffer.from(previous.hash, 'hex'),
      Buffer.from(hash, 'hex'),
    )
    return { number: record.number, hash }
  }

  seal(head: AuditHead, signature: string): void {
    this.#seal.run(signature, head.number)
  }
}

export interface ChainOptions {
  /** Heads seen earlier, from the hub or a printout: a chain that was cut short or rewritten no longer holds them. */
  readonly anchors?: readonly AuditHead[]
  /** Checks the signature of a record's hash; without it seals are not looked at. */
  readonly checkSeal?: (hash: string, seal: string) => boolean
}

export type ChainVerdict =
  | {
      readonly valid: true
      /** Records that are there. */
      readonly records: number
      readonly seals: number
      readonly head: AuditHead
      /** The last record that was deleted because its time was over; number 0 where none was. */
      readonly deleted: AuditHead
      /** Numbers of `anchors` that were deleted since, of which nothing can be said any more. */
      readonly unknown: readonly number[]
    }
  | { readonly valid: false; readonly number: number; readonly why: string }

/**
 * Checks an audit chain from its first record to its last, and that every alert still held is the one its record names. A chain whose
 * oldest records were deleted begins where its newest checkpoint says (audit-retention.ts). Finds any edit, removal and
 * reordering; a chain cut off at its end or rewritten whole is found by `anchors` only. `number` is the first record that
 * fails. Reads the file at `path` and changes nothing. Throws PW_JOURNAL_UNREADABLE where there is no chain to read.
 */
export function verifyChain(path: string, options: ChainOptions = {}): ChainVerdict {
  let connection: Connection | undefined
  try {
    connection = new Database(path, { readonly: true, fileMustExist: true })
    const open = connection
    return open.transaction(() => verifyRecords(open, options))()
  } catch (error) {
    throw isStorageFault(error) ? readingError(error, path) : error
  } finally {
    connection?.close()
  }
}

function verifyRecords(connection: Connection, options: ChainOptions): ChainVerdict {
  const anchors = new Map((options.anchors ?? []).map(anchor => [anchor.number, anchor.hash]))
  const alerts = new Map<number, Buffer>()
  for (const alert of connection
    .prepare<[], { audit: number; bytes: Buffer }>('SELECT audit, bytes FROM alert ORDER BY audit')
    .iterate()) {
    if (alerts.has(alert.audit)) return { valid: false, number: alert.audit, why: 'two alerts claim this record' }
    alerts.set(alert.audit, createHash('sha256').update(alert.bytes).digest())
  }
  const deleted = beginningOf(connection)
  if (deleted === undefined) return { valid: false, number: 1, why: 'what the checkpoint says cannot be read' }
  let head = deleted
  let seals = 0
  // Until a signature at or after it holds, a checkpoint is the word of whoever wrote to the file.
  let vouched = deleted.number === 0
  let sealed = false
  let checkpoint = 0
  for (const row of connection.prepare<[], AuditRow>('SELECT * FROM audit ORDER BY number').iterate()) {
    const number = head.number + 1
    const fault = (why: string): ChainVerdict => ({ valid: false, number, why })
    if (row.number !== number) return fault('the record is missing')
    const record = recordOf(row)
    if (record === undefined) return fault('the detail cannot be read')
    if (record.previousHash !== head.hash) return fault('it does not name the hash of the record before it')
    if (auditHash(record) !== record.hash) return fault('its content does not match its hash')
    const anchor = anchors.get(number)
    if (anchor !== undefined && anchor !== record.hash) return fault('it is not the record that was seen earlier')
    if (record.action === checkpointAction) {
      const { through, hash } = record.detail
      const seen = anchors.get(Number(through))
      if (seen !== undefined && seen !== hash) return fault('it names another record than was seen earlier')
      if (seen !== undefined) anchors.delete(Number(through))
      if (through === deleted.number) checkpoint = number
    }
    if (row.seal !== null) {
      sealed = true
      if (options.checkSeal !== undefined) {
        if (!options.checkSeal(record.hash, row.seal)) return fault('its signature is not by a known key')
        seals += 1
      }
      if (checkpoint > 0) vouched = true
    }
    const digest = alerts.get(number)
    if (digest !== undefined && digest.toString('hex') !== record.detail.digest) {
      return fault('the alert held is not the one recorded')
    }
    alerts.delete(number)
    anchors.delete(number)
    head = record
  }
  if (sealed && !vouched)
    return { valid: false, number: checkpoint, why: 'no signature vouches for the records that were deleted' }
  const unrecorded = alerts.keys().next()
  if (!unrecorded.done)
    return { valid: false, number: unrecorded.value, why: 'an alert is held whose record is missing' }
  const left = [...anchors.keys()].filter(number => number > 0).sort((one, other) => one - other)
  const lost = left.find(number => number > deleted.number)
  if (lost !== undefined) return { valid: false, number: lost, why: 'a record that was seen earlier is missing' }
  const { number, hash } = head
  return { valid: true, records: number - deleted.number, seals, head: { number, hash }, deleted, unknown: left }
}

/** The last record that was deleted, by the newest checkpoint: number 0 where there is none, undefined where it cannot be read. */
function beginningOf(connection: Connection): AuditHead | undefined {
  const row = connection
    .prepare<[string], AuditRow>('SELECT * FROM audit WHERE action = ? ORDER BY number DESC LIMIT 1')
    .get(checkpointAction)
  if (row === undefined) return firstHead
  const { through, hash } = recordOf(row)?.detail ?? {}
  return typeof through === 'number' && typeof hash === 'string' ? { number: through, hash } : undefined
}

/** The record that a row holds; undefined where its detail cannot be read. */
export function recordOf(row: AuditRow): AuditRecord | undefined {
  const detail = parseDetail(row.detail)
  if (detail === undefined) return undefined
  const { number, time, action, subject } = row
  const previousHash = row.previous.toString('hex')
  return { number, time, action, subject, detail, previousHash, hash: row.hash.toString('hex') }
}

function parseDetail(text: string): AuditDetail | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  // The stored text must be the canonical one: two texts for one hash would hide an edit.
  if (canonicalize(value) !== text) return undefined
  const detail: Record<string, string | number | boolean | null> = {}
  for (const [name, member] of Object.entries(value)) {
    if (typeof member === 'string' || typeof member === 'number' || typeof member === 'boolean' || member === null) {
      detail[name] = member
    } else return undefined
  }
  return detail
}
