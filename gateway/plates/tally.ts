import { z } from 'zod'
import type { MatchTier } from './match.js'

/** What happened within an hour or a day. Numbers only: of a plate that is not listed nothing else is left. */
const countsSchema = z.strictObject({
  /** Reads as the readers sent them. */
  reads: z.int().min(0),
  /** Passages of vehicles that were compared with the lists. */
  scans: z.int().min(0),
  /** Hits, by the tier that each was first told with. */
  confirmedCandidate: z.int().min(0),
  possible: z.int().min(0),
  investigative: z.int().min(0),
  /** Hits not told because of a verdict. */
  silenced: z.int().min(0),
})

export type TallyCounts = z.infer<typeof countsSchema>
export type Counted = keyof TallyCounts

const periods = z.array(z.strictObject({ start: z.number(), counts: countsSchema }))

/** What is kept of a tally over a restart. Starts are seconds since 1970 UTC. */
export const tallySchema = z.strictObject({ version: z.literal(1), hours: periods, days: periods })
export type TallyRecord = z.infer<typeof tallySchema>

const hour = 3600
const day = 24 * hour
const hoursKept = 48
const daysKept = 400

export const countedAs: Readonly<Record<MatchTier, Counted>> = {
  'confirmed-candidate': 'confirmedCandidate',
  possible: 'possible',
  investigative: 'investigative',
}

/** Counts by hour for two days and by day (UTC) for a little over a year. */
export class Tally {
  readonly #hours: Map<number, TallyCounts>
  readonly #days: Map<number, TallyCounts>

  constructor(record: TallyRecord = { version: 1, hours: [], days: [] }) {
    const mapped = (kept: TallyRecord['hours']) => new Map(kept.map(({ start, counts }) => [start, { ...counts }]))
    this.#hours = mapped(record.hours)
    this.#days = mapped(record.days)
  }

  /** Counts one at a time, seconds since 1970 UTC. */
  count(what: Counted, time: number): void {
    period(this.#hours, time, hour, hoursKept)[what]++
    period(this.#days, time, day, daysKept)[what]++
  }

  /** Of the hour and of the day (UTC) that a time lies in. */
  current(time: number): { hour: TallyCounts; day: TallyCounts } {
    return {
      hour: this.#hours.get(startOf(time, hour)) ?? nothing(),
      day: this.#days.get(startOf(time, day)) ?? nothing(),
    }
  }

  record(): TallyRecord {
    const listed = (kept: Map<number, TallyCounts>) =>
      [...kept]
        .map(([start, counts]) => ({ start, counts: { ...counts } }))
        .sort((one, other) => one.start - other.start)
    return { version: 1, hours: listed(this.#hours), days: listed(this.#days) }
  }
}

function period(kept: Map<number, TallyCounts>, time: number, length: number, most: number): TallyCounts {
  const start = startOf(time, length)
  let counts = kept.get(start)
  if (counts === undefined) {
    counts = nothing()
    kept.set(start, counts)
    const starts = [...kept.keys()].sort((one, other) => one - other)
    for (const old of starts.slice(0, Math.max(0, starts.length - most))) if (old !== start) kept.delete(old)
  }
  return counts
}

function startOf(time: number, length: number): number {
  return Math.floor(time / length) * length
}

function nothing(): TallyCounts {
  return { reads: 0, scans: 0, confirmedCandidate: 0, possible: 0, investigative: 0, silenced: 0 }
}
