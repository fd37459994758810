import type { Acknowledgement } from './acknowledgements.js'

/** Seconds that a hub must stay behind at one number before it counts as having lost what it had. */
const settledAfter = 5
/** Seconds between two deliveries of the same alerts again: many messages may ask for one. */
const pause = 60

interface Word {
  readonly sequence: number
  /** When it first said so and was behind, seconds of a clock that never steps; null while it is not behind. */
  readonly behindSince: number | null
  /** By the hub's own clock. */
  readonly time: number
}

/**
 * Tells a hub that has lost what it had acknowledged from one that is slower than another, and from an old acknowledgement
 * that comes once more: it remembers nothing of the stream, or stays where it is.
 */
export class HubsPlace {
  readonly #words = new Map<string, Word>()
  /** By stream, when the last delivery again began, and when the hub had signed the word that asked for it. */
  readonly #wentBack = new Map<string, { readonly at: number; readonly signed: number }>()

  /** It was signed before the stream was last delivered again: what it says of then no longer holds. */
  replayed({ source, epoch, time }: Acknowledgement): boolean {
    const last = this.#wentBack.get(`${epoch} ${source}`)
    return last !== undefined && time < last.signed
  }

  /** Takes what a hub says; true when everything it lacks is to be delivered again. `acknowledged`: what some hub had. */
  lacks({ hub, source, epoch, sequence, time }: Acknowledgement, acknowledged: number, now: number): boolean {
    const stream = `${epoch} ${source}`
    const key = `${hub} ${stream}`
    const before = this.#words.get(key)
    if (before !== undefined && time <= before.time) return false
    // A hub that said the same while it was not behind has said nothing of what came after.
    const since = before?.sequence === sequence ? before.behindSince : null
    const behindSince = sequence >= acknowledged ? null : (since ?? now)
    this.#words.set(key, { sequence, behindSince, time })
    if (behindSince === null) return false
    if (sequence > 0 && now - behindSince < settledAfter) return false
    const last = this.#wentBack.get(stream)
    if (last !== undefined && now - last.at < pause) return false
    this.#wentBack.set(stream, { at: now, signed: time })
    return true
  }
}
