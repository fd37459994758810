import { randomBytes } from 'node:crypto'
import type { HashedRead, PlateRead } from '../../drivers/plate-reader/plate-reader.js'
import { PolewatchError } from '../errors.js'
import type { Hotlist } from '../hotlist/hotlist.js'
import type { Verdicts } from '../hotlist/verdicts.js'
import type { EventDraft } from '../messages/table.js'
import { defaultMatchRules, type Freshness, type Match, type MatchRules, matchRead } from '../plates/match.js'
import { defaultPassageSettings, type Passage, Passages } from '../plates/passages.js'
import { countedAs, type Tally } from '../plates/tally.js'
import { normalisePlate, normaliseState } from '../plates/text.js'
import {
  type Circumstances,
  type EvidenceReference,
  grown,
  type PlateHit,
  plateHit,
  type Sighting,
  saysOtherwise,
} from './plate-hit.js'

/** What one reader is told to assume where it says nothing itself. */
export interface ReaderSettings {
  readonly name: string
  readonly lane: string | null
  readonly direction: 'approaching' | 'departing' | null
  readonly minimumConfidence: number
}

/** What a camera adds to a read. */
export interface Sight {
  /** The camera's own name for the passage; its later text of one is the better one. */
  readonly passage: string
  readonly phase: Sighting['phase']
  /** What was read before anything was known of how plates are made up. */
  readonly rawText: string
  /** The best picture so far, in memory. It is kept only if it becomes part of a hit. */
  readonly picture: { readonly id: string; keep(): EvidenceReference | null } | null
}

/** The most pictures of one hit. */
const mostPictures = 3

/** Why a list cannot be used, or its newest generation cannot; null when all is well. */
export type ListFault = Exclude<Freshness, 'fresh'> | 'newer-damaged'

export interface PlateDeskOptions {
  readonly gateway: string
  readonly exercise: boolean
  readonly policy: string
  /** Whether the policy in force allows matching for a purpose. */
  readonly permits: (purpose: string) => boolean
  readonly lists: readonly Hotlist[]
  readonly verdicts: Verdicts
  readonly tally: Tally
  readonly confirmedConfidence: number
  /** Wall clock, seconds since 1970 UTC. */
  readonly clock: () => number
  readonly append: (draft: EventDraft<'plate-hit'>) => Promise<void>
  /** Told at every look at a list whether it can be used. */
  readonly listState: (list: string, fault: ListFault | null) => void
  /** Told when another generation of a list is in use. */
  readonly listChanged: (list: string, generation: number, sha256: string) => void
}

/** What was done with the reads since the start. A read that matches nothing leaves no more than a count. */
export interface PlateCounts {
  reads: number
  hashes: number
  unusable: number
  unsure: number
  repeats: number
  withoutMatch: number
  hits: number
  silenced: number
  purposeNotAllowed: number
}

/** Characters of the longest text of a reader that a message holds. */
const longestField = 64

/**
 * Where reads become hits: one passage of a vehicle is one read, the read is looked up in every list, and what matches is
 * told with how it matched. Whatever does not match is forgotten with the passage.
 */
export class PlateDesk {
  readonly counts: PlateCounts = {
    reads: 0,
    hashes: 0,
    unusable: 0,
    unsure: 0,
    repeats: 0,
    withoutMatch: 0,
    hits: 0,
    silenced: 0,
    purposeNotAllowed: 0,
  }
  readonly #options: PlateDeskOptions
  readonly #rules: MatchRules
  readonly #passages: Passages<PlateHit[]>
  readonly #generations = new Map<string, string | null>()

  constructor(options: PlateDeskOptions) {
    this.#options = options
    this.#rules = { ...defaultMatchRules, minimumConfidence: options.confirmedConfidence }
    this.#passages = new Passages(defaultPassageSettings, passage => this.#settle(passage))
  }

