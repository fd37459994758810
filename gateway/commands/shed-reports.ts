import type { DriverClock } from '../../drivers/driver.js'
import type { AlertDraft, ShedRange } from '../journal/journal.js'
import type { SigningKey } from '../messages/keys.js'
import { sealEvent } from '../messages/seal.js'
import type { MessageData } from '../messages/table.js'

/** The hub is told this often at most, seconds: while a journal is full, each alert that comes gives up others. */
const every = 60

export interface ShedReportsOptions {
  readonly clock: Pick<DriverClock, 'system' | 'monotonic'>
  readonly key: SigningKey
  readonly exercise: boolean
  /** Stores a report. It logs what goes wrong, and never rejects. */
  readonly append: (draft: AlertDraft) => Promise<void>
}

/** Tells the hub which alerts will never come, because the journal had no room for them. */
export class ShedReports {
  readonly #options: ShedReportsOptions
  #timer: NodeJS.Timeout | undefined
  #last = Number.NEGATIVE_INFINITY

  constructor(options: ShedReportsOptions) {
    this.#options = options
  }

  /** Something was given up: it is told now, or when a minute has passed since it was told last. */
  due(): void {
    const { clock } = this.#options
    const wait = Math.max(0, this.#last + every - clock.monotonic())
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#last = clock.monotonic()
      void this.#report()
    }, wait * 1000).unref()
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #report(): Promise<void> {
    const { clock, key, exercise, append } = this.#options
    return append({
      priority: 'rest',
      topic: 'alert/shed',
      kind: 'shed',
      exercise,
      reportsShed: true,
      audit: { action: 'alert-shed', subject: 'shed' },
      encode: (position, ranges) =>
        sealEvent({ name: 'shed', time: clock.system(), exercise, data: shedData(ranges) }, position, key),
    })
  }
}

function shedData(ranges: readonly ShedRange[]): MessageData<'shed'> {
  return {
    ranges: ranges.map(({ source, epoch, firstSequence, lastSequence }) => ({
      stream: source,
      epoch,
      first: String(firstSequence).padStart(20, '0'),
      last: String(lastSequence).padStart(20, '0'),
    })),
    count: ranges.reduce((sum, { firstSequence, lastSequence }) => sum + lastSequence - firstSequence + 1, 0),
    reason: 'journal-full',
  }
}
