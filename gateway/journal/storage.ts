import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { PolewatchError } from '../errors.js'

export type Connection = Database.Database

/** What marks a kind of SQLite file, and how an empty one is laid out. */
export interface Format {
  readonly applicationId: number
  readonly version: number
  /** Bytes of a new file's pages; a file keeps what it was made with. */
  readonly pageSize: number
  readonly schema: string
  /** What makes version 2 of version 1, version 3 of version 2 and so on: SQL, one transaction together. */
  readonly migrations?: readonly string[]
}

/** A file's content is not what this program wrote; `message` says what is wrong with it. */
export class Damage extends Error {}

// Nothing here may open a database by other means than SQLite while it is open: closing the descriptor would drop the
// process's locks on it.

const busyTimeout = 2000
const setAsideKept = 3

/**
 * Creates the file whole or not at all: it is filled under another name, synced and renamed, so that an empty or
 * half-written file at `path` is damage and never a beginning. Mode 0640: other roles read through their group.
 */
export function createFile(path: string, format: Format, fill: (connection: Connection) => void): void {
  const draft = `${path}.new`
  mkdirSync(dirname(path), { recursive: true, mode: 0o750 })
  removeFile(draft)
  closeSync(openSync(draft, 'wx'))
  // Whatever the process's mask; SQLite gives the files beside it the same rights.
  chmodSync(draft, 0o640)
  const connection = new Database(draft, { timeout: busyTimeout })
  try {
    connection.pragma(`page_size = ${format.pageSize}`)
    connection.pragma('synchronous = FULL')
    connection.transaction(() => {
      connection.pragma(`application_id = ${format.applicationId}`)
      connection.pragma(`user_version = ${format.version}`)
      connection.exec(format.schema)
      fill(connection)
    })()
  } finally {
    connection.close()
  }
  renameSync(draft, path)
  syncFolder(dirname(path))
}

/**
 * Opens an existing file for its one writer: WAL, the given `synchronous`, checked by `quick_check`. Throws `Damage` when
 * the content is wrong, and what SQLite throws when the disk is.
 */
export function openForWriting(path: string, format: Format, synchronous: 'OFF' | 'NORMAL' | 'FULL'): Connection {
  const connection = new Database(path, { fileMustExist: true, timeout: busyTimeout })
  try {
    connection.pragma('trusted_schema = OFF')
    connection.pragma('cell_size_check = ON')
    const version = knownVersion(connection, path, format)
    const found: unknown = connection.pragma('quick_check(1)', { simple: true })
    if (found !== 'ok') throw new Damage(`the check of its pages found: ${String(found)}`)
    if (version < format.version) migrate(connection, path, format, version)
    connection.pragma('journal_mode = WAL')
    connection.pragma(`synchronous = ${synchronous}`)
    connection.pragma('secure_delete = ON')
    connection.pragma('temp_store = MEMORY')
    connection.pragma(`journal_size_limit = ${4 * 1024 * 1024}`)
    // BEGIN IMMEDIATE alone succeeds on a file that cannot be written.
    connection.exec(`BEGIN IMMEDIATE; PRAGMA user_version = ${format.version}; ROLLBACK`)
    return connection
  } catch (error) {
    connection.close()
    if (isDamage(error, path))
      throw new Damage(error instanceof Error ? error.message : String(error), { cause: error })
    throw error
  }
}

/** The version of a file of this format's kind that is this one's or can be made into it. Throws PW_JOURNAL_NEWER, `Damage`. */
function knownVersion(connection: Connection, path: string, format: Format): number {
  if (connection.pragma('application_id', { simple: true }) !== format.applicationId) requireFormat(connection, format)
  const version = Number(connection.pragma('user_version', { simple: true }))
  // A newer format has another schema: with this one's, it is the number that is damaged.
  if (version > format.version && schemaOf(connection) !== schemaOf(format)) {
    throw new PolewatchError('PW_JOURNAL_NEWER', { file: path, found: version, known: format.version })
  }
  if (version < 1 || (format.migrations?.length ?? 0) < format.version - 1 || version > format.version)
    requireFormat(connection, format)
  return version
}

function schemaOf(of: Connection | Format): string {
  if ('schema' in of) {
    const model = new Database(':memory:')
    try {
      model.exec(of.schema)
      return schemaOf(model)
    } finally {
      model.close()
    }
  }
  return JSON.stringify(of.prepare('SELECT name, sql FROM sqlite_schema ORDER BY name').all())
}

/**
 * Brings a file to this format's version, whole or not at all. What it was before is kept beside it as `{path}.version-N`, for a
 * program that goes back.
 */
function migrate(connection: Connection, path: string, format: Format, version: number): void {
  const backup = `${path}.version-${version}`
  removeFile(backup)
  connection.prepare('VACUUM INTO ?').run(backup)
  const copy = openSync(backup, 'r+')
  try {
    fsyncSync(copy)
  } finally {
    closeSync(copy)
  }
  syncFolder(dirname(path))
  connection.pragma('synchronous = FULL')
  connection.transaction(() => {
    for (const step of format.migrations?.slice(version - 1) ?? []) connection.exec(step)
    connection.pragma(`user_version = ${format.version}`)
  })()
}

