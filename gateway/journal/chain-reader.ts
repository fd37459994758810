import type Database from 'better-sqlite3'
import { PolewatchError } from '../errors.js'
import { type AuditHead, type AuditRecord, type AuditRow, firstHead, recordOf } from './audit.js'
import { FollowedFile } from './followed-file.js'
import { journalFormat } from './layout.js'
import type { Connection } from './storage.js'

/** A journal's audit chain as it stands in one moment. */
export interface Chain {
  /** Of the journal's file: what its alerts are numbered within. */
  readonly epoch: string
  /** The last record; number 0 where there is none. */
  readonly head: AuditHead
  /**
   * The records of a time in their order, one at a time: a year of them need not fit into memory. Seconds since 1970 UTC, `from` belongs
   * to it and `until` does not.
   */
  records(from: number, until: number): Iterable<AuditRecord>
}

/** Reads the audit chain of a journal, whoever writes it. Whether to believe it is for `verifyChain`. */
export class ChainReader {
  readonly #path: string
  readonly #file: FollowedFile<ReturnType<typeof prepare>>

  constructor(path: string) {
    this.#path = path
    this.#file = new FollowedFile(path, journalFormat, prepare)
  }

  /**
   * Gives `read` the chain, in one read transaction, and gives what it makes of it. `read` may be called a second time when the file was
   * replaced in between. Throws PW_JOURNAL_UNREADABLE for a damaged file and where there is none that may be read.
   */
  read<Result>(read: (chain: Chain) => Result): Result {
    const found = this.#file.read<{ result: Result } | null>(
      statements => ({ result: read(chainOf(statements)) }),
      null,
    )
    if (found !== null) return found.result
    const why = 'it is not there, or its owner does not run and only root may read it'
    throw new PolewatchError('PW_JOURNAL_UNREADABLE', { file: this.#path, why })
  }

  close(): void {
    this.#file.close()
  }
}

/** Reads the chain of a journal once. Throws PW_JOURNAL_UNREADABLE. */
export function readChain<Result>(path: string, read: (chain: Chain) => Result): Result {
  const reader = new ChainReader(path)
  try {
    return reader.read(read)
  } finally {
    reader.close()
  }
}

function chainOf({ epoch, head, between }: ReturnType<typeof prepare>): Chain {
  const last = head.get()
  return {
    epoch: epoch.get() ?? '',
    head: last === undefined ? firstHead : { number: last.number, hash: last.hash.toString('hex') },
    *records(from, until) {
      for (const row of between.iterate(from, until)) {
        const record = recordOf(row)
        if (record !== undefined) yield record
      }
    },
  }
}

function prepare(connection: Connection) {
  const between: Database.Statement<[number, number], AuditRow> = connection.prepare(
    'SELECT * FROM audit WHERE time >= ? AND time < ? ORDER BY number',
  )
  return {
    between,
    epoch: connection.prepare<[], string>('SELECT epoch FROM journal').pluck(),
    head: connection.prepare<[], { number: number; hash: Buffer }>(
      'SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1',
    ),
  }
}
