import type { Arrival } from './arrival.js'
import { ClaimBook, isBefore, isKnown, isOrphaned, knownShots, type SeenClaim } from './claims.js'
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
import {
  belongs,
  borneOutShots,
  byTime,
  content,
  type Incident,
  isInterleaved,
  merge,
  newIncident,
  readyShots,
  standingShot,
  type Told,
} from './incident-shots.js'
import { hearingRange } from './witness.js'

/** How long each further gateway waits for a claim before it reports by itself, seconds. */
const claimDelay = 2
/** Revisions of one incident are at least this far apart, except the first and the last, seconds. */
const revisionSpacing = 1
/** An incident is final when no shot has been added for so long after its last one, seconds. */
const finalAfter = 8
/** Who should have reported, and was claimed before, lets the other finish for so long after the last shot, seconds. */
const confirmAfter = finalAfter + 2 * claimDelay
/**
 * Half of a round's arrivals can make a solution lose what all of them bear out, and all are in when sound has crossed the
 * range of hearing: what is lost for longer, seconds, was a mistake.
 */
const lostFor = hearingRange / 320
/** Ended incidents are remembered so that late arrivals do not raise them again, seconds. */
const memory = 60

/** Most arrivals that a claim names, the newest: older ones nobody has any more. */
const claimedArrivals = 1000

/** What the book needs to know of the world at each step. */
export interface IncidentContext {
  readonly now: number
  /** Whether a gateway has been heard of lately. */
  alive(gateway: string): boolean
  /** Whether every gateway that could still add to the shot has said what it heard. */
  settled(shot: SupportedShot): boolean
  /** Whether a gateway's own ears bear a shot out, or several others', so that it would tell it without any one of the others. */
  vouches(gateway: string, shot: SupportedShot): boolean
  /** The same of this gateway, and whether the shot would be located without any one of the others. */
  stands(shot: SupportedShot): boolean
}

type Publication = { revision: GunfireRevision; claim: Claim }

/**
 * Turns changing sets of shots into incidents with permanent ids and rising revisions, and decides whether this gateway is
 * the one to report them: the gateway with the earliest arrival claims and reports, the next steps in when no claim
 * comes, and of two incidents that share an arrival the better located one lives on, of equals the smaller id. Nothing that
 * was told binds a later revision until the final one. A claim by a gateway that heard nothing of it does not count, and the gateway
 * that heard it first is silenced by none: where another claims the incident it says itself how it ended.
 */
export class IncidentBook {
  readonly #gateway: string
  readonly #plane: TangentPlane
  readonly #claims = new ClaimBook()
  #incidents: Incident[] = []

  constructor(gateway: string, plane: TangentPlane) {
    this.#gateway = gateway
    this.#plane = plane
  }

