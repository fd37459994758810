import { type Claim, gatewayOf, type IncidentQuality, incidentQualities, type SupportedShot } from './incident.js'

/** A reporter that has not been heard of for so long is replaced, seconds. */
const reporterPatience = 15
/** Claims are remembered for so long after they came, seconds. */
const memory = 60
/** A claim whose revision is further ahead than messages get lost or overtaken is not believed: numbers would run out. */
const revisionLeap = 1000

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
  readonly #revisions = new Map<string, { revision: number; withdrawn: boolean; seen: number }>()

  /** Takes another gateway's claim; claims may come late, doubled or out of order. */
  receive(claim: Claim, now: number): void {
    if (claim.revision > this.revisionOf(claim.incident) + revisionLeap) return
    this.told(claim, now)
    const key = `${claim.incident} ${claim.reporter}`
    const known = this.#claims.get(key)
    if (known === undefined || claim.revision > known.claim.revision)
      this.#claims.set(key, { claim, seen: now, abandoned: false, orphaned: null })
  }

  /** A revision of an incident is out, whoever told it. */
  told({ incident, revision, state }: Pick<Claim, 'incident' | 'revision' | 'state'>, now: number): void {
    if (revision < this.revisionOf(incident)) return
    this.#revisions.set(incident, { revision, withdrawn: state === 'withdrawn', seen: now })
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

  /**
   * The claim on the same arrivals that decides: the one before all others, of one incident the newest. Open incidents that
   * share one arrival are one. What ended takes in, or is taken in by, no more than was told of it: a new shot that has
   * borrowed an arrival of an old one must not vanish in it.
   *
   * @param ended whether the incident that has these arrivals and shots is final
   */
  on(arrivals: ReadonlySet<string>, shots: readonly SupportedShot[], ended: boolean): SeenClaim | null {
    let best: SeenClaim | null = null
    for (const entry of this.#standing()) {
      const { claim } = entry
      if (!shares(claim, arrivals)) continue
      const known = knownShots(claim, shots).length
      if (ended ? known < shots.length : claim.state === 'final' && shots.length > 0 && known === 0) continue
      const newer = claim.incident === best?.claim.incident && claim.revision > best.claim.revision
      if (best === null || newer || isBefore(claim, best.claim)) best = entry
    }
    return best
  }

  /** A claim on mostly the same arrivals that should give way to `winner`, and that nobody is left to withdraw. */
  orphanBehind(
    winner: Rival,
    arrivals: ReadonlySet<string>,
    { now, alive }: { readonly now: number; alive(gateway: string): boolean },
  ): Claim | null {
    for (const entry of this.#standing()) {
      const { claim } = entry
      const common = claim.arrivals.filter(id => arrivals.has(id)).length
      if (2 * common < claim.arrivals.length || !isBefore(winner, claim)) continue
      if (isOrphaned(entry, now, alive)) return claim
    }
    return null
  }

  /** Claims on incidents that were not withdrawn when last heard of. */
  *#standing(): Iterable<SeenClaim> {
    for (const entry of this.#claims.values()) {
      const { incident, state } = entry.claim
      const withdrawn = this.#revisions.get(incident)?.withdrawn === true
      if (!withdrawn && state !== 'withdrawn') yield entry
    }
  }
}

// Only who heard an incident may claim it: one who lies from far away holds nobody up.
function shares({ arrivals: claimed, reporter }: Claim, arrivals: ReadonlySet<string>): boolean {
  return claimed.some(id => arrivals.has(id) && gatewayOf(id) === reporter)
}

/** Those of the shots that a claim was told of. */
export function knownShots({ arrivals }: Claim, shots: readonly SupportedShot[]): SupportedShot[] {
  const told = new Set(arrivals)
  return shots.filter(shot => isKnown(shot, told))
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
