import type { DriverClock } from '../../drivers/driver.js'
import { type AlertDraft, type LostRange, lostSubject } from '../journal/journal.js'
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

/** Tells the hub which alerts will never come, because the journal had no room for them or its file was damaged. */
export class ShedReports {
  readonly #options: ShedReportsOptions
  #timer: NodeJS.Timeout | undefined
  #last = Number.NEGATIVE_INFINITY
  #lost: readonly LostRange[] = []

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
      void this.#report('journal-full', 'shed')
    }, wait * 1000).unref()
  }

  /** These went with a damaged file. They are told once, however often this is called for them. */
  lost(ranges: readonly LostRange[]): void {
    if (ranges.length === 0 || ranges === this.#lost) return
    this.#lost = ranges
    void this.#report('journal-damaged', lostSubject, ranges)
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  /** @param ranges those that nobody has told of a full journal, unless given */
  #report(reason: MessageData<'shed'>['reason'], subject: string, ranges?: readonly LostRange[]): Promise<void> {
    const { clock, key, exercise, append } = this.#options
    return append({
      priority: 'rest',
      topic: 'alert/shed',
      kind: 'shed',
      exercise,
      reportsShed: ranges === undefined,
      audit: { action: 'alert-shed', subject },
      encode: (position, shed) =>
        sealEvent(
          { name: 'shed', time: clock.system(), exercise, data: shedData(ranges ?? shed, reason) },
          position,
          key,
        ),
    })
  }
}

function shedData(ranges: readonly LostRange[], reason: MessageData<'shed'>['reason']): MessageData<'shed'> {
  return {
    ranges: ranges.map(({ source, epoch, firstSequence, lastSequence }) => ({
      stream: source,
      epoch,
      first: String(firstSequence).padStart(20, '0'),
      last: String(lastSequence).padStart(20, '0'),
    })),
    count: ranges.reduce((sum, { firstSequence, lastSequence }) => sum + lastSequence - firstSequence + 1, 0),
    reason,
  }
}
