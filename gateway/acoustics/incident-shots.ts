import type { Arrival } from './arrival.js'
import { isBefore, isKnown } from './claims.js'
import { distance, type IncidentQuality, type SupportedShot } from './incident.js'
import { hearingRange } from './witness.js'

/** An incident as one gateway keeps it while it is open, and which shots are its own. */

/** Seconds and metres that decide which shots are one burst. */
const burstGap = 4
const burstReach = 150
/** Arrivals from which an incident is full: as many sounds, each with a bearing, make half of the longest message. */
const fullArrivals = 300

/** What this gateway has told the hub of an incident that it reports. */
export interface Told {
  /** Fixed at the first publication. */
  readonly id: string
  readonly quality: IncidentQuality
  readonly at: number
  readonly content: string
}

export interface Incident {
  /** Null while another gateway reports it, or nobody does. */
  told: Told | null
  shots: readonly SupportedShot[]
  readonly arrivals: Set<string>
  /** Arrivals of shots that were once settled: what was told stays told while its shot stands. */
  readonly settled: Set<string>
  /** Arrivals of shots that stand without any one neighbour; see `stands` of the book's context. */
  readonly borneOut: Set<string>
  /** Of those that it was told with. */
  earliest: Arrival | null
  /** When there was first something to publish that nobody claimed: others wait from then on. */
  readyAt: number | null
  /** Since when no solution has had any of its shots. */
  lostAt: number | null
  /** The incident that turned out to be the same. */
  mergedWith: Incident | null
  endedAt: number | null
}

export function newIncident(): Incident {
  return {
    told: null,
    shots: [],
    arrivals: new Set(),
    settled: new Set(),
    borneOut: new Set(),
    earliest: null,
    readyAt: null,
    lostAt: null,
    mergedWith: null,
    endedAt: null,
  }
}

/**
 * Whether a shot is an incident's: it shares an arrival, or is near one of its shots in time and place. A din without a pause is told in
 * pieces: an incident that is full takes nothing that is only near.
 */
export function belongs(shot: SupportedShot, incident: Incident, before: readonly SupportedShot[]): boolean {
  if (shot.arrivals.some(({ id }) => incident.arrivals.has(id))) return true
  if (incident.arrivals.size >= fullArrivals) return false
  const near = (other: SupportedShot): boolean =>
    Math.abs(other.time - shot.time) <= burstGap && distance(other, shot) <= burstReach
  return incident.shots.some(near) || before.some(near)
}

/** Whether one fires between two shots of the other where the same gateways hear both: an exchange of fire is one incident. */
export function isInterleaved(one: Incident, other: Incident): boolean {
  const [first, last] = [one.shots[0], one.shots.at(-1)]
  if (first === undefined || last === undefined) return false
  return other.shots.some(
    shot => shot.time > first.time && shot.time < last.time && distance(shot, first) <= hearingRange,
  )
}

/** Joins two incidents of this gateway's book: the better one that was told lives on. Of two that would be too full `one` stays as it is. */
export function merge(one: Incident, other: Incident): Incident {
  if (one.arrivals.size + other.arrivals.size > fullArrivals) return one
  const [survivor, merged] = outlives(one, other) ? [one, other] : [other, one]
  survivor.shots = [...survivor.shots, ...merged.shots].sort(byTime)
  for (const id of merged.arrivals) survivor.arrivals.add(id)
  for (const id of merged.settled) survivor.settled.add(id)
  for (const id of merged.borneOut) survivor.borneOut.add(id)
  merged.shots = []
  merged.mergedWith = survivor
  return survivor
}

function outlives({ told: one }: Incident, { told: other }: Incident): boolean {
  if (one === null || other === null) return other === null
  return isBefore({ incident: one.id, quality: one.quality }, { incident: other.id, quality: other.quality })
}

export function byTime(a: SupportedShot, b: SupportedShot): number {
  return a.time - b.time
}

/** Shots to tell of: those that nobody can add to any more, and those that were such before and have only changed. */
export function readyShots(incident: Incident, settled: (shot: SupportedShot) => boolean): SupportedShot[] {
  return incident.shots.filter(shot => {
    const known = shot.arrivals.some(({ id }) => incident.settled.has(id))
    if (!known && !settled(shot)) return false
    for (const { id } of shot.arrivals) incident.settled.add(id)
    return true
  })
}

/** Of shots that are ready, those that this gateway may tell: a shot that stood once goes on doing so. */
export function borneOutShots(
  shots: readonly SupportedShot[],
  { borneOut }: Incident,
  stands: (shot: SupportedShot) => boolean,
): SupportedShot[] {
  return shots.filter(shot => {
    if (!isKnown(shot, borneOut) && !stands(shot)) return false
    for (const { id } of shot.arrivals) borneOut.add(id)
    return true
  })
}

/**
 * A shot that was told with its place keeps it when a later solution, of fewer arrivals or clocks, would only have it heard;
 * not when that has found another place for any of its arrivals (`placed`).
 */
export function standingShot(
  shot: SupportedShot,
  incident: Incident,
  before: readonly SupportedShot[],
  placed: ReadonlySet<string>,
): SupportedShot {
  if (shot.located !== null || incident.told === null) return shot
  const ids = new Set(shot.arrivals.map(({ id }) => id))
  const told = before.find(
    ({ located, arrivals }) =>
      located !== null &&
      arrivals.some(({ id }) => incident.settled.has(id)) &&
      arrivals.some(({ id }) => ids.has(id)) &&
      !arrivals.some(({ id }) => placed.has(id)),
  )
  return told ?? shot
}

/** What must differ for a new revision: the shots, the arrivals that support them, or a place moved by more than a metre. */
export function content(shots: readonly SupportedShot[]): string {
  return shots
    .map(({ located, arrivals }) => {
      const place = located === null ? '' : `${Math.round(located.position.east)},${Math.round(located.position.north)}`
      return `${place}:${arrivals.map(({ id }) => id).join(',')}`
    })
    .join(';')
}
