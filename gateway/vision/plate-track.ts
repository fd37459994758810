import type { CharacterMatrix } from './character-matrix.js'
import type { Box } from './piece.js'
import { agreementOn, calibrated } from './plate-certainty.js'
import type { CloseRead } from './plate-finder.js'
import { alikeFolded } from './plate-forms.js'
import { vote } from './plate-votes.js'

/** Which way a vehicle goes, as the camera sees it. */
export type Direction = 'approaching' | 'departing'

/** The most looks that vote: further ones of the same plate say little more. */
const mostLooks = 10
/** Of one frame so many looks count, so that no frame outvotes the others. */
const looksOfFrame = 2
/** A plate whose height changes by this factor comes nearer or goes away. */
const nearer = 1.15

interface Sighting {
  readonly time: number
  readonly box: Box
}

interface RatedLook {
  readonly look: CharacterMatrix
  readonly worth: number
}

/** The text of a passage so far. */
export interface PassageText {
  readonly text: string
  /** What the frames said before anything was known of how plates are made up. */
  readonly rawText: string
  /** Probability that the text is right, 0 to 1: see `calibrated`. */
  readonly confidence: number
  /** Whether a frame confirmed this text and none confirmed another. */
  readonly confirmed: boolean
}

/** One plate on its way through the picture. */
export class PlateTrack {
  readonly #sightings: Sighting[] = []
  readonly #confirmed = new Set<string>()
  #looks: RatedLook[] = []
  #texts = new Map<string, number>()
  #text: PassageText | null = null

  /** How many frames it was read in. */
  get frames(): number {
    return this.#sightings.length
  }

  get last(): Sighting | null {
    return this.#sightings.at(-1) ?? null
  }

  /** Null until a frame gave a text. */
  get text(): PassageText | null {
    return this.#text
  }

  /** The most frames that gave one and the same text. */
  get agreeing(): number {
    return Math.max(0, ...this.#texts.values())
  }

  /** Texts that single frames gave. */
  get texts(): Iterable<string> {
    return this.#texts.keys()
  }

  /** Takes the read of a further frame; the characters of all frames are voted anew. */
  add(time: number, { read, looks }: CloseRead): void {
    this.#sightings.push({ time, box: read.box })
    this.#texts.set(read.text, (this.#texts.get(read.text) ?? 0) + 1)
    if (read.confirmed) this.#confirmed.add(alikeFolded(read.text))
    const worth = read.confidence * Math.min(1, read.box[3] / 30)
    this.#looks = [...this.#looks, ...looks.slice(0, looksOfFrame).map(look => ({ look, worth }))]
      .sort((one, other) => other.worth - one.worth)
      .slice(0, mostLooks)
    const together = this.frames === 1 ? looks : this.#looks.map(({ look }) => look)
    const voted = vote(together)
    if (voted === null) return
    const { text, rawText } = voted
    const weighed = calibrated(voted.confidence, { whole: agreementOn(text, together) })
    // Fewer looks of each frame are kept once there are more: one that says the same never makes it less sure.
    const agrees = read.text === text && this.#text?.text === text
    const confidence = agrees ? Math.max(weighed, this.#text?.confidence ?? 0) : weighed
    const confirmed = this.#confirmed.size === 1 && this.#confirmed.has(alikeFolded(text))
    this.#text = { text, rawText, confidence, confirmed }
  }

  /** Where it should be at a time, by its last two places; null before the first. */
  expected(time: number): { x: number; y: number; width: number } | null {
    const last = this.#sightings.at(-1)
    if (last === undefined) return null
    const before = this.#sightings.at(-2)
    const [left, top, width, height] = last.box
    const [x, y] = [left + width / 2, top + height / 2]
    if (before === undefined || last.time <= before.time) return { x, y, width }
    const share = Math.min(2, (time - last.time) / (last.time - before.time))
    const [beforeLeft, beforeTop, beforeWidth, beforeHeight] = before.box
    return {
      x: x + share * (x - beforeLeft - beforeWidth / 2),
      y: y + share * (y - beforeTop - beforeHeight / 2),
      width,
    }
  }

  /** By its size, and where that stays the same by its way down or up the picture; null where it does not move. */
  get direction(): Direction | null {
    const first = this.#sightings[0]
    const last = this.#sightings.at(-1)
    if (first === undefined || last === undefined || first === last) return null
    const grown = last.box[2] / first.box[2]
    if (grown > nearer) return 'approaching'
    if (grown < 1 / nearer) return 'departing'
    const down = last.box[1] + last.box[3] / 2 - (first.box[1] + first.box[3] / 2)
    if (Math.abs(down) < 2 * last.box[3]) return null
    return down > 0 ? 'approaching' : 'departing'
  }
}
