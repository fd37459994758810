import type { Arrival, GatewayPlace, LocatedShot } from './arrival.js'
import { convincing } from './corroboration.js'
import { type Air, travelTime } from './propagation.js'

/** What comes later than the straight sound by up to this is its echo, seconds. */
const echoSeconds = 1
const earliest = 0.1
/** Clocks that know nothing of their error cannot be waited for longer, seconds. */
const worstTimeError = 2
/** What counts as a strong onset, decibel of salience, and as around a shot, seconds. */
const strong = 6
const aroundSeconds = 3
/** No sound crosses a network slower, metres a second. */
const slowest = 320

/** What a network could not locate but heard as a blast: one entry a sound, its arrivals by time. */
export interface UnlocatedSound {
  readonly arrivals: readonly Arrival[]
  readonly time: number
  /** When every gateway would have heard it, seconds since 1970 UTC. */
  readonly over: number
}

/**
 * Groups the arrivals that sound like a blast and that no located shot explains: what two gateways hear within the time that
 * sound takes across the network, and within what their clocks leave open, is one sound. At least one arrival of a sound must
 * stand out by `leastSalience`.
 */
export function unlocatedSounds(input: {
  readonly arrivals: readonly Arrival[]
  readonly places: ReadonlyMap<string, GatewayPlace>
  readonly located: readonly LocatedShot[]
  readonly air: Air
  readonly leastSalience: number
}): UnlocatedSound[] {
  const { located, places, air } = input
  const explained = new Set(located.flatMap(({ arrivals }) => arrivals.map(({ id }) => id)))
  const left = input.arrivals
    .filter(arrival => convincing(arrival) && !explained.has(arrival.id))
    .filter(arrival => !located.some(shot => isPartOf(arrival, shot, places, air)))
    .sort((a, b) => a.time - b.time || (a.id < b.id ? -1 : 1))
  const crossing = crossingTime(places)
  const groups: Arrival[][] = []
  for (const arrival of left) {
    const [first] = groups.at(-1) ?? []
    if (first !== undefined && arrival.time - first.time <= crossing + openTime(first) + openTime(arrival))
      groups.at(-1)?.push(arrival)
    else groups.push([arrival])
  }
  return groups
    .filter(group => group.some(({ salience }) => salience >= input.leastSalience))
    .flatMap(arrivals => {
      const [first] = arrivals
      return first === undefined ? [] : [{ arrivals, time: first.time, over: first.time + crossing }]
    })
}

/**
 * How many onsets a gateway that heard a shot, on average, had within seconds of it that no located shot and no echo of one
 * explains. Thunder, fireworks that crackle and machines come with many; a shot comes out of the city's usual few.
 */
export function unexplainedOnsets(
  shot: LocatedShot,
  located: readonly LocatedShot[],
  pool: readonly Arrival[],
  places: ReadonlyMap<string, GatewayPlace>,
  air: Air,
): number {
  const own = new Set(shot.arrivals.map(({ id }) => id))
  const heardAt = new Map(pool.flatMap(({ id, gateway, time }) => (own.has(id) ? [[gateway, time] as const] : [])))
  const around = pool.filter(arrival => {
    const time = heardAt.get(arrival.gateway)
    return (
      time !== undefined &&
      arrival.salience >= strong &&
      Math.abs(arrival.time - time) < aroundSeconds &&
      !located.some(other => isPartOf(arrival, other, places, air))
    )
  })
  return around.length / Math.max(1, heardAt.size)
}

/** Whether an arrival is a located shot's sound or echo at its gateway that the locator left out. */
function isPartOf(arrival: Arrival, shot: LocatedShot, places: ReadonlyMap<string, GatewayPlace>, air: Air): boolean {
  const place = places.get(arrival.gateway)
  if (place === undefined) return false
  const { east, north, up } = place.position
  const travel = travelTime(air, east - shot.position.east, north - shot.position.north, up - shot.position.up)
  const late = arrival.time - shot.time - travel
  return late > -earliest - openTime(arrival) && late < echoSeconds + openTime(arrival)
}

function openTime({ timeError }: Arrival): number {
  return Math.min(worstTimeError, 2 * timeError)
}

/** What sound needs at most from the gateway that hears it first to the last, seconds. */
function crossingTime(places: ReadonlyMap<string, GatewayPlace>): number {
  const all = [...places.values()].map(({ position }) => position)
  const widest = Math.max(
    0,
    ...all.flatMap((a, i) => all.slice(i + 1).map(b => Math.hypot(a.east - b.east, a.north - b.north))),
  )
  return widest / slowest
}
