import type { Picture } from './picture.js'
import { type Box, grownBox, pieceOf } from './piece.js'
import type { CloseRead } from './plate-finder.js'
import { alikeFolded } from './plate-forms.js'
import { type Direction, type PassageText, PlateTrack } from './plate-track.js'

/** What is said of a passage: `new` when it has a text, `update` when more is known, `final` when the plate has gone. */
export interface PassageReport extends PassageText {
  readonly passage: string
  readonly stage: 'new' | 'update' | 'final'
  /** When the plate was last read, seconds since 1970 UTC. */
  readonly time: number
  readonly direction: Direction | null
  /** Middle of the plate where it was largest so far, in shares of the picture's width. */
  readonly across: number
  /** Frames that it was read in. */
  readonly frames: number
  /** The best picture of the plate so far; the same object until there is a clearly better one. */
  readonly picture: Picture
}

export interface TrackerOptions {
  /** Names the next passage; unique within the gateway. */
  readonly nextId: () => string
  /** A text that is less sure than this is not told before a second frame gives it too, 0 to 1. */
  readonly sureAtOnce: number
}

/** A plate that was not read for so many seconds has gone. */
const gone = 1.5
/** A plate jumps no further between two frames than this many of its widths. */
const farthest = 3
/**
 * A text of which no more than this share is other than what was read before may be the same plate. Another one may be it only
 * where no other vehicle could have come so soon: so near, in widths, and so shortly after, seconds.
 */
const likeEnough = 0.7
const [near, soon] = [1, 0.5]
/** So many plates are followed at once. */
const mostTracks = 32
/** A plate that stays in sight is told again after so many seconds, so that whoever is told knows that it is still there. */
const tellAgain = 5
/** Confidence that has to be won to be worth telling. */
const worthTelling = 0.05
/** A picture has to be better by this factor. */
const betterPicture = 1.3

interface Followed {
  readonly passage: string
  readonly track: PlateTrack
  across: number
  /** Width of the plate where it was largest, pixels. */
  widest: number
  told: PassageReport | null
  best: { readonly picture: Picture; readonly worth: number } | null
}

/** Joins what is read in the frames of a camera to passages, by place and text. Everything is in memory, until the plate has gone. */
export class PassageTracker {
  readonly #options: TrackerOptions
  #followed: Followed[] = []

  constructor(options: TrackerOptions) {
    this.#options = options
  }

  /** Plates in sight. */
  get size(): number {
    return this.#followed.length
  }

  /** Takes what was read in a frame, boxes in its pixels. */
  take(time: number, frame: Picture, reads: readonly CloseRead[]): PassageReport[] {
    const reports = this.advance(time)
    const known = this.#assign(time, reads)
    for (const close of reads) {
      const followed = known.get(close) ?? this.#begin()
      if (followed === null) continue
      followed.track.add(time, close)
      const [left, , width] = close.read.box
      if (width > followed.widest) {
        followed.widest = width
        followed.across = (left + width / 2) / frame.width
      }
      this.#portray(followed, frame, close.read.box, close.read.confidence)
      const report = this.#tell(followed)
      if (report !== null) reports.push(report)
    }
    return reports
  }

  /** To be called while nothing is read as well: ends the passages of plates that have gone. */
  advance(time: number): PassageReport[] {
    return this.#end(this.#followed.filter(({ track }) => Math.abs(time - (track.last?.time ?? 0)) > gone))
  }

  /** Ends all passages: no further frame comes for now. */
  finish(): PassageReport[] {
    return this.#end(this.#followed)
  }

