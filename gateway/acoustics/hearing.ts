import type { Arrival, GatewayPlace, LocatedShot, Weather } from './arrival.js'
import { type GeodeticPosition, TangentPlane } from './geodesy.js'
import type { Claim, GunfireRevision, SupportedShot } from './incident.js'
import { IncidentBook } from './incidents.js'
import { blastProbability } from './probability.js'
import { airOf } from './propagation.js'
import { convincing, unlocatedSounds } from './sounds.js'
import { type DistrustChange, type Standing, TrustBook } from './trust.js'
import { hearingRange, witnessOf } from './witness.js'

/** What one gateway tells its neighbours: where it is, what it heard, and up to when it would have heard more. */
export interface NeighbourReport {
  readonly gateway: string
  readonly epoch: string
  readonly position: GeodeticPosition
  /** One standard deviation a horizontal axis, metres. */
  readonly positionError: number
  /** Everything heard before this instant is in this report or an earlier one, seconds since 1970 UTC. */
  readonly heardUntil: number
  readonly arrivals: readonly Arrival[]
}

/** Solves for shots; given by `locate.ts`, passed in so that association can be tested apart. */
export type Locator = (input: {
  readonly arrivals: readonly Arrival[]
  readonly places: ReadonlyMap<string, GatewayPlace>
  readonly heardUntil: ReadonlyMap<string, number>
  readonly weather: Weather
}) => LocatedShot[]

export interface HearingOptions {
  readonly gateway: string
  readonly epoch: string
  readonly position: GeodeticPosition
  readonly positionError: number
  readonly weather: Weather
  readonly locate: Locator
  /** A gateway that has nothing to say reports itself this often, so that its silence means that it heard nothing, seconds;
   * 0 where every step is reported, as in a replay. */
  readonly heartbeat: number
  /** Salience from which a sound that is not located is reported as heard, with or without neighbours. */
  readonly loneSalience: number
}

/** Salience (decibel of the power step) from which gateways report a sound that is not located. */
export const usualLoneSalience = 12
/** What several gateways locate and all judge to be something else than a blast is not told: below this probability. */
const leastBlast = 0.2
/** Arrivals are kept this long, and shots older than `frozenAfter` are no longer changed, seconds. */
const poolSeconds = 20
const frozenAfter = 14
/** The same arrivals are solved for at most this often, seconds. */
const solveSpacing = 0.25
/** A gateway that has not been heard of for so long is taken for dead, seconds: two and a half heartbeats of ten. */
const aliveFor = 25
/** A neighbour that lives would have told of an impulse by so long after it, seconds. */
const tellingDelay = 1.2
/** The pool never holds more arrivals of one gateway than this; the least salient go first. */
const poolLimit = 60
/**
 * Arrivals that are worse than this do not locate, seconds. Sound goes 34 m in it: with the usual dilution of 1.2 a place is
 * then within 100 m with 95 % confidence (2.45 standard deviations), a city block, and a wider ellipse sends nobody anywhere.
 */
const locatingTimeError = 0.1
const locatingPositionError = 340 * locatingTimeError
/** A gateway that has not told by so long after it should have is not waited for, seconds. */
const farewell = 2
/** Shots bear witness when nothing can be added to them any more, seconds, and if their place is as sure as this. */
const witnessAfter = 8
const witnessProbability = 0.9
/** Gateways that say so of themselves stand elsewhere from this on, metres. */
const movedBy = 1
/** Clock differences are unknown across so much; reports from further in the future are refused, seconds. */
const futureLimit = 5

/**
 * The hearing of one gateway: collects its own arrivals and its neighbours', solves for shots, and says what to publish.
 * Time is passed in; nothing here reads a clock. Times are seconds since 1970 UTC.
 */
export class Hearing {
  readonly #options: HearingOptions
  readonly #plane: TangentPlane
  readonly #book: IncidentBook
  readonly #trust = new TrustBook()
  readonly #arrivals = new Map<string, Arrival>()
  readonly #places = new Map<string, GatewayPlace>()
  readonly #heardUntil = new Map<string, number>()
  readonly #epochs = new Map<string, string>()
  readonly #lastSeen = new Map<string, number>()
  #unsent: Arrival[] = []
  #changed = false
  #solvedAt = Number.NEGATIVE_INFINITY
  #reportedAt = Number.NEGATIVE_INFINITY
  #weather: Weather
  #distrust: DistrustChange[] = []
  #located: readonly LocatedShot[] = []
  /** When to look again at sounds that others may still add to, seconds since 1970 UTC. */
  #undecided: number | null = null

