import * as z from 'zod'
import type { CameraSettings } from '../config/schema.js'
import type { Post } from '../journal/exchange.js'
import { openEvent } from '../messages/seal.js'
import type { GatewayRole } from '../messages/stream.js'
import { parseTime } from '../messages/time.js'
import { type Role, systemTime } from './role.js'
import { followPosts } from './uplink-posts.js'

/*
 * Requests to the cameras to look although nothing moves. A reader's read asks the cameras over its lane, a shot that this gateway
 * heard asks all of them. What sensing asks comes through its exchange; a cue holds no plate, for the exchange may hold none.
 */

export interface Cue {
  /** Whoever watches another lane is not meant; null means all. */
  readonly lane: string | null
  /** When it happened, seconds since 1970 UTC. */
  readonly time: number
  /** For how long it is worth looking from then on, seconds. */
  readonly seconds: number
}

/** A car that a reader has seen is in sight of the camera before or soon after. */
const afterRead = 3
/** Who leaves after a shot does so within this time. */
const afterShot = 30
/** Readers ask no more often than this a lane, seconds: one that floods must not fill the exchange. */
const readsApart = 1
/** Whoever asks of more lanes than a gateway has invents them. */
const mostLanes = 64

const kind = 'cue'
const readCue = z.object({ lane: z.string().max(64).nullable(), time: z.number() })

/** Passes cues on to the cameras that they are meant for. */
export class CueBoard {
  readonly #cameras = new Map<Pick<CameraSettings, 'lane' | 'lanes'>, (until: number) => void>()

  /** From now on calls `look`, and it alone for this camera, with the time until which to look, seconds since 1970 UTC. */
  add(settings: Pick<CameraSettings, 'lane' | 'lanes'>, look: (until: number) => void): void {
    this.#cameras.set(settings, look)
  }

  give({ lane, time, seconds }: Cue): void {
    for (const [settings, look] of this.#cameras) if (mayWatch(settings, lane)) look(time + seconds)
  }
}

/** Whether the lane may be in the picture: always where it is not known which lanes are. */
function mayWatch({ lane, lanes }: Pick<CameraSettings, 'lane' | 'lanes'>, asked: string | null): boolean {
  const known = lane === null ? lanes.map(({ name }) => name) : [lane]
  return asked === null || known.length === 0 || known.includes(asked)
}

/** Turns reads into cues, not too many. */
export class ReaderCues {
  readonly #give: (cue: Cue) => void
  readonly #last = new Map<string | null, number>()

  constructor(give: (cue: Cue) => void) {
    this.#give = give
  }

  /** @param time of the read, seconds since 1970 UTC */
  read(lane: string | null, time: number): void {
    const last = this.#last.get(lane)
    if (last !== undefined && Math.abs(time - last) < readsApart) return
    if (last === undefined && this.#last.size >= mostLanes) return
    this.#last.set(lane, time)
    this.#give({ lane, time, seconds: afterRead })
  }
}

/** Lets the vision role have a reader's cue. */
export function postReaderCue(role: Role, { lane, time }: Cue): void {
  try {
    role.exchange.post(kind, JSON.stringify({ lane, time }))
  } catch {
    // The read itself matters more; the exchange's fault shows in the role's health.
  }
}

/** Gives what sensing and uplink ask for until the signal aborts. What was asked before this began is over. */
export async function followCues(role: Role, give: (cue: Cue) => void, signal: AbortSignal): Promise<void> {
  const { gateway } = role.configuration
  const takeFrom = (from: GatewayRole) => {
    const take = (post: Post, earlier: boolean): void => {
      const cue = earlier ? null : cueOf(post, gateway.id)
      if (cue !== null) give(cue)
    }
    return followPosts(role, from === 'sensing' ? [kind, 'claim'] : ['claim'], take, signal, from)
  }
  await Promise.all([takeFrom('sensing'), takeFrom('uplink')])
}

/** Null where a claim is of a shot that only others heard, or one that was withdrawn. */
function cueOf(post: Post, gateway: string): Cue | null {
  if (post.kind === kind) return { ...readCue.parse(JSON.parse(post.body.toString())), seconds: afterRead }
  const event = openEvent(post.body)
  if (event.name !== 'claim') return null
  const { reporter, arrivals, state, time } = event.data
  const heard = reporter === gateway || arrivals.some(arrival => arrival.startsWith(`${gateway}/`))
  if (!heard || state === 'withdrawn') return null
  // A claim comes late where the network is slow; it is now that somebody leaves.
  return { lane: null, time: Math.max(parseTime(time), Math.min(post.postedAt, systemTime())), seconds: afterShot }
}
