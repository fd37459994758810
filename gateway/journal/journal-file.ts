import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { PolewatchError } from '../errors.js'
import { AuditWriter, firstHead } from './audit.js'
import { AuditRetention } from './audit-retention.js'
import { journalFormat } from './layout.js'
import { alertsLostWith, type LostRange, lossRecords, untoldLosses } from './lost-alerts.js'
import { Outbox } from './outbox.js'
import { Reserve } from './reserve.js'
import {
  createFile,
  Damage,
  isCorruption,
  isDamage,
  isStorageFault,
  openForWriting,
  setAside,
  storageError,
  WriterLock,
} from './storage.js'

/**
 * `fault` is what prevents writing now (PW_JOURNAL_DISK_FULL, PW_JOURNAL_READ_ONLY, PW_JOURNAL_DISK_FAILED) and goes away by
 * itself; `setAside` is the last damaged file (PW_JOURNAL_DAMAGED) since this process began. Both are to be told to the hub.
 */
export interface JournalCondition {
  readonly fault: PolewatchError | null
  readonly setAside: PolewatchError | null
}

interface Options {
  readonly path: string
  readonly role: string
  readonly clock: () => number
  readonly acknowledged: (source: string, epoch: string) => number
  readonly onCondition: (condition: JournalCondition) => void
}

type Work<Result> = (outbox: Outbox, retention: AuditRetention) => Result

/** What may be held on a full disk in any case, bytes; the reserve has room for it. */
const leastHeld = 1024 * 1024
/** With less than this free on a full disk, fewer alerts are held by so much, and the audit chain grows into their pages; bytes. */
const leastFree = 1024 * 1024
const step = 256 * 1024
/** How often a full disk is looked at again, milliseconds. */
const fullDelay = 60_000
/** How long a file that cannot be opened is left alone before it is tried again, milliseconds. */
const retryDelay = 1000

/** Keeps a role's journal file open: makes it, sets it aside when damaged, opens it again after the disk has failed. */
export class JournalFile {
  readonly #options: Options
  #lock: WriterLock | undefined
  #outbox: Outbox | undefined
  #retention: AuditRetention | undefined
  /** What went with the file that was set aside, until a new one has it on record. */
  #lost: LostRange[] = []
  #untold: LostRange[] = []
  #condition: JournalCondition = { fault: null, setAside: null }
  #retryAt = 0
  readonly #reserve: Reserve
  /** Since the disk was full and the reserve given up: the bytes that may be held, and when to look again. */
  #full: { limit: number; lookAt: number } | undefined

  /** Throws PW_JOURNAL_IN_USE when another process has the file, PW_JOURNAL_NEWER when a newer program made it; any other fault is in `condition`. */
  constructor(options: Options) {
    this.#options = options
    this.#reserve = new Reserve(options.path)
    try {
      this.#open()
      this.#reserve.hold()
    } catch (error) {
      const fault = this.#note(error)
      if (fault.code === 'PW_JOURNAL_IN_USE' || fault.code === 'PW_JOURNAL_NEWER') {
        this.close()
        throw fault
      }
    }
  }

  get condition(): JournalCondition {
    return this.#condition
  }

  /** The open file, undefined while the disk cannot be used. */
  get outbox(): Outbox | undefined {
    return this.#outbox
  }

  /** What went with the file before this one and was named by no alert when it was opened; none while the disk cannot be used. */
  get untoldLosses(): readonly LostRange[] {
    return this.#outbox === undefined ? [] : this.#untold
  }

  /** Most bytes that may be held: no more than there were when the disk was full, until it no longer is. */
  get limit(): number {
    return this.#full?.limit ?? Number.POSITIVE_INFINITY
  }

