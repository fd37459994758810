import type { Arrival, GatewayPlace, LocatedShot, Weather } from './arrival.js'
import { Corroboration, convincing, isBlast } from './corroboration.js'
import { type GeodeticPosition, TangentPlane } from './geodesy.js'
import { type Claim, type GunfireRevision, gatewayOf, roundsOf, type SupportedShot } from './incident.js'
import { IncidentBook } from './incidents.js'
import { Presence } from './presence.js'
import { airOf } from './propagation.js'
import { unexplainedOnsets, unlocatedSounds } from './sounds.js'
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
/** Arrivals are kept this long, and shots older than `frozenAfter` are no longer changed, seconds. */
const poolSeconds = 20
const frozenAfter = 14
/** The same arrivals are solved for at most this often, seconds. */
const solveSpacing = 0.25
/** The pool never holds more arrivals of one gateway than this; the least salient go first. */
const poolLimit = 60
/**
 * Arrivals that are worse than this do not locate, seconds. Sound goes 34 m in it: with the usual dilution of 1.2 a place is
 * then within 100 m with 95 % confidence (2.45 standard deviations), a city block, and a wider ellipse sends nobody anywhere.
 */
const locatingTimeError = 0.1
const locatingPositionError = 340 * locatingTimeError
/** No sound crosses a network slower, metres a second. */
const slowest = 320
/** A gateway that has not told by so long after it should have is not waited for, seconds. */
const farewell = 2
/** So long after its last arrival a shot is told, whatever far gateways may yet add, seconds. */
const longestWait = 1.7
/** So long after the newest arrival the silence of others may still change the solution, seconds; then it stands. */
const openFor = hearingRange / slowest + farewell
/** Shots bear witness when nothing can be added to them any more, seconds, and if their place is as sure as this. */
const witnessAfter = 8
const witnessProbability = 0.9
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
  readonly #presence: Presence
  #unsent: Arrival[] = []
  #changed = false
  /** Onset of the latest arrival. */
  #newest = Number.NEGATIVE_INFINITY
  #solvedAt = Number.NEGATIVE_INFINITY
  #reportedAt = Number.NEGATIVE_INFINITY
  #weather: Weather
  #distrust: DistrustChange[] = []
  #located: readonly LocatedShot[] = []
  readonly #corroboration: Corroboration
  /** When to look again at sounds that others may still add to, seconds since 1970 UTC. */
  #undecided: number | null = null

  constructor(options: HearingOptions) {
    this.#options = options
    this.#plane = new TangentPlane(options.position)
    this.#book = new IncidentBook(options.gateway, this.#plane)
    this.#weather = options.weather
    const { gateway, positionError, loneSalience } = options
    this.#corroboration = new Corroboration(gateway, loneSalience)
    const place = { gateway, position: { east: 0, north: 0, up: 0 }, positionError }
    this.#presence = new Presence(place, options.heartbeat > 0)
  }

  setWeather(weather: Weather): void {
    this.#weather = weather
  }

  /** Takes this gateway's own arrivals and up to when its microphones have been listened to. */
  hear(arrivals: readonly Arrival[], heardUntil: number, now: number): void {
    const blasts = arrivals.filter(({ shockWave }) => shockWave !== true)
    this.#presence.told(this.#options.gateway, heardUntil, now)
    this.#unsent.push(...blasts)
    this.#add(blasts)
  }

  /** Takes a neighbour's report. Arrivals that claim to be from another gateway, or from the future, are ignored. */
  receive(report: NeighbourReport, now: number): void {
    if (report.gateway === this.#options.gateway) return
    const { gateway, positionError } = report
    const place = { gateway, position: this.#plane.toLocal(report.position), positionError }
    const { moved, restarted } = this.#presence.meet(place, report.epoch)
    if (moved) this.#trust.moved(gateway)
    if (restarted) this.#book.restarted(gateway)
    this.#presence.told(gateway, Math.min(report.heardUntil, now + futureLimit), now)
    const own = ({ id, gateway: by }: Arrival): boolean => by === gateway && gatewayOf(id) === gateway
    this.#add(report.arrivals.filter(arrival => own(arrival) && arrival.time < now + futureLimit))
  }

  receiveClaim(claim: Claim, now: number): void {
    this.#presence.seen(claim.reporter, now)
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
    if (now >= this.#solvedAt + (this.#changed ? solveSpacing : 4 * solveSpacing)) {
      if (this.#changed || now <= this.#newest + openFor) this.#solve(now)
      this.#bearWitness(now)
    }
    if (this.#undecided !== null && now >= this.#undecided) this.#decide(now)
    const due = this.#book.advance({
      now,
      alive: gateway => this.#presence.isAlive(gateway, now),
      settled: shot => this.#settled(shot, now),
      vouches: (gateway, shot) => this.#corroboration.vouches(gateway, shot),
      stands: shot =>
        this.#corroboration.stands(shot, now, other => this.#locate([...this.#arrivals.values()], now, other)),
    })
    const distrust = this.#distrust
    this.#distrust = []
    return { report: this.#report(now), due, distrust }
  }

  #add(arrivals: readonly Arrival[]): void {
    for (const arrival of arrivals) {
      if (this.#arrivals.has(arrival.id)) continue
      this.#arrivals.set(arrival.id, arrival)
      this.#newest = Math.max(this.#newest, arrival.time)
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
    this.#corroboration.forget(now - poolSeconds)
    this.#presence.forget(now)
  }

  #solve(now: number): void {
    this.#changed = false
    this.#solvedAt = now
    const pool = [...this.#arrivals.values()]
    this.#located = this.#presence.isLone ? [] : this.#locate(pool, now)
    this.#decide(now)
  }

  /** Hands the book what was located and what was only heard; what others may still add to is looked at again soon. */
  #decide(now: number): void {
    this.#undecided = null
    const pool = [...this.#arrivals.values()]
    const heard = this.#presence.isLone ? this.#heardAlone(pool) : this.#heardTogether(pool, this.#located, now)
    const blasts = this.#located.map(shot => this.#supported(shot, pool)).filter(isBlast)
    const shots = [...blasts, ...heard]
    this.#book.update(shots, now - frozenAfter, now)
  }

  #supported(shot: LocatedShot, pool: readonly Arrival[]): SupportedShot {
    const heard = ({ arrivals }: LocatedShot) => arrivals.flatMap(({ id }) => this.#arrivals.get(id) ?? [])
    const arrivals = heard(shot).sort((a, b) => a.time - b.time)
    const unexplained = unexplainedOnsets(shot, this.#located, pool, this.#presence.places, airOf(this.#weather))
    const judged = roundsOf(shot, this.#located).flatMap(heard)
    return { located: shot, time: shot.time, arrivals, unexplained, judged }
  }

  /**
   * Located by the gateways whose clocks and places allow it: what is distrusted counts with the error that was found, and
   * nobody's silence counts whose arrivals do not.
   *
   * @param leftOut a gateway that counts for nothing at all
   */
  #locate(pool: readonly Arrival[], now: number, leftOut?: string): LocatedShot[] {
    const places = new Map<string, GatewayPlace>()
    for (const [gateway, place] of this.#presence.places) {
      if (gateway === leftOut) continue
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
    const heardUntil = new Map(told.map(gateway => [gateway, this.#presence.toldUntil(gateway, now)]))
    return this.#options.locate({ arrivals, places, heardUntil, weather: this.#weather })
  }

  /** Shots that are settled show whose clock or place is wrong. */
  #bearWitness(now: number): void {
    const pool = [...this.#arrivals.values()]
    for (const shot of this.#located) {
      if (shot.time > now - witnessAfter || shot.probability < witnessProbability || this.#trust.knows(shot)) continue
      this.#distrust.push(
        ...this.#trust.take(witnessOf(shot, pool, this.#presence.places.values(), airOf(this.#weather))),
      )
    }
  }

  /** What sounds like a gun and could not be located, once no gateway can add to it. */
  #heardTogether(pool: readonly Arrival[], located: readonly LocatedShot[], now: number): SupportedShot[] {
    const { loneSalience } = this.#options
    const air = airOf(this.#weather)
    const input = { arrivals: pool, places: this.#presence.places, located, air, leastSalience: loneSalience }
    return unlocatedSounds(input)
      .filter(({ over }) => {
        const silent = (each: string): boolean =>
          this.#presence.isAlive(each, now) && this.#presence.toldUntil(each, now) < over
        const waiting = now < over + farewell && [...this.#presence.places.keys()].some(silent)
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

  #settled(shot: SupportedShot, now: number): boolean {
    const { located, arrivals } = shot
    if (located === null || now >= Math.max(...arrivals.map(({ time }) => time)) + longestWait) return true
    for (const [gateway, place] of this.#presence.places) {
      if (!this.#presence.isAlive(gateway, now)) continue
      const distance = Math.hypot(
        place.position.east - located.position.east,
        place.position.north - located.position.north,
      )
      const heardBy = located.time + distance / slowest
      // A far gateway is not waited for, nor one that stopped telling: the hub waits for neither.
      const waiting = this.#presence.toldUntil(gateway, now) < heardBy && now < heardBy + farewell
      if (distance < hearingRange && waiting) return false
    }
    return true
  }

  #report(now: number): NeighbourReport | null {
    const heardUntil = this.#presence.heardUntil(this.#options.gateway)
    if (heardUntil === null) return null
    if (this.#unsent.length === 0 && now < this.#reportedAt + this.#options.heartbeat) return null
    const { gateway, epoch, position, positionError } = this.#options
    const arrivals = this.#unsent
    this.#unsent = []
    this.#reportedAt = now
    return { gateway, epoch, position, positionError, heardUntil, arrivals }
  }
}
