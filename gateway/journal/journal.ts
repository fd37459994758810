/*
 * One role's journal: its alerts until the hub has them, and its audit chain.
 *
 * On disk, format 1
 *
 *   {role}.journal.db      an SQLite database in WAL mode, written with synchronous=FULL by one process;
 *                          application_id 0x504c574a ("PLWJ"), user_version 1, STRICT tables; pages of 512 bytes, as a
 *                          commit writes whole ones (a file made with pages of 4,096 keeps them)
 *   {role}.journal.db.lock empty, locked by the writer while it lives
 *   {role}.journal.db.reserve      4 MiB of room, given up when the disk is full
 *   {role}.journal.db.damaged-{UTC}[-wal]   set aside, the three newest are kept; the new file's audit chain begins with what
 *                          of theirs the hub had not acknowledged, as far as they can be read
 *   {role}.journal.db.version-{N}  what it was before it was brought to a later format
 *
 *   journal  one row: role, epoch (16 hexadecimal digits, drawn when the file is made), begun, last_purge
 *   stream   number, source, priority (0 gunfire, 1 hit, 2 fault, 3 rest), floor. The last sequence given out is the
 *            greater of `floor` and the newest alert's: `floor` is written only by what deletes, which spares a page a commit.
 *   alert    position = stream.number * 2^42 + sequence, and the event's final bytes. One tree, in the order uplink reads.
 *   shed     ranges dropped for room; `report` is the position of the held alert that names them, NULL while none does
 *   audit    the hash chain, see audit.ts; alert.audit is the number of the record made with it
 *
 * Limits
 *
 *   1. An encoded alert has at most 1,048,576 bytes.
 *   2. A file holds at most 2,047 streams of at most 2^42 - 1 alerts.
 *   3. Alerts held, each counted with 256 bytes for its row, stay within `byteLimit` after every commit, except that an
 *      alert which reports shedding may exceed it until the next. The audit chain comes on top, some 400 bytes a record,
 *      and is never shed; its oldest records are deleted when their time is over, see audit-retention.ts.
 *      On a full disk no more is held than when it filled up, or 1 MiB: what is more important takes the place of what
 *      is less, until there is room for the reserve again.
 *   4. The write-ahead log is cut back to 4 MiB when it starts over. Pages set free are overwritten, except on a full disk, and used
 *      again; the file never shrinks.
 *   5. One commit takes at most 128 drafts; at most 10,000 wait, further ones are refused.
 *   6. Purging deletes at most 2,000 alerts, or 2,000 audit records, a transaction.
 */
import { PolewatchError } from '../errors.js'
import { type AuditEntry, type AuditHead, firstHead } from './audit.js'
import type { BellNews, StoredAlert } from './bell-news.js'
import { GroupCommit } from './group-commit.js'
import { type JournalCondition, JournalFile } from './journal-file.js'
import type { Priority } from './layout.js'
import type { LostRange } from './lost-alerts.js'
import { type AlertDraft, type Confirmation, EncodeFailure, type Outbox, type ShedRange } from './outbox.js'
import { isStorageFault } from './storage.js'

export type { AuditDetail, AuditEntry, AuditHead } from './audit.js'
export type { JournalCondition } from './journal-file.js'
export type { Position, Priority } from './layout.js'
export { priorities } from './layout.js'
export { type LostRange, lostSubject } from './lost-alerts.js'
export type { AlertDraft, Confirmation, ShedRange } from './outbox.js'

/** How far the hub has acknowledged a stream of an epoch; 0 when it has nothing of it. */
export type Acknowledged = (source: string, epoch: string) => number

export interface JournalOptions {
  readonly path: string
  readonly site: string
  readonly gateway: string
  readonly role: string
  /** Most bytes of alerts held, see limit 3. */
  readonly byteLimit: number
  /** Wall clock, seconds since 1970 UTC. */
  readonly clock: () => number
  /** Signs the hash of the audit chain's last record at every commit; synchronous. */
  readonly seal?: (hash: string) => string
  /** Asked before anything is shed, so that what the hub has goes first, and at opening, to find a file that went back in time. */
  readonly acknowledged?: Acknowledged
  /** Called after every commit, with what it stored where that is all of it. */
  readonly onBell?: (news: BellNews | null) => void
  /** Called after a commit that shed something. The caller appends an alert with `reportsShed`, once a minute at most. */
  readonly onShed?: (pending: readonly ShedRange[]) => void
  /** Called when `condition` changes. */
  readonly onCondition?: (condition: JournalCondition) => void
}

export interface PurgeResult {
  readonly rows: number
  /** Streams whose acknowledgement lies beyond what was ever appended; nothing of theirs was deleted. */
  readonly ahead: readonly { source: string; epoch: string; acknowledged: number; last: number }[]
}

