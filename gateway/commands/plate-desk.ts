import { randomBytes } from 'node:crypto'
import type { PlateRead } from '../../drivers/plate-reader/plate-reader.js'
import { PolewatchError } from '../errors.js'
import type { Hotlist } from '../hotlist/hotlist.js'
import type { EventDraft, MessageData } from '../messages/table.js'
import { formatTime } from '../messages/time.js'
import { defaultMatchRules, type Match, type MatchRules, matchRead } from '../plates/match.js'
import { type Passage, Passages } from '../plates/passages.js'
import { normalisePlate, normaliseState } from '../plates/text.js'
import { systemTime } from './role.js'

type PlateHit = MessageData<'plate-hit'>

/** What one reader is told to assume where it says nothing itself. */
export interface ReaderSettings {
  readonly name: string
  readonly lane: string | null
  readonly direction: 'approaching' | 'departing' | null
  readonly minimumConfidence: number
}

export interface PlateDeskOptions {
  readonly gateway: string
  readonly exercise: boolean
  readonly policy: string
  readonly lists: readonly Hotlist[]
  readonly confirmedConfidence: number
  readonly append: (draft: EventDraft<'plate-hit'>) => Promise<void>
  /** A list that cannot be used, or can again: fault name, or null. */
  readonly listState: (list: string, fault: 'stale' | 'absent' | 'clock-behind' | 'damaged' | null) => void
}

/** What was done with the reads so far. A read that matches nothing leaves no more than a count. */
export interface PlateCounts {
  reads: number
  unusable: number
  unsure: number
  repeats: number
  withoutMatch: number
  hits: number
}

/**
 * Where reads become hits: one passage of a vehicle is one read, the read is looked up in every list, and what matches is
 * told with how it matched. Whatever does not match is forgotten with the passage.
 */
export class PlateDesk {
  readonly counts: PlateCounts = { reads: 0, unusable: 0, unsure: 0, repeats: 0, withoutMatch: 0, hits: 0 }
  readonly #options: PlateDeskOptions
  readonly #rules: MatchRules
  readonly #passages = new Passages<PlateHit[]>()

  constructor(options: PlateDeskOptions) {
    this.#options = options
    this.#rules = { ...defaultMatchRules, minimumConfidence: options.confirmedConfidence }
  }

  /** Resolves when every hit of the read is committed; rejects with the journal's error. */
  async take(read: PlateRead, settings: ReaderSettings): Promise<void> {
    this.counts.reads++
    const normalised = normalisePlate(read.text)
    if ('fault' in normalised) {
      this.counts.unusable++
      return
    }
    if (read.confidence !== null && read.confidence < settings.minimumConfidence) {
      this.counts.unsure++
      return
    }
    const { text } = normalised
    const { relation, passage, corrected, newReader } = this.#passages.observe({
      reader: settings.name,
      lane: settings.lane ?? read.lane,
      text,
      confidence: read.confidence,
      time: read.systemTime,
    })
    if (relation === 'repeat' && !newReader) {
      this.counts.repeats++
      return
    }
    const hits = this.#match(read, settings, passage)
    if (hits.length === 0) this.counts.withoutMatch++
    const replaced = [...(corrected?.hit ?? []), ...(relation === 'repeat' ? (passage.hit ?? []) : [])]
    // Kept before the first wait, so that the next read of this passage finds them.
    passage.hit = hits
    for (const old of replaced) {
      if (hits.some(({ hit }) => hit === old.hit)) continue
      await this.#tell({ ...old, state: 'superseded', supersededBy: hits[0]?.hit ?? null })
    }
    for (const hit of hits) {
      this.counts.hits++
      await this.#tell(hit)
    }
  }

  #match(read: PlateRead, settings: ReaderSettings, passage: Passage<PlateHit[]>): PlateHit[] {
    const hits: PlateHit[] = []
    for (const match of this.#options.lists.flatMap(list => this.#lookUp(list, read, passage))) {
      const known = passage.hit?.find(({ entry }) => entry.list === match.entry.list && entry.id === match.entry.id)
      hits.push(this.#hit(match, read, settings, passage, known?.hit ?? null))
    }
    return hits
  }

  #lookUp(list: Hotlist, read: PlateRead, passage: Passage<PlateHit[]>): readonly Match[] {
    const now = systemTime()
    const { list: name } = list.status(now)
    try {
      const answer = list.find(passage.text, now)
      this.#options.listState(name, answer.freshness === 'fresh' ? null : answer.freshness)
      const toMatch = {
        text: passage.text,
        confidence: passage.confidence,
        state: normaliseState(read.state),
        agreeingReaders: passage.readers.size,
        time: now,
      }
      const near = matchRead(toMatch, answer, this.#rules).matches
      return near.length > 0 ? near : matchRead(toMatch, list.findOneEdit(passage.text, now), this.#rules).matches
    } catch (error) {
      if (!(error instanceof PolewatchError)) throw error
      this.#options.listState(name, 'damaged')
      return []
    }
  }

  #hit(
    match: Match,
    read: PlateRead,
    settings: ReaderSettings,
    passage: Passage<PlateHit[]>,
    known: string | null,
  ): PlateHit {
    const { entry, differing, reasons } = match
    return {
      hit: known ?? `${this.#options.gateway}-${randomBytes(6).toString('hex')}`,
      state: known === null ? 'new' : 'updated',
      supersededBy: null,
      entry: {
        list: entry.list,
        generation: entry.generation,
        id: entry.id,
        state: entry.state,
        purpose: entry.purpose,
        expires: formatTime(entry.expires),
      },
      tier: match.tier,
      match: {
        kind: reasons.includes('text-exact') ? 'exact' : reasons.includes('text-one-edit') ? 'one-edit' : 'look-alike',
        differences: [...differing],
        reasons: [...reasons],
      },
      plate: entry.text,
      read: {
        text: passage.text,
        confidence: passage.confidence,
        country: read.country,
        state: normaliseState(read.state),
        lane: settings.lane ?? read.lane,
        direction: read.direction ?? settings.direction,
        time: formatTime(read.systemTime),
        reader: settings.name,
        count: passage.count,
      },
      unverified: true,
      pictures: null,
      policy: this.#options.policy,
    }
  }

  #tell(data: PlateHit): Promise<void> {
    const { exercise, append } = this.#options
    return append({ name: 'plate-hit', time: systemTime(), exercise, subject: data.hit, data })
  }
}
