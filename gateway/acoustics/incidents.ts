import type { Arrival } from './arrival.js'
import type { TangentPlane } from './geodesy.js'
import {
  type Claim,
  earliestArrival,
  type GunfireRevision,
  type IncidentQuality,
  type IncidentState,
  incidentIdentifier,
  qualityOf,
  reportedShot,
  reportingOrder,
  type SupportedShot,
} from './incident.js'

/** Seconds and metres that decide which shots are one burst. */
const burstGap = 4
const burstReach = 150
/** How long each further gateway waits for a claim before it reports by itself, seconds. */
const claimDelay = 2
/** A reporter that has not been heard of for so long is replaced, seconds. */
const reporterPatience = 15
/** Revisions of one incident are at least this far apart, except the first and the last, seconds. */
const revisionSpacing = 1
/** An incident is final when no shot has been added for so long after its last one, seconds. */
const finalAfter = 8
/** Ended incidents are remembered so that late arrivals do not raise them again, seconds. */
const memory = 60

interface Incident {
  /** Fixed at the first publication. */
  id: string | null
  revision: number
  state: IncidentState | null
  shots: readonly SupportedShot[]
  readonly arrivals: Set<string>
  /** Arrivals of shots that were once settled: what was told stays told while its shot stands. */
  readonly settled: Set<string>
  earliest: Arrival | null
  readonly createdAt: number
  /** When there was first something to publish: others wait from then on. */
  readyAt: number | null
  publishedAt: number
  publishedContent: string
  closedAt: number | null
  /** Withdrawn because nothing was left of it: what brings it back is told as a further revision of it. */
  mistaken: boolean
}

interface SeenClaim {
  readonly claim: Claim
  readonly seen: number
  /** Whether its reporter started anew and forgot it. */
  abandoned: boolean
  /** Since when nobody looks after it. */
  orphaned: number | null
}

/** What the book needs to know of the world at each step. */
export interface IncidentContext {
  readonly now: number
  /** Whether a gateway has been heard of lately. */
  alive(gateway: string): boolean
  /** Whether every gateway that could still add to the shot has said what it heard. */
  settled(shot: SupportedShot): boolean
}

/**
 * Turns changing sets of shots into incidents with permanent ids and rising revisions, and decides whether this gateway is
 * the one to report them: the gateway with the earliest arrival claims and reports, the next steps in when no claim
 * comes, and of two incidents that share an arrival the better located one lives on, of equals the smaller id.
 */
export class IncidentBook {
  readonly #gateway: string
  readonly #plane: TangentPlane
  #incidents: Incident[] = []
  #claims = new Map<string, SeenClaim>()

  constructor(gateway: string, plane: TangentPlane) {
    this.#gateway = gateway
    this.#plane = plane
  }

  /** Takes the newest solution. Shots before `frozenBefore` stay as they were; later ones are replaced by `shots`. */
  update(shots: readonly SupportedShot[], frozenBefore: number, now: number): void {
    const assigned = new Map<Incident, SupportedShot[]>()
    for (const incident of this.#incidents) {
      if (incident.closedAt === null)
        assigned.set(
          incident,
          incident.shots.filter(shot => shot.time < frozenBefore),
        )
    }
    for (const shot of shots) {
      if (shot.time < frozenBefore) continue
      const incident = this.#incidentOf(shot, assigned) ?? this.#open(now)
      if (incident.mistaken) reopen(incident)
      if (incident.closedAt !== null) continue
      const standing = standingShot(incident, shot)
      const members = assigned.get(incident) ?? []
      if (!members.includes(standing)) assigned.set(incident, [...members, standing])
      for (const arrival of shot.arrivals) incident.arrivals.add(arrival.id)
    }
    for (const [incident, members] of assigned) incident.shots = members.sort((a, b) => a.time - b.time)
  }