interface Waiting {
  /** Writes inside the transaction; what it returns settles the caller's promise after the commit. */
  readonly write: (outbox: Outbox, time: number, stored: StoredAlert[]) => (shed: ReadonlySet<string>) => void
  readonly reject: (error: unknown) => void
  /** Whether it may exceed the byte limit until the next commit. */
  readonly reportsShed: boolean
}

const purgeLimit = 2000

export class Journal {
  readonly #options: JournalOptions
  readonly #file: JournalFile
  readonly #queue = new GroupCommit<Waiting>(batch => this.#commit(batch))
  #closed = false
  #checkpointDue = false
  #purging: Promise<PurgeResult> | undefined

  private constructor(options: JournalOptions) {
    this.#options = options
    this.#file = new JournalFile({
      path: options.path,
      role: options.role,
      clock: options.clock,
      acknowledged: (source, epoch) => this.#acknowledged(source, epoch),
      onCondition: condition => options.onCondition?.(condition),
    })
  }

  /**
   * Opens or creates the file. A damaged one is set aside and a new one begun with a new epoch; a disk that cannot be
   * written leaves a journal that rejects appends and tries again with them, once a second at most: see `condition` for
   * both. Throws PW_JOURNAL_IN_USE when another process has the file, PW_JOURNAL_NEWER when a newer program made it, which is
   * left as it is, and nothing else.
   */
  static open(options: JournalOptions): Journal {
    return new Journal(options)
  }

  get condition(): JournalCondition {
    return this.#file.condition
  }

  /** The file's epoch, null while the disk cannot be used. */
  get epoch(): string | null {
    return this.#file.outbox?.epoch ?? null
  }

  /** Bytes held against `byteLimit`. */
  get held(): number {
    return this.#file.outbox?.held ?? 0
  }

  /** When alerts were last deleted as acknowledged, seconds since 1970 UTC; null when never. */
  get lastPurge(): number | null {
    return this.#file.outbox?.lastPurge ?? null
  }

  /** The last record of the audit chain; number 0 while the disk cannot be used. */
  auditHead(): AuditHead {
    return this.#file.outbox?.head ?? firstHead
  }

  /** The stream that alerts of a priority go to. */
  source(priority: Priority): string {
    const { site, gateway, role } = this.#options
    return `/${site}/${gateway}/${role}/${priority}`
  }

  /** What was shed and no held alert names yet: at most 100 ranges, oldest first. */
  pendingShed(): ShedRange[] {
    return this.#file.outbox?.pendingShed() ?? []
  }

  /**
   * What went with a damaged file before the hub had acknowledged it, and was named by no alert when this one was opened. The audit record
   * of the alert that names it has `lostSubject` as its subject.
   */
  get untoldLosses(): readonly LostRange[] {
    return this.#file.untoldLosses
  }

  /**
   * Stores an alert under its stream's next number with an audit record; resolves when both are committed and synced.
   * Numbers are given in the order of the calls. Rejects with what `encode` throws, PW_JOURNAL_ALERT_TOO_LARGE, PW_JOURNAL_SHED
   * (the journal is full of more important alerts; the number is used and will be reported as shed), PW_JOURNAL_OVERLOADED, or
   * PW_JOURNAL_DISK_FULL, PW_JOURNAL_READ_ONLY, PW_JOURNAL_DISK_FAILED. After a rejection by the disk the alert may
   * still turn up when the machine loses power at once; it is never stored twice.
   */
  append(draft: AlertDraft): Promise<Confirmation> {
    const source = this.source(draft.priority)
    return this.#enqueue(draft.reportsShed === true, (resolve, reject) => (outbox, time, stored) => {
      const confirmation = outbox.add(source, draft, time, stored)
      return shed => {
        if (shed.has(shedKey(confirmation))) reject(new PolewatchError('PW_JOURNAL_SHED', { priority: draft.priority }))
        else resolve(confirmation)
      }
    })
  }

  /** Adds an audit record alone: an access, a command, a change of policy. Rejects as `append` does. */
  record(entry: AuditEntry): Promise<AuditHead> {
    return this.#enqueue(false, resolve => (outbox, time) => {
      const head = outbox.record(time, entry)
      return () => resolve(head)
    })
  }

  /**
   * Deletes the alerts that the hub has, 2,000 a transaction with the event loop free in between, and records it in the
   * audit chain. When to call it is the caller's affair, rarely being kinder to flash. Rejects as the disk makes it.
   */
  purge(acknowledged: Acknowledged): Promise<PurgeResult> {
    this.#purging ??= this.#purge(acknowledged).finally(() => {
      this.#purging = undefined
    })
    return this.#purging
  }

  /**
   * Deletes the audit records made before a time (seconds since 1970 UTC), 2,000 a transaction with the event loop free in between, each
   * with a checkpoint that the chain is proved from; at most once a day. Records of alerts that are still held stay, and all after
   * them. Gives how many went. Rejects as the disk makes it.
   */
  async forget(before: number): Promise<number> {
    let count = 0
    for (let more = true, first = true; more; await new Promise(resolve => setImmediate(resolve))) {
      const now = this.#options.clock()
      const deleted = this.#file.use((outbox, retention) => {
        if (first && !retention.due(now)) return 0
        return outbox.write(() => {
          const checkpoint = retention.forget(before, now, purgeLimit)
          if (checkpoint === null) return 0
          outbox.record(now, checkpoint)
          return Number(checkpoint.detail?.records)
        }, this.#options.seal)
      })
      first = false
      count += deleted
      more = deleted === purgeLimit
    }
    return count
  }

  /** Commits what waits, and closes. Later appends reject. */
  close(): void {
    this.#queue.drain()
    this.#closed = true
    this.#file.close()
  }

  async #purge(acknowledged: Acknowledged): Promise<PurgeResult> {
    const ahead: PurgeResult['ahead'][number][] = []
    let rows = 0
    for (const { source } of this.#file.outbox?.streams ?? []) {
      for (let more = true; more; await new Promise(resolve => setImmediate(resolve))) {
        const outbox = this.#file.outbox
        const stream = outbox?.streams.find(candidate => candidate.source === source)
        if (outbox === undefined || stream === undefined) break
        const { epoch } = outbox
        const through = acknowledged(source, epoch)
        if (through > stream.last) {
          ahead.push({ source, epoch, acknowledged: through, last: stream.last })
          break
        }
        const time = this.#options.clock()
        const deleted = this.#file.use(current =>
          current.epoch === epoch
            ? current.write(() => current.purge(stream, through, purgeLimit, time), this.#options.seal)
            : 0,
        )
        this.#checkpointSoon()
        rows += deleted
        more = deleted === purgeLimit
      }
    }
    return { rows, ahead }
  }

  #enqueue<Result>(
    reportsShed: boolean,
    write: (resolve: (result: Result) => void, reject: (error: unknown) => void) => Waiting['write'],
  ): Promise<Result> {
    if (this.#closed) return Promise.reject(new Error('the journal is closed'))
    return new Promise((resolve, reject) => {
      const taken = this.#queue.push({ write: write(resolve, reject), reject, reportsShed })
      if (!taken) reject(new PolewatchError('PW_JOURNAL_OVERLOADED', { waiting: GroupCommit.waitingLimit }))
    })
  }

  #commit(batch: readonly Waiting[]): void {
    let written: { settle: () => void; shedAny: boolean; news: BellNews }
    try {
      written = this.#file.use(outbox => outbox.write(() => this.#write(outbox, batch), this.#options.seal))
    } catch (error) {
      for (const { reject } of batch) reject(error)
      return
    }
    written.settle()
    this.#options.onBell?.(written.shedAny ? null : written.news)
    if (written.shedAny) this.#options.onShed?.(this.pendingShed())
    this.#checkpointSoon()
  }

  /** After whoever waits for the commit has gone on. */
  #checkpointSoon(): void {
    if (this.#checkpointDue) return
    this.#checkpointDue = true
    setImmediate(() => {
      this.#checkpointDue = false
      this.#file.checkpoint()
    })
  }

  /** Writes a batch inside a transaction, and keeps to the byte limit. */
  #write(outbox: Outbox, batch: readonly Waiting[]) {
    const time = this.#options.clock()
    const before = outbox.head.number
    const alerts: StoredAlert[] = []
    const settlements: ((shed: ReadonlySet<string>) => void)[] = []
    const shed = new Set<string>()
    let limit = Math.min(this.#options.byteLimit, this.#file.limit)
    for (const { write, reject, reportsShed } of batch) {
      const held = outbox.held
      try {
        settlements.push(outbox.attempt(() => write(outbox, time, alerts)))
      } catch (error) {
        if (isStorageFault(error)) throw error
        settlements.push(() => reject(error instanceof EncodeFailure ? error.reason : error))
      }
      if (reportsShed) limit += outbox.held - held
    }
    if (outbox.held > limit) {
      for (const stream of outbox.streams) {
        const through = this.#acknowledged(stream.source, outbox.epoch)
        if (through <= stream.last) outbox.purge(stream, through, purgeLimit, time)
      }
      for (const gone of outbox.shed(limit, time)) shed.add(shedKey(gone))
    }
    const settle = () => {
      for (const settlement of settlements) settlement(shed)
    }
    return { settle, shedAny: shed.size > 0, news: { before, after: outbox.head.number, alerts } }
  }

  #acknowledged(source: string, epoch: string): number {
    try {
      return this.#options.acknowledged?.(source, epoch) ?? 0
    } catch {
      // Another role's file that cannot be read means that nothing is known to be delivered.
      return 0
    }
  }
}

function shedKey({ source, sequence }: { source: string; sequence: number }): string {
  return `${sequence} ${source}`
}
