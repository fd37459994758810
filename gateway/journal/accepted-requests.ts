import { existsSync } from 'node:fs'
import { PolewatchError } from '../errors.js'
import {
  type Connection,
  createFile,
  type Format,
  isDamage,
  openForWriting,
  setAside,
  storageError,
  WriterLock,
} from './storage.js'

const format: Format = {
  applicationId: 0x504c5752,
  version: 1,
  pageSize: 512,
  schema: `
    CREATE TABLE horizon (
      one     INTEGER PRIMARY KEY CHECK (one = 1),
      begun   REAL NOT NULL,
      expired REAL NOT NULL
    ) STRICT;
    CREATE TABLE request (
      number      INTEGER PRIMARY KEY,
      token       TEXT NOT NULL UNIQUE,
      name        TEXT NOT NULL,
      accepted_at REAL NOT NULL,
      expires     REAL NOT NULL,
      body        BLOB
    ) STRICT;
  `,
}

const usualLimit = 4096

export interface AcceptedRequest {
  /** What makes it the only one: the key's id and the nonce. */
  readonly token: string
  readonly name: string
  /** When it was made and when it ends, by its maker's clock; seconds since 1970 UTC. */
  readonly issued: number
  readonly expires: number
  /** Kept for what another role has yet to do; null for what is done at once. */
  readonly body: Uint8Array | null
}

/** `before-this-file`: it was made before the file was, so nothing is known of whether it was obeyed. */
export type Acceptance = 'accepted' | 'replayed' | 'before-this-file' | 'full'

/**
 * Uplink's file of the requests that it has accepted: none is obeyed twice, also over restarts, and what another role has yet
 * to do outlives a loss of power. What was forgotten as expired stays refused, however the clock is set afterwards.
 */
export class AcceptedRequests {
  readonly #lock: WriterLock
  readonly #connection: Connection
  readonly #path: string
  readonly #clock: () => number
  readonly #statements: ReturnType<typeof prepare>
  /** PW_JOURNAL_DAMAGED where a damaged file was moved away; null where none was. */
  readonly setAside: PolewatchError | null

  readonly #limit: number

  private constructor(path: string, clock: () => number, limit: number) {
    this.#path = path
    this.#limit = limit
    this.#clock = clock
    this.#lock = new WriterLock(path)
    try {
      const { connection, damage } = openOrCreate(path, clock)
      this.#connection = connection
      this.setAside = damage
      this.#statements = prepare(connection)
    } catch (error) {
      this.#lock.release()
      throw error
    }
  }

  /**
   * Opens or creates the file; a damaged one is set aside. `clock` gives seconds since 1970 UTC. At most `limit` requests are
   * remembered; those that have expired are forgotten when there are half as many. Throws PW_JOURNAL_IN_USE,
   * PW_JOURNAL_DISK_FULL, PW_JOURNAL_READ_ONLY and PW_JOURNAL_DISK_FAILED.
   */
  static open(path: string, clock: () => number, limit = usualLimit): AcceptedRequests {
    try {
      return new AcceptedRequests(path, clock, limit)
    } catch (error) {
      throw storageError(error, path)
    }
  }

  /** Takes a request, which is on the disk when this returns `accepted`. Throws as `open` does. */
  accept(request: AcceptedRequest): Acceptance {
    try {
      return this.#connection.transaction(() => this.#accept(request)).immediate()
    } catch (error) {
      throw storageError(error, this.#path)
    }
  }

  /** What other roles have yet to do, oldest first. */
  pending(): { readonly name: string; readonly body: Uint8Array }[] {
    return this.#statements.pending.all(this.#clock())
  }

  close(): void {
    this.#connection.close()
    this.#lock.release()
  }

  #accept({ token, name, issued, expires, body }: AcceptedRequest): Acceptance {
    const now = this.#clock()
    const { begun, expired } = this.#statements.horizon.get() ?? { begun: now, expired: now }
    if (this.#statements.find.get(token) !== undefined || expires <= expired) return 'replayed'
    if (issued < begun) return 'before-this-file'
    const rows = this.#statements.count.get() ?? 0
    if (rows >= this.#limit / 2) {
      this.#statements.raise.run(now)
      this.#statements.forget.run(now)
    }
    if ((this.#statements.count.get() ?? 0) >= this.#limit) return 'full'
    this.#statements.add.run(token, name, now, expires, body)
    return 'accepted'
  }
}

function prepare(connection: Connection) {
  return {
    horizon: connection.prepare<[], { begun: number; expired: number }>('SELECT begun, expired FROM horizon'),
    find: connection.prepare<[string], number>('SELECT number FROM request WHERE token = ?').pluck(),
    count: connection.prepare<[], number>('SELECT count(*) FROM request').pluck(),
    raise: connection.prepare<[number]>(
      'UPDATE horizon SET expired = max(expired, coalesce((SELECT max(expires) FROM request WHERE expires <= ?), 0))',
    ),
    forget: connection.prepare<[number]>('DELETE FROM request WHERE expires <= ?'),
    add: connection.prepare<[string, string, number, number, Uint8Array | null]>(
      'INSERT INTO request (token, name, accepted_at, expires, body) VALUES (?, ?, ?, ?, ?)',
    ),
    pending: connection.prepare<[number], { name: string; body: Buffer }>(
      'SELECT name, body FROM request WHERE body IS NOT NULL AND expires > ? ORDER BY number',
    ),
  }
}

function openOrCreate(path: string, clock: () => number): { connection: Connection; damage: PolewatchError | null } {
  let damage: PolewatchError | null = null
  if (existsSync(path)) {
    try {
      return { connection: openForWriting(path, format, 'FULL'), damage }
    } catch (error) {
      if (!isDamage(error, path)) throw error
      const why = error instanceof Error ? error.message : String(error)
      damage = new PolewatchError('PW_JOURNAL_DAMAGED', { file: path, why, movedTo: setAside(path, clock()) }, error)
    }
  }
  createFile(path, format, connection => {
    connection.prepare<[number]>('INSERT INTO horizon VALUES (1, ?, 0)').run(clock())
  })
  return { connection: openForWriting(path, format, 'FULL'), damage }
}
