import type { Arrival } from '../../gateway/acoustics/arrival.js'
import { TangentPlane } from '../../gateway/acoustics/geodesy.js'
import type { GunfireRevision, ReportedShot } from '../../gateway/acoustics/incident.js'
import { City } from './buildings.js'
import { airOf } from './contribution.js'
import { type Stretch, wholeOf } from './day-network.js'
import { findPaths } from './paths.js'
import { travelTime } from './physics.js'
import type { Scene, SceneGateway } from './scene.js'
import type { Source, SourceKind } from './source.js'

/** An arrival so near to when the first sound of a shot comes is the shot heard there unless it comes without guns, too, seconds. */
const earliest = -0.02
const latest = 0.05
/** An arrival that comes so exactly, seconds, where the same scene sounds without its guns is no shot heard. */
const sameArrival = 0.005
/** Shots heard by so many gateways are to be confirmed. */
const enough = 4
/** A reported shot is a true one from within so many seconds and metres. */
const sameTime = 0.5
const samePlace = 100
/** A final shot with a place is confirmed when it says of itself that it is more likely a gunshot than not. */
const likely = 0.5
/** What else sounded shortly before an alert that is false, seconds. */
const lately = 20

/** What became of a scene's shots. Metres. */
export interface DayFigures {
  readonly shots: number
  /** By at least four gateways, and how many of those are confirmed: final, with their place, and likely. */
  readonly heard: number
  readonly confirmed: number
  /** Also of those that fewer heard. */
  readonly confirmedAtAll: number
  readonly medianError: number | null
  readonly error90: number | null
  readonly within25: number
  readonly insideEllipse: number
  /** Final incidents with a likely shot at a place and no true shot in them. */
  readonly falseAlerts: readonly FalseAlert[]
  /** Reported shots beyond the true ones in incidents that hold a true one, and incidents about shots told before. */
  readonly spareShots: number
  readonly doubledIncidents: number
  /** Final incidents with a place that say of themselves that they are more likely no gunfire. */
  readonly doubted: number
  /** Final incidents without a place. */
  readonly heardOnly: number
  readonly arrivals: number
}

export interface FalseAlert {
  readonly incident: string
  readonly time: number
  readonly probability: number
  /** How many gateways its first shot's arrivals are from, and how far it lies from the nearest of all, metres. */
  readonly gateways: number
  readonly distance: number
  /** What sounded shortly before. */
  readonly after: readonly SourceKind[]
}

interface Round {
  readonly source: Source
  /** When its first sound reaches each gateway that it has a way to, seconds since 1970 UTC. */
  readonly expected: ReadonlyMap<string, number>
  readonly hearers: Set<string>
}

/** Holds what a network publishes against the truth of the scene that it listens to. */
export class DayScore {
  readonly #scene: Scene
  readonly #plane: TangentPlane
  readonly #rounds: readonly Round[]
  readonly #chance = new Map<string, number[]>()
  readonly #incidents = new Map<string, GunfireRevision>()
  #arrivals = 0

  /** @param stretches outside which shots do not count */
  constructor(scene: Scene, stretches: readonly Stretch[] = [wholeOf(scene)]) {
    this.#scene = scene
    this.#plane = new TangentPlane(scene.origin)
    const city = new City(scene.buildings)
    const ways = new Map<string, ReadonlyMap<string, number>>()
    this.#rounds = scene.sources
      .filter(({ kind, time }) => kind === 'gun' && stretches.some(stretch => isWithin(time - scene.start, stretch)))
      .map(source => {
        const key = `${source.position.east} ${source.position.north}`
        const delays = ways.get(key) ?? delaysOf(scene, city, source)
        ways.set(key, delays)
        const expected = new Map([...delays].map(([gateway, delay]) => [gateway, source.time + delay]))
        return { source, expected, hearers: new Set<string>() }
      })
  }

  /** What a gateway hears of the scene without its guns (`withoutGuns`); to be told before what it hears of the scene. */
  heardWithoutGuns(gateway: string, arrivals: readonly Arrival[]): void {
    const known = this.#chance.get(gateway) ?? []
    known.push(...arrivals.map(({ time }) => time))
    this.#chance.set(gateway, known)
  }

