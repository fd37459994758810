import { chmodSync } from 'node:fs'
import Database from 'better-sqlite3'
import { deletionNeighbourhood, substitutions } from '../plates/differences.js'
import { packLookAlikeClass, packPlate, unpackPlate } from '../plates/look-alike.js'
import type { NewEntry } from './entries.js'
import {
  applicationId,
  describeAndCheck,
  entryFlags,
  formatVersion,
  type ListAbout,
  listFileSchema,
} from './list-file.js'
import type { Confusable } from './warnings.js'

const sorterKilobytes = 65_536
const mostListed = 1000
const entryColumns = 9
const rowsAtOnce = 100

type ColumnValue = bigint | number | string | null

/** Writes a new file. Nothing is durable before `finish` has returned and the caller has synchronised the file. */
export class ListFileBuilder {
  readonly #database: Database.Database
  readonly #path: string
  readonly #insertOne: Database.Statement<ColumnValue[]>
  readonly #insertMany: Database.Statement<ColumnValue[]>
  readonly #insertNear: Database.Statement<[bigint, number]>
  // Values of rows that are not inserted yet: one call for many rows takes half the time, with each value as an argument of its own.
  #waiting: ColumnValue[] = []
  readonly #states = new Map<string, number>()
  readonly #purposes = new Map<string, number>()
  readonly #common: ReadonlyMap<bigint, string>
  readonly #likeCommon: Confusable[] = []
  #entries = 0
  #likeCommonCount = 0
  #oneEdit = 0

  /** `common`: texts that are not to be listed without a word, by the key of their look-alike class. */
  constructor(path: string, common: ReadonlyMap<bigint, string>) {
    this.#path = path
    this.#common = common
    this.#database = new Database(path)
    // The file is worthless until it is whole, so nothing in between is journalled or synchronised.
    for (const pragma of ['journal_mode = OFF', 'synchronous = OFF', 'locking_mode = EXCLUSIVE']) {
      this.#database.pragma(pragma)
    }
    this.#database.pragma(`cache_size = -${sorterKilobytes}`)
    this.#database.pragma(`application_id = ${applicationId}`)
    this.#database.pragma(`user_version = ${formatVersion}`)
    this.#database.exec(listFileSchema)
    const row = `(${Array(entryColumns).fill('?').join(', ')})`
    this.#insertOne = this.#database.prepare<ColumnValue[]>(`INSERT INTO entry VALUES ${row}`)
    this.#insertMany = this.#database.prepare<ColumnValue[]>(
      `INSERT INTO entry VALUES ${Array(rowsAtOnce).fill(row).join(', ')}`,
    )
    this.#insertNear = this.#database.prepare('INSERT INTO near VALUES (?, ?)')
    this.#database.exec('BEGIN')
  }

  get entries(): number {
    return this.#entries
  }

  get oneEdit(): number {
    return this.#oneEdit
  }

  /** Entries that are common texts or look-alikes of them: how many, and the first of them. */
  get likeCommon(): { count: number; first: readonly Confusable[] } {
    return { count: this.#likeCommonCount, first: this.#likeCommon }
  }

  add(entry: NewEntry): void {
    const lookAlikeClass = packLookAlikeClass(entry.text)
    const common = this.#common.get(lookAlikeClass)
    if (common !== undefined) {
      this.#likeCommonCount++
      if (this.#likeCommon.length < mostListed) this.#likeCommon.push(likeCommon(entry, common))
    }
    this.#waiting.push(
      entry.line,
      lookAlikeClass,
      packPlate(entry.text),
      entry.state === null ? null : numberOf(this.#states, entry.state),
      numberOf(this.#purposes, entry.purpose),
      entry.effective,
      entry.expires,
      entryFlags(entry),
      entry.id,
    )
    this.#entries++
    if (this.#waiting.length === entryColumns * rowsAtOnce) {
      this.#insertMany.run(...this.#waiting)
      this.#waiting = []
    }
    if (!entry.oneEdit) return
    this.#oneEdit++
    for (const text of deletionNeighbourhood(entry.text)) {
      if (text.length > 0) this.#insertNear.run(packPlate(text), entry.line)
    }
  }

  /** Writes what is waiting and sorts; takes a quarter of a minute for ten million entries. */
  index(): void {
    for (let at = 0; at < this.#waiting.length; at += entryColumns) {
      this.#insertOne.run(...this.#waiting.slice(at, at + entryColumns))
    }
    this.#waiting = []
    const words = (table: string, map: Map<string, number>) => {
      const insert = this.#database.prepare(`INSERT INTO ${table} VALUES (?, ?)`)
      for (const [name, number] of map) insert.run(number, name)
    }
    words('state', this.#states)
    words('purpose', this.#purposes)
    this.#database.exec('COMMIT')
    this.#database.exec('CREATE INDEX entry_by_class ON entry (class, key)')
    this.#database.exec('CREATE INDEX near_by_deletion ON near (deletion, line)')
  }

  /** Groups of entries whose plates are look-alikes of one another, and the first pairs that differ in one character. */
  lookAlikes(): { groups: number; pairs: Confusable[] } {
    const pairs: Confusable[] = []
    let groups = 0
    const members = this.#database
      .prepare<[bigint], { line: bigint; key: bigint; state: bigint | null; id: string | null }>(
        'SELECT line, key, state, id FROM entry WHERE class = ? ORDER BY line LIMIT 50',
      )
      .safeIntegers()
    const classes = this.#database
      .prepare<[], { class: bigint }>('SELECT class FROM entry GROUP BY class HAVING min(key) <> max(key)')
      .safeIntegers()
    for (const row of classes.iterate()) {
      groups++
      if (pairs.length >= mostListed) continue
      const group = members.all(row.class)
      for (const [index, entry] of group.entries()) {
        const earlier = group.slice(0, index).find(other => {
          const sameVehicleState = entry.state === null || other.state === null || entry.state === other.state
          return sameVehicleState && substitutions(unpackPlate(entry.key), unpackPlate(other.key)).length === 1
        })
        if (earlier === undefined) continue
        pairs.push({ entry: named(entry), other: named(earlier), differing: 1 })
      }
    }
    return { groups, pairs: pairs.slice(0, mostListed) }
  }

  /** Writes what the list says of itself, checks the file, and closes it. Returns what is wrong with it; null is right. */
  finish(about: ListAbout): string | null {
    const fault = describeAndCheck(this.#database, about)
    this.close()
    chmodSync(this.#path, 0o440)
    return fault
  }

  close(): void {
    this.#database.close()
  }
}

function named({ line, id }: { line: bigint; id: string | null }): Confusable['entry'] {
  return { line: Number(line), id }
}

/** What is confusable about an entry that is a common text or a look-alike of one. */
export function likeCommon(entry: NewEntry, common: string): Confusable {
  const { line, id } = entry
  return { entry: { line, id }, other: null, differing: substitutions(entry.text, common).length }
}

function numberOf(words: Map<string, number>, name: string): number {
  let number = words.get(name)
  if (number === undefined) {
    number = words.size + 1
    words.set(name, number)
  }
  return number
}
