import { rmSync, statSync } from 'node:fs'
import Database from 'better-sqlite3'
import type { AuditEntry } from './audit.js'
import { type Position, positionsPerStream } from './layout.js'
import type { Connection } from './storage.js'

/** Numbers of one stream of a former file that went with it before the hub had acknowledged them; both ends belong to it. */
export interface LostRange extends Pick<Position, 'source' | 'epoch'> {
  readonly firstSequence: number
  readonly lastSequence: number
}

const lostAction = 'alerts-lost'
/** The subject of the alert that tells of them. */
export const lostSubject = 'damaged-journal'

/**
 * What a file that was set aside held for the hub, as far as it can still be read: of one whose first pages are gone nothing is known.
 *
 * @param acknowledged how far the hub has a stream of an epoch
 */
export function alertsLostWith(file: string, acknowledged: (source: string, epoch: string) => number): LostRange[] {
  try {
    const connection = new Database(file, { readonly: true, fileMustExist: true })
    try {
      const epoch = connection.prepare<[], string>('SELECT epoch FROM journal').pluck().get()
      if (epoch === undefined) return []
      return lastNumbers(connection).flatMap(({ source, last }) => {
        const first = acknowledged(source, epoch) + 1
        return first > last ? [] : [{ source, epoch, firstSequence: first, lastSequence: last }]
      })
    } finally {
      connection.close()
      removeTraces(file)
    }
  } catch {
    // It was set aside because it cannot be trusted to be read.
    return []
  }
}

/** The audit records that a new file begins with, for what was lost with the one before. */
export function lossRecords(lost: readonly LostRange[]): AuditEntry[] {
  return lost.map(({ source, epoch, firstSequence: first, lastSequence: last }) => ({
    action: lostAction,
    subject: source,
    detail: { epoch, first, last, alerts: last - first + 1 },
  }))
}

/** What was lost with the file before this one and is named by no alert yet. */
export function untoldLosses(connection: Connection): LostRange[] {
  const lost = connection
    .prepare<[string], LostRange>(
      `SELECT subject AS source, json_extract(detail, '$.epoch') AS epoch, json_extract(detail, '$.first') AS firstSequence,
        json_extract(detail, '$.last') AS lastSequence FROM audit WHERE number < 1000 AND action = ?`,
    )
    .all(lostAction)
  if (lost.length === 0) return []
  const told = connection.prepare<[string], number>('SELECT count(*) FROM audit WHERE subject = ?').pluck()
  return told.get(lostSubject) === 0 ? lost : []
}

/** What SQLite put beside the file to read it: the file and its log stay as they were found. */
function removeTraces(file: string): void {
  rmSync(`${file}-shm`, { force: true })
  if (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size === 0) rmSync(`${file}-wal`)
}

function lastNumbers(connection: Connection): { source: string; last: number }[] {
  const newest = connection
    .prepare<[number, number], number | null>('SELECT max(position) FROM alert WHERE position BETWEEN ? AND ?')
    .pluck()
  return connection
    .prepare<[], { number: number; source: string; floor: number }>('SELECT number, source, floor FROM stream')
    .all()
    .map(({ number, source, floor }) => {
      const position = newest.get(number * positionsPerStream, (number + 1) * positionsPerStream - 1) ?? 0
      return { source, last: Math.max(floor, position % positionsPerStream) }
    })
}
