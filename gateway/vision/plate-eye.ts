import type { Glance } from './glance.js'
import { TextModels } from './models.js'
import { type Area, MotionGate } from './motion.js'
import { type PassageReport, PassageTracker, type TrackerOptions } from './passage-tracker.js'
import type { Picture } from './picture.js'
import { type Box, boxAround, pieceOf } from './piece.js'
import { type CloseRead, readPlatesClosely } from './plate-finder.js'

/** Room around what moves, as a share of it. */
const margin = 0.15
/** Where more than this share of the picture moves, the whole is looked at. */
const mostOfPicture = 0.6
/** Nothing smaller is looked at, as a share of the width and height. */
const leastShare = 0.3

/** What was done with the frames since the start. */
export interface EyeCounts {
  frames: number
  looked: number
  cues: number
  passages: number
}

/**
 * One camera's way from frames to passages: a frame is looked at only when something moves in it or somebody asked. The networks
 * are loaded with the first frame.
 */
export class PlateEye {
  readonly counts: EyeCounts = { frames: 0, looked: 0, cues: 0, passages: 0 }
  readonly #gate = new MotionGate()
  readonly #tracker: PassageTracker
  #models: Promise<TextModels> | null = null
  #lookUntil = Number.NEGATIVE_INFINITY

  constructor(options: TrackerOptions) {
    this.#tracker = new PassageTracker(options)
  }

  /** A cue: whole frames are looked at until that time, whether or not anything moves. Seconds since 1970 UTC. */
  lookUntil(time: number): void {
    this.counts.cues++
    this.#lookUntil = Math.max(this.#lookUntil, time)
  }

  /** Ends all passages: no further frame comes for now, and nothing of them must be held meanwhile. */
  finish(): PassageReport[] {
    return this.#tracker.finish()
  }

  /** @param time of the frame, seconds since 1970 UTC */
  async see(frame: Picture, glance: Glance, time: number): Promise<PassageReport[]> {
    this.counts.frames++
    this.#models ??= TextModels.load()
    const moved = this.#gate.look(glance, time)
    const asked = time < this.#lookUntil
    if (moved === null && !asked) return this.#tracker.advance(time)
    this.counts.looked++
    const reads = await readWithin(await this.#models, frame, asked ? null : moved)
    const reports = this.#tracker.take(time, frame, reads)
    this.counts.passages += reports.filter(({ stage }) => stage === 'new').length
    return reports
  }
}

/** Reads the part of a frame that moves, or all of it; boxes in pixels of the frame. */
async function readWithin(models: TextModels, frame: Picture, moved: Area | null): Promise<CloseRead[]> {
  if (moved === null) return readPlatesClosely(models, frame)
  const box = partToRead(frame, moved)
  const reads = await readPlatesClosely(models, pieceOf(frame, box))
  const [dx, dy] = box
  return reads.map(({ read, looks }) => {
    const [left, top, width, height] = read.box
    return { looks, read: { ...read, box: [left + dx, top + dy, width, height] } }
  })
}

function partToRead(frame: Picture, { left, top, right, bottom }: Area): Box {
  const whole = { left: 0, top: 0, right: 1, bottom: 1 }
  if ((right - left) * (bottom - top) > mostOfPicture) return boxAround(whole, 0, frame)
  const wide = Math.max(0, leastShare - (right - left)) / 2
  const high = Math.max(0, leastShare - (bottom - top)) / 2
  return boxAround({ left: left - wide, top: top - high, right: right + wide, bottom: bottom + high }, margin, frame)
}
