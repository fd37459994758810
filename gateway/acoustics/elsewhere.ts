import type { Burst } from './burst.js'
import {
  audibilityShares,
  bearingOf,
  echoDecay,
  hearingProbability,
  onlyEchoDensity,
  type Station,
  studentDensity,
} from './evidence.js'
import { type Air, travelTime } from './propagation.js'
import { reach } from './seeds.js'

/** The ground is divided into squares of this side at first, metres, and those that count for much again into four each. */
const coarsest = 40
const mostSquares = 2500
const halvings = 4
/** A square with more than this share of all is divided. */
const muchShare = 0.002
/**
 * Of all the ground, shots are where gateways were put to hear them, within about half the usual distance between poles:
 * their distance from the nearest one, metres, one standard deviation. Else far ground, of which there is much, wins by its size.
 */
const coverage = 150
/** Where the silence of those around makes a source less likely than this, no arrivals make it count. */
const negligible = 1e-5
/** With more tracks than this no other place can explain them. */
const mostTracks = 6
/** The discharge is sought at so many scales of the residual around what each track says. */
const timeNodes = [-1.6, -0.5, 0.5, 1.6] as const

/** A square of the ground by its middle, metres from the burst's place, and how likely the source is there, beside another. */
export interface Square {
  readonly east: number
  readonly north: number
  readonly mass: number
}

/**
 * Where else than within `near` metres of a burst's place its source may be, and how likely that is beside its being there,
 * given its tracks: each of them may have come straight, as an echo, or have its rhythm by chance, and whoever heard nothing
 * counts. Three stations always agree on some place, whatever they heard; only the sum over all other places says what their
 * agreement is worth.
 */
export function placesElsewhere(burst: Burst, stations: readonly Station[], air: Air, near: number): Square[] {
  if (burst.tracks.length > mostTracks) return []
  const evidence = new TrackEvidence(burst, stations, air)
  let side = coarsest
  let squares: Square[] = []
  const extent = extentOf(burst)
  side = Math.max(side, Math.sqrt((extent.width * extent.height) / mostSquares))
  for (let east = extent.west; east < extent.west + extent.width; east += side)
    for (let north = extent.south; north < extent.south + extent.height; north += side)
      squares.push({ east, north, mass: side * side * evidence.density(east, north, side) })
  for (let halving = 0; halving < halvings; halving++) {
    const much = muchShare * squares.reduce((sum, { mass }) => sum + mass, 0)
    const quarter = side / 4
    side /= 2
    squares = squares.flatMap(square => {
      if (square.mass <= much) return [square]
      return [-quarter, quarter].flatMap(x =>
        [-quarter, quarter].map(y => {
          const [east, north] = [square.east + x, square.north + y]
          return { east, north, mass: side * side * evidence.density(east, north, side) }
        }),
      )
    })
  }
  const isNear = ({ east, north }: Square) => Math.hypot(east, north) < near
  const here = squares.reduce((sum, square) => (isNear(square) ? sum + square.mass : sum), 0)
  return squares.flatMap(square => (isNear(square) ? [] : [{ ...square, mass: square.mass / here }]))
}

/** Where a source could be whose tracks these are, relative to the burst's place. */
function extentOf({ tracks, solution }: Burst) {
  const east = tracks.map(({ station }) => station.position.east - solution.east)
  const north = tracks.map(({ station }) => station.position.north - solution.north)
  const [west, south] = [Math.min(...east) - reach, Math.min(...north) - reach]
  return { west, south, width: Math.max(...east) + reach - west, height: Math.max(...north) + reach - south }
}

/** The likelihood of a burst's tracks, and of the others' silence, by place, whenever it was fired. */
class TrackEvidence {
  readonly #burst: Burst
  readonly #air: Air
  readonly #silent: readonly Station[]
  readonly #worth: Float64Array
  readonly #chance: Float64Array
  /** Of each audibility: how likely each track's gateway hears, and how likely the silence of the others is. */
  readonly #heard: readonly Float64Array[]
  readonly #silences = new Float64Array(audibilityShares.length)
  readonly #products = new Float64Array(audibilityShares.length)
  readonly #offset: Float64Array
  readonly #early: Float64Array
  readonly #late: Float64Array
  readonly #ratio: Float64Array
  readonly #echo: Float64Array

