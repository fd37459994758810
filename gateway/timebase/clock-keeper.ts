import { z } from 'zod'
import { type ClockCondition, chronyTracking, clockStatusOf } from './chrony.js'
import type { ClockStatus } from './instant.js'

/** What was heard of chrony, as the role that asks passes it on. Monotonic times are the kernel's, seconds. */
export const clockReport = z.object({
  /** Null where chrony gave no answer. */
  tracking: chronyTracking.nullable(),
  /** Monotonic, when it was asked. */
  asked: z.number(),
  /** Monotonic: the measurement behind `tracking` was made after this; null where it may be older than the asking role. */
  measuredAfter: z.number().nullable(),
})

export type ClockReport = Readonly<z.infer<typeof clockReport>>

/** `stepped`: the system clock was set, and chrony has not measured it since. */
export type KeptCondition = ClockCondition | 'stepped'

export interface KeptClock extends ClockStatus {
  readonly condition: KeptCondition
  /** What the clock follows; `none` where it follows nothing. */
  readonly source: string
  /** Since the last measurement, seconds; null where there is none. */
  readonly age: number | null
}

/** A difference of system and monotonic clock changes by less than this between two looks unless the clock is set, seconds. */
const smallestStep = 0.005
/** chrony takes a correction out at most so fast (its `maxslewrate`, as a share); how far it has come is not known. */
const fastestSlew = 0.0834
/** An answer holds for so many seconds while further questions stay without one; a chrony that has ended is not believed for longer. */
const longestSilence = 20

/**
 * Keeps what is known of the system clock between two answers of chrony. Its error grows from the last measurement on. A step
 * (somebody set the clock, a leap second, a machine that slept) shows as a jump against the monotonic clock: until chrony
 * has measured the clock again its error is at least as large as all that it has jumped.
 */
export class ClockKeeper {
  #report: ClockReport | null = null
  #difference: number | null = null
  #step: { readonly at: number; readonly size: number } | null = null

  /** A question that went without an answer takes nothing away from the answer before, unless that is old. */
  take(report: ClockReport): void {
    const before = this.#report
    const unanswered = report.tracking === null && before !== null && before.tracking !== null
    if (unanswered && report.asked - before.asked <= longestSilence) return
    this.#report = report
  }

  /**
   * @param system now, by the system clock, seconds since 1970 UTC
   * @param monotonic now, by the kernel's monotonic clock, seconds
   */
  look(system: number, monotonic: number): KeptClock {
    this.#watch(system - monotonic, monotonic)
    const tracking = this.#report?.tracking ?? null
    const { offset, error, condition } = clockStatusOf(tracking, system)
    if (tracking === null || this.#report === null || condition === 'unknown') {
      return { offset: 0, error: Number.POSITIVE_INFINITY, condition: 'unknown', source: 'none', age: null }
    }
    const slewed = Math.min(Math.abs(offset), fastestSlew * Math.max(0, monotonic - this.#report.asked))
    const known = error + slewed
    const age = Math.max(0, system + offset - tracking.referenceTime)
    const { source } = tracking
    if (this.#step === null) return { offset, error: known, condition, source, age }
    return { offset, error: Math.max(known, this.#step.size), condition: 'stepped', source, age }
  }

  #watch(difference: number, monotonic: number): void {
    const { measuredAfter } = this.#report ?? { measuredAfter: null }
    if (this.#step !== null && measuredAfter !== null && measuredAfter >= this.#step.at) this.#step = null
    const jump = this.#difference === null ? 0 : Math.abs(difference - this.#difference)
    this.#difference = difference
    if (jump >= smallestStep) this.#step = { at: monotonic, size: jump + (this.#step?.size ?? 0) }
  }
}

/** Turns answers of chrony into reports: it alone can tell after which moment a measurement was made. */
export class ClockReporter {
  /** The last that had an answer. */
  #last: { readonly referenceTime: number; readonly asked: number; readonly measuredAfter: number | null } | null = null

  /** @param asked monotonic, seconds, before chrony was asked */
  report(tracking: ClockReport['tracking'], asked: number): ClockReport {
    if (tracking === null) return { tracking, asked, measuredAfter: null }
    const before = this.#last
    const { referenceTime } = tracking
    const same = before?.referenceTime === referenceTime
    const measuredAfter = before === null ? null : same ? before.measuredAfter : before.asked
    this.#last = { referenceTime, asked, measuredAfter }
    return { tracking, asked, measuredAfter }
  }
}
