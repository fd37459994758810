import { type Claim, type IncidentQuality, incidentQualities, type SupportedShot } from './incident.js'

/** A reporter that has not been heard of for so long is replaced, seconds. */
const reporterPatience = 15
/** Claims are remembered for so long after they came, seconds. */
const memory = 60

export interface SeenClaim {
  readonly claim: Claim
  readonly seen: number
  /** Whether its reporter started anew and forgot it. */
  abandoned: boolean
  /** Since when nobody looks after it, seconds since 1970 UTC. */
  orphaned: number | null
}

/** What one gateway knows of the others' claims, and how far the revisions of each incident have come, its own included. */
export class ClaimBook {
  readonly #claims = new Map<string, SeenClaim>()
  readonly #revisions = new Map<string, { revision: number; seen: number }>()

  /** Takes another gateway's claim; claims may come late, doubled or out of order. */
  receive(claim: Claim, now: number): void {
    this.told(claim.incident, claim.revision, now)
    const key = `${claim.incident} ${claim.reporter}`
    const known = this.#claims.get(key)
    if (known === undefined || claim.revision > known.claim.revision)
      this.#claims.set(key, { claim, seen: now, abandoned: false, orphaned: null })
  }

  /** A revision of an incident is out, whoever told it. */
  told(incident: string, revision: number, now: number): void {
    this.#revisions.set(incident, { revision: Math.max(revision, this.revisionOf(incident)), seen: now })
  }

  /** The highest revision known of an incident, 0 for none. */
  revisionOf(incident: string): number {
    return this.#revisions.get(incident)?.revision ?? 0
  }

  /** A gateway has started anew and remembers nothing of what it reported. */
  restarted(gateway: string): void {
    for (const entry of this.#claims.values()) if (entry.claim.reporter === gateway) entry.abandoned = true
  }

  forget(now: number): void {
    for (const [key, { seen }] of this.#claims) if (now - seen > memory) this.#claims.delete(key)
    for (const [incident, { seen }] of this.#revisions) if (now - seen > 2 * memory) this.#revisions.delete(incident)
  }

  /** The claim on the same arrivals that decides: the one before all others, of one incident the newest. */
  on(arrivals: ReadonlySet<string>, shots: readonly SupportedShot[]): SeenClaim | null {
    let best: SeenClaim | null = null
    for (const entry of this.#claims.values()) {
      const { claim } = entry
      if (claim.state === 'withdrawn' || !concerns(claim, arrivals, shots)) continue
      const newer = claim.incident === best?.claim.incident && claim.revision > best.claim.revision
      if (best === null || newer || isBefore(claim, best.claim)) best = entry
    }
    return best
  }
}

/**
 * Open incidents that share one arrival are one. What ended takes in no more than was told of it: a new shot that has
 * borrowed an arrival of an old one must not vanish in it.
 */
function concerns(claim: Claim, arrivals: ReadonlySet<string>, shots: readonly SupportedShot[]): boolean {
  if (claim.state !== 'final') return claim.arrivals.some(id => arrivals.has(id))
  const known = new Set(claim.arrivals)
  return shots.length > 0 ? shots.every(shot => isKnown(shot, known)) : claim.arrivals.some(id => arrivals.has(id))
}

/** Whether a shot is one of those that these arrivals were told of: at least half of its own are among them. */
export function isKnown({ arrivals }: SupportedShot, told: ReadonlySet<string>): boolean {
  return 2 * arrivals.filter(({ id }) => told.has(id)).length >= arrivals.length
}

/** Whether the gateway that reports it is gone for good: dead, or started anew without its memory. */
export function isOrphaned(entry: SeenClaim, now: number, alive: (gateway: string) => boolean): boolean {
  const cared = !entry.abandoned && (alive(entry.claim.reporter) || now - entry.seen <= reporterPatience)
  entry.orphaned = cared ? null : (entry.orphaned ?? now)
  return !cared
}

type Rival = Pick<Claim, 'incident'> & { readonly quality: IncidentQuality }

/** Which of two incidents that share an arrival lives on: the better located, then the smaller id. */
export function isBefore(one: Rival, other: Rival): boolean {
  if (one.incident === other.incident) return false
  const better = incidentQualities.indexOf(one.quality) - incidentQualities.indexOf(other.quality)
  return better < 0 || (better === 0 && one.incident < other.incident)
}
