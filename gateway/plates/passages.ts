import { oneEdit } from './differences.js'
import { foldLookAlikes } from './look-alike.js'

/** A read as passages see it. Times are seconds since 1970 UTC. */
export interface PassageRead {
  /** The reader's name. */
  readonly reader: string
  /** The lane's name, shared by readers that watch one lane; null where it is not known (then each reader is a lane). */
  readonly lane: string | null
  /** As the reader gave it. */
  readonly raw: string
  /** Normalised. */
  readonly text: string
  /** 0 to 1; null where the reader gives none. */
  readonly confidence: number | null
  /** Normalised; null where it was not read. */
  readonly state: string | null
  readonly time: number
  /**
   * Names the vehicle's way past a camera that follows plates by itself; its later text of it is always the better one. Null
   * or left out where a reader tells texts alone.
   */
  readonly sight?: string | null
}

/** One vehicle's text in one lane. It lives in memory only, for the length of the window. */
export interface Passage<Hit> {
  /** Counts from 1 for this process. */
  readonly number: number
  readonly lane: string
  /** What the camera calls it that gave its last read; null for readers. */
  sight: string | null
  readonly text: string
  /** The text with each character replaced by the first of those that look like it. */
  readonly folded: string
  readonly first: number
  last: number
  /** How many reads were counted to it. */
  count: number
  /** The readers that gave this text. */
  readonly readers: Set<string>
  /** Texts that were taken for this vehicle before a surer read corrected them. */
  readonly former: ReadonlySet<string>
  /** The highest confidence given for it. */
  confidence: number | null
  /** The state that its reads gave; null where none did, or they differ. */
  state: string | null
  statesDiffer: boolean
  /** The first reads that were counted to it, and the last. */
  reads: readonly PassageRead[]
  /** What the caller keeps of the alert that it raised; null while it raised none. */
  hit: Hit | null
}

export interface PassageOutcome<Hit> {
  /**
   * `new`: match it. `repeat`: the same text, or a less sure look-alike of it; the counter went up; match `passage.text`
   * again only if `changed`.
   * `correction`: a surer text of the vehicle that `corrected` describes; match it, and its alert supersedes
   * `corrected.hit`, which is withdrawn if the new text is not on the list.
   */
  readonly relation: 'new' | 'repeat' | 'correction'
  readonly passage: Passage<Hit>
  readonly corrected: Passage<Hit> | null
  /** Whether this read changed what a match depends on: another reader, a higher confidence, a state. */
  readonly changed: boolean
}

export interface PassageSettings {
  /** Seconds within which the same text in the same lane is the same passage, counted from its last read. */
  readonly window: number
  /** Seconds within which a similar text in the same lane corrects the last one: shorter than the gap between two cars. */
  readonly correctionWindow: number
  /** The most passages held; the oldest go first. */
  readonly most: number
  /** The most reads kept of one passage. */
  readonly mostReads: number
}

export const defaultPassageSettings: PassageSettings = {
  window: 10,
  correctionWindow: 1.5,
  most: 10_000,
  mostReads: 16,
}

/**
 * Joins the reads of one passage. A text corrects another only if it is similar (look-alike, or one edit) and surer. Cars
 * with neighbouring plates do drive one behind the other, so one edit that is not surer stays a passage of its own.
 */
export class Passages<Hit> {
  readonly #settings: PassageSettings
  readonly #ended: (passage: Passage<Hit>) => void
  // By lane, each in the order of the last read.
  readonly #lanes = new Map<string, Passage<Hit>[]>()
  #held = 0
  #number = 0
  /** When what was over was last forgotten. */
  #forgot = Number.NEGATIVE_INFINITY

  /** `ended` is called with each passage that is forgotten because it is over, and was not corrected. */
  constructor(settings: PassageSettings = defaultPassageSettings, ended: (passage: Passage<Hit>) => void = () => {}) {
    this.#settings = settings
    this.#ended = ended
  }

  /** How many passages are held at the moment. */
  get held(): number {
    return this.#held
  }