/** Throws `Damage` unless the open file carries this format's marks. */
export function requireFormat(connection: Connection, format: Format): void {
  if (connection.pragma('application_id', { simple: true }) !== format.applicationId) {
    throw new Damage('its application id is another one')
  }
  const version: unknown = connection.pragma('user_version', { simple: true })
  if (version !== format.version) throw new Damage(`its format is version ${String(version)}, not ${format.version}`)
}

/** Whether an error thrown by SQLite, or by a check of what it read, says that the content is wrong rather than the disk. */
export function isDamage(error: unknown, path: string): boolean {
  if (error instanceof Damage) return true
  if (!(error instanceof Database.SqliteError)) return false
  if (/^SQLITE_(CORRUPT|NOTADB|ERROR|MISMATCH|CONSTRAINT|FORMAT|SCHEMA)/.test(error.code)) return true
  // A header that asks for a newer file format makes a writable file read-only.
  return error.code === 'SQLITE_READONLY' && isWritable(path)
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    accessSync(dirname(path), constants.W_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Renames a file and its write-ahead log out of the way, and keeps the last three of them. `utc` is seconds since 1970.
 * Returns the new name, which opens as a database together with its log.
 */
export function setAside(path: string, utc: number): string {
  const stamp = new Date(utc * 1000).toISOString().replace(/[-:]|\.\d+/g, '')
  let target = `${path}.damaged-${stamp}`
  for (let attempt = 2; existsSync(target) || existsSync(`${target}-wal`); attempt += 1) {
    target = `${path}.damaged-${stamp}-${attempt}`
  }
  for (const part of ['', '-wal', '-shm']) {
    if (existsSync(path + part)) renameSync(path + part, target + part)
  }
  const prefix = `${basename(path)}.damaged-`
  const kept = readdirSync(dirname(path))
    .filter(name => name.startsWith(prefix) && !/-(wal|shm)$/.test(name))
    .sort()
  for (const name of kept.slice(0, -setAsideKept)) removeFile(join(dirname(path), name))
  syncFolder(dirname(path))
  return target
}

/** Removes a database and everything SQLite keeps beside it. */
export function removeFile(path: string): void {
  for (const part of ['', '-wal', '-shm', '-journal']) rmSync(path + part, { force: true })
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/**
 * Holds `{path}.lock` for one process, by a lock that the kernel drops when the process dies. The file stays empty.
 * Throws PW_JOURNAL_IN_USE when another holds it.
 */
export class WriterLock {
  readonly #connection: Connection

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 })
    const file = `${path}.lock`
    // It is never written to, so content is damage. Emptying it leaves another's lock in place.
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0) truncateSync(file)
    this.#connection = new Database(file, { timeout: 0 })
    try {
      this.#connection.pragma('journal_mode = MEMORY')
      this.#connection.exec('BEGIN EXCLUSIVE')
    } catch (error) {
      this.#connection.close()
      throw storageError(error, path)
    }
  }

  release(): void {
    this.#connection.close()
  }
}

/** Whether SQLite or the file system threw this, and the whole transaction with it is void. */
export function isStorageFault(error: unknown): boolean {
  if (error instanceof Damage || (error instanceof PolewatchError && error.code === 'PW_JOURNAL_NEWER')) return true
  if (error instanceof Database.SqliteError) return !/^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG|RANGE)/.test(error.code)
  return error instanceof Error && 'syscall' in error
}

/** Whether an error of a running journal says that its content is wrong. */
export function isCorruption(error: unknown): boolean {
  return (
    error instanceof Damage || (error instanceof Database.SqliteError && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code))
  )
}

/** The error a user can meet for what SQLite or the file system threw. */
export function storageError(error: unknown, file: string): PolewatchError {
  if (error instanceof PolewatchError) return error
  const why = error instanceof Error ? error.message : String(error)
  const code = errorCodeOf(error)
  if (error instanceof Damage || /^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    return new PolewatchError('PW_JOURNAL_UNREADABLE', { file, why }, error)
  }
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) return new PolewatchError('PW_JOURNAL_IN_USE', { file }, error)
  if (/^(SQLITE_FULL|ENOSPC|EDQUOT)/.test(code)) return new PolewatchError('PW_JOURNAL_DISK_FULL', { file }, error)
  const refused = code.startsWith('SQLITE_CANTOPEN') && existsSync(file) && !isWritable(file)
  if (refused || /^(SQLITE_READONLY|EROFS|EACCES|EPERM)/.test(code)) {
    return new PolewatchError('PW_JOURNAL_READ_ONLY', { file }, error)
  }
  return new PolewatchError('PW_JOURNAL_DISK_FAILED', { file, why: `${why} (${code})` }, error)
}

/** The error a user can meet when a file cannot be read. */
export function readingError(error: unknown, file: string): PolewatchError {
  const why = error instanceof Error ? error.message : String(error)
  return new PolewatchError('PW_JOURNAL_UNREADABLE', { file, why }, error)
}

function errorCodeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return 'no code'
  return String(error.code)
}
