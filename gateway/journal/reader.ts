import type Database from 'better-sqlite3'
import { newsOf } from './bell.js'
import type { StoredAlert } from './bell-news.js'
import { FollowedFile } from './followed-file.js'
import { journalFormat, type Priority, positionsPerStream, priorities } from './layout.js'
import type { Connection } from './storage.js'

export type { StoredAlert } from './bell-news.js'

/** A stream of a journal: what it still holds and how far it has come. */
export interface StreamExtent {
  readonly source: string
  readonly epoch: string
  readonly priority: Priority
  /** The oldest alert still held; `lastSequence + 1` when none is. */
  readonly firstSequence: number
  /** The last sequence given out; 0 before the first. */
  readonly lastSequence: number
}

/** Reads another role's journal. Cheap to call often: what did not change costs a look at shared memory. */
export class JournalReader {
  readonly #file: FollowedFile<Statements>
  #known: Known | undefined
  /** Whether a bell has told all that is new since the last look. */
  #told = false

  constructor(path: string) {
    this.#file = new FollowedFile(path, journalFormat, prepare)
  }

  /**
   * To be called when the journal's bell has rung, before `streams` is: what is written on it is taken where that is all that is new, and
   * the file need not be looked at.
   */
  heard(bell: string): void {
    const owner = this.#file.owner
    const news = this.#known === undefined || owner === undefined ? null : newsOf(bell, owner)
    const [known, first, last] = [this.#known, news?.alerts[0], news?.alerts.at(-1)]
    this.#told = false
    if (known === undefined || news === null || first === undefined || last === undefined || news.before !== known.head)
      return
    const stream = known.streams.find(({ source, epoch }) => source === first.source && epoch === first.epoch)
    if (stream === undefined || first.sequence !== stream.lastSequence + 1) return
    const streams = known.streams.map(each => (each === stream ? { ...each, lastSequence: last.sequence } : each))
    this.#known = { ...known, head: news.after, streams, newest: new Map([[first.source, [...news.alerts]]]) }
    this.#told = true
  }

  /** The streams, most important first; none while there is no file. Throws PW_JOURNAL_UNREADABLE for a damaged one. */
  streams(): StreamExtent[] {
    const told = this.#told
    this.#told = false
    return (told ? this.#known : this.#look())?.streams ?? []
  }

  /**
   * The alerts of a stream after a sequence, in order, at most `limit`. Numbers that are missing between them were shed. None
   * when the file has another epoch by now. Throws PW_JOURNAL_UNREADABLE for a damaged file.
   */
  read(source: string, epoch: string, afterSequence: number, limit: number): StoredAlert[] {
    // Who read the streams a moment ago asks for what they said; a file that took another's place has another epoch.
    const known = this.#known?.numbers.has(source) ? this.#known : this.#look()
    const number = known?.numbers.get(source)
    const stream = known?.streams.find(candidate => candidate.source === source)
    if (known === undefined || number === undefined || stream === undefined || stream.epoch !== epoch) return []
    const newest = known.newest.get(source)
    if (newest?.[0]?.sequence === afterSequence + 1) return newest.slice(0, limit)
    return this.#file.read(
      statements =>
        statements.epoch.get() === epoch ? alertsOf(statements, stream, number, afterSequence, limit) : [],
      [],
    )
  }

  close(): void {
    this.#file.close()
    this.#known = undefined
  }

  #look(): Known | undefined {
    const version = this.#file.version()
    if (version === undefined) this.#known = undefined
    else if (this.#known?.version !== version) {
      // The version is taken before the streams are read: a commit in between costs one look more, never one less.
      this.#known = this.#file.read<Known | undefined>(statements => {
        const epoch = statements.epoch.get() ?? ''
        const rows = statements.streams.all()
        const numbers = new Map(rows.map(row => [row.source, row.number]))
        const streams = rows.flatMap(row => extentOf(row, epoch))
        const head = statements.head.get() ?? 0
        return { version, head, numbers, streams, newest: newestOf(statements, streams, numbers, this.#known) }
      }, undefined)
    }
    return this.#known
  }
}

interface Known {
  readonly version: string
  /** The audit chain's last number. */
  readonly head: number
  readonly streams: StreamExtent[]
  readonly numbers: Map<string, number>
  /** By source, what has come since the look before, where it was little: whoever looked is about to read it. */
  readonly newest: Map<string, StoredAlert[]>
}

/** Most alerts of a stream that are read together with where it stands. */
const newestLimit = 8

function newestOf(statements: Statements, streams: StreamExtent[], numbers: Map<string, number>, before?: Known) {
  const newest = new Map<string, StoredAlert[]>()
  for (const stream of streams) {
    const { source, epoch, lastSequence } = stream
    const known = before?.streams.find(each => each.source === source && each.epoch === epoch)?.lastSequence
    const number = numbers.get(source)
    if (known === undefined || number === undefined || lastSequence === known || lastSequence - known > newestLimit)
      continue
    newest.set(source, alertsOf(statements, stream, number, known, newestLimit))
  }
  return newest
}

function alertsOf(statements: Statements, stream: StreamExtent, number: number, after: number, limit: number) {
  const { source, epoch, priority, firstSequence } = stream
  const first = number * positionsPerStream + Math.max(after + 1, firstSequence)
  const end = (number + 1) * positionsPerStream - 1
  return statements.alerts.all(first, end, limit).map(row => ({
    source,
    epoch,
    sequence: row.position % positionsPerStream,
    id: row.id,
    topic: row.topic,
    kind: row.kind,
    priority,
    exercise: row.exercise === 1,
    bytes: row.bytes,
    appendedAt: row.appendedAt,
  }))
}

interface StreamRow {
  number: number
  source: string
  priority: number
  floor: number
  first: number | null
  last: number | null
}

function extentOf(row: StreamRow, epoch: string): StreamExtent[] {
  const priority = priorities[row.priority]
  if (priority === undefined) return []
  const lastSequence = Math.max(row.floor, (row.last ?? 0) % positionsPerStream)
  const firstSequence = row.first === null ? lastSequence + 1 : row.first % positionsPerStream
  return [{ source: row.source, epoch, priority, firstSequence, lastSequence }]
}

type Statements = ReturnType<typeof prepare>

function prepare(connection: Connection) {
  const inStream = `alert WHERE position BETWEEN stream.number * ${positionsPerStream}
    AND (stream.number + 1) * ${positionsPerStream} - 1`
  const alerts: Database.Statement<
    [number, number, number],
    { position: number; id: string; topic: string; kind: string; exercise: number; bytes: Buffer; appendedAt: number }
  > = connection.prepare(
    `SELECT position, id, topic, kind, exercise, bytes, appended_at AS appendedAt FROM alert
      WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?`,
  )
  return {
    alerts,
    epoch: connection.prepare<[], string>('SELECT epoch FROM journal').pluck(),
    head: connection.prepare<[], number | null>('SELECT max(number) FROM audit').pluck(),
    streams: connection.prepare<[], StreamRow>(
      `SELECT number, source, priority, floor, (SELECT min(position) FROM ${inStream}) AS first,
        (SELECT max(position) FROM ${inStream}) AS last FROM stream ORDER BY priority, number`,
    ),
  }
}
