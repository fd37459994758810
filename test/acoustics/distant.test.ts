import { test } from 'tap'
import type { Arrival } from '../../gateway/acoustics/arrival.js'
import { locateShots, type Scene } from '../../gateway/acoustics/locate.js'
import { Chance, epochSecond, grid, hear, still } from './scene.js'

const street = grid(4, 3, 250)
const speed = 331.3 * Math.sqrt(1 + (still.temperature ?? 0) / 273.15)

/** What the street hears of sounds at places, in this order of time; one arrival a gateway and sound. */
function heardOf(sounds: readonly { east: number; north: number; up: number; time: number }[]): Scene {
  const arrivals = street.flatMap(({ gateway, position }, index) =>
    sounds.map(({ east, north, up, time }, number): Arrival => {
      const way = Math.hypot(position.east - east, position.north - north, position.up - up)
      return {
        id: `${gateway}/distant/${number}`,
        gateway,
        time: time + way / speed + 0.002 * ((index * 7 + number * 3) % 5),
        timeError: 0.002,
        salience: 18,
        soundLevel: 85,
        bearing: null,
        gunProbability: 0.9,
      }
    }),
  )
  return {
    arrivals,
    places: new Map(street.map(place => [place.gateway, place])),
    heardUntil: new Map(street.map(({ gateway }) => [gateway, epochSecond + 60])),
    weather: still,
  }
}

test('claps of thunder kilometres off, of whatever direction and height, are no shots in the network', t => {
  for (const [east, north, up] of [
    [-700, -2400, 500],
    [2500, -500, 1500],
    [2000, 900, 800],
    [-3000, 2500, 1500],
  ] as const) {
    t.same(locateShots(heardOf([{ east, north, up, time: epochSecond + 1 }])), [], `${east}, ${north}, ${up}`)
  }
  t.end()
})

test('a shot in the network, and one at its edge, are not mistaken for a far source', t => {
  for (const [east, north] of [
    [40, -30],
    [430, 200],
  ] as const) {
    const [shot, ...others] = locateShots(heardOf([{ east, north, up: 2, time: epochSecond + 1 }]))
    t.same(others, [])
    t.ok(shot && Math.hypot(shot.position.east - east, shot.position.north - north) < 15)
  }
  t.end()
})

test('what fits one place by chance in a long rumble is no shot, and the same shot in quiet is one', t => {
  const gun = { east: 40, north: -30, rounds: [epochSecond + 2] }
  const quiet = hear({ seed: 4, places: street, guns: [gun] })
  t.equal(locateShots(quiet).length, 1)
  const chance = new Chance(9)
  const rumble = street.flatMap(({ gateway }) =>
    Array.from({ length: 12 }, (_, number): Arrival => {
      // No two gateways hear the pieces in step, as they come from kilometres of lightning.
      const time = epochSecond + 0.2 + 5 * chance.uniform()
      return {
        id: `${gateway}/rumble/${number}`,
        gateway,
        time,
        timeError: 0.01,
        salience: 8,
        soundLevel: 80,
        bearing: null,
        gunProbability: 0.4,
      }
    }),
  )
  t.same(locateShots({ ...quiet, arrivals: [...quiet.arrivals, ...rumble] }), [])
  t.end()
})