  /**
   * Runs `work` on the file, opening it first where that is needed. When its content turns out wrong it is set aside and
   * `work` runs again on a new one; when the disk is full `work` runs again after the reserve was given up, and should keep
   * to the new `limit`. Throws what `work` throws, and a PolewatchError for a fault of the disk.
   */
  use<Result>(work: Work<Result>): Result {
    const { fault } = this.#condition
    if (this.#outbox === undefined && fault !== null && performance.now() < this.#retryAt) throw fault
    try {
      const result = this.#useWithReserve(work)
      this.#lookAtFullDisk()
      if (this.#full === undefined) this.#set({ ...this.#condition, fault: null })
      return result
    } catch (error) {
      throw isStorageFault(error) ? this.#note(error) : error
    }
  }

  /** Moves a long write-ahead log into the file. Never throws for a fault of the disk: it is in `condition`, and met again by `use`. */
  checkpoint(): void {
    try {
      this.#outbox?.checkpoint()
    } catch (error) {
      if (!isStorageFault(error)) throw error
      const fault = storageError(error, this.#options.path)
      if (fault.code === 'PW_JOURNAL_DISK_FULL') this.#giveUpReserve(fault)
      else this.#note(error)
    }
  }

  close(): void {
    this.#drop()
    this.#lock?.release()
    this.#lock = undefined
  }

  #useWithReserve<Result>(work: Work<Result>): Result {
    try {
      return this.#useOrReplace(work)
    } catch (error) {
      if (!isStorageFault(error)) throw error
      const fault = storageError(error, this.#options.path)
      if (fault.code !== 'PW_JOURNAL_DISK_FULL') throw error
      this.#giveUpReserve(fault)
      return this.#useOrReplace(work)
    }
  }

  #giveUpReserve(fault: PolewatchError): void {
    this.#reserve.release()
    this.#outbox?.shrinkLog()
    this.#outbox?.overwriteDeleted(false)
    this.#full ??= { limit: Math.max(this.#outbox?.held ?? 0, leastHeld), lookAt: performance.now() + fullDelay }
    this.#set({ ...this.#condition, fault })
  }

  // A log kept short leaves the reserve's room to the next alert.
  #lookAtFullDisk(): void {
    if (this.#full === undefined) return
    this.#outbox?.shrinkLog()
    if (this.#reserve.free() < leastFree) this.#full.limit = Math.max(this.#full.limit - step, leastHeld)
    if (performance.now() < this.#full.lookAt) return
    if (this.#reserve.hold()) {
      this.#full = undefined
      this.#outbox?.overwriteDeleted(true)
    } else this.#full.lookAt = performance.now() + fullDelay
  }

  #useOrReplace<Result>(work: Work<Result>): Result {
    try {
      return this.#do(work)
    } catch (error) {
      if (this.#outbox === undefined || !isCorruption(error)) throw error
      this.#drop()
      this.#setAside(error)
      return this.#do(work)
    }
  }

  #do<Result>(work: Work<Result>): Result {
    const outbox = this.#outbox ?? this.#open()
    if (this.#retention === undefined) throw new Error('a journal was opened in part')
    return work(outbox, this.#retention)
  }

  #note(error: unknown): PolewatchError {
    const fault = storageError(error, this.#options.path)
    if (this.#outbox === undefined) this.#retryAt = performance.now() + retryDelay
    // A full disk leaves the connection sound; after other faults only a new one is known to be.
    else if (fault.code !== 'PW_JOURNAL_DISK_FULL') this.#drop()
    this.#set({ ...this.#condition, fault })
    return fault
  }

  #open(): Outbox {
    const { path, role } = this.#options
    this.#lock ??= new WriterLock(path)
    if (existsSync(path)) {
      try {
        return this.#adopt()
      } catch (error) {
        if (!isDamage(error, path)) throw error
        this.#setAside(error)
      }
    } else if (existsSync(`${path}-wal`)) this.#setAside(new Damage('only its write-ahead log is there'))
    createFile(path, journalFormat, connection => {
      const time = this.#options.clock()
      const epoch = randomBytes(8).toString('hex')
      connection.prepare('INSERT INTO journal VALUES (1, ?, ?, ?, NULL)').run(role, epoch, time)
      const audit = new AuditWriter(connection)
      const begun = { action: 'journal-begun', subject: role, detail: { epoch } }
      let head = firstHead
      for (const entry of [begun, ...lossRecords(this.#lost)]) head = audit.add(head, time, entry)
    })
    this.#lost = []
    return this.#adopt()
  }

  #adopt(): Outbox {
    const connection = openForWriting(this.#options.path, journalFormat, 'FULL')
    try {
      const outbox = new Outbox(connection, this.#options.role)
      // Numbers that the hub has must never be given out again.
      const behind = outbox.streams.find(({ source, last }) => this.#options.acknowledged(source, outbox.epoch) > last)
      if (behind !== undefined) throw new Damage(`the hub has more of ${behind.source} than it holds`)
      this.#retention = new AuditRetention(connection)
      this.#untold = untoldLosses(connection)
      this.#outbox = outbox
      return outbox
    } catch (error) {
      connection.close()
      throw error
    }
  }

  #setAside(error: unknown): void {
    const { path, clock } = this.#options
    const why = error instanceof Error ? error.message : String(error)
    const movedTo = setAside(path, clock())
    this.#lost = alertsLostWith(movedTo, this.#options.acknowledged)
    const damage = new PolewatchError('PW_JOURNAL_DAMAGED', { file: path, why, movedTo }, error)
    this.#set({ ...this.#condition, setAside: damage })
  }

  #drop(): void {
    try {
      this.#outbox?.close()
    } catch {
      // The disk that failed the write fails the last checkpoint too; the log keeps what was committed.
    }
    this.#outbox = undefined
  }

  #set(condition: JournalCondition): void {
    const { fault, setAside } = this.#condition
    if (fault?.code === condition.fault?.code && setAside === condition.setAside) return
    this.#condition = condition
    this.#options.onCondition(condition)
  }
}
