import type { Arrival, GatewayPlace } from './arrival.js'
import { type Explanation, type FaultKind, likelihood, shares, sizeOf, wrongClock, wrongPosition } from './suspicion.js'
import { type Deviation, deviationsOf, type Witness } from './witness.js'

/** What a gateway does wrong, as far as the others can tell. */
export interface Fault {
  readonly kind: FaultKind
  /** Clock: seconds by which its times are late. Position: metres from where it says to where it stands. */
  readonly estimate: number
  /** One standard deviation of `estimate`. */
  readonly error: number
  /** Where it stands from where it says, metres; zero for a clock. */
  readonly offset: { readonly east: number; readonly north: number }
  /** The first shot that shows it, seconds since 1970 UTC, and how many do. */
  readonly since: number
  readonly shots: number
}

/** Suspicion is for people who ask; only distrust changes anything. */
export type Standing =
  | { readonly state: 'trusted'; readonly fault: null }
  | { readonly state: 'suspected' | 'distrusted'; readonly fault: Fault }

/** A gateway is distrusted from now on, or trusted again; told once each. */
export interface DistrustChange {
  readonly gateway: string
  readonly state: 'raised' | 'cleared'
  readonly fault: Fault
}

/** The newest shots are remembered, and judged over stretches that end now, so that a fault may begin at any time. */
const memory = 48
const stretches = [6, 12, 24, 48]
/** Faults smaller than this are a building's doing, seconds and metres; nor may they be within what the gateway states itself. */
const leastLate = 0.025
const leastOffset = 10
const statedTimeErrors = 3
const statedPositionErrors = 2.5
/** Logarithm of how much likelier a fault must be than none, than a fault of another gateway, and than one of the other kind. */
const suspicionGain = 6
const distrustGain = 18
const lead = 4
const kindLead = 4
const kindChangeLead = 8
/** Shots from fewer places show no fault, and those from fewer sides of a gateway of 30 degrees each. */
const leastPlaces = { clock: 4, position: 5 }
const manyPlaces = 18
const leastSides = 3
/**
 * At least so many others must agree on a shot that counts against a gateway: three always agree on some place, so that with
 * a fourth a lone liar can neither hide nor turn the others against one of them.
 */
const majority = 4
/**
 * Logarithm of how much likelier none must be than its fault until a gateway is trusted again, over so many places; that many
 * more each further time.
 */
const recoveryGain = 8
const recoveryPlaces = 5
/** One burst bears witness once; seconds and metres. */
const burstSeconds = 10
const burstReach = 60

interface Distrusted {
  fault: Fault
  /** Shots after this bear on recovery, seconds since 1970 UTC. */
  readonly raised: number
  /** How often it has been distrusted, this time included. */
  readonly times: number
}

interface Verdict {
  readonly gateway: string
  readonly fault: Fault
  readonly gain: number
  /** By how much it surpasses a fault of the other kind. */
  readonly margin: number
  readonly proven: boolean
}

/**
 * One gateway's book on the clocks and places of its network, itself included, from shots that others located. Robust
 * likelihood ratios over stretches of shots decide, as in tests for a change in a sequence (Lorden 1971); the worst
 * offender is taken out first and the others judged without it.
 */
export class TrustBook {
  #witnesses: { witness: Witness; deviations: readonly Deviation[] }[] = []
  readonly #distrusted = new Map<string, Distrusted>()
  readonly #suspected = new Map<string, Fault>()
  readonly #times = new Map<string, number>()
  /** Deviations of a gateway up to this time are of another state of it. */
  readonly #forgotten = new Map<string, number>()

  standing(gateway: string): Standing {
    const fault = this.#distrusted.get(gateway)?.fault
    if (fault !== undefined) return { state: 'distrusted', fault }
    const suspicion = this.#suspected.get(gateway)
    return suspicion === undefined ? { state: 'trusted', fault: null } : { state: 'suspected', fault: suspicion }
  }

  /** One standard deviation of an arrival's time, seconds, with what is known of its gateway's clock. */
  timeError({ gateway, timeError }: Pick<Arrival, 'gateway' | 'timeError'>): number {
    const fault = this.#distrusted.get(gateway)?.fault
    return fault?.kind === 'clock' ? Math.hypot(timeError, Math.abs(fault.estimate) + 2 * fault.error) : timeError
  }