  /** Takes another gateway's claim; claims may come late, doubled or out of order. */
  receiveClaim(claim: Claim, now: number): void {
    if (claim.reporter === this.#gateway) return
    const key = `${claim.incident} ${claim.reporter}`
    const known = this.#claims.get(key)
    if (known === undefined || claim.revision > known.claim.revision)
      this.#claims.set(key, { claim, seen: now, abandoned: false, orphaned: null })
  }

  /** A gateway has started anew and remembers nothing of what it reported. */
  restarted(gateway: string): void {
    for (const entry of this.#claims.values()) if (entry.claim.reporter === gateway) entry.abandoned = true
  }

  /** The revisions due now, each with the claim to send beside it. */
  advance(context: IncidentContext): { revision: GunfireRevision; claim: Claim }[] {
    const due: { revision: GunfireRevision; claim: Claim }[] = []
    for (const incident of this.#incidents) {
      if (incident.closedAt !== null) continue
      const revision = this.#next(incident, context)
      if (revision !== null) due.push(revision)
    }
    this.#incidents = this.#incidents.filter(
      incident => incident.closedAt === null || context.now - incident.closedAt < memory,
    )
    for (const [key, { seen }] of this.#claims) if (context.now - seen > memory) this.#claims.delete(key)
    return due
  }

  #next(incident: Incident, context: IncidentContext): { revision: GunfireRevision; claim: Claim } | null {
    const { now } = context
    const last = incident.shots.at(-1)
    const ready = readyShots(incident, context)
    const foreign = this.#foreignClaim(incident)
    if (foreign !== null) {
      const { claim, orphaned } = foreign
      if (incident.id !== null && isBefore(claim, { incident: incident.id, quality: qualityOf(ready) }))
        return this.#publish(incident, ready, 'withdrawn', now, claim.incident)
      if (incident.id === claim.incident && claim.reporter < this.#gateway && orphaned === null) incident.closedAt = now
      if (incident.id === null) {
        if (claim.state === 'final' || now - incident.createdAt > memory) incident.closedAt = now
        if (incident.closedAt !== null || !this.#mayTakeOver(incident, foreign, context)) return null
        incident.id = claim.incident
        incident.revision = claim.revision
        incident.state = claim.state
      }
      if (incident.closedAt !== null) return null
    }
    if (last === undefined) {
      incident.mistaken = true
      if (incident.id !== null) return this.#publish(incident, [], 'withdrawn', now, null)
      incident.closedAt = now
      return null
    }
    if (ready.length === 0) return null
    incident.readyAt ??= now
    if (incident.id === null) {
      const rank = reportingOrder(ready).indexOf(this.#gateway)
      if (now > last.time + memory) incident.closedAt = now
      if (rank < 0 || now < incident.readyAt + rank * claimDelay) return null
      return this.#publish(incident, ready, 'provisional', now, null)
    }
    if (now >= last.time + finalAfter) return this.#publish(incident, ready, 'final', now, null)
    const changed = content(ready) !== incident.publishedContent
    if (!changed || now < incident.publishedAt + revisionSpacing) return null
    return this.#publish(incident, ready, 'updated', now, null)
  }

  /** Whether the reporter is gone for good and everybody who comes before this gateway has let it pass. */
  #mayTakeOver(incident: Incident, entry: SeenClaim, { now, alive }: IncidentContext): boolean {
    const { reporter } = entry.claim
    const cared = !entry.abandoned && (alive(reporter) || now - entry.seen <= reporterPatience)
    entry.orphaned = cared ? null : (entry.orphaned ?? now)
    if (entry.orphaned === null) return false
    const order = reportingOrder(incident.shots).filter(gateway => gateway !== reporter)
    const rank = order.includes(this.#gateway) ? order.indexOf(this.#gateway) : order.length
    return now >= entry.orphaned + rank * claimDelay
  }

  #publish(
    incident: Incident,
    shots: readonly SupportedShot[],
    state: IncidentState,
    now: number,
    mergedInto: string | null,
  ): { revision: GunfireRevision; claim: Claim } | null {
    // A withdrawn incident may have no shots left; it is told with the arrival that it was last told with.
    const earliest = earliestArrival(shots) ?? incident.earliest
    if (earliest === null) {
      incident.closedAt = now
      return null
    }
    incident.earliest = earliest
    incident.id ??= incidentIdentifier(earliest)
    incident.revision++
    incident.state = state
    incident.publishedAt = now
    incident.publishedContent = content(shots)
    if (state === 'final' || state === 'withdrawn') incident.closedAt = now
    const told = state === 'withdrawn' ? [] : shots.map(shot => reportedShot(shot, this.#plane))
    const quality = qualityOf(shots)
    const { id, revision } = incident
    return {
      revision: { incident: id, revision, state, mergedInto, quality, shots: told },
      claim: {
        incident: id,
        reporter: this.#gateway,
        revision,
        state,
        quality,
        time: now,
        earliest: { id: earliest.id, time: earliest.time },
        arrivals: [...incident.arrivals],
      },
    }
  }

  /** The incident that a shot belongs to: one that shares an arrival, else an open one near it in time and place. */
  #incidentOf(shot: SupportedShot, assigned: ReadonlyMap<Incident, readonly SupportedShot[]>): Incident | undefined {
    const shared = this.#incidents.find(incident => shot.arrivals.some(arrival => incident.arrivals.has(arrival.id)))
    if (shared !== undefined) return shared
    return this.#incidents.find(incident =>
      (incident.closedAt === null ? [...incident.shots, ...(assigned.get(incident) ?? [])] : []).some(
        other => Math.abs(other.time - shot.time) <= burstGap && distance(other, shot) <= burstReach,
      ),
    )
  }

  #open(now: number): Incident {
    const incident: Incident = {
      id: null,
      revision: 0,
      state: null,
      shots: [],
      arrivals: new Set(),
      settled: new Set(),
      earliest: null,
      createdAt: now,
      readyAt: null,
      publishedAt: Number.NEGATIVE_INFINITY,
      publishedContent: '',
      closedAt: null,
      mistaken: false,
    }
    this.#incidents.push(incident)
    return incident
  }

  /** The claim of another gateway on the same arrivals that decides: the smallest incident id, then the newest order. */
  #foreignClaim(incident: Incident): SeenClaim | null {
    let best: SeenClaim | null = null
    for (const entry of this.#claims.values()) {
      if (entry.claim.state === 'withdrawn') continue
      if (!entry.claim.arrivals.some(id => incident.arrivals.has(id))) continue
      const newer = entry.claim.incident === best?.claim.incident && entry.claim.revision > best.claim.revision
      if (best === null || newer || isBefore(entry.claim, best.claim)) best = entry
    }
    return best
  }
}

function reopen(incident: Incident): void {
  incident.mistaken = false
  incident.closedAt = null
  // Who has told of it before comes first again.
  incident.readyAt = null
}

const qualities: readonly IncidentQuality[] = ['located', 'bearing', 'heard']

/** Shots to tell of: those that nobody can add to any more, and those that were such before and have only changed. */
function readyShots(incident: Incident, context: IncidentContext): SupportedShot[] {
  return incident.shots.filter(shot => {
    const known = shot.arrivals.some(({ id }) => incident.settled.has(id))
    if (!known && !context.settled(shot)) return false
    for (const { id } of shot.arrivals) incident.settled.add(id)
    return true
  })
}

/** A shot that was told with its place keeps it when a later solution, of fewer arrivals or clocks, would only have it heard. */
function standingShot(incident: Incident, shot: SupportedShot): SupportedShot {
  if (shot.located !== null || incident.id === null) return shot
  const ids = new Set(shot.arrivals.map(({ id }) => id))
  const told = incident.shots.find(
    ({ located, arrivals }) =>
      located !== null && arrivals.some(({ id }) => incident.settled.has(id)) && arrivals.some(({ id }) => ids.has(id)),
  )
  return told ?? shot
}

type Rival = Pick<Claim, 'incident' | 'quality'>

/** Which of two incidents that share an arrival lives on: the better located, then the smaller id. */
function isBefore(one: Rival, other: Rival): boolean {
  if (one.incident === other.incident) return false
  const better = qualities.indexOf(one.quality) - qualities.indexOf(other.quality)
  return better < 0 || (better === 0 && one.incident < other.incident)
}

function distance(a: SupportedShot, b: SupportedShot): number {
  if (a.located === null || b.located === null) return 0
  return Math.hypot(
    a.located.position.east - b.located.position.east,
    a.located.position.north - b.located.position.north,
  )
}

/** What must differ for a new revision: the shots, the arrivals that support them, or a place moved by more than a metre. */
function content(shots: readonly SupportedShot[]): string {
  return shots
    .map(({ located, arrivals }) => {
      const place = located === null ? '' : `${Math.round(located.position.east)},${Math.round(located.position.north)}`
      return `${place}:${arrivals.map(({ id }) => id).join(',')}`
    })
    .join(';')
}
