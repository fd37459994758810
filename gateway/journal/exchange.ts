import { randomBytes } from 'node:crypto'
import { PolewatchError } from '../errors.js'
import { FollowedFile } from './followed-file.js'
import {
  type Connection,
  createFile,
  type Format,
  openForWriting,
  removeFile,
  storageError,
  WriterLock,
} from './storage.js'

const exchangeFormat: Format = {
  applicationId: 0x504c5745,
  version: 1,
  pageSize: 4096,
  schema: `
    CREATE TABLE exchange (
      one        INTEGER PRIMARY KEY CHECK (one = 1),
      generation TEXT NOT NULL,
      dropped    INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE post (
      number    INTEGER PRIMARY KEY,
      kind      TEXT NOT NULL,
      posted_at REAL NOT NULL,
      body      BLOB NOT NULL
    ) STRICT;
    CREATE TABLE latest (
      key    TEXT PRIMARY KEY,
      set_at REAL NOT NULL,
      body   BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
  `,
}

export interface ExchangeOptions {
  readonly path: string
  /** Wall clock, seconds since 1970 UTC. */
  readonly clock: () => number
  /** Most posts kept; default 10,000. */
  readonly rowLimit?: number
  /** Most bytes of bodies kept; default 8 MiB. */
  readonly byteLimit?: number
  /** Called after every `post` and `set`. */
  readonly onBell?: () => void
}

/**
 * What a role lets the others read and need not survive: posts in order, the oldest dropped when there are too many, and
 * latest values by key. The file lives in memory (tmpfs) and begins empty, with a new generation, at every start.
 */
export class Exchange {
  readonly generation = randomBytes(8).toString('hex')
  readonly #options: ExchangeOptions
  readonly #rowLimit: number
  readonly #byteLimit: number
  readonly #lock: WriterLock
  readonly #connection: Connection
  readonly #statements: ReturnType<typeof prepareWriting>
  readonly #write: (work: () => void) => void
  /** Sizes of the posts kept, oldest first, from `#first` on. */
  #sizes: number[] = []
  #first = 0
  #next = 1
  #bytes = 0
  #dropped = 0

  private constructor(options: ExchangeOptions) {
    this.#options = options
    this.#rowLimit = options.rowLimit ?? 10_000
    this.#byteLimit = options.byteLimit ?? 8 * 1024 * 1024
    this.#lock = new WriterLock(options.path)
    try {
      removeFile(options.path)
      createFile(options.path, exchangeFormat, connection => {
        connection.prepare('INSERT INTO exchange VALUES (1, ?, 0)').run(this.generation)
      })
      this.#connection = openForWriting(options.path, exchangeFormat, 'OFF')
      this.#statements = prepareWriting(this.#connection)
      const transaction = this.#connection.transaction((work: () => void) => work())
      this.#write = work => transaction.immediate(work)
    } catch (error) {
      this.#lock.release()
      throw error
    }
  }

  /** Begins the file anew. Throws PW_JOURNAL_IN_USE when another process writes it, PW_EXCHANGE_FAILED when it cannot be made. */
  static open(options: ExchangeOptions): Exchange {
    try {
      return new Exchange(options)
    } catch (error) {
      throw exchangeError(error, options.path)
    }
  }

  /** Posts dropped for room since the start, whether or not anyone had read them. */
  get dropped(): number {
    return this.#dropped
  }

  /** Appends a post and returns its number, counted from 1. A text is kept as UTF-8. Throws PW_EXCHANGE_FAILED. */
  post(kind: string, body: Uint8Array | string): number {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const number = this.#next
    const kept = this.#sizes.length - this.#first
    let drop = 0
    let held = this.#bytes + bytes.byteLength
    while (drop < kept && (kept - drop >= this.#rowLimit || held > this.#byteLimit)) {
      held -= this.#sizes[this.#first + drop] ?? 0
      drop += 1
    }
    const dropped = this.#dropped + drop
    this.#try(() => {
      if (drop > 0) {
        this.#statements.remove.run(number - kept + drop)
        this.#statements.countDropped.run(dropped)
      }
      this.#statements.post.run(number, kind, this.#options.clock(), bytes)
    })
    this.#next += 1
    this.#bytes = held
    this.#dropped = dropped
    this.#first += drop
    this.#sizes.push(bytes.byteLength)
    if (this.#first > this.#rowLimit) {
      this.#sizes = this.#sizes.slice(this.#first)
      this.#first = 0
    }
    this.#options.onBell?.()
    return number
  }

  /** Sets a key's latest value; null removes it. Throws PW_EXCHANGE_FAILED. */
  set(key: string, body: Uint8Array | string | null): void {
    this.#try(() => {
      if (body === null) this.#statements.unset.run(key)
      else this.#statements.set.run(key, this.#options.clock(), typeof body === 'string' ? Buffer.from(body) : body)
    })
    this.#options.onBell?.()
  }

  close(): void {
    this.#connection.close()
    this.#lock.release()
  }

  #try(work: () => void): void {
    try {
      this.#write(work)
    } catch (error) {
      throw exchangeError(error, this.#options.path)
    }
  }
}

