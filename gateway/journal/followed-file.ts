import { existsSync, rmSync, statSync } from 'node:fs'
import Database from 'better-sqlite3'
import { type Connection, type Format, isStorageFault, readingError, requireFormat } from './storage.js'

interface Open<Prepared> {
  readonly connection: Connection
  readonly inode: number
  readonly prepared: Prepared
  readonly version: Database.Statement<[], number>
  readonly transaction: (work: () => void) => void
}

/**
 * Another role's database, opened read-only as soon as it is there, and again when its owner puts a new one in its place.
 * No transaction outlives a call, so a reader never keeps the owner's write-ahead log from starting over.
 */
export class FollowedFile<Prepared> {
  readonly #path: string
  readonly #format: Format
  readonly #prepare: (connection: Connection) => Prepared
  /** Tells one connection's versions from the next one's. */
  #connections = 0
  #open: Open<Prepared> | undefined

  constructor(path: string, format: Format, prepare: (connection: Connection) => Prepared) {
    this.#path = path
    this.#format = format
    this.#prepare = prepare
  }

  /**
   * Runs `read` in one read transaction, or gives `absent` while there is no file, or another user's is closed. Throws
   * PW_JOURNAL_UNREADABLE when the file is damaged or of another kind, and whatever else prevents reading.
   */
  read<Result>(read: (prepared: Prepared) => Result, absent: Result): Result {
    // A second round when the file was replaced during the first, as its log may have been the new one's.
    for (let round = 0; round < 3; round += 1) {
      const inode = this.#inode()
      if (inode === undefined) break
      try {
        const open = this.#connect(inode)
        if (open === undefined) break
        const results: Result[] = []
        open.transaction(() => results.push(read(open.prepared)))
        if (this.#inode() === inode) for (const result of results) return result
      } catch (error) {
        this.close()
        if (this.#inode() === inode) throw isStorageFault(error) ? readingError(error, this.#path) : error
      }
    }
    this.close()
    return absent
  }

  /**
   * A text that changes when the owner has committed since the last call or the file was replaced; undefined while there is
   * none. It reads shared memory only.
   */
  version(): string | undefined {
    const inode = this.#inode()
    if (inode === undefined) return undefined
    try {
      const open = this.#connect(inode)
      return open && `${this.#connections}.${open.version.get()}`
    } catch (error) {
      this.close()
      if (this.#inode() !== inode) return undefined
      throw readingError(error, this.#path)
    }
  }

  /** The number of the user whose file it is; undefined while there is none. */
  get owner(): number | undefined {
    return statSync(this.#path, { throwIfNoEntry: false })?.uid
  }

  close(): void {
    this.#open?.connection.close()
    this.#open = undefined
  }

  /**
   * Undefined also while a file of another user has no write-ahead log, as after its owner has closed it: SQLite would make one
   * that belongs to the reader, which the owner could neither write nor remove when it comes back. As root it gives it to the owner.
   */
  #inode(): number | undefined {
    const file = statSync(this.#path, { throwIfNoEntry: false })
    const reader = process.geteuid?.() ?? 0
    if (file === undefined || reader === 0 || file.uid === reader || existsSync(`${this.#path}-wal`)) return file?.ino
    return undefined
  }

  /** Undefined where the owner has closed the file since it was looked at. */
  #connect(inode: number): Open<Prepared> | undefined {
    if (this.#open?.inode === inode) return this.#open
    this.close()
    const connection = new Database(this.#path, { readonly: true, fileMustExist: true, timeout: 1000 })
    try {
      connection.pragma('trusted_schema = OFF')
      requireFormat(connection, this.#format)
      if (this.#removeOwnTraces()) {
        connection.close()
        return undefined
      }
      const version = connection.prepare<[], number>('PRAGMA data_version').pluck()
      this.#connections += 1
      const transaction = connection.transaction((work: () => void) => work())
      this.#open = { connection, inode, prepared: this.#prepare(connection), version, transaction }
      return this.#open
    } catch (error) {
      connection.close()
      this.#removeOwnTraces()
      throw error
    }
  }

  /**
   * Where another user closed the file between the look at its log and the opening, SQLite has made a log or its index for this reader,
   * which in a folder where nobody removes another's files would keep the owner out for good. Whether there were any.
   */
  #removeOwnTraces(): boolean {
    const reader = process.geteuid?.() ?? 0
    if (reader === 0 || this.owner === reader) return false
    const own = ['-wal', '-shm'].filter(part => statSync(this.#path + part, { throwIfNoEntry: false })?.uid === reader)
    for (const part of own) rmSync(this.#path + part, { force: true })
    return own.length > 0
  }
}
