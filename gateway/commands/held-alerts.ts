import { PolewatchError } from '../errors.js'
import { streamClasses } from '../messages/stream.js'
import { type EventDraft, messageTypes } from '../messages/table.js'

/** Seconds between two tries; the journal itself tries a broken disk once a second at most. */
const retryEvery = 1
/** More than this are not held. */
const mostHeld = 1000
/** How a journal says that its disk refuses. */
const refusals: ReadonlySet<string> = new Set([
  'PW_JOURNAL_DISK_FULL',
  'PW_JOURNAL_READ_ONLY',
  'PW_JOURNAL_DISK_FAILED',
])

/**
 * Alerts that the disk has refused, in memory for as long as the process lives: they are tried again, in their order, until
 * the disk takes them. Of more than a thousand the least important and oldest is dropped.
 */
export class HeldAlerts {
  readonly #commit: (draft: EventDraft) => Promise<unknown>
  readonly #limit: number
  readonly #timer: NodeJS.Timeout
  #drafts: EventDraft[] = []
  #trying: Promise<void> | null = null

  /** @param commit rejects with the journal's error as long as the disk refuses */
  constructor(commit: (draft: EventDraft) => Promise<unknown>, limit = mostHeld) {
    this.#commit = commit
    this.#limit = limit
    this.#timer = setInterval(() => void this.tryAgain(), retryEvery * 1000).unref()
  }

  /** Holds an alert if it was the disk that refused it; gives the one that had to make room, if any. */
  hold(draft: EventDraft, error: unknown): EventDraft | undefined {
    if (!isRefusal(error)) return undefined
    this.#drafts.push(draft)
    if (this.#drafts.length <= this.#limit) return undefined
    const ranks = this.#drafts.map(({ name }) => streamClasses.indexOf(messageTypes[name].priority))
    return this.#drafts.splice(ranks.indexOf(Math.max(...ranks)), 1)[0]
  }

  /** Tries what is held; resolves when all of it is committed or the disk has refused again. */
  tryAgain(): Promise<void> {
    if (this.#drafts.length === 0) return Promise.resolve()
    this.#trying ??= this.#try().finally(() => {
      this.#trying = null
    })
    return this.#trying
  }

  close(): void {
    clearInterval(this.#timer)
    this.#drafts = []
  }

  async #try(): Promise<void> {
    for (let draft = this.#drafts[0]; draft !== undefined; draft = this.#drafts[0]) {
      try {
        await this.#commit(draft)
      } catch (error) {
        if (isRefusal(error)) return
      }
      this.#drafts = this.#drafts.filter(other => other !== draft)
    }
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof PolewatchError && refusals.has(error.code)
}