/** Where a reader of posts stands; plain data. */
export interface ExchangeCursor {
  readonly generation: string
  readonly number: number
}

export interface Post {
  readonly number: number
  readonly kind: string
  /** Seconds since 1970 UTC. */
  readonly postedAt: number
  readonly body: Buffer
}

export interface PostBatch {
  /** Where to go on; undefined while there is no file. */
  readonly cursor: ExchangeCursor | undefined
  readonly posts: readonly Post[]
  /** The writer has started anew since the cursor was taken; `posts` begin with its first. */
  readonly restarted: boolean
  /** Posts of any kind that were dropped before they could be read. */
  readonly missed: number
}

/** Reads another role's exchange. */
export class ExchangeReader {
  readonly #file: FollowedFile<ReturnType<typeof prepareReading>>

  constructor(path: string) {
    this.#file = new FollowedFile(path, exchangeFormat, prepareReading)
  }

  /** Changes when something was posted or set; undefined while there is no file. Throws PW_JOURNAL_UNREADABLE. */
  version(): string | undefined {
    return this.#file.version()
  }

  /**
   * Posts after a cursor (all that are kept without one), of the kinds named or of all, at most `limit` at a time: call again
   * with the cursor returned until none come. Throws PW_JOURNAL_UNREADABLE.
   */
  after(cursor: ExchangeCursor | undefined, kinds?: readonly string[], limit = 1000): PostBatch {
    return this.#file.read<PostBatch>(
      statements => {
        const { generation, oldest, newest } = statements.extent.get() ?? { generation: '', oldest: null, newest: null }
        const restarted = cursor !== undefined && cursor.generation !== generation
        const from = cursor === undefined || restarted ? 0 : cursor.number
        const posts =
          kinds === undefined
            ? statements.posts.all(from, limit)
            : statements.postsOf.all(from, JSON.stringify(kinds), limit)
        const end = posts.length === limit ? posts.at(-1)?.number : newest
        const missed = cursor === undefined || oldest === null ? 0 : Math.max(0, oldest - from - 1)
        return { cursor: { generation, number: end ?? from }, posts, restarted, missed }
      },
      { cursor, posts: [], restarted: false, missed: 0 },
    )
  }

  /** The latest value of a key, with the time it was set (seconds since 1970 UTC). Throws PW_JOURNAL_UNREADABLE. */
  get(key: string): { body: Buffer; setAt: number } | undefined {
    return this.#file.read(statements => statements.latest.get(key), undefined)
  }

  close(): void {
    this.#file.close()
  }
}

function prepareWriting(connection: Connection) {
  return {
    post: connection.prepare<[number, string, number, Uint8Array]>('INSERT INTO post VALUES (?, ?, ?, ?)'),
    remove: connection.prepare<[number]>('DELETE FROM post WHERE number < ?'),
    countDropped: connection.prepare<[number]>('UPDATE exchange SET dropped = ?'),
    set: connection.prepare<[string, number, Uint8Array]>('REPLACE INTO latest VALUES (?, ?, ?)'),
    unset: connection.prepare<[string]>('DELETE FROM latest WHERE key = ?'),
  }
}

function prepareReading(connection: Connection) {
  const posts = (kinds: string) =>
    `SELECT number, kind, posted_at AS postedAt, body FROM post WHERE number > ? ${kinds} ORDER BY number LIMIT ?`
  return {
    posts: connection.prepare<[number, number], Post>(posts('')),
    postsOf: connection.prepare<[number, string, number], Post>(posts('AND kind IN (SELECT value FROM json_each(?))')),
    extent: connection.prepare<[], { generation: string; oldest: number | null; newest: number | null }>(
      'SELECT generation, (SELECT min(number) FROM post) AS oldest, (SELECT max(number) FROM post) AS newest FROM exchange',
    ),
    latest: connection.prepare<[string], { body: Buffer; setAt: number }>(
      'SELECT body, set_at AS setAt FROM latest WHERE key = ?',
    ),
  }
}

function exchangeError(error: unknown, file: string): PolewatchError {
  const fault = storageError(error, file)
  if (fault.code === 'PW_JOURNAL_IN_USE') return fault
  return new PolewatchError('PW_EXCHANGE_FAILED', { file, why: fault.message }, error)
}
