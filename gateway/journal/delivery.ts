import { existsSync } from 'node:fs'
import { PolewatchError } from '../errors.js'
import { FollowedFile } from './followed-file.js'
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

/** Streams and epochs kept; the longest unchanged goes first. */
const acknowledgementLimit = 1000
/** So many alerts may be sent again after a crash to spare the flash a page each. */
export const unwrittenLimit = 25

const deliveryFormat: Format = {
  applicationId: 0x504c5744,
  version: 1,
  pageSize: 512,
  schema: `
    CREATE TABLE acknowledgement (
      source   TEXT NOT NULL,
      epoch    TEXT NOT NULL,
      sequence INTEGER NOT NULL,
      time     REAL NOT NULL,
      PRIMARY KEY (source, epoch)
    ) STRICT, WITHOUT ROWID;
  `,
}

export interface DeliveryOptions {
  readonly path: string
  /** Wall clock, seconds since 1970 UTC. */
  readonly clock: () => number
  /** How long acknowledgements may wait to be written once they are of 25 alerts, seconds; default 2. */
  readonly delay?: number
  /** And while they are of fewer; default 3,600. Losing them only sends those alerts again. */
  readonly quietDelay?: number
  /** Called when the file cannot be opened or written, each time it was tried, and with null when that is over. */
  readonly onFault?: (fault: PolewatchError | null) => void
  /** PW_JOURNAL_DAMAGED: a damaged file was set aside, and what the journals hold is sent again. */
  readonly onDamage?: (damage: PolewatchError) => void
}

interface Entry {
  readonly source: string
  readonly epoch: string
  readonly sequence: number
  readonly time: number
}

/**
 * Uplink's own file: how far the hub has acknowledged each stream. Written lazily, without a sync a commit. While the disk
 * cannot be written it is kept in memory only.
 */
export class Delivery {
  readonly #options: DeliveryOptions
  #lock: WriterLock | undefined
  #connection: Connection | undefined
  readonly #entries = new Map<string, Entry>()
  readonly #changed = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  /** Alerts whose acknowledgement is not written; infinite when more than a repetition depends on writing. */
  #unwritten = 0
  #hurried = false
  #fault: PolewatchError | null = null