  heard({ id }: SceneGateway, arrivals: readonly Arrival[]): void {
    this.#arrivals += arrivals.length
    for (const { time } of arrivals) {
      for (const { expected, hearers } of this.#rounds) {
        const late = time - (expected.get(id) ?? Number.NEGATIVE_INFINITY)
        if (late > earliest && late < latest && !this.#isChance(id, time)) hearers.add(id)
      }
    }
  }

  published(revision: GunfireRevision): void {
    this.#incidents.set(revision.incident, revision)
  }

  figures(): DayFigures {
    const final = [...this.#incidents.values()].filter(({ state }) => state === 'final')
    const located = final.filter(({ quality }) => quality === 'located')
    const confirmed = located
      .map(({ incident, shots }) => ({ incident, shots: shots.filter(isConfirmed) }))
      .filter(({ shots }) => shots.length > 0)
    const found = new Map<Round, { readonly error: number; readonly inside: boolean }>()
    const falseAlerts: FalseAlert[] = []
    let [spareShots, doubledIncidents] = [0, 0]
    for (const { incident, shots } of confirmed) {
      let [fresh, known, spare] = [0, 0, 0]
      for (const shot of shots) {
        const near = this.#rounds.filter(round => this.#isSame(shot, round))
        const round = near.find(each => !found.has(each))
        if (round !== undefined) {
          fresh++
          found.set(round, this.#errorOf(shot, round))
        } else if (near.length > 0) known++
        else spare++
      }
      const [first] = shots
      if (fresh + known === 0 && first !== undefined) falseAlerts.push({ incident, ...this.#circumstances(first) })
      else if (fresh === 0) doubledIncidents++
      else spareShots += known + spare
    }
    const heard = this.#rounds.filter(({ hearers }) => hearers.size >= enough)
    const errors = [...found.values()].map(({ error }) => error).sort((a, b) => a - b)
    return {
      shots: this.#rounds.length,
      heard: heard.length,
      confirmed: heard.filter(round => found.has(round)).length,
      confirmedAtAll: found.size,
      medianError: errors[Math.floor(errors.length / 2)] ?? null,
      error90: errors[Math.floor(0.9 * errors.length)] ?? null,
      within25: errors.filter(error => error <= 25).length,
      insideEllipse: [...found.values()].filter(({ inside }) => inside).length,
      falseAlerts,
      spareShots,
      doubledIncidents,
      doubted: located.length - confirmed.length,
      heardOnly: final.length - located.length,
      arrivals: this.#arrivals,
    }
  }

  /** Rounds that enough gateways heard and that are not confirmed. */
  missed(): { readonly time: number; readonly hearers: number }[] {
    const told = [...this.#incidents.values()]
      .filter(({ state }) => state === 'final')
      .flatMap(({ shots }) => shots.filter(isConfirmed))
    return this.#rounds
      .filter(round => round.hearers.size >= enough && !told.some(shot => this.#isSame(shot, round)))
      .map(({ source, hearers }) => ({ time: source.time, hearers: hearers.size }))
  }

  #isChance(gateway: string, time: number): boolean {
    return this.#chance.get(gateway)?.some(other => Math.abs(other - time) < sameArrival) ?? false
  }

  #isSame(shot: ReportedShot, { source }: Round): boolean {
    if (shot.position === null || Math.abs(shot.time - source.time) > sameTime) return false
    const { east, north } = this.#plane.toLocal(shot.position)
    return Math.hypot(east - source.position.east, north - source.position.north) <= samePlace
  }

  #errorOf({ position, uncertainty }: ReportedShot, { source }: Round): { error: number; inside: boolean } {
    if (position === null || uncertainty === null) return { error: Number.POSITIVE_INFINITY, inside: false }
    const place = this.#plane.toLocal(position)
    const [east, north] = [source.position.east - place.east, source.position.north - place.north]
    const angle = (uncertainty.orientation * Math.PI) / 180
    const along = east * Math.sin(angle) + north * Math.cos(angle)
    const across = east * Math.cos(angle) - north * Math.sin(angle)
    const inside = (along / uncertainty.semiMajor) ** 2 + (across / uncertainty.semiMinor) ** 2 <= 1
    return { error: Math.hypot(east, north), inside }
  }

  #circumstances({ time, probability, position, arrivals }: ReportedShot): Omit<FalseAlert, 'incident'> {
    const place = position === null ? null : this.#plane.toLocal(position)
    const distances = this.#scene.gateways.map(gateway =>
      place === null ? 0 : Math.hypot(gateway.position.east - place.east, gateway.position.north - place.north),
    )
    const sounding = this.#scene.sources.filter(
      source => source.time < time + 0.5 && source.time + (source.duration ?? 1) > time - lately,
    )
    return {
      time,
      probability,
      gateways: new Set(arrivals.map(({ gateway }) => gateway)).size,
      distance: Math.min(...distances),
      after: [...new Set(sounding.map(({ kind }) => kind))],
    }
  }
}

function isConfirmed({ position, probability }: ReportedShot): boolean {
  return position !== null && probability >= likely
}

function isWithin(seconds: number, { from, until }: Stretch): boolean {
  return seconds >= from && seconds < until
}

/** The same scene with guns that nobody can hear: what is heard of it is heard by chance where a shot would be. */
export function withoutGuns(scene: Scene): Scene {
  const sources = scene.sources.map(source => (source.kind === 'gun' ? { ...source, level: 0 } : source))
  return { ...scene, sources }
}

/** Seconds from a discharge to the first sound of it at each gateway that it has a way to. */
function delaysOf(scene: Scene, city: City, source: Source): ReadonlyMap<string, number> {
  const { speed, wind } = airOf(scene)
  const search = { order: scene.reflectionOrder, farthest: scene.latestEcho * speed }
  const delays = new Map<string, number>()
  for (const { id, position } of scene.gateways) {
    const times = findPaths(source.position, position, city, search)
      .filter(({ ground }) => !ground)
      .map(({ points }) => travelTime(points, speed, wind))
    if (times.length > 0) delays.set(id, Math.min(...times))
  }
  return delays
}
