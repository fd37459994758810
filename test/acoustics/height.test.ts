import { test } from 'tap'
import type { GatewayPlace } from '../../gateway/acoustics/arrival.js'
import { TangentPlane } from '../../gateway/acoustics/geodesy.js'
import { reportedShot } from '../../gateway/acoustics/incident.js'
import { locateShots, type Scene } from '../../gateway/acoustics/locate.js'
import { gunfireDraft } from '../../gateway/commands/hearing-messages.js'
import { Chance, epochSecond, type Gun, grid, hear } from './scene.js'

const roof: Gun = { east: 12, north: -18, up: 34, rounds: [epochSecond + 0.4, epochSecond + 1.1] }
const street: Gun = { ...roof, up: 2 }
const poles = grid(3, 3, 110)
/** Every other gateway stands on a tall roof. */
const towers = poles.map((place, i) => ({ ...place, position: { ...place.position, up: i % 2 === 0 ? 4 : 70 } }))
const exact = { pathSpread: [0.002, 0.003], echoesPerArrival: 0 } as const

/** The scene as arrays hear it, which give azimuth and elevation of what is loud. */
function withElevations(scene: Scene, gun: Gun, seed: number): Scene {
  const chance = new Chance(seed)
  const degrees = 180 / Math.PI
  const arrivals = scene.arrivals.map(arrival => {
    const { east, north, up } = scene.places.get(arrival.gateway)!.position
    const [x, y, z] = [gun.east - east, gun.north - north, (gun.up ?? 2) - up]
    if (arrival.salience < 8) return arrival
    const azimuth = (Math.atan2(x, y) * degrees + chance.normal() + 360) % 360
    const elevation = Math.atan2(z, Math.hypot(x, y)) * degrees + 2 * chance.normal()
    return { ...arrival, bearing: { azimuth, elevation, error: 1 } }
  })
  return { ...scene, arrivals }
}

function heights(places: readonly GatewayPlace[], gun: Gun, change: (scene: Scene, seed: number) => Scene) {
  const tries = Array.from({ length: 20 }, (_, seed) => seed)
  return tries.flatMap(seed => locateShots(change(hear({ seed, places, guns: [gun], ...exact }), seed))[0] ?? [])
}

test('poles of like height give a place on the ground, and no height', async t => {
  for (const gun of [street, roof]) {
    const shots = heights(poles, gun, scene => scene)
    t.ok(shots.length >= 18, `${shots.length} of 20 located`)
    t.ok(shots.every(shot => !shot.threeDimensional && shot.heightError === undefined))
  }
})

for (const [name, places, change] of [
  ['gateways at different heights', towers, (scene: Scene) => scene],
  ['arrays with elevation', poles, (scene: Scene, seed: number) => withElevations(scene, roof, seed)],
] as const)
  test(`${name} give the height and its error`, async t => {
    const solved = heights(places, roof, change).flatMap(({ threeDimensional, heightError, position }) =>
      threeDimensional && heightError !== undefined ? [{ heightError, off: Math.abs(position.up - 34) }] : [],
    )
    t.ok(solved.length >= 18, `${solved.length} of 20 in three dimensions`)
    t.ok(solved.every(({ heightError }) => heightError > 0.3 && heightError <= 5))
    const held = solved.filter(({ off, heightError }) => off < 2 * heightError).length
    t.ok(held >= 0.85 * solved.length, `${held} of ${solved.length} within two standard deviations`)
  })

test('the hub is told a height that was solved for with its error, and else neither', t => {
  const plane = new TangentPlane({ latitude: 40.44, longitude: -79.99, altitude: 230 })
  const told = (places: readonly GatewayPlace[]) => {
    const [located = null] = heights(places, roof, scene => scene)
    const shots = [reportedShot({ located, arrivals: [], time: epochSecond }, plane)]
    const incident = 'pole-1-a-1'
    const revision = { incident, revision: 1, state: 'final', mergedInto: null, quality: 'located', shots } as const
    return gunfireDraft(revision, { now: epochSecond, exercise: false, policy: '0'.repeat(64) }).data.shots[0]
  }
  const high = told(towers)
  const altitudeError = high?.uncertainty?.altitudeError ?? 0
  t.ok(altitudeError > 0.3 && altitudeError <= 5)
  t.ok(Math.abs((high?.position?.altitude ?? 0) - 264) < 4 * altitudeError)
  const flat = told(poles)
  t.match(flat, { position: { altitude: null }, uncertainty: { confidence: 0.95 } })
  t.notOk(flat?.uncertainty && 'altitudeError' in flat.uncertainty)
  t.end()
})