  #end(ended: readonly Followed[]): PassageReport[] {
    this.#followed = this.#followed.filter(followed => !ended.includes(followed))
    return ended.flatMap(followed => {
      // What was never told ends untold.
      const report = followed.told === null ? null : this.#report(followed, 'final')
      return report === null ? [] : [report]
    })
  }

  #begin(): Followed | null {
    if (this.#followed.length >= mostTracks) return null
    const followed = {
      passage: this.#options.nextId(),
      track: new PlateTrack(),
      across: 0,
      widest: 0,
      told: null,
      best: null,
    }
    this.#followed.push(followed)
    return followed
  }

  /** Which plate each read is of: the best pairs first, so that no read takes the plate of a better one. */
  #assign(time: number, reads: readonly CloseRead[]): Map<CloseRead, Followed> {
    const pairs = reads.flatMap(close =>
      this.#followed.map(followed => ({ close, followed, cost: costOf(followed.track, time, close.read) })),
    )
    const assigned = new Map<CloseRead, Followed>()
    const taken = new Set<Followed>()
    for (const { close, followed, cost } of pairs.sort((one, other) => one.cost - other.cost)) {
      if (cost >= farthest || assigned.has(close) || taken.has(followed)) continue
      assigned.set(close, followed)
      taken.add(followed)
    }
    return assigned
  }

  #portray(followed: Followed, frame: Picture, box: Box, confidence: number): void {
    const worth = confidence * box[2]
    if (followed.best !== null && worth < betterPicture * followed.best.worth) return
    followed.best = { picture: pieceOf(frame, grownBox(box, 1.5, 2.2, frame)), worth }
  }

  #tell(followed: Followed): PassageReport | null {
    const { text, last } = followed.track
    if (text === null || last === null) return null
    const { told } = followed
    if (told === null) {
      const enough = text.confidence >= this.#options.sureAtOnce || followed.track.agreeing >= 2
      return enough ? this.#report(followed, 'new') : null
    }
    const more =
      text.text !== told.text ||
      text.confirmed !== told.confirmed ||
      text.confidence > told.confidence + worthTelling ||
      followed.track.direction !== told.direction ||
      last.time - told.time > tellAgain
    return more ? this.#report(followed, 'update') : null
  }

  #report(followed: Followed, stage: PassageReport['stage']): PassageReport | null {
    const { track, passage, across, best } = followed
    const { text, last, direction, frames } = track
    if (text === null || last === null || best === null) return null
    const { picture } = best
    followed.told = { ...text, passage, stage, time: last.time, direction, across, frames, picture }
    return followed.told
  }
}

/** How ill a read fits to a plate, by place and text; infinite where it cannot be it. */
function costOf(track: PlateTrack, time: number, { box, text }: CloseRead['read']): number {
  const [away, other] = [distance(track, time, box), unlike(track, text)]
  const sameCar = away < near && time - (track.last?.time ?? Number.NEGATIVE_INFINITY) < soon
  return other > likeEnough && !sameCar ? Number.POSITIVE_INFINITY : away + 2 * other
}

/** How far a box is from where the plate should be, in widths of the plate. */
function distance(track: PlateTrack, time: number, [left, top, width, height]: Box): number {
  const expected = track.expected(time)
  const last = track.last
  if (expected === null || last === null) return Number.POSITIVE_INFINITY
  const [x, y] = [left + width / 2, top + height / 2]
  const [lastLeft, lastTop, lastWidth, lastHeight] = last.box
  const standing = Math.hypot(x - lastLeft - lastWidth / 2, y - lastTop - lastHeight / 2)
  return Math.min(standing, Math.hypot(x - expected.x, y - expected.y)) / Math.max(1, expected.width)
}

/** 0 where a frame gave the same text, look-alikes aside, to 1 where it has nothing in common with any. */
function unlike(track: PlateTrack, text: string): number {
  let least = 1
  const folded = alikeFolded(text)
  for (const known of track.texts) {
    const other = alikeFolded(known)
    least = Math.min(least, edits(folded, other) / Math.max(folded.length, other.length, 1))
  }
  return least
}

/** Characters to change, insert or leave out (Levenshtein, 1966). */
function edits(one: string, other: string): number {
  let before = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let row = 1; row <= one.length; row++) {
    const now = [row]
    for (let column = 1; column <= other.length; column++) {
      const same = one[row - 1] === other[column - 1] ? 0 : 1
      now.push(Math.min((before[column] ?? 0) + 1, (now[column - 1] ?? 0) + 1, (before[column - 1] ?? 0) + same))
    }
    before = now
  }
  return before[other.length] ?? 0
}
