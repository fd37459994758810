import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import {
  type AlertDraft,
  Journal,
  type JournalOptions,
  type Position,
  type Priority,
} from '../../gateway/journal/journal.js'

/** A draft whose bytes tell its position, padded to a size. */
export function draft(priority: Priority, size = 300, more: Partial<AlertDraft> = {}): AlertDraft {
  return {
    priority,
    topic: `alert/${priority}`,
    kind: priority,
    exercise: true,
    encode: position => ({ id: idOf(position), bytes: bytesOf(position, size) }),
    audit: { action: priority, subject: 'north street', detail: { revision: 1 } },
    ...more,
  }
}

export function idOf({ epoch, sequence }: Position): string {
  return `${epoch}-${sequence}`
}

export function bytesOf({ source, epoch, sequence }: Position, size: number): Buffer {
  return Buffer.from(`${source} ${epoch} ${sequence} `.padEnd(size, '.'))
}

export function openJournal(path: string, more: Partial<JournalOptions> = {}): Journal {
  return Journal.open({
    path,
    site: 'harbour',
    gateway: 'pole-17',
    role: 'sensing',
    byteLimit: 64 * 1024 * 1024,
    clock: () => 1_545_180_568.5,
    ...more,
  })
}

/** A folder for the files of one test file, removed when the process ends. */
export function folder(base = tmpdir()): string {
  const path = mkdtempSync(join(base, 'polewatch-journal-'))
  process.on('exit', () => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Gives a new file name in a folder at every call. */
export function newPaths(root: string): () => string {
  let files = 0
  return () => {
    files += 1
    return join(root, `${files}.journal.db`)
  }
}

/** A copy of a journal at a path of its own, changed by somebody who may write to the file. */
export function forged(path: string, copy: string, sql: string): string {
  const original = new Database(path)
  original.exec(`VACUUM INTO '${copy}'`)
  original.close()
  const forger = new Database(copy)
  forger.exec(sql)
  forger.close()
  return copy
}
