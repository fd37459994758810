import { createHash } from 'node:crypto'
import type Database from 'better-sqlite3'
import { PolewatchError } from '../errors.js'
import { type AuditEntry, type AuditHead, AuditWriter } from './audit.js'
import type { StoredAlert } from './bell-news.js'
import {
  alertLimit,
  type Position,
  type Priority,
  positionsPerStream,
  priorities,
  rowOverhead,
  streamLimit,
} from './layout.js'
import { type Connection, Damage } from './storage.js'

/** Numbers of one stream that were dropped for room before the hub had them; both ends belong to it. */
export interface ShedRange {
  readonly source: string
  readonly epoch: string
  readonly priority: Priority
  readonly firstSequence: number
  readonly lastSequence: number
  /** Seconds since 1970 UTC of the first and the last dropping. */
  readonly since: number
  readonly until: number
}

export interface AlertDraft {
  readonly priority: Priority
  /** Below `polewatch/v1/{site}/{gateway}/`, such as `alert/gunfire`. */
  readonly topic: string
  /** The message's kind, such as `gunfire`. */
  readonly kind: string
  readonly exercise: boolean
  /**
   * Makes the final bytes for the position given, and signs them; called inside the transaction, and once more with
   * another position should the file turn out damaged. `shed` is empty unless `reportsShed` is set. What it throws rejects
   * this append alone, and its number goes to the next.
   */
  readonly encode: (position: Position, shed: readonly ShedRange[]) => { id: string; bytes: Uint8Array }
  /** This alert tells the hub what was shed: it is given at most 100 ranges that no other alert names, and takes them over. */
  readonly reportsShed?: boolean
  readonly audit: AuditEntry
}

export interface Confirmation extends Position {
  readonly id: string
}

export interface StreamState {
  readonly number: number
  readonly source: string
  readonly rank: number
  /** The last sequence given out, 0 before the first. */
  readonly last: number
}

interface State {
  readonly streams: Map<string, StreamState>
  /** Bytes of alerts held, each with its overhead. */
  held: number
  head: AuditHead
}

interface StreamRow {
  number: number
  source: string
  priority: number
  floor: number
}

interface ShedRow {
  number: number
  source: string
  priority: number
  first: number
  last: number
  since: number
  until: number
}

/**
 * Pages of the write-ahead log that are worth a checkpoint. A log that has its full length takes an alert in fewer blocks than one
 * that still grows, which each time is noted in the file system's own journal.
 */
const checkpointPages = 300

const shedSelect = `SELECT shed.number, source, priority, first, last, since, until FROM shed
  JOIN stream ON stream.number = shed.stream WHERE report IS NULL ORDER BY shed.number LIMIT 100`

/** What a caller's `encode` threw; it says nothing about the disk, whatever it looks like. */
export class EncodeFailure extends Error {
  readonly reason: unknown

  constructor(reason: unknown) {
    super('an alert could not be encoded', { cause: reason })
    this.reason = reason
  }
}

/** One open journal file. What changes it runs inside a transaction made by `write`. */
export class Outbox {
  readonly epoch: string
  readonly #connection: Connection
  readonly #audit: AuditWriter
  readonly #statements: ReturnType<typeof prepare>
  readonly #transaction: Database.Transaction<(work: () => void) => void>
  #state: State

  /** Reads where the streams and the chain stand. Throws `Damage` when what is read contradicts itself. */
  constructor(connection: Connection, role: string) {
    this.#connection = connection
    this.#audit = new AuditWriter(connection)
    this.#statements = prepare(connection)
    this.#transaction = connection.transaction((work: () => void) => work())
    // A checkpoint inside a commit would hold up the alert: see `checkpoint`.
    connection.pragma('wal_autocheckpoint = 0')
    const identity = this.#statements.identity.get()
    if (identity === undefined) throw new Damage('it does not say whose it is')
    if (identity.role !== role) throw new Damage('it belongs to another role')
    this.epoch = identity.epoch
    const head = this.#audit.head()
    if (head === undefined) throw new Damage('the last audit record does not match its hash')
    const streams = new Map<string, StreamState>()
    for (const { number, source, priority, floor } of this.#statements.streams.all()) {
      const newest = this.#statements.newest.get(...range(number)) ?? 0
      streams.set(source, { number, source, rank: priority, last: Math.max(floor, newest % positionsPerStream) })
    }
    this.#state = { streams, held: this.#statements.held.get() ?? 0, head }
  }

  // Inside a transaction these tell what it has made of them so far.
  get head(): AuditHead {
    return this.#state.head
  }

  get held(): number {
    return this.#state.held
  }