  constructor(burst: Burst, stations: readonly Station[], air: Air) {
    const { tracks } = burst
    this.#burst = burst
    this.#air = air
    this.#silent = stations.filter(station => !tracks.some(track => track.station === station))
    this.#worth = Float64Array.from(tracks, ({ worth, chance }) => (worth > chance ? 1 : Math.exp(worth - chance)))
    this.#chance = Float64Array.from(tracks, ({ worth, chance }) => (worth > chance ? Math.exp(chance - worth) : 1))
    this.#heard = audibilityShares.map(() => new Float64Array(tracks.length))
    this.#offset = new Float64Array(tracks.length)
    this.#early = new Float64Array(tracks.length)
    this.#late = new Float64Array(tracks.length)
    this.#ratio = new Float64Array(tracks.length)
    this.#echo = new Float64Array(tracks.length)
  }

  /** Of a place relative to the burst's, averaged over a square of this side, metres. */
  density(east: number, north: number, side: number): number {
    const { tracks, solution } = this.#burst
    const [offset, early, late] = [this.#offset, this.#early, this.#late]
    const heard = this.#heard
    // Travel times differ within the square; Student's variance is twice its squared scale.
    const blur = side / this.#air.speed / Math.sqrt(12 * 2)
    let nearest = Number.POSITIVE_INFINITY
    for (let i = 0; i < tracks.length; i++) {
      const { station, time, lead } = tracks[i]!
      const dx = station.position.east - solution.east - east
      const dy = station.position.north - solution.north - north
      const distance = Math.sqrt(dx * dx + dy * dy)
      if (distance < nearest) nearest = distance
      for (let audibility = 0; audibility < heard.length; audibility++)
        heard[audibility]![i] = hearingProbability(distance, audibility)
      const place = { east: solution.east + east, north: solution.north + north, up: solution.up }
      this.#ratio[i] = bearingOf(lead, station, place, this.#air)?.ratio ?? 1
      offset[i] = time - solution.time - travelTime(this.#air, dx, dy, station.position.up - solution.up)
      early[i] = Math.sqrt(lead.early * lead.early + blur * blur)
      late[i] = Math.sqrt(lead.late * lead.late + blur * blur)
    }
    if (nearest > reach) return 0
    const silences = this.#silences
    silences.set(audibilityShares)
    for (const { position, heardUntil } of this.#silent) {
      const distance = Math.hypot(position.east - solution.east - east, position.north - solution.north - north)
      if (distance < nearest) nearest = distance
      if (solution.time + distance / this.#air.speed >= heardUntil) continue
      for (let audibility = 0; audibility < silences.length; audibility++)
        silences[audibility]! *= 1 - hearingProbability(distance, audibility)
    }
    const covered = Math.exp(-0.5 * (nearest / coverage) ** 2)
    let most = 0
    for (let audibility = 0; audibility < silences.length; audibility++) {
      silences[audibility]! *= covered
      most = Math.max(most, silences[audibility]!)
    }
    return most < negligible ? 0 : this.#overTime()
  }

  /** The likelihood of the tracks and of the silence, summed over the moment of discharge and over audibilities. */
  #overTime(): number {
    const [heard, offset, early, late] = [this.#heard, this.#offset, this.#early, this.#late]
    const [worth, chance, echo] = [this.#worth, this.#chance, this.#echo]
    const products = this.#products
    for (let k = 0; k < offset.length; k++) echo[k] = onlyEchoDensity(0) * Math.exp(-offset[k]! / echoDecay)
    let sum = 0
    for (let i = 0; i < offset.length; i++) {
      for (const node of timeNodes) {
        const scale = node < 0 ? early[i]! : late[i]!
        const time = offset[i]! - node * scale
        // Every moment is shared among the tracks that would have come straight then, so that none counts twice.
        products.set(this.#silences)
        let straight = 0
        let own = 0
        const sinceEcho = Math.exp(time / echoDecay)
        for (let k = 0; k < offset.length; k++) {
          const residual = offset[k]! - time
          const direct = this.#ratio[k]! * studentDensity(residual, early[k]!, late[k]!)
          straight += direct
          if (k === i) own = direct
          const explained = worth[k]! * (direct + (residual < 0 ? 0 : echo[k]! * sinceEcho))
          for (let audibility = 0; audibility < products.length; audibility++) {
            const hears = heard[audibility]![k]!
            products[audibility]! *= hears * explained + (1 - hears) * chance[k]!
          }
        }
        let product = 0
        for (let audibility = 0; audibility < products.length; audibility++) product += products[audibility]!
        sum += (product * scale * own) / straight
      }
    }
    return sum
  }
}
