import { z } from 'zod'
import type { ClockStatus } from './instant.js'

/** What `chronyc -c tracking` says; seconds and parts per million. */
export const chronyTracking = z.object({
  /** Name or address of the source; empty where there is none. */
  source: z.string(),
  stratum: z.number(),
  /** UTC of the last measurement, seconds since 1970. */
  referenceTime: z.number(),
  /** What has to be added to the system clock; positive where it is behind. */
  correction: z.number(),
  /** How well the rate is known, parts per million. */
  skew: z.number(),
  rootDelay: z.number(),
  rootDispersion: z.number(),
  /** Between the last two measurements. */
  updateInterval: z.number(),
  leap: z.enum(['normal', 'insert-second', 'delete-second', 'not-synchronised']),
})

export type ChronyTracking = Readonly<z.infer<typeof chronyTracking>>

const leaps: Readonly<Record<string, ChronyTracking['leap']>> = {
  Normal: 'normal',
  'Insert second': 'insert-second',
  'Delete second': 'delete-second',
}

/** Reads the one line of `chronyc -c tracking` (chronyc(1), 14 fields); null for anything else. */
export function parseTracking(text: string): ChronyTracking | null {
  const fields = text.trim().split(',')
  if (fields.length !== 14) return null
  const [, source = '', ...rest] = fields
  const numbers = rest.slice(0, -1).map(field => (field === '' ? Number.NaN : Number(field)))
  if (!numbers.every(Number.isFinite)) return null
  const [stratum, referenceTime, correction, , , , , skew, rootDelay, rootDispersion, updateInterval] = numbers
  if (stratum === undefined || referenceTime === undefined || correction === undefined || skew === undefined)
    return null
  if (rootDelay === undefined || rootDispersion === undefined || updateInterval === undefined) return null
  return {
    source,
    stratum,
    referenceTime,
    correction,
    skew,
    rootDelay,
    rootDispersion,
    updateInterval,
    leap: leaps[rest.at(-1) ?? ''] ?? 'not-synchronised',
  }
}

/**
 * - `synchronised`: measured as often as chrony means to
 * - `holdover`: no measurement for longer than that; the error grows
 * - `unknown`: never measured, chrony has given up, or it follows nothing but the clock itself
 */
export type ClockCondition = 'synchronised' | 'holdover' | 'unknown'

/** A quartz keeps its rate within this share while the weather changes, whatever chrony's skew says (1 ppm). */
const wander = 1e-6
/** A measurement is late after so many of the usual intervals, and never before so many seconds. */
const lateIntervals = 3
const lateSeconds = 10
/** Seconds without a source, after which nothing is claimed to be known. */
const longestHoldover = 24 * 3600

/**
 * What is known of the system clock. chrony says `Normal` long after its last source has fallen silent, so its age is judged
 * by the reference time, and the error grows with it: half the root delay and the root dispersion bound the error when it was
 * measured (RFC 5905, 11.2), and from then on the rate may be off by its skew and by the wander of a quartz.
 *
 * @param systemTime now, by the system clock, seconds since 1970 UTC
 */
export function clockStatusOf(
  tracking: ChronyTracking | null,
  systemTime: number,
): ClockStatus & { readonly condition: ClockCondition } {
  const unknown = { offset: 0, error: Number.POSITIVE_INFINITY, condition: 'unknown' } as const
  if (tracking === null || tracking.leap === 'not-synchronised' || tracking.stratum === 0) return unknown
  // Told to serve its own clock (`local`), chrony claims to be synchronised to it, without any error.
  if (tracking.source === '') return unknown
  const { correction, skew, rootDelay, rootDispersion, updateInterval, referenceTime } = tracking
  // A reference in the future is a clock that was set back since: its measurement tells nothing of the clock as it is.
  const age = systemTime + correction - referenceTime
  if (age < -1 || age > longestHoldover) return unknown
  const grown = Math.max(0, age) * (skew * 1e-6 + wander)
  const late = age > Math.max(lateSeconds, lateIntervals * updateInterval)
  return {
    offset: correction,
    error: rootDelay / 2 + rootDispersion + grown,
    condition: late ? 'holdover' : 'synchronised',
  }
}