  /** One standard deviation of a gateway's place, metres, with what is known of it. */
  positionError({ gateway, positionError }: GatewayPlace): number {
    const fault = this.#distrusted.get(gateway)?.fault
    return fault?.kind === 'position' ? Math.hypot(positionError, fault.estimate + 2 * fault.error) : positionError
  }

  /** Whether a shot is one that has borne witness already. */
  knows({ time, position }: Pick<Witness, 'time' | 'position'>): boolean {
    return this.#witnesses.some(({ witness }) => {
      const gap = Math.abs(witness.time - time)
      const apart = Math.hypot(witness.position.east - position.east, witness.position.north - position.north)
      return gap < 0.2 || (gap < burstSeconds && apart < burstReach)
    })
  }

  /** The gateway was moved, or says that it stands elsewhere: what its arrivals showed until now counts no more. */
  moved(gateway: string): void {
    this.#forgotten.set(gateway, this.#witnesses.at(-1)?.witness.time ?? Number.NEGATIVE_INFINITY)
    this.#suspected.delete(gateway)
  }

  /** Takes a settled shot and says what it changed. */
  take(witness: Witness): DistrustChange[] {
    if (this.knows(witness)) return []
    this.#witnesses.push({ witness, deviations: deviationsOf(witness, new Set(this.#distrusted.keys())) })
    if (this.#witnesses.length > memory) this.#witnesses.shift()
    return [...this.#recover(), ...this.#learn(), ...this.#accuse()]
  }

  #lookAnew(): void {
    const distrusted = new Set(this.#distrusted.keys())
    this.#witnesses = this.#witnesses.map(({ witness }) => ({ witness, deviations: deviationsOf(witness, distrusted) }))
  }

  #accuse(): DistrustChange[] {
    const changes: DistrustChange[] = []
    this.#suspected.clear()
    for (;;) {
      const verdict = this.#worst()
      if (verdict === null) return changes
      const { gateway, fault, proven } = verdict
      const gateways = new Set(this.#witnesses.flatMap(({ witness }) => witness.gateways.map(g => g.place.gateway)))
      if (!proven || 2 * (this.#distrusted.size + 1) >= gateways.size) {
        this.#suspected.set(gateway, fault)
        return changes
      }
      const times = (this.#times.get(gateway) ?? 0) + 1
      this.#times.set(gateway, times)
      this.#distrusted.set(gateway, { fault, raised: this.#witnesses.at(-1)?.witness.time ?? fault.since, times })
      changes.push({ gateway, state: 'raised', fault })
      this.#lookAnew()
    }
  }

  /** More shots show a fault more exactly, or as one of the other kind. */
  #learn(): DistrustChange[] {
    const changes: DistrustChange[] = []
    for (const [gateway, entry] of this.#distrusted) {
      const former = entry.fault
      const verdicts = stretches.flatMap(stretch => judge(gateway, this.#deviations(stretch).get(gateway) ?? []) ?? [])
      const [best] = verdicts.filter(({ proven }) => proven).sort((a, b) => b.gain - a.gain)
      if (best === undefined) continue
      const same = best.fault.kind === former.kind
      if (!same && best.margin < kindChangeLead) continue
      entry.fault = best.fault
      if (same) continue
      changes.push({ gateway, state: 'cleared', fault: former }, { gateway, state: 'raised', fault: best.fault })
    }
    return changes
  }

  /** The gateway whose fault explains most, if any does; it must explain more than the fault of any other would. */
  #worst(): Verdict | null {
    let worst: Verdict | null = null
    for (const stretch of stretches) {
      const verdicts = [...this.#deviations(stretch)]
        .filter(([gateway]) => !this.#distrusted.has(gateway))
        .flatMap(([gateway, deviations]) => judge(gateway, deviations) ?? [])
        .sort((a, b) => b.gain - a.gain)
      const [first, second] = verdicts
      if (first !== undefined && (worst === null || first.gain > worst.gain))
        worst = { ...first, proven: first.proven && first.gain > (second?.gain ?? 0) + lead }
      if (this.#witnesses.length <= stretch) break
    }
    return worst
  }

  #recover(): DistrustChange[] {
    const changes: DistrustChange[] = []
    for (const [gateway, { fault, raised, times }] of this.#distrusted) {
      for (const stretch of stretches) {
        const deviations = (this.#deviations(stretch).get(gateway) ?? []).filter(({ time }) => time > raised)
        const [first] = deviations
        if (first === undefined || !isRightAgain(deviations, fault, times * recoveryPlaces)) continue
        this.#distrusted.delete(gateway)
        this.#forgotten.set(gateway, first.time - 1e-3)
        changes.push({ gateway, state: 'cleared', fault })
        break
      }
    }
    if (changes.length > 0) this.#lookAnew()
    return changes
  }

  /** Deviations by gateway over the newest shots, as far as they count. */
  #deviations(stretch: number): Map<string, Deviation[]> {
    const found = new Map<string, Deviation[]>()
    for (const { deviations } of this.#witnesses.slice(-stretch)) {
      for (const deviation of deviations) {
        if (deviation.time <= (this.#forgotten.get(deviation.gateway) ?? Number.NEGATIVE_INFINITY)) continue
        found.set(deviation.gateway, [...(found.get(deviation.gateway) ?? []), deviation])
      }
    }
    return found
  }
}

function judge(gateway: string, all: readonly Deviation[]): Verdict | null {
  const borneOut = all.filter(({ others }) => others >= majority)
  // Where too few others hear the same shots, no more than a suspicion is possible.
  const deviations = borneOut.length >= leastPlaces.clock ? borneOut : all.filter(({ others }) => others >= 3)
  const weights = shares(deviations)
  const places = weights.reduce((sum, weight) => sum + weight, 0)
  if (places < leastPlaces.clock - 1e-9) return null
  const clock = wrongClock(deviations, weights)
  const position = wrongPosition(deviations, weights)
  // A place has one more coordinate than a clock to fit to what was heard (Schwarz 1978).
  const positionGain = position.gain - Math.log(deviations.length) / 2
  const explanation = positionGain > clock.gain ? position : clock
  const gain = Math.max(positionGain, clock.gain)
  const size = sizeOf(explanation)
  if (gain < suspicionGain || size < tolerance(explanation.kind, deviations) || size < 3 * explanation.error)
    return null
  const margin = Math.abs(positionGain - clock.gain)
  const proven =
    deviations === borneOut &&
    gain >= distrustGain &&
    (margin >= kindLead || places >= manyPlaces) &&
    places > leastPlaces[explanation.kind] - 1e-9 &&
    sidesOf(deviations) >= leastSides
  return { gateway, fault: faultOf(explanation, deviations), gain, margin, proven }
}

function isRightAgain(all: readonly Deviation[], fault: Fault, leastPlaces: number): boolean {
  const deviations = all.filter(({ others }) => others >= majority)
  const weights = shares(deviations)
  if (weights.reduce((sum, weight) => sum + weight, 0) < leastPlaces - 1e-9) return false
  const accused = { late: fault.kind === 'clock' ? fault.estimate : 0, ...fault.offset }
  if (likelihood(deviations, weights, accused) > -recoveryGain) return false
  return [wrongClock(deviations, weights), wrongPosition(deviations, weights)].every(
    explanation => explanation.gain < suspicionGain || sizeOf(explanation) < tolerance(explanation.kind, deviations),
  )
}

/** The least fault of a kind that is worth telling: more than buildings do, and more than the gateway owns up to itself. */
function tolerance(kind: FaultKind, deviations: readonly Deviation[]): number {
  return kind === 'clock'
    ? Math.max(leastLate, statedTimeErrors * middle(deviations.map(({ statedTimeError }) => statedTimeError)))
    : Math.max(leastOffset, statedPositionErrors * middle(deviations.map(each => each.statedPositionError)))
}

function faultOf(explanation: Explanation, deviations: readonly Deviation[]): Fault {
  const { kind, late, east, north, error } = explanation
  return {
    kind,
    estimate: kind === 'clock' ? late : Math.hypot(east, north),
    error,
    offset: { east, north },
    since: Math.min(...deviations.map(({ time }) => time)),
    shots: deviations.length,
  }
}

/** From how many sides, of 30 degrees each, sound came. */
function sidesOf(deviations: readonly Deviation[]): number {
  return new Set(
    deviations.map(({ slowness }) => Math.floor((6 * Math.atan2(slowness.east, slowness.north)) / Math.PI)),
  ).size
}

function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? 0
}
