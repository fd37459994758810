import { chmodSync, constants, copyFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { PolewatchError } from '../errors.js'
import { deletionNeighbourhood, substitutions } from '../plates/differences.js'
import { packLookAlikeClass, packPlate, unpackPlate } from '../plates/look-alike.js'
import type { NewEntry } from './entries.js'
import { likeCommon } from './list-builder.js'
import { describeAndCheck, entryFlags, flags, type ListAbout, ListFile } from './list-file.js'
import type { Confusable } from './warnings.js'

interface Found {
  readonly line: bigint
  readonly flags: bigint
  readonly id: string | null
}

/** Makes a new file out of a copy of a finished one. Nothing is durable before `finish` and the caller's synchronising. */
export class ListFileEditor {
  readonly about: ListAbout
  readonly #path: string
  readonly #database: Database.Database
  readonly #words = { state: new Map<string, bigint>(), purpose: new Map<string, bigint>() }
  #line: number
  #entries: number
  #oneEdit: number

  /** Throws PW_HOTLIST_DELTA_BASE, before anything is copied, where the original is made of something else than `base` says. */
  constructor(original: string, path: string, base: string) {
    const file = new ListFile(original)
    file.close()
    this.about = file.about
    if (file.about.sourceSha256 !== base) {
      const why = `the list in use is made of ${file.about.sourceSha256}`
      throw new PolewatchError('PW_HOTLIST_DELTA_BASE', { list: file.about.list, why })
    }
    for (const [number, name] of file.states) this.#words.state.set(name, number)
    for (const [number, name] of file.purposes) this.#words.purpose.set(name, number)
    this.#entries = file.about.entries
    this.#oneEdit = file.about.oneEdit
    copyFileSync(original, path, constants.COPYFILE_FICLONE)
    chmodSync(path, 0o640)
    this.#path = path
    this.#database = new Database(path)
    for (const pragma of ['journal_mode = OFF', 'synchronous = OFF', 'locking_mode = EXCLUSIVE']) {
      this.#database.pragma(pragma)
    }
    this.#database.pragma('cache_size = -65536')
    this.#database.exec('BEGIN')
    this.#line = this.#database.prepare<[], number>('SELECT coalesce(max(line), 0) FROM entry').pluck().get() ?? 0
  }

  get entries(): number {
    return this.#entries
  }

  /** How many entries it had before they were removed or added. */
  get before(): number {
    return this.about.entries
  }

  /** Removes the entries of a normalised plate, or the one among them that has that id. Returns how many. */
  remove(text: string, id: string | null): number {
    const found = this.#database
      .prepare<[bigint, bigint], Found>('SELECT line, flags, id FROM entry WHERE class = ? AND key = ?')
      .safeIntegers()
      .all(packLookAlikeClass(text), packPlate(text))
      .filter(entry => id === null || entry.id === id)
    for (const entry of found) {
      this.#database.prepare<[bigint]>('DELETE FROM entry WHERE line = ?').run(entry.line)
      this.#entries--
      if ((entry.flags & BigInt(flags.oneEdit)) === 0n) continue
      this.#oneEdit--
      const near = this.#database.prepare<[bigint, bigint]>('DELETE FROM near WHERE deletion = ? AND line = ?')
      for (const key of nearKeys(text)) near.run(key, entry.line)
    }
    return found.length
  }

  /** Adds an entry; it gets a line after all others, in the place of its own. Returns what it may be taken for. */
  add(entry: NewEntry, common: ReadonlyMap<bigint, string>): Confusable[] {
    const line = ++this.#line
    const lookAlikeClass = packLookAlikeClass(entry.text)
    const neighbours = this.#database
      .prepare<[bigint], { line: bigint; key: bigint; id: string | null }>(
        'SELECT line, key, id FROM entry WHERE class = ? ORDER BY line LIMIT 50',
      )
      .safeIntegers()
      .all(lookAlikeClass)
    this.#database
      .prepare('INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
      .run(
        line,
        lookAlikeClass,
        packPlate(entry.text),
        entry.state === null ? null : this.#word('state', entry.state),
        this.#word('purpose', entry.purpose),
        entry.effective,
        entry.expires,
        entryFlags(entry),
        entry.id,
      )
    this.#entries++
    if (entry.oneEdit) {
      this.#oneEdit++
      const near = this.#database.prepare<[bigint, number]>('INSERT INTO near VALUES (?, ?)')
      for (const key of nearKeys(entry.text)) near.run(key, line)
    }
    const placed = { ...entry, line }
    const word = common.get(lookAlikeClass)
    const found: Confusable[] = word === undefined ? [] : [likeCommon(placed, word)]
    for (const other of neighbours) {
      const differing = substitutions(entry.text, unpackPlate(other.key)).length
      if (differing !== 1) continue
      found.push({ entry: { line, id: entry.id }, other: { line: Number(other.line), id: other.id }, differing })
      break
    }
    return found
  }

  /** Writes what the list says of itself, checks the file, and closes it. Returns what is wrong with it; null is right. */
  finish(about: Omit<ListAbout, 'entries' | 'oneEdit' | 'refused' | 'list'>): string | null {
    this.#database.exec('COMMIT')
    const { list, refused } = this.about
    const whole = { ...about, list, refused, entries: this.#entries, oneEdit: this.#oneEdit }
    const fault = describeAndCheck(this.#database, whole)
    this.close()
    chmodSync(this.#path, 0o440)
    return fault
  }

  close(): void {
    this.#database.close()
  }

  #word(table: 'state' | 'purpose', name: string): bigint {
    const words = this.#words[table]
    let number = words.get(name)
    if (number === undefined) {
      number = BigInt(words.size + 1)
      words.set(name, number)
      this.#database.prepare(`INSERT INTO ${table} VALUES (?, ?)`).run(number, name)
    }
    return number
  }
}

function nearKeys(text: string): bigint[] {
  return deletionNeighbourhood(text)
    .filter(deletion => deletion.length > 0)
    .map(packPlate)
}
