import type Database from 'better-sqlite3'
import { type AuditEntry, checkpointAction } from './audit.js'
import type { Connection } from './storage.js'

/*
 * A chain whose oldest records were deleted stays provable by a checkpoint: a record of the chain itself that tells number and hash
 * of the last one deleted. The record after that one names this hash as its predecessor's, so a chain begins where its newest
 * checkpoint says or it does not hold; and as each commit is signed by its last record, only the role can make a checkpoint. Its detail
 * has `through`, the number of the last record deleted, its `hash`, and how many `records` went.
 */

/** Checkpoints are made at most once so often, seconds: one a purge of each hour would fill the chain with them. */
const restBetween = 86_400

interface Old {
  number: number
  time: number
}

/** Deletes the oldest records of the chain in a file that is open for writing; the caller holds the transaction. */
export class AuditRetention {
  readonly #records: Database.Statement<[], Old>
  readonly #newest: Database.Statement<[string], number>
  readonly #held: Database.Statement<[], number | null>
  readonly #hash: Database.Statement<[number], Buffer>
  readonly #remove: Database.Statement<[number]>

  constructor(connection: Connection) {
    this.#records = connection.prepare('SELECT number, time FROM audit ORDER BY number')
    this.#newest = connection
      .prepare<[string], number>('SELECT time FROM audit WHERE action = ? ORDER BY number DESC LIMIT 1')
      .pluck()
    this.#held = connection.prepare<[], number | null>('SELECT min(audit) FROM alert').pluck()
    this.#hash = connection.prepare<[number], Buffer>('SELECT hash FROM audit WHERE number = ?').pluck()
    this.#remove = connection.prepare('DELETE FROM audit WHERE number <= ?')
  }

  /** Whether the last checkpoint was made so long ago that another may be. */
  due(now: number): boolean {
    const last = this.#newest.get(checkpointAction)
    return last === undefined || Math.abs(now - last) >= restBetween
  }

  /**
   * Deletes at most `limit` of the oldest records, those made before a time, and gives the checkpoint that the chain has to go on
   * with; null where nothing is so old. A record of an alert that is still held stays, and all after it. Seconds since 1970 UTC.
   */
  forget(before: number, now: number, limit: number): AuditEntry | null {
    const kept = this.#held.get() ?? Number.POSITIVE_INFINITY
    let first = 0
    let through = 0
    let latest = Number.NEGATIVE_INFINITY
    for (const { number, time } of this.#records.iterate()) {
      first ||= number
      if (number >= kept || number >= first + limit) break
      // Dated by a clock that was wrong: it goes with the next record that is older than the limit beyond doubt.
      if (time > now || time < latest) continue
      if (time >= before) break
      through = number
      latest = time
    }
    const hash = this.#hash.get(through)
    if (hash === undefined) return null
    this.#remove.run(through)
    const detail = { through, hash: hash.toString('hex'), records: through - first + 1 }
    return { action: checkpointAction, subject: 'audit', detail }
  }
}