  get streams(): StreamState[] {
    return [...this.#state.streams.values()]
  }

  get lastPurge(): number | null {
    return this.#statements.identity.get()?.lastPurge ?? null
  }

  /** Moves the write-ahead log into the database when it is long, as far as no reader needs it; between commits, not inside one. */
  checkpoint(): void {
    if ((this.#statements.logged.get()?.log ?? 0) >= checkpointPages) this.#connection.pragma('wal_checkpoint(PASSIVE)')
  }

  /** Moves the write-ahead log into the database and gives its room back, as far as the disk lets it. */
  shrinkLog(): void {
    try {
      this.#connection.pragma('wal_checkpoint(TRUNCATE)')
    } catch {
      // Whether it helped shows at the next write.
    }
  }

  /**
   * Whether all of what is deleted is overwritten, or only what costs no further page. Overwriting logs every page that it sets free,
   * which a full disk has no room for.
   */
  overwriteDeleted(all: boolean): void {
    this.#connection.pragma(`secure_delete = ${all ? 'ON' : 'FAST'}`)
  }

  close(): void {
    this.#connection.close()
  }

  /** Runs `work` as one transaction; when it throws, file and state are as before. `seal` signs the chain's new head. */
  write<Result>(work: () => Result, seal?: (hash: string) => string): Result {
    return this.#restoring(this.#transaction.immediate, () => {
      const before = this.head.number
      const value = work()
      if (seal !== undefined && this.head.number > before) this.#audit.seal(this.head, seal(this.head.hash))
      return value
    })
  }

  /** Runs a part of a transaction; when it throws, that part alone is undone. */
  attempt<Result>(work: () => Result): Result {
    return this.#restoring(this.#transaction, work)
  }

  #restoring<Result>(transaction: (work: () => void) => void, work: () => Result): Result {
    const before = this.#state
    this.#state = { ...before, streams: new Map(before.streams) }
    const results: Result[] = []
    try {
      transaction(() => results.push(work()))
    } catch (error) {
      this.#state = before
      throw error
    }
    for (const result of results) return result
    throw new Error('a transaction ended without running')
  }

  record(time: number, entry: AuditEntry): AuditHead {
    this.#state.head = this.#audit.add(this.#state.head, time, entry)
    return this.#state.head
  }

  /** Stores one alert with its audit record, and adds it to `stored`. Throws EncodeFailure for what `encode` throws. */
  add(source: string, draft: AlertDraft, time: number, stored: StoredAlert[]): Confirmation {
    const rank = priorities.indexOf(draft.priority)
    const stream = this.#state.streams.get(source) ?? this.#addStream(source, rank)
    const position = { source, epoch: this.epoch, sequence: stream.last + 1 }
    const named = draft.reportsShed === true ? this.#statements.pendingShed.all() : []
    const { id, bytes } = encodeWith(
      draft,
      position,
      named.map(row => shedRange(row, this.epoch)),
    )
    if (bytes.byteLength > alertLimit) {
      throw new PolewatchError('PW_JOURNAL_ALERT_TOO_LARGE', { bytes: bytes.byteLength, limit: alertLimit })
    }
    const key = stream.number * positionsPerStream + position.sequence
    const digest = createHash('sha256').update(bytes).digest('hex')
    const detail = { ...draft.audit.detail, source, sequence: position.sequence, digest }
    const { number } = this.record(time, { ...draft.audit, detail })
    const exercise = draft.exercise ? 1 : 0
    this.#statements.insert.run(key, id, draft.topic, draft.kind, exercise, time, number, bytes)
    for (const row of named) this.#statements.reportShed.run(key, row.number)
    this.#state.streams.set(source, { ...stream, last: position.sequence })
    this.#state.held += bytes.byteLength + rowOverhead
    const { topic, kind, priority } = draft
    stored.push({
      ...position,
      id,
      topic,
      kind,
      priority,
      exercise: draft.exercise,
      // The same memory: most commits are too large to be told, and none of them is copied.
      bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      appendedAt: time,
    })
    return { ...position, id }
  }

