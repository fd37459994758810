import Database from 'better-sqlite3'
import { z } from 'zod'
import { packLookAlikeClass, packPlate } from '../plates/look-alike.js'

/*
 * One generation of a list is one SQLite file, built once and never changed:
 *
 *   entry           a row a line of the source: plate as packed key, key of its look-alike class, numbers for state and
 *                   purpose, when it is live, flags, the agency's id
 *   entry_by_class  (class, key): finds exact and look-alike entries; a plate that is not listed costs one descent into it
 *   near            for entries that ask for one edit: key of the plate and of each text that it becomes without one
 *                   character, so that a read finds all of them by at most 13 look-ups
 *   state, purpose  the few words that repeat
 *   about           one row about the list
 */
export const listFileSchema = `
  CREATE TABLE entry (
    line INTEGER PRIMARY KEY, class INTEGER NOT NULL, key INTEGER NOT NULL, state INTEGER, purpose INTEGER NOT NULL,
    effective INTEGER, expires INTEGER NOT NULL, flags INTEGER NOT NULL, id TEXT);
  CREATE TABLE near (deletion INTEGER NOT NULL, line INTEGER NOT NULL);
  CREATE TABLE state (number INTEGER PRIMARY KEY, name TEXT NOT NULL);
  CREATE TABLE purpose (number INTEGER PRIMARY KEY, name TEXT NOT NULL);
  CREATE TABLE about (
    list TEXT NOT NULL, generation INTEGER NOT NULL, entries INTEGER NOT NULL, one_edit INTEGER NOT NULL,
    refused INTEGER NOT NULL, imported REAL NOT NULL, valid_until REAL, source_sha256 TEXT NOT NULL, delta_expires REAL);
`
/** Bits of an entry's flags. */
export const flags = { oneEdit: 1, expiryByDefault: 2 } as const

/** The flags of a new entry. */
export function entryFlags(entry: { readonly oneEdit: boolean; readonly expiryByDefault: boolean }): number {
  return (entry.oneEdit ? flags.oneEdit : 0) | (entry.expiryByDefault ? flags.expiryByDefault : 0)
}

export const applicationId = 0x504c_5445 // 'PLTE'
export const formatVersion = 2
const mostFound = 1000

const aboutSchema = z.object({
  list: z.string(),
  generation: z.int().positive(),
  entries: z.int().min(0),
  one_edit: z.int().min(0),
  refused: z.int().min(0),
  imported: z.number(),
  valid_until: z.number().nullable(),
  source_sha256: z.string(),
  delta_expires: z.number().nullable(),
})

/** What a list says of itself. Times are seconds since 1970 UTC. */
export interface ListAbout {
  readonly list: string
  readonly generation: number
  readonly entries: number
  /** How many of them ask for one edit. */
  readonly oneEdit: number
  /** Lines of the source that were refused. */
  readonly refused: number
  readonly imported: number
  /** From then on the list matches nothing; null where only its age counts. */
  readonly validUntil: number | null
  /** Of the file that was imported, or of the change that made this generation out of the one before: what the next change names. */
  readonly sourceSha256: string
  /** Until when the change that made it may be applied; null for a list that was imported whole. */
  readonly deltaExpires: number | null
}

/** A row as it is found; numbers are bigints because keys pass 2 ** 53. */
export interface EntryRow {
  readonly line: bigint
  readonly key: bigint
  readonly state: bigint | null
  readonly purpose: bigint
  readonly effective: bigint | null
  readonly expires: bigint
  readonly flags: bigint
  readonly id: string | null
}

/** A finished file, open for reading. Throws plain errors for a file that is none, or damaged. */
export class ListFile {
  readonly about: ListAbout
  readonly states: ReadonlyMap<bigint, string>
  readonly purposes: ReadonlyMap<bigint, string>
  readonly #database: Database.Database
  readonly #byClass: Database.Statement<[bigint, bigint], EntryRow>
  readonly #near: Database.Statement<[bigint], EntryRow>

  constructor(path: string) {
    this.#database = new Database(path, { readonly: true, fileMustExist: true })
    try {
      const database = this.#database
      // Nobody writes the file, so the shared lock is taken once and the cache never has to be checked again.
      database.pragma('locking_mode = EXCLUSIVE')
      database.pragma('cache_size = -32768')
      if (database.pragma('application_id', { simple: true }) !== applicationId) throw new Error('not a hotlist')
      if (database.pragma('user_version', { simple: true }) !== formatVersion) throw new Error('of another version')
      this.about = readAbout(database)
      this.states = readWords(database, 'state')
      this.purposes = readWords(database, 'purpose')
      const columns = 'entry.line, key, state, purpose, effective, expires, flags, id'
      this.#byClass = database
        .prepare<[bigint, bigint], EntryRow>(
          `SELECT ${columns} FROM entry WHERE class = ? ORDER BY key <> ? LIMIT ${mostFound}`,
        )
        .safeIntegers()
      this.#near = database
        .prepare<[bigint], EntryRow>(
          `SELECT ${columns} FROM near JOIN entry ON entry.line = near.line WHERE deletion = ? LIMIT ${mostFound}`,
        )
        .safeIntegers()
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  /** Entries with this normalised text first, then those whose text is a look-alike of it; at most a thousand. */
  byClass(text: string): EntryRow[] {
    return this.#byClass.all(packLookAlikeClass(text), packPlate(text))
  }

  /** Entries asking for one edit that share this key of a text without one character. */
  near(deletion: bigint): EntryRow[] {
    return this.#near.all(deletion)
  }

  close(): void {
    this.#database.close()
  }
}

function readAbout(database: Database.Database): ListAbout {
  const about = aboutSchema.parse(database.prepare('SELECT * FROM about').get())
  return {
    list: about.list,
    generation: about.generation,
    entries: about.entries,
    oneEdit: about.one_edit,
    refused: about.refused,
    imported: about.imported,
    validUntil: about.valid_until,
    sourceSha256: about.source_sha256,
    deltaExpires: about.delta_expires,
  }
}

/**
 * Writes what a list says of itself into a file that is being made, and checks the file against it. Returns what is wrong;
 * null is right.
 */
export function describeAndCheck(database: Database.Database, about: ListAbout): string | null {
  database.exec('DELETE FROM about')
  database
    .prepare('INSERT INTO about VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
    .run(
      about.list,
      about.generation,
      about.entries,
      about.oneEdit,
      about.refused,
      about.imported,
      about.validUntil,
      about.sourceSha256,
      about.deltaExpires,
    )
  const count = (sql: string) => database.prepare<[], number>(sql).pluck().get() ?? -1
  const damage = z.array(z.object({ quick_check: z.string() })).parse(database.pragma('quick_check(1)'))
  const rows = count('SELECT count(*) FROM entry NOT INDEXED')
  const indexed = count('SELECT count(*) FROM entry INDEXED BY entry_by_class')
  if (damage[0]?.quick_check !== 'ok') return 'the file that was built is damaged'
  if (rows !== about.entries || indexed !== about.entries) return 'the file that was built lacks entries'
  return null
}

function readWords(database: Database.Database, table: string): Map<bigint, string> {
  const rows = database.prepare<[], { number: bigint; name: string }>(`SELECT number, name FROM ${table}`)
  return new Map(
    rows
      .safeIntegers()
      .all()
      .map(row => [row.number, row.name]),
  )
}
