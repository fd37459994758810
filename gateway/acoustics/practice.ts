import type { Arrival, GatewayPlace, Weather } from './arrival.js'
import type { Locator } from './hearing.js'
import { airOf, travelTime } from './propagation.js'

/** A network of so many rows and columns of poles, so far apart, metres, and what is fired in it. */
const rows = 3
const columns = 4
const spacing = 220
const rounds = [0, 0.45, 1.1]
/** Walls send a round back to a pole up to so often, so much later at most, seconds, and so much weaker at most, decibel. */
const echo = { most: 3, delay: 0.4, weaker: 15 }
/** Poles that hear a round no more than its echoes, and rounds that a pole misses: shares. Sound comes up to so late, seconds. */
const shadowed = 0.1
const missed = 0.05
const latest = 0.03
/** Every other burst carries so far only, metres: what few poles have heard is judged in ways of its own. */
const reach = 380
/** Every pole also hears up to so many other sounds in the time, and so many seconds are made up. */
const strays = 5
const duration = 5.1
/** After so many bursts the engine has translated what locating runs through. */
export const practiceBursts = 20
const air: Weather = { temperature: 15.5, humidity: null, windSpeed: 1.5, windFrom: 200.5 }

/**
 * Locates the n-th of some made-up bursts and forgets it. The first bursts that a process locates take ten times as long as
 * later ones, since the engine has not yet translated the program; nobody should wait for that when it matters.
 *
 * @returns how many shots were located
 */
export function practise(locate: Locator, burst: number): number {
  return locate(madeUp(burst)).length
}

function madeUp(burst: number): Parameters<Locator>[0] {
  const chance = sequence(burst + 1)
  const places = new Map<string, GatewayPlace>()
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const gateway = `practice-${row}-${column}`
      const position = {
        east: spacing * (column + 0.4 * chance()),
        north: spacing * (row + 0.4 * chance()),
        up: 6 + 3 * chance(),
      }
      places.set(gateway, { gateway, position, positionError: 1 + chance() / 10 })
    }
  const gun = { east: spacing * (0.5 + 2 * chance()), north: spacing * (0.5 + chance()), up: 1.4 }
  const sound = airOf(air)
  const arrivals = [...places.values()].flatMap(({ gateway, position }) => {
    const arrays = burst % 3 === 0
    const [east, north] = [position.east - gun.east, position.north - gun.north]
    const azimuth = ((Math.atan2(-east, -north) * 180) / Math.PI + 360) % 360
    const travel = travelTime(sound, east, north, position.up - gun.up) + latest * chance() ** 2
    const salience = 6 + 16 * chance()
    const echoes = Array.from({ length: Math.floor((echo.most + 1) * chance()) }, () => ({
      late: 0.03 + echo.delay * chance() ** 2,
      salience: salience - echo.weaker * chance(),
    }))
    const heardWays = chance() < shadowed ? echoes : [{ late: 0, salience }, ...echoes]
    const ways = burst % 2 === 0 && Math.hypot(east, north) > reach ? [] : heardWays
    const heard = [
      ...rounds.flatMap(lag =>
        ways.map(way => ({ time: lag + travel + way.late + 0.0005 * chance(), salience: way.salience + 2 * chance() })),
      ),
      ...Array.from({ length: Math.round(strays * chance()) }, () => ({
        time: duration * chance() - 1,
        salience: 3 + 8 * chance() ** 2,
      })),
    ].filter(({ salience }) => salience > 3 && chance() > missed)
    return heard.map(
      (each, number): Arrival => ({
        ...each,
        id: `${gateway}/practice/${number}`,
        gateway,
        timeError: 0.002,
        soundLevel: 90 + each.salience,
        bearing:
          arrays && number === 0 ? { azimuth: azimuth + chance(), elevation: 3 * chance(), error: 2 + chance() } : null,
        gunProbability: null,
      }),
    )
  })
  const heardUntil = new Map([...places.keys()].map(gateway => [gateway, 2.1 * duration + chance()]))
  return { arrivals, places, heardUntil, weather: air }
}

/** Numbers from 0 to 1 that are the same every time: the fractions of multiples of the golden ratio, scattered. */
function sequence(seed: number): () => number {
  let step = 0
  return () => {
    const value = Math.sin(78.233 * ++step + 12.9898 * seed) * 43758.5453
    return value - Math.floor(value)
  }
}