  #addStream(source: string, rank: number): StreamState {
    const number = this.#state.streams.size + 1
    if (number > streamLimit) throw new PolewatchError('PW_JOURNAL_TOO_MANY_STREAMS', { limit: streamLimit })
    this.#statements.addStream.run(number, source, rank)
    const stream = { number, source, rank, last: 0 }
    this.#state.streams.set(source, stream)
    return stream
  }

  /** Deletes the lowest priority's oldest alerts until at most `limit` bytes are held. Returns what went. */
  shed(limit: number, time: number): { source: string; sequence: number }[] {
    const gone: { source: string; sequence: number }[] = []
    const lowestFirst = this.streams.sort((a, b) => b.rank - a.rank || a.number - b.number)
    for (const stream of lowestFirst) {
      const { source, number } = stream
      const before = gone.length
      while (this.held > limit) {
        const oldest = this.#statements.oldest.get(...range(number))
        if (oldest === undefined) break
        const sequence = oldest.position % positionsPerStream
        this.#statements.remove.run(oldest.position, oldest.position)
        this.#statements.forgetReport.run(oldest.position)
        const extended = this.#statements.extendShed.run(time, number, sequence - 1)
        if (extended.changes === 0) this.#statements.addShed.run(number, sequence, sequence, time, time)
        this.#state.held -= oldest.bytes + rowOverhead
        gone.push({ source, sequence })
      }
      const [first, last] = [gone[before], gone.at(-1)]
      if (first === undefined || last === undefined || gone.length === before) continue
      this.#statements.floor.run(stream.last, number)
      const detail = { first: first.sequence, last: last.sequence, alerts: gone.length - before }
      this.record(time, { action: 'shed', subject: source, detail })
    }
    return gone
  }

  /** Deletes at most `limit` of a stream's alerts up to and with a sequence, and records it. Returns how many went. */
  purge(stream: StreamState, through: number, limit: number, time: number): number {
    const [first] = range(stream.number)
    const chunk = this.#statements.chunk.get(first, first + through, limit)
    if (chunk === undefined || chunk.last === null) return 0
    this.#statements.remove.run(first, chunk.last)
    this.#statements.removeReported.run(first, chunk.last)
    this.#statements.floor.run(stream.last, stream.number)
    this.#statements.notePurge.run(time)
    this.#state.held -= (chunk.bytes ?? 0) + chunk.rows * rowOverhead
    const detail = { through: chunk.last % positionsPerStream, alerts: chunk.rows }
    this.record(time, { action: 'purge', subject: stream.source, detail })
    return chunk.rows
  }

  /** What was shed and is not yet named by a held alert, at most 100 ranges, oldest first. */
  pendingShed(): ShedRange[] {
    return this.#statements.pendingShed.all().map(row => shedRange(row, this.epoch))
  }
}

function encodeWith(draft: AlertDraft, position: Position, shed: readonly ShedRange[]) {
  try {
    return draft.encode(position, shed)
  } catch (error) {
    throw new EncodeFailure(error)
  }
}

function shedRange(row: ShedRow, epoch: string): ShedRange {
  const priority = priorities[row.priority]
  if (priority === undefined) throw new Damage('a stream has an unknown priority')
  const { source, first, last, since, until } = row
  return { source, epoch, priority, firstSequence: first, lastSequence: last, since, until }
}

/** The lowest and the highest key of a stream's alerts; the lowest is never used, sequences begin at 1. */
function range(stream: number): [number, number] {
  return [stream * positionsPerStream, (stream + 1) * positionsPerStream - 1]
}

function prepare(connection: Connection) {
  const statement = <Parameters extends unknown[], Row = unknown>(sql: string): Database.Statement<Parameters, Row> =>
    connection.prepare<Parameters, Row>(sql)
  return {
    identity: statement<[], { role: string; epoch: string; lastPurge: number | null }>(
      'SELECT role, epoch, last_purge AS lastPurge FROM journal',
    ),
    logged: statement<[], { log: number }>('PRAGMA wal_checkpoint(NOOP)'),
    notePurge: statement<[number]>('UPDATE journal SET last_purge = ?'),
    streams: statement<[], StreamRow>('SELECT number, source, priority, floor FROM stream'),
    addStream: statement<[number, string, number]>('INSERT INTO stream VALUES (?, ?, ?, 0)'),
    floor: statement<[number, number]>('UPDATE stream SET floor = ? WHERE number = ?'),
    newest: connection
      .prepare<[number, number], number | null>('SELECT max(position) FROM alert WHERE position BETWEEN ? AND ?')
      .pluck(),
    held: connection.prepare<[], number>(`SELECT coalesce(sum(length(bytes) + ${rowOverhead}), 0) FROM alert`).pluck(),
    insert: statement<[number, string, string, string, number, number, number, Uint8Array]>(
      'INSERT INTO alert VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    oldest: statement<[number, number], { position: number; bytes: number }>(
      'SELECT position, length(bytes) AS bytes FROM alert WHERE position BETWEEN ? AND ? ORDER BY position LIMIT 1',
    ),
    chunk: statement<[number, number, number], { rows: number; bytes: number | null; last: number | null }>(
      `SELECT count(*) AS rows, sum(bytes) AS bytes, max(position) AS last FROM (
        SELECT position, length(bytes) AS bytes FROM alert WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?)`,
    ),
    remove: statement<[number, number]>('DELETE FROM alert WHERE position BETWEEN ? AND ?'),
    pendingShed: statement<[], ShedRow>(shedSelect),
    addShed: statement<[number, number, number, number, number]>(
      'INSERT INTO shed (stream, first, last, since, until) VALUES (?, ?, ?, ?, ?)',
    ),
    extendShed: statement<[number, number, number]>(
      'UPDATE shed SET last = last + 1, until = ? WHERE stream = ? AND last = ? AND report IS NULL',
    ),
    reportShed: statement<[number, number]>('UPDATE shed SET report = ? WHERE number = ?'),
    forgetReport: statement<[number]>('UPDATE shed SET report = NULL WHERE report = ?'),
    removeReported: statement<[number, number]>('DELETE FROM shed WHERE report BETWEEN ? AND ?'),
  }
}