  /**
   * Takes a read. Resolves when every hit of it is committed; rejects with the journal's error. A
   * hash is counted and goes no further: it says too little of a plate to alert.
   */
  async take(read: PlateRead | HashedRead, settings: ReaderSettings, sight: Sight | null = null): Promise<void> {
    const { tally, clock } = this.#options
    this.counts.reads++
    tally.count('reads', clock())
    if (read.kind === 'hashed-plate') {
      this.counts.hashes++
      return
    }
    const normalised = normalisePlate(read.text)
    if ('fault' in normalised) {
      this.counts.unusable++
      return
    }
    if (read.confidence !== null && read.confidence < settings.minimumConfidence) {
      this.counts.unsure++
      return
    }
    const lane = settings.lane ?? fitting(read.lane)
    const { relation, passage, corrected, changed } = this.#passages.observe({
      reader: settings.name,
      lane,
      raw: (sight?.rawText ?? read.text).slice(0, longestField),
      text: normalised.text,
      confidence: read.confidence,
      state: normaliseState(fitting(read.state)),
      time: read.systemTime,
      sight: sight?.passage ?? null,
    })
    if (relation !== 'repeat') tally.count('scans', clock())
    else this.counts.repeats++
    const hitAlready = passage.hit !== null && passage.hit.length > 0
    if (relation === 'repeat' && !changed && !(hitAlready && sight !== null)) return
    const circumstances = {
      country: fitting(read.country),
      lane,
      direction: read.direction ?? settings.direction,
      time: read.systemTime,
      reader: settings.name,
      sighting: sight === null ? null : { id: sight.passage, phase: sight.phase },
      picture: sight?.picture ?? null,
    }
    await this.#tellAll(this.#decide(passage, corrected, circumstances))
  }

  /**
   * To be called about once a second: tells how often a plate was read once its passage is over, and whether each list can
   * be used, also while nothing drives by.
   */
  advance(): void {
    const now = this.#options.clock()
    this.#passages.forget(now)
    for (const list of this.#options.lists) this.#look(list, now)
  }

  /** What is to be told now that a passage has a text, or that more is known of it: the message of each hit, in order. */
  #decide(
    passage: Passage<PlateHit[]>,
    corrected: Passage<PlateHit[]> | null,
    { picture, ...circumstances }: Omit<Circumstances, 'pictures'> & { readonly picture: Sight['picture'] },
  ): PlateHit[] {
    const before = passage.hit ?? []
    const matches = this.#match(passage)
    if (matches.length === 0 && passage.hit === null) this.counts.withoutMatch++
    const told: PlateHit[] = []
    const held = new Set([...(corrected?.hit ?? []), ...before].flatMap(({ pictures }) => pictures ?? []))
    const wanted = matches.length > 0 && picture !== null && held.size < mostPictures && !held.has(picture.id)
    const kept = wanted ? picture.keep() : null
    const hits = matches.map(match => {
      const known = before.find(({ entry }) => isOf(entry, match))
      const id = known?.hit ?? `${this.#options.gateway}-${randomBytes(6).toString('hex')}`
      const earlier = known?.evidence ?? corrected?.hit?.[0]?.evidence ?? []
      const pictures = kept === null ? earlier : [...earlier, kept]
      const direction = circumstances.direction ?? known?.read.direction ?? null
      const sighting = circumstances.sighting ?? known?.passage ?? null
      const hit = plateHit(
        id,
        match,
        passage,
        { ...circumstances, direction, sighting, pictures },
        this.#options.policy,
      )
      if (known !== undefined && !saysOtherwise(known, hit)) return known
      if (known === undefined) this.#count(match)
      const message: PlateHit = { ...hit, state: known === undefined ? 'new' : 'updated' }
      told.push(message)
      return message
    })
    // Kept before anything is awaited, so that the next read of this passage finds them.
    passage.hit = hits
    const superseded = [...(corrected?.hit ?? []), ...before]
      .filter(old => !hits.some(({ hit }) => hit === old.hit))
      .map((old): PlateHit => {
        const heir = hits.find(({ entry }) => entry.list === old.entry.list && entry.id === old.entry.id) ?? hits[0]
        const passage = circumstances.sighting ?? old.passage
        return {
          ...old,
          ...(passage === undefined ? {} : { passage }),
          state: 'superseded',
          supersededBy: heir?.hit ?? null,
        }
      })
    return [...superseded, ...told]
  }

  #match(passage: Passage<PlateHit[]>): Match[] {
    return this.#options.lists
      .flatMap(list => this.#lookUp(list, passage))
      .filter(({ entry }) => {
        if (!this.#options.permits(entry.purpose)) {
          this.counts.purposeNotAllowed++
          return false
        }
        if (!this.#options.verdicts.silences(entry.issue)) return true
        this.counts.silenced++
        this.#options.tally.count('silenced', this.#options.clock())
        return false
      })
  }

  #lookUp(list: Hotlist, passage: Passage<PlateHit[]>): readonly Match[] {
    const now = this.#options.clock()
    const name = this.#look(list, now)
    try {
      const toMatch = {
        text: passage.text,
        confidence: passage.confidence,
        state: passage.state,
        statesDiffer: passage.statesDiffer,
        agreeingReaders: passage.readers.size,
        time: now,
      }
      const near = matchRead(toMatch, list.find(passage.text, now), this.#rules).matches
      return near.length > 0 ? near : matchRead(toMatch, list.findOneEdit(passage.text, now), this.#rules).matches
    } catch (error) {
      if (!(error instanceof PolewatchError)) throw error
      this.#options.listState(name, 'damaged')
      return []
    }
  }

  /** Says whether a list can be used, and whether it is another one than at the last look. Returns its name. */
  #look(hotlist: Hotlist, now: number): string {
    const { list, freshness, newerUnreadable, about, sha256 } = hotlist.status(now)
    this.#options.listState(list, freshness === 'fresh' ? (newerUnreadable ? 'newer-damaged' : null) : freshness)
    if (this.#generations.get(list) !== sha256 && about !== null && sha256 !== null) {
      this.#options.listChanged(list, about.generation, sha256)
    }
    this.#generations.set(list, sha256)
    return list
  }

  #count({ tier }: Match): void {
    this.counts.hits++
    this.#options.tally.count(countedAs[tier], this.#options.clock())
  }

  /** A passage is over: its hits are told once more if they were read again since. */
  #settle(passage: Passage<PlateHit[]>): void {
    const more = (passage.hit ?? []).filter(({ read }) => read.count < passage.count)
    // What the disk refuses is logged by the role.
    this.#tellAll(more.map(hit => grown(hit, passage))).catch(() => {})
  }

  /** The journal numbers in the order of the calls and commits what comes together at once. */
  async #tellAll(hits: readonly PlateHit[]): Promise<void> {
    const { exercise, append, clock } = this.#options
    await Promise.all(hits.map(data => append({ name: 'plate-hit', time: clock(), exercise, subject: data.hit, data })))
  }
}

/** What a reader's layout takes for a field but no message can hold is no field. */
function fitting(text: string | null): string | null {
  return text !== null && text.length <= longestField ? text : null
}

function isOf(told: PlateHit['entry'], { entry }: Match): boolean {
  return told.list === entry.list && told.id === entry.id && told.issue === entry.issue
}
