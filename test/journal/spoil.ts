import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import Database from 'better-sqlite3'

/** Spoils the page of a journal that the newest audit record stands on, and makes its writer read its pages anew. */
export function spoilAudit(path: string): void {
  const connection = new Database(path)
  connection.exec('UPDATE journal SET begun = begun + 1')
  connection.pragma('wal_checkpoint(TRUNCATE)')
  const pageSize = Number(connection.pragma('page_size', { simple: true }))
  connection.close()
  const file = openSync(path, 'r+')
  writeSync(
    file,
    Buffer.alloc(8, 0xa5),
    0,
    8,
    Math.floor(readFileSync(path).lastIndexOf('alert-fault') / pageSize) * pageSize,
  )
  closeSync(file)
}