  /** Takes the next read. Reads may come out of order by less than the window; a clock that steps back starts anew. */
  observe(read: PassageRead): PassageOutcome<Hit> {
    // A flood of reads need not be a flood of looks through everything that is held.
    if (Math.abs(read.time - this.#forgot) > this.#settings.window / 64) this.forget(read.time)
    const sight = read.sight ?? null
    // A vehicle that a camera follows stays the same passage where it changes lanes.
    const lane = this.#laneOf(sight) ?? (read.lane === null ? `reader ${read.reader}` : `lane ${read.lane}`)
    let passages = this.#lanes.get(lane)
    if (passages === undefined) {
      passages = []
      this.#lanes.set(lane, passages)
    }
    const folded = foldLookAlikes(read.text)
    const { followed, known, similar } = this.#search(passages, read, folded)
    if (known !== undefined) {
      const repeat = this.#repeat(passages, known, read)
      if (followed === undefined || followed === known) return repeat
      // The camera has found out that what it followed is a vehicle that was known already.
      passages.splice(passages.indexOf(followed), 1)
      this.#held--
      return { ...repeat, relation: 'correction', corrected: followed, changed: true }
    }
    const relative = followed ?? similar
    const same = relative !== undefined && sameClass(read, folded, relative)
    if (relative !== undefined && followed === undefined && !isSurer(read, relative) && same) {
      return this.#repeat(passages, relative, read)
    }
    const corrected = relative !== undefined && (followed !== undefined || isSurer(read, relative)) ? relative : null
    const passage: Passage<Hit> = {
      number: ++this.#number,
      lane,
      sight,
      text: read.text,
      folded,
      first: read.time,
      last: read.time,
      count: 1,
      readers: new Set([read.reader]),
      former: corrected === null ? new Set() : new Set([...corrected.former, corrected.text]),
      confidence: read.confidence,
      state: read.state,
      statesDiffer: false,
      reads: [read],
      hit: null,
    }
    if (corrected !== null) {
      passages.splice(passages.indexOf(corrected), 1)
      this.#held--
    }
    passages.push(passage)
    this.#held++
    if (this.#held > this.#settings.most) this.#dropOldest()
    return { relation: corrected === null ? 'new' : 'correction', passage, corrected, changed: true }
  }

  /** Forgets what is older than the window at that time (seconds since 1970 UTC), and what lies that far in its future. */
  forget(now: number): void {
    this.#forgot = now
    for (const [lane, passages] of this.#lanes) {
      const isOver = (passage: Passage<Hit>) => Math.abs(now - passage.last) > this.#settings.window
      const over = passages.filter(isOver)
      if (over.length === 0) continue
      this.#held -= over.length
      const kept = passages.filter(passage => !isOver(passage))
      if (kept.length === 0) this.#lanes.delete(lane)
      else this.#lanes.set(lane, kept)
      for (const passage of over) this.#ended(passage)
    }
  }

  #laneOf(sight: string | null): string | null {
    if (sight === null) return null
    for (const [lane, passages] of this.#lanes) if (passages.some(passage => passage.sight === sight)) return lane
    return null
  }

  /** What a read may belong to: what its camera follows, what has its text, and the last that has a similar one. */
  #search(passages: readonly Passage<Hit>[], read: PassageRead, folded: string) {
    let followed: Passage<Hit> | undefined
    let known: Passage<Hit> | undefined
    let similar: Passage<Hit> | undefined
    for (const passage of passages) {
      if (Math.abs(read.time - passage.last) > this.#settings.window) continue
      if (passage.text === read.text) known = passage
      if (passage.sight !== null && passage.sight === read.sight) followed = passage
      if (this.#isSimilar(read, folded, passage)) similar = passage
    }
    return { followed, known, similar }
  }

  #repeat(passages: Passage<Hit>[], known: Passage<Hit>, read: PassageRead): PassageOutcome<Hit> {
    known.count++
    known.last = Math.max(known.last, read.time)
    known.sight = read.sight ?? known.sight
    passages.splice(passages.indexOf(known), 1)
    passages.push(known)
    const kept = known.reads.length < this.#settings.mostReads ? known.reads : known.reads.slice(0, -1)
    known.reads = [...kept, read]
    // A less sure form of the text is a read of this passage but no second opinion for its text.
    const changed = read.text === known.text && learn(known, read)
    return { relation: 'repeat', passage: known, corrected: null, changed }
  }

  #isSimilar(read: PassageRead, folded: string, earlier: Passage<Hit>): boolean {
    if (earlier.former.size > 0 && earlier.former.has(read.text)) return true
    if (Math.abs(read.time - earlier.last) > this.#settings.correctionWindow) return false
    if (sameClass(read, folded, earlier)) return true
    return read.confidence !== null && isSurer(read, earlier) && oneEdit(read.text, earlier.text) !== null
  }

  #dropOldest(): void {
    let oldest: { lane: string; passages: Passage<Hit>[]; last: number } | null = null
    for (const [lane, passages] of this.#lanes) {
      const last = passages[0]?.last ?? Number.POSITIVE_INFINITY
      if (oldest === null || last < oldest.last) oldest = { lane, passages, last }
    }
    if (oldest === null) return
    const passage = oldest.passages.shift()
    this.#held--
    if (oldest.passages.length === 0) this.#lanes.delete(oldest.lane)
    if (passage !== undefined) this.#ended(passage)
  }
}

/** Takes in what a further read of the same text says. Returns whether a match may turn out otherwise now. */
function learn(known: Passage<unknown>, read: PassageRead): boolean {
  const newReader = !known.readers.has(read.reader)
  known.readers.add(read.reader)
  // A camera that follows the plate has weighed all frames so far; of a reader the surest read counts.
  const weighed = read.sight != null && read.sight === known.sight && known.readers.size === 1
  const surer = read.confidence !== null && (weighed || read.confidence > (known.confidence ?? -1))
  if (surer) known.confidence = read.confidence
  const newState = read.state !== null && read.state !== known.state && !known.statesDiffer
  if (newState) {
    known.statesDiffer = known.state !== null
    known.state = known.statesDiffer ? null : read.state
  }
  return newReader || surer || newState
}

function sameClass(read: PassageRead, folded: string, earlier: Passage<unknown>): boolean {
  return folded === earlier.folded || earlier.former.has(read.text)
}

function isSurer(read: PassageRead, earlier: Passage<unknown>): boolean {
  if (read.confidence !== null && earlier.confidence !== null) return read.confidence > earlier.confidence
  // Without confidences the later text counts, but not one that was corrected before: readers send what they improved.
  return read.confidence === null && earlier.confidence === null && !earlier.former.has(read.text)
}