  /** Takes the newest solution. Shots before `frozenBefore` stay as they were; later ones are replaced by `shots`. */
  update(shots: readonly SupportedShot[], frozenBefore: number, now: number): void {
    const before = new Map<Incident, readonly SupportedShot[]>()
    for (const incident of this.#open()) {
      before.set(incident, incident.shots)
      incident.shots = incident.shots.filter(({ time }) => time < frozenBefore)
    }
    const placed = new Set(
      shots.flatMap(({ located, arrivals }) => (located === null ? [] : arrivals.map(({ id }) => id))),
    )
    for (const shot of shots) {
      if (shot.time < frozenBefore || this.#isEnded(shot)) continue
      const [first, ...others] = this.#open().filter(incident => belongs(shot, incident, before.get(incident) ?? []))
      const incident = others.reduce((one, other) => merge(one, other), first ?? this.#begin())
      const standing = standingShot(shot, incident, before.get(incident) ?? [], placed)
      if (!incident.shots.includes(standing)) incident.shots = [...incident.shots, standing].sort(byTime)
      for (const { id } of shot.arrivals) incident.arrivals.add(id)
    }
    for (const one of this.#open()) {
      for (const other of this.#open())
        if (one !== other && one.mergedWith === null && isInterleaved(one, other)) merge(one, other)
      if (one.shots.length > 0) one.lostAt = null
      else one.lostAt ??= now
    }
  }

  receiveClaim(claim: Claim, now: number): void {
    if (claim.reporter !== this.#gateway) this.#claims.receive(claim, now)
  }

  /** A gateway has started anew and remembers nothing of what it reported. */
  restarted(gateway: string): void {
    this.#claims.restarted(gateway)
  }

  /** The revisions due now, each with the claim to send beside it. */
  advance(context: IncidentContext): Publication[] {
    const { now } = context
    const due = this.#incidents.flatMap(incident =>
      incident.told !== null && incident.mergedWith === null
        ? (this.#yield(incident, incident.told, context) ?? this.#next(incident, context))
        : this.#next(incident, context),
    )
    // Of an incident that was never told, or that was a mistake, nothing is left to remember.
    this.#incidents = this.#incidents.filter(
      ({ endedAt, shots }) => endedAt === null || (shots.length > 0 && now - endedAt < memory),
    )
    this.#claims.forget(now)
    return due
  }

  /** Of several incidents that are one, ended or not, one is left: this one, or another for which it is withdrawn. */
  #yield(incident: Incident, told: Told, context: IncidentContext): Publication[] | null {
    const { now } = context
    const { arrivals, shots, endedAt } = incident
    const own = { incident: told.id, quality: told.quality }
    const foreign = this.#claims.on(arrivals, shots, endedAt !== null)
    if (foreign !== null && isBefore(foreign.claim, own))
      return this.#withdraw(incident, told, now, foreign.claim.incident)
    if (foreign?.claim.incident === told.id && foreign.claim.reporter < this.#gateway && foreign.orphaned === null)
      incident.told = null
    const orphan = this.#claims.orphanBehind(own, arrivals, context)
    if (orphan === null || incident.earliest === null) return null
    const { incident: id, quality } = orphan
    return [this.#publication(incident, id, [], 'withdrawn', quality, incident.earliest, told.id, now)]
  }

  #next(incident: Incident, context: IncidentContext): Publication[] {
    const { now } = context
    if (incident.endedAt !== null) return []
    if (incident.mergedWith !== null) return this.#leave(incident, incident.mergedWith, now)
    const foreign = this.#claims.on(incident.arrivals, incident.shots, false)
    if (incident.told === null && foreign !== null && !this.#takesOver(incident, foreign, context))
      return this.#confirm(incident, foreign.claim, context)
    const { told, lostAt } = incident
    const last = incident.shots.at(-1)
    if (last === undefined) {
      if (told === null) incident.endedAt = now
      else if (lostAt !== null && now >= lostAt + lostFor) return this.#withdraw(incident, told, now, null)
      return []
    }
    const all = readyShots(incident, shot => context.settled(shot))
    if (all.length === 0) return []
    incident.readyAt ??= now
    if (told === null) {
      const rank = this.#rank(all, context)
      if (now > last.time + memory) incident.endedAt = now
      if (rank === null || now < incident.readyAt + rank * claimDelay) return []
    }
    const ready = borneOutShots(all, incident, shot => context.stands(shot))
    if (ready.length === 0)
      return told !== null && now >= last.time + finalAfter ? this.#withdraw(incident, told, now, null) : []
    if (told === null) return this.#publish(incident, ready, null, now)
    if (now >= last.time + finalAfter) return this.#publish(incident, ready, 'final', now)
    if (content(ready) === told.content || now < told.at + revisionSpacing) return []
    return this.#publish(incident, ready, 'updated', now)
  }

  /** How many gateways may report the shots before this one: earlier arrivals first, and last whose ears do not bear them out. */
  #rank(shots: readonly SupportedShot[], { vouches }: IncidentContext): number | null {
    const order = reportingOrder(shots)
    if (!order.includes(this.#gateway)) return null
    const first = order.filter(gateway => shots.some(shot => vouches(gateway, shot)))
    return first.includes(this.#gateway) ? first.indexOf(this.#gateway) : first.length
  }

  /** Another gateway reports the incident: whether that one is gone and everybody who comes before this gateway has let it pass. */
  #takesOver(incident: Incident, entry: SeenClaim, { now, alive, stands }: IncidentContext): boolean {
    const { claim } = entry
    // Should the claim ever be withdrawn in favour of nothing, the order of reporting starts again then.
    incident.readyAt = null
    const last = incident.shots.at(-1)
    if (last === undefined || now > last.time + memory) incident.endedAt = now
    else if (claim.state === 'final') this.#end(incident, knownShots(claim, incident.shots), now)
    if (
      incident.endedAt !== null ||
      claim.state === 'final' ||
      !isOrphaned(entry, now, alive) ||
      entry.orphaned === null
    )
      return false
    const order = reportingOrder(incident.shots).filter(gateway => gateway !== claim.reporter)
    const rank = order.includes(this.#gateway) ? order.indexOf(this.#gateway) : order.length
    if (now < entry.orphaned + rank * claimDelay || !incident.shots.some(stands)) return false
    incident.told = { id: claim.incident, quality: claim.quality, at: Number.NEGATIVE_INFINITY, content: '' }
    return true
  }

  /**
   * A gateway that heard the incident before the one that claimed it tells the hub how it ended, under the claim's name: a claim that
   * nothing follows, or something else, must not silence it.
   */
  #confirm(incident: Incident, { incident: id, reporter, quality }: Claim, context: IncidentContext): Publication[] {
    const { now } = context
    const { shots, endedAt } = incident
    const last = shots.at(-1)
    const order = reportingOrder(shots)
    const [own, other] = [order.indexOf(this.#gateway), order.indexOf(reporter)]
    if (last === undefined || own < 0 || (other >= 0 && other < own)) return []
    if (endedAt === null && now < last.time + confirmAfter) return []
    const all = endedAt === null ? readyShots(incident, shot => context.settled(shot)) : shots
    const ready = borneOutShots(all, incident, shot => context.stands(shot))
    if (ready.length === 0) return []
    incident.told = { id, quality, at: now, content: '' }
    return this.#publish(incident, ready, 'final', now)
  }

  /** Ends an incident that was told for good; shots that were not are left over for one of their own. */
  #end(incident: Incident, shots: readonly SupportedShot[], now: number): void {
    const left = incident.shots.filter(shot => !shots.includes(shot))
    incident.shots = shots
    incident.endedAt = now
    if (left.length === 0) return
    const rest = this.#begin()
    rest.shots = left
    for (const { id } of left.flatMap(({ arrivals }) => arrivals)) rest.arrivals.add(id)
  }

  /** Publishes the withdrawal of an incident that became part of another as soon as that one has a name. */
  #leave(incident: Incident, survivor: Incident, now: number): Publication[] {
    const { told } = incident
    const name = survivor.told?.id ?? this.#claims.on(survivor.arrivals, survivor.shots, false)?.claim.incident
    if (told === null || name === told.id) incident.endedAt = now
    else if (survivor.mergedWith !== null) incident.mergedWith = survivor.mergedWith
    else if (name !== undefined) return this.#withdraw(incident, told, now, name)
    return []
  }

  /** Without shots the incident was a mistake; else it is another gateway's from now on, and followed. */
  #withdraw(incident: Incident, told: Told, now: number, mergedInto: string | null): Publication[] {
    const { earliest } = incident
    incident.told = null
    incident.readyAt = null
    if (mergedInto === null || incident.mergedWith !== null) {
      incident.shots = []
      incident.endedAt = now
    }
    // Taken over, and lost before it was told: there is nothing to withdraw.
    if (earliest === null) return []
    return [this.#publication(incident, told.id, [], 'withdrawn', told.quality, earliest, mergedInto, now)]
  }

  /** @param state null for the first revision that this gateway tells */
  #publish(
    incident: Incident,
    shots: readonly SupportedShot[],
    state: 'updated' | 'final' | null,
    now: number,
  ): Publication[] {
    const earliest = earliestArrival(shots)
    if (earliest === undefined) return []
    incident.earliest = earliest
    const id = incident.told?.id ?? incidentIdentifier(earliest)
    const quality = qualityOf(shots)
    incident.told = { id, quality, at: now, content: content(shots) }
    if (state === 'final') this.#end(incident, shots, now)
    const named = state ?? (this.#claims.revisionOf(id) > 0 ? 'updated' : 'provisional')
    return [this.#publication(incident, id, shots, named, quality, earliest, null, now)]
  }

  #publication(
    incident: Incident,
    id: string,
    shots: readonly SupportedShot[],
    state: IncidentState,
    quality: IncidentQuality,
    earliest: Arrival,
    mergedInto: string | null,
    now: number,
  ): Publication {
    const revision = this.#claims.revisionOf(id) + 1
    this.#claims.told({ incident: id, revision, state }, now)
    return {
      revision: {
        incident: id,
        revision,
        state,
        mergedInto,
        quality,
        shots: shots.map(shot => reportedShot(shot, this.#plane)),
      },
      claim: {
        incident: id,
        reporter: this.#gateway,
        revision,
        state,
        quality,
        time: now,
        earliest: { id: earliest.id, time: earliest.time },
        arrivals: [...incident.arrivals].slice(-claimedArrivals),
      },
    }
  }

  #open(): Incident[] {
    return this.#incidents.filter(({ endedAt, mergedWith }) => endedAt === null && mergedWith === null)
  }

  #begin(): Incident {
    const incident = newIncident()
    this.#incidents.push(incident)
    return incident
  }

  /** Whether a shot has been told for good. */
  #isEnded(shot: SupportedShot): boolean {
    return this.#incidents.some(
      ({ endedAt, shots }) =>
        endedAt !== null && isKnown(shot, new Set(shots.flatMap(({ arrivals }) => arrivals.map(({ id }) => id)))),
    )
  }
}