  private constructor(options: DeliveryOptions) {
    this.#options = options
    this.#try(() => this.#open())
    if (this.#lock === undefined && this.#fault?.code === 'PW_JOURNAL_IN_USE') throw this.#fault
  }

  /** Opens or creates the file; a damaged one is set aside. Throws PW_JOURNAL_IN_USE when another process has it. */
  static open(options: DeliveryOptions): Delivery {
    return new Delivery(options)
  }

  /** The hub has everything of the stream up to and with `sequence`. A lower number than before changes nothing. */
  acknowledge(source: string, epoch: string, sequence: number): void {
    const before = this.acknowledged(source, epoch)
    if (sequence <= before) return
    this.#unwritten += sequence - before
    this.#entries.set(keyOf(source, epoch), { source, epoch, sequence, time: this.#options.clock() })
    this.#change(source, epoch)
  }

  /** The last sequence the hub has, without a gap before it; 0 when it has none. */
  acknowledged(source: string, epoch: string): number {
    return this.#entries.get(keyOf(source, epoch))?.sequence ?? 0
  }

  /** Forgets a stream of an epoch, so that all that is held of it is sent again: the hub has come back empty. */
  forget(source: string, epoch: string): void {
    if (!this.#entries.delete(keyOf(source, epoch))) return
    this.#unwritten = Number.POSITIVE_INFINITY
    this.#change(source, epoch)
  }

  /** Writes what waits, now. A fault of the disk goes to `onFault`, and what waits is kept for the next time. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#hurried = false
    if (this.#changed.size === 0) return
    this.#try(() => {
      const connection = this.#connection ?? this.#open()
      const replace = connection.prepare('REPLACE INTO acknowledgement VALUES (?, ?, ?, ?)')
      const remove = connection.prepare(`DELETE FROM acknowledgement WHERE epoch || ' ' || source = ?`)
      connection
        .transaction(() => {
          for (const key of this.#changed) {
            const entry = this.#entries.get(key)
            if (entry === undefined) remove.run(key)
            else replace.run(entry.source, entry.epoch, entry.sequence, entry.time)
          }
        })
        .immediate()
      this.#changed.clear()
      this.#unwritten = 0
    })
  }

  close(): void {
    this.flush()
    this.#connection?.close()
    this.#lock?.release()
  }

  #change(source: string, epoch: string): void {
    this.#changed.add(keyOf(source, epoch))
    const oldest = this.#entries.size > acknowledgementLimit ? longestUnchanged(this.#entries) : undefined
    if (oldest !== undefined && this.#entries.delete(oldest)) this.#changed.add(oldest)
    this.#schedule()
  }

  #schedule(): void {
    const hurry = this.#unwritten >= unwrittenLimit
    if (this.#timer !== undefined && (this.#hurried || !hurry)) return
    clearTimeout(this.#timer)
    this.#hurried = hurry
    const { delay = 2, quietDelay = 3600 } = this.#options
    this.#timer = setTimeout(() => this.flush(), (hurry ? delay : quietDelay) * 1000).unref()
  }

  #open(): Connection {
    const { path, clock } = this.#options
    this.#lock ??= new WriterLock(path)
    const connection = openOrCreate(path, clock, damage => this.#options.onDamage?.(damage))
    const rows = connection.prepare<[], Entry>('SELECT source, epoch, sequence, time FROM acknowledgement')
    for (const entry of rows.all()) {
      const key = keyOf(entry.source, entry.epoch)
      if (!this.#changed.has(key)) this.#entries.set(key, entry)
    }
    this.#connection = connection
    return connection
  }

  #try(work: () => void): void {
    try {
      work()
      if (this.#fault !== null) this.#options.onFault?.(null)
      this.#fault = null
    } catch (error) {
      const fault = storageError(error, this.#options.path)
      this.#fault = fault
      this.#connection?.close()
      this.#connection = undefined
      this.#options.onFault?.(fault)
    }
  }
}

/** Reads uplink's file from the role that owns a journal. */
export class DeliveryReader {
  readonly #file: FollowedFile<{ get: (source: string, epoch: string) => number | undefined }>

  constructor(path: string) {
    this.#file = new FollowedFile(path, deliveryFormat, connection => {
      const select = connection
        .prepare<[string, string], number>('SELECT sequence FROM acknowledgement WHERE source = ? AND epoch = ?')
        .pluck()
      return { get: (source, epoch) => select.get(source, epoch) }
    })
  }

  /** As far as it was written, up to 24 alerts behind; 0 where nothing is known. Throws PW_JOURNAL_UNREADABLE. */
  acknowledged(source: string, epoch: string): number {
    return this.#file.read(statements => statements.get(source, epoch), undefined) ?? 0
  }

  close(): void {
    this.#file.close()
  }
}

function openOrCreate(path: string, clock: () => number, onDamage: (damage: PolewatchError) => void): Connection {
  if (existsSync(path)) {
    try {
      return openForWriting(path, deliveryFormat, 'NORMAL')
    } catch (error) {
      if (!isDamage(error, path)) throw error
      const why = error instanceof Error ? error.message : String(error)
      onDamage(new PolewatchError('PW_JOURNAL_DAMAGED', { file: path, why, movedTo: setAside(path, clock()) }, error))
    }
  } else if (existsSync(`${path}-wal`)) setAside(path, clock())
  createFile(path, deliveryFormat, () => {})
  return openForWriting(path, deliveryFormat, 'NORMAL')
}

function longestUnchanged(entries: ReadonlyMap<string, Entry>): string | undefined {
  let oldest: [string, Entry] | undefined
  for (const candidate of entries) {
    if (oldest === undefined || candidate[1].time < oldest[1].time) oldest = candidate
  }
  return oldest?.[0]
}

function keyOf(source: string, epoch: string): string {
  return `${epoch} ${source}`
}
