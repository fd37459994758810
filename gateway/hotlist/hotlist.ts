import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { PolewatchError } from '../errors.js'
import { deletionNeighbourhood, oneEdit } from '../plates/differences.js'
import { packPlate, unpackPlate } from '../plates/look-alike.js'
import type { Freshness, HotlistAnswer, HotlistEntry } from '../plates/match.js'
import { normalisePlate } from '../plates/text.js'
import { currentGeneration, type Generation, listFolder } from './generations.js'
import { type EntryRow, flags, type ListAbout, ListFile } from './list-file.js'

export interface HotlistOptions {
  /** Seconds after its import from which a list is stale, whatever it says itself; without it only its own time counts. */
  readonly maximumAge?: number
  /** Accept that the list is not there yet, or cannot be read: answers say so until it is imported. */
  readonly mayBeUnusable?: boolean
}

export interface HotlistStatus {
  readonly list: string
  readonly freshness: Freshness
  /** Null while there is no list. */
  readonly about: ListAbout | null
  /** SHA-256 of the list's file; null while there is no list. */
  readonly sha256: string | null
  /** Whether a newer generation is there that cannot be read; the one before goes on answering. */
  readonly newerUnreadable: boolean
}

/**
 * A hotlist, open for look-ups. Every look-up first sees whether another generation has become current, and opens that
 * before it lets go of the one it has: each answer comes from one whole list. All calls are synchronous and take micro-
 * seconds; times are seconds since 1970 UTC.
 */
export class Hotlist {
  readonly #list: string
  readonly #folder: string
  readonly #maximumAge: number
  #open: { readonly generation: Generation; readonly file: ListFile } | null = null
  #current: string | null = null
  #newerUnreadable = false

  private constructor(directory: string, listName: string, options: HotlistOptions) {
    this.#list = listName
    this.#folder = listFolder(directory, listName)
    this.#maximumAge = options.maximumAge ?? Number.POSITIVE_INFINITY
  }

  /**
   * Opens `{directory}/{listName}`. Throws PW_HOTLIST_NAME, and PW_HOTLIST_ABSENT and PW_HOTLIST_DAMAGED unless it
   * may be unusable.
   */
  static open(directory: string, listName: string, options: HotlistOptions = {}): Hotlist {
    const hotlist = new Hotlist(directory, listName, options)
    hotlist.#follow()
    if (hotlist.#open !== null || options.mayBeUnusable === true) return hotlist
    throw new PolewatchError(hotlist.#newerUnreadable ? 'PW_HOTLIST_DAMAGED' : 'PW_HOTLIST_ABSENT', { list: listName })
  }

  /**
   * Entries with this text and entries whose text is a look-alike of it, exact ones first. A text that is no plate has
   * none. A list that is not fresh has none either, and the answer says so. Throws PW_HOTLIST_DAMAGED.
   */
  find(text: string, now: number): HotlistAnswer {
    return this.#answer(text, now, (file, plate) => file.byClass(plate))
  }

  /** Entries that ask for it whose text is one edit away from this one; otherwise as `find`. */
  findOneEdit(text: string, now: number): HotlistAnswer {
    return this.#answer(text, now, (file, plate) => {
      const found = new Map<bigint, EntryRow>()
      if (file.about.oneEdit === 0) return []
      for (const deletion of deletionNeighbourhood(plate)) {
        if (deletion.length === 0) continue
        for (const row of file.near(packPlate(deletion))) {
          if (oneEdit(plate, unpackPlate(row.key)) !== null) found.set(row.line, row)
        }
      }
      return [...found.values()]
    })
  }

  status(now: number): HotlistStatus {
    this.#follow()
    return {
      list: this.#list,
      freshness: this.#freshness(now),
      about: this.#open?.file.about ?? null,
      sha256: this.#open?.generation.sha256 ?? null,
      newerUnreadable: this.#newerUnreadable,
    }
  }

  close(): void {
    this.#open?.file.close()
    this.#open = null
    this.#current = null
  }

  #answer(text: string, now: number, look: (file: ListFile, plate: string) => EntryRow[]): HotlistAnswer {
    this.#follow()
    const freshness = this.#freshness(now)
    const about = this.#open?.file.about
    const answer = {
      list: this.#list,
      generation: about?.generation ?? 0,
      freshness,
      entries: about?.entries ?? 0,
      candidates: [],
    }
    const plate = normalisePlate(text)
    if (this.#open === null || freshness !== 'fresh' || 'fault' in plate) return answer
    const { file } = this.#open
    try {
      const rows = look(file, plate.text)
      return rows.length === 0 ? answer : { ...answer, candidates: rows.map(row => this.#entry(file, row)) }
    } catch (error) {
      throw new PolewatchError('PW_HOTLIST_DAMAGED', { list: this.#list }, error)
    }
  }

  #freshness(now: number): Freshness {
    if (this.#open === null) return this.#newerUnreadable ? 'damaged' : 'absent'
    const { imported, validUntil } = this.#open.file.about
    // A day's grace for the difference between the clocks of the importer and of this gateway.
    if (now < imported - 86_400) return 'clock-behind'
    const current = now < (validUntil ?? Number.POSITIVE_INFINITY) && now - imported <= this.#maximumAge
    return current ? 'fresh' : 'stale'
  }

  /** Follows the link `current`. */
  #follow(): void {
    // The file may be gone again by the time it is opened, when imports come fast; then the link names another one.
    for (;;) {
      const generation = currentGeneration(this.#folder)
      const name = generation?.file ?? null
      if (name === this.#current) return
      this.#current = name
      if (generation === null) {
        // An import never takes the link away: somebody has removed the list.
        this.close()
        this.#newerUnreadable = false
        return
      }
      try {
        const file = new ListFile(join(this.#folder, generation.file))
        this.#open?.file.close()
        this.#open = { generation, file }
        this.#newerUnreadable = false
      } catch {
        this.#newerUnreadable = true
      }
    }
  }

  #entry(file: ListFile, row: EntryRow): HotlistEntry {
    const entry = {
      list: this.#list,
      generation: file.about.generation,
      id: row.id ?? `line-${row.line}`,
      text: unpackPlate(row.key),
      state: row.state === null ? null : (file.states.get(row.state) ?? null),
      purpose: file.purposes.get(row.purpose) ?? '',
      effective: row.effective === null ? null : Number(row.effective),
      expires: Number(row.expires),
      oneEdit: (row.flags & BigInt(flags.oneEdit)) !== 0n,
    }
    // What differs from one import to the next without the agency's doing is no part of the issue: lines, and expiries by default.
    const byDefault = (row.flags & BigInt(flags.expiryByDefault)) !== 0n
    const { list, text, state, purpose, effective, expires } = entry
    const issued = JSON.stringify([list, row.id, text, state, purpose, effective, byDefault ? null : expires])
    return { ...entry, issue: createHash('sha256').update(issued).digest('hex').slice(0, 32) }
  }
}