  constructor(options: HearingOptions) {
    this.#options = options
    this.#plane = new TangentPlane(options.position)
    this.#book = new IncidentBook(options.gateway, this.#plane)
    this.#weather = options.weather
    this.#places.set(options.gateway, {
      gateway: options.gateway,
      position: { east: 0, north: 0, up: 0 },
      positionError: options.positionError,
    })
  }

  setWeather(weather: Weather): void {
    this.#weather = weather
  }

  /** Takes this gateway's own arrivals and up to when its microphones have been listened to. */
  hear(arrivals: readonly Arrival[], heardUntil: number, now: number): void {
    const { gateway } = this.#options
    this.#heardUntil.set(gateway, Math.max(this.#heardUntil.get(gateway) ?? 0, heardUntil))
    this.#lastSeen.set(gateway, now)
    const blasts = arrivals.filter(({ shockWave }) => shockWave !== true)
    this.#unsent.push(...blasts)
    this.#add(blasts)
  }

  /** Takes a neighbour's report. Arrivals that claim to be from another gateway, or from the future, are ignored. */
  receive(report: NeighbourReport, now: number): void {
    if (report.gateway === this.#options.gateway) return
    const position = this.#plane.toLocal(report.position)
    const before = this.#places.get(report.gateway)?.position
    if (before !== undefined && Math.hypot(before.east - position.east, before.north - position.north) > movedBy)
      this.#trust.moved(report.gateway)
    this.#places.set(report.gateway, { gateway: report.gateway, position, positionError: report.positionError })
    const formerly = this.#epochs.get(report.gateway)
    if (formerly !== undefined && formerly !== report.epoch) this.#book.restarted(report.gateway)
    this.#epochs.set(report.gateway, report.epoch)
    this.#lastSeen.set(report.gateway, now)
    const until = Math.min(report.heardUntil, now + futureLimit)
    this.#heardUntil.set(report.gateway, Math.max(this.#heardUntil.get(report.gateway) ?? 0, until))
    this.#add(report.arrivals.filter(({ gateway, time }) => gateway === report.gateway && time < now + futureLimit))
  }

  receiveClaim(claim: Claim, now: number): void {
    this.#lastSeen.set(claim.reporter, now)
    this.#book.receiveClaim(claim, now)
  }

  /** What this gateway thinks of the clock and the place of another, or of its own. */
  standing(gateway: string): Standing {
    return this.#trust.standing(gateway)
  }

  /**
   * Moves time on: the report for the neighbours if one is due, the revisions for the hub with their claims, and which
   * gateways, this one included, are distrusted from now on or no longer.
   */
  advance(now: number): {
    report: NeighbourReport | null
    due: { revision: GunfireRevision; claim: Claim }[]
    distrust: DistrustChange[]
  } {
    this.#forget(now)
    if ((this.#changed && now >= this.#solvedAt + solveSpacing) || now >= this.#solvedAt + 4 * solveSpacing)
      this.#solve(now)
    if (this.#undecided !== null && now >= this.#undecided) this.#decide(now)
    const due = this.#book.advance({
      now,
      alive: gateway => this.#alive(gateway, now),
      settled: shot => this.#settled(shot, now),
    })
    const distrust = this.#distrust
    this.#distrust = []
    return { report: this.#report(now), due, distrust }
  }

  #add(arrivals: readonly Arrival[]): void {
    for (const arrival of arrivals) {
      if (this.#arrivals.has(arrival.id)) continue
      this.#arrivals.set(arrival.id, arrival)
      this.#changed = true
    }
    for (const gateway of new Set(arrivals.map(arrival => arrival.gateway))) {
      const own = [...this.#arrivals.values()].filter(arrival => arrival.gateway === gateway)
      if (own.length <= poolLimit) continue
      own.sort((a, b) => a.salience - b.salience)
      for (const { id } of own.slice(0, own.length - poolLimit)) this.#arrivals.delete(id)
    }
  }

  #forget(now: number): void {
    for (const [id, arrival] of this.#arrivals) if (arrival.time < now - poolSeconds) this.#arrivals.delete(id)
    for (const [gateway, seen] of this.#lastSeen) {
      if (gateway === this.#options.gateway || now - seen < 6 * aliveFor) continue
      this.#lastSeen.delete(gateway)
      this.#places.delete(gateway)
      this.#epochs.delete(gateway)
      this.#heardUntil.delete(gateway)
    }
  }

  #solve(now: number): void {
    this.#changed = false
    this.#solvedAt = now
    const pool = [...this.#arrivals.values()]
    this.#located = this.#isLone() ? [] : this.#locate(pool, now)
    this.#bearWitness(this.#located, pool, now)
    this.#decide(now)
  }

  /** Hands the book what was located and what was only heard; what others may still add to is looked at again soon. */
  #decide(now: number): void {
    this.#undecided = null
    const pool = [...this.#arrivals.values()]
    const heard = this.#isLone() ? this.#heardAlone(pool) : this.#heardTogether(pool, this.#located, now)
    const blasts = this.#located
      .map(shot => this.#supported(shot))
      .filter(({ arrivals }) => (blastProbability(arrivals, true) ?? 1) >= leastBlast)
    const shots = [...blasts, ...heard]
    this.#book.update(shots, now - frozenAfter, now)
  }

  #isLone(): boolean {
    return ![...this.#lastSeen.keys()].some(gateway => gateway !== this.#options.gateway)
  }

  #supported(shot: LocatedShot): SupportedShot {
    const arrivals = shot.arrivals.flatMap(({ id }) => this.#arrivals.get(id) ?? []).sort((a, b) => a.time - b.time)
    return { located: shot, time: shot.time, arrivals }
  }

  /**
   * Located by the gateways whose clocks and places allow it: what is distrusted counts with the error that was found, and
   * nobody's silence counts whose arrivals do not.
   */
  #locate(pool: readonly Arrival[], now: number): LocatedShot[] {
    const places = new Map<string, GatewayPlace>()
    for (const [gateway, place] of this.#places) {
      const positionError = this.#trust.positionError(place)
      if (positionError <= locatingPositionError) places.set(gateway, { ...place, positionError })
    }
    const poor = new Set<string>()
    const arrivals = pool.flatMap(arrival => {
      const timeError = this.#trust.timeError(arrival)
      if (timeError <= locatingTimeError) return places.has(arrival.gateway) ? [{ ...arrival, timeError }] : []
      poor.add(arrival.gateway)
      return []
    })
    if (new Set(arrivals.map(({ gateway }) => gateway)).size < 2) return []
    const told = [...places.keys()].filter(gateway => !poor.has(gateway))
    const heardUntil = new Map(told.map(gateway => [gateway, this.#toldUntil(gateway, now)]))
    return this.#options.locate({ arrivals, places, heardUntil, weather: this.#weather })
  }

  /** Shots that are settled show whose clock or place is wrong. */
  #bearWitness(located: readonly LocatedShot[], pool: readonly Arrival[], now: number): void {
    for (const shot of located) {
      if (shot.time > now - witnessAfter || shot.probability < witnessProbability || this.#trust.knows(shot)) continue
      this.#distrust.push(...this.#trust.take(witnessOf(shot, pool, this.#places.values(), airOf(this.#weather))))
    }
  }

  /** What sounds like a gun and could not be located, once no gateway can add to it. */
  #heardTogether(pool: readonly Arrival[], located: readonly LocatedShot[], now: number): SupportedShot[] {
    const { loneSalience } = this.#options
    const air = airOf(this.#weather)
    const input = { arrivals: pool, places: this.#places, located, air, leastSalience: loneSalience }
    return unlocatedSounds(input)
      .filter(({ over }) => {
        const silent = (each: string): boolean => this.#alive(each, now) && this.#toldUntil(each, now) < over
        const waiting = now < over + farewell && [...this.#places.keys()].some(silent)
        if (waiting) this.#undecided = now + solveSpacing
        return !waiting
      })
      .map(({ arrivals, time }) => ({ located: null, arrivals, time }))
  }

  /**
   * Without neighbours there is no position: a bearing where the array gives one, else "heard"; and only what sounds like a
   * blast by itself, since nobody else bears it out.
   */
  #heardAlone(pool: readonly Arrival[]): SupportedShot[] {
    return pool
      .filter(arrival => arrival.salience >= this.#options.loneSalience && convincing(arrival))
      .map(arrival => ({ located: null, arrivals: [arrival], time: arrival.time }))
  }

  #alive(gateway: string, now: number): boolean {
    return now - (this.#lastSeen.get(gateway) ?? Number.NEGATIVE_INFINITY) < aliveFor
  }

  /** Up to when a gateway has told all that it heard: what it said, or a moment ago if it lives and said nothing. */
  #toldUntil(gateway: string, now: number): number {
    const said = this.#heardUntil.get(gateway) ?? Number.NEGATIVE_INFINITY
    return this.#options.heartbeat > 0 && this.#alive(gateway, now) ? Math.max(said, now - tellingDelay) : said
  }

  #settled(shot: SupportedShot, now: number): boolean {
    const { located } = shot
    if (located === null) return true
    const slowest = 320
    for (const [gateway, place] of this.#places) {
      if (!this.#alive(gateway, now)) continue
      const distance = Math.hypot(
        place.position.east - located.position.east,
        place.position.north - located.position.north,
      )
      const heardBy = located.time + distance / slowest
      // A far gateway is not waited for, nor one that stopped telling: the hub waits for neither.
      const waiting = this.#toldUntil(gateway, now) < heardBy && now < heardBy + farewell
      if (distance < hearingRange && waiting) return false
    }
    return true
  }

  #report(now: number): NeighbourReport | null {
    const heardUntil = this.#heardUntil.get(this.#options.gateway)
    if (heardUntil === undefined) return null
    if (this.#unsent.length === 0 && now < this.#reportedAt + this.#options.heartbeat) return null
    const { gateway, epoch, position, positionError } = this.#options
    const arrivals = this.#unsent
    this.#unsent = []
    this.#reportedAt = now
    return { gateway, epoch, position, positionError, heardUntil, arrivals }
  }
}
