import fc from 'fast-check'
import { test } from 'tap'
import type { Arrival, LocatedShot } from '../../gateway/acoustics/arrival.js'
import { locateShots, type Scene } from '../../gateway/acoustics/locate.js'
import { practiceBursts, practise } from '../../gateway/acoustics/practice.js'
import { airOf, travelTime } from '../../gateway/acoustics/propagation.js'
import { placesOfThree } from '../../gateway/acoustics/seeds.js'
import { Chance, epochSecond, type Gun, grid, hear, type SceneOptions, still } from './scene.js'

const T = epochSecond
const fading = (distance: number) => Math.exp(-((distance / 600) ** 2))
const street = grid(4, 3, 250)
const pistol: Gun = { east: 40, north: -30, rounds: [T + 0.4, T + 0.95, T + 1.6] }

const off = (shot: LocatedShot, gun: Gun) => Math.hypot(shot.position.east - gun.east, shot.position.north - gun.north)
const of = (shots: readonly LocatedShot[], gun: Gun, within = 25) => shots.filter(shot => off(shot, gun) < within)

function inEllipse(shot: LocatedShot, gun: Gun): boolean {
  const [[ee, en], [, nn]] = shot.covariance
  const [e, n] = [gun.east - shot.position.east, gun.north - shot.position.north]
  return (nn * e * e - 2 * en * e * n + ee * n * n) / (ee * nn - en * en) <= 5.9915
}

const radius = ({ covariance: [[ee, en], [, nn]] }: LocatedShot) => Math.sqrt(5.9915 * Math.sqrt(ee * nn - en * en))

test('a burst of three rounds is located within metres and timed within milliseconds', async t => {
  const scene = hear({ seed: 1, places: street, guns: [pistol], hearing: fading })
  const shots = locateShots(scene)
  t.equal(shots.length, 3)
  shots.forEach((shot, i) => {
    t.ok(off(shot, pistol) < 8, `round ${i + 1} within 8 m`)
    t.ok(Math.abs(shot.time - pistol.rounds[i]!) < 0.015, `round ${i + 1} within 15 ms`)
    t.ok(shot.probability > 0.95 && shot.timeError > 0.001 && shot.timeError < 0.03)
    t.equal(shot.threeDimensional, false)
    for (const { id, residual } of shot.arrivals) {
      const arrival = scene.arrivals.find(each => each.id === id)!
      const { position } = scene.places.get(arrival.gateway)!
      const [east, north, up] = [
        position.east - shot.position.east,
        position.north - shot.position.north,
        position.up - shot.position.up,
      ]
      const late = arrival.time - shot.time - travelTime(airOf(still), east, north, up)
      t.ok(Math.abs(late - residual) < 1e-3, 'the residual says how late the arrival is')
    }
  })
})

test('the answer does not depend on the order of the arrivals', async t => {
  const scene = hear({ seed: 2, places: street, guns: [pistol], hearing: fading })
  const whole = locateShots(scene)
  fc.assert(
    fc.property(fc.shuffledSubarray([...scene.arrivals], { minLength: scene.arrivals.length }), arrivals => {
      t.same(locateShots({ ...scene, arrivals }), whole)
    }),
    { numRuns: 5, seed: 3 },
  )
})

test('single rounds anywhere in the network are found, nearly always inside their ellipse', async t => {
  const chance = new Chance(8)
  let found = 0
  let inside = 0
  for (let seed = 0; seed < 30; seed++) {
    const gun = { east: 700 * (chance.uniform() - 0.5), north: 450 * (chance.uniform() - 0.5), rounds: [T + 1] }
    const shots = locateShots(
      hear({ seed, places: street, guns: [gun], hearing: fading, pathSpread: [0.007, 0.0105], placeError: 1 }),
    )
    t.equal(shots.filter(shot => off(shot, gun) > 100).length, 0, 'no false place')
    const [shot] = of(shots, gun)
    if (!shot) continue
    found++
    if (inEllipse(shot, gun)) inside++
  }
  t.ok(found >= 27, `${found} of 30 found within 25 m`)
  t.ok(inside >= 0.9 * found, `${inside} of ${found} in the ellipse`)
})

test('ellipses grow with the error of the places and of the clocks', async t => {
  const at = (positionError: number, timeError: number) => {
    const scene = hear({ seed: 5, places: grid(4, 3, 250, positionError), guns: [pistol], hearing: fading })
    const arrivals = scene.arrivals.map(arrival => ({ ...arrival, timeError }))
    return radius(locateShots({ ...scene, arrivals })[0]!)
  }
  const sure = at(1, 0.0005)
  t.ok(at(8, 0.0005) > 1.4 * sure)
  t.ok(at(15, 0.0005) > at(8, 0.0005))
  t.ok(at(1, 0.03) > 1.3 * sure)
  t.ok(sure > 4 && sure < 12)
})

test('two guns that fire at once are told apart', async t => {
  const other: Gun = { east: -150, north: 120, rounds: [T + 0.65, T + 1.25, T + 2.1] }
  const shots = locateShots(hear({ seed: 3, places: street, guns: [pistol, other], hearing: fading }))
  t.equal(of(shots, pistol).length, 3)
  t.equal(of(shots, other).length, 3)
  t.equal(shots.length, 6)
  for (const gun of [pistol, other]) {
    of(shots, gun).forEach((shot, i) => {
      t.ok(Math.abs(shot.time - gun.rounds[i]!) < 0.02)
    })
  }
})

test('automatic fire counts its rounds', async t => {
  const rifle: Gun = { ...pistol, rounds: Array.from({ length: 12 }, (_, i) => T + 0.4 + 0.09 * i) }
  const shots = locateShots(hear({ seed: 4, places: street, guns: [rifle], hearing: fading }))
  t.equal(shots.length, 12)
  t.equal(of(shots, rifle, 10).length, 12)
})

test('strong echoes, later and louder than the direct sound, make no shots of their own and do not move the place', async t => {
  for (let seed = 20; seed < 28; seed++) {
    const scene = hear({ seed, places: street, guns: [pistol], hearing: fading, echoesPerArrival: 1 })
    const arrivals = scene.arrivals.flatMap(arrival => {
      if (arrival.salience < 9) return [arrival]
      // A long wall: every gateway hears it 120 to 180 ms later, three decibel louder.
      const delay = 0.12 + 0.06 * Math.abs(Math.sin(7 * Number(arrival.gateway.slice(-2))))
      const echo = { salience: arrival.salience + 2, soundLevel: arrival.soundLevel + 3, time: arrival.time + delay }
      return [arrival, { ...arrival, ...echo, id: `${arrival.id}-echo` }]
    })
    const shots = locateShots({ ...scene, arrivals })
    t.equal(shots.length, 3, `three shots, seed ${seed}`)
    t.equal(of(shots, pistol, 12).length, 3, 'at the gun')
  }
})

test('where a wall’s reflection is louder than the straight sound, mostly the gun is located and not its mirror image', async t => {
  const shooter: Gun = { east: -60, north: 20, rounds: [T + 0.4, T + 1.02] }
  const image: Gun = { ...shooter, east: 100 }
  let [atGun, atImage] = [0, 0]
  for (let seed = 0; seed < 8; seed++) {
    const near = (limit: number, share: number) => (distance: number) => (distance < limit ? share : 0)
    const sound = { places: street, echoesPerArrival: 0 }
    const straight = hear({ ...sound, seed, guns: [shooter], hearing: near(380, 0.95) })
    const reflected = hear({ ...sound, seed: 100 + seed, guns: [image], hearing: near(420, 1), clutterPerSecond: 0.1 })
    const beforeTheWall = ({ gateway }: Arrival) => reflected.places.get(gateway)!.position.east < 120
    const arrivals = [
      ...straight.arrivals.map(each => ({ ...each, salience: Math.min(each.salience, 6) })),
      ...reflected.arrivals.filter(beforeTheWall).map(each => ({ ...each, id: `${each.id}-reflected` })),
    ]
    const shots = locateShots({ ...straight, arrivals })
    atGun += of(shots, shooter).length
    atImage += of(shots, image, 60).length
  }
  t.ok(atGun >= 10 && atImage <= 4, `of 16 rounds ${atGun} at the gun, ${atImage} at its image`)
})

test('clutter alone, even much of it, is never a shot', async t => {
  for (const clutterPerSecond of [0.5, 1.5, 3]) {
    for (let seed = 0; seed < 12; seed++) {
      t.same(locateShots(hear({ seed, places: street, guns: [], clutterPerSecond, duration: 10 })), [])
    }
  }
})

test('one gateway, or two, give no place; of three, only a convincing one', async t => {
  for (const count of [0, 1, 2]) {
    t.same(locateShots(hear({ seed: 1, places: street.slice(0, count), guns: [pistol] })), [])
  }
  const [corner, ...others] = grid(2, 2, 260)
  const three = [corner!, ...others.slice(0, 2)]
  let found = 0
  for (let seed = 0; seed < 20; seed++) {
    const gun: Gun = { east: -60 + 4 * (seed % 5), north: -70 + 9 * (seed % 4), rounds: pistol.rounds }
    const shots = locateShots(hear({ seed, places: three, guns: [gun] }))
    t.equal(shots.filter(shot => off(shot, gun) > 60).length, 0, 'no false place')
    if (of(shots, gun).length === 3) found++
  }
  t.ok(found >= 14, `${found} of 20 between three gateways`)
})

test('three gateways are less sure of a place than twelve, and where one of them heard only an echo the ellipse says so', async t => {
  const [corner, ...others] = grid(2, 2, 260)
  const three = [corner!, ...others.slice(0, 2)]
  const near: Gun = { ...pistol, east: -50, north: -50 }
  const few = locateShots(hear({ seed: 4, places: three, guns: [near] }))[0]!
  const many = locateShots(hear({ seed: 4, places: street, guns: [near], hearing: fading }))[0]!
  t.ok(few.probability < many.probability, 'less probable')
  t.ok(radius(few) > 3 * radius(many), 'a wider ellipse')
  let reported = 0
  let held = 0
  for (let seed = 0; seed < 30; seed++) {
    const scene = hear({ seed, places: three, guns: [near], echoesPerArrival: 0 })
    const deceived = three[seed % 3]!.gateway
    const delay = 0.06 + 0.01 * (seed % 20)
    const arrivals = scene.arrivals.map(arrival =>
      arrival.gateway === deceived && arrival.salience > 8 ? { ...arrival, time: arrival.time + delay } : arrival,
    )
    const [shot] = locateShots({ ...scene, arrivals })
    if (!shot) continue
    reported++
    if (inEllipse(shot, near)) held++
  }
  t.ok(held >= 0.8 * reported, `${held} of ${reported} that are reported are in the ellipse`)
})

test('clocks that are seconds apart give no place', async t => {
  for (let seed = 0; seed < 12; seed++) {
    const options: SceneOptions = { seed, places: street, guns: [pistol], hearing: fading }
    t.same(locateShots(hear({ ...options, clockOffset: index => 7 * index })), [])
  }
})

test('one gateway whose clock is half a second off does not spoil the place, and its residual gives a small error away', async t => {
  const nearest = 5
  for (const clock of [-0.5, 0.5, 3]) {
    const clockOffset = (index: number) => (index === nearest ? clock : 0)
    const shots = locateShots(hear({ seed: 6, places: street, guns: [pistol], clockOffset }))
    t.equal(of(shots, pistol, 12).length, 3, `${clock} s off`)
    t.equal(shots.length, 3)
  }
  const clockOffset = (index: number) => (index === nearest ? 0.06 : 0)
  const scene = hear({ seed: 6, places: street, guns: [pistol], clockOffset })
  const [shot] = locateShots(scene)
  t.ok(off(shot!, pistol) < 12)
  const liar = shot!.arrivals.find(({ id }) => id.startsWith(street[nearest]!.gateway))
  t.ok(liar && Math.abs(liar.residual - 0.06) < 0.02, 'late by what its clock is')
})

test('as arrivals come in, shots appear once and stay; what has not been told yet counts for nothing', async t => {
  const whole = hear({ seed: 9, places: street, guns: [pistol], hearing: fading })
  const until = (now: number): Scene => ({
    ...whole,
    arrivals: whole.arrivals.filter(({ time }) => time < now),
    heardUntil: new Map([...whole.heardUntil].map(([gateway, time]) => [gateway, Math.min(time, now)])),
  })
  let before = 0
  for (let now = T; now < T + 4; now += 0.2) {
    const shots = locateShots(until(now))
    t.equal(shots.filter(shot => off(shot, pistol) > 60).length, 0, 'never a false place on the way')
    t.ok(shots.length >= before || shots.length === 0, 'no round is lost again')
    before = Math.max(before, shots.length)
    for (const round of pistol.rounds) {
      if (now < round + 1.5) continue
      t.ok(
        shots.some(shot => Math.abs(shot.time - round) < 0.03 && off(shot, pistol) < 15),
        'known 1.5 s after it was fired',
      )
    }
  }
  t.equal(before, 3)
  const early = until(T + 1)
  const late = new Map([...early.heardUntil].map(([gateway]) => [gateway, T + 9]))
  const patient = locateShots(early)[0]
  const impatient = locateShots({ ...early, heardUntil: late })[0]
  t.ok(
    !patient || !impatient || patient.probability >= impatient.probability - 1e-9,
    'silence is only evidence once told',
  )
})

test('temperature and wind count', async t => {
  const cold = { ...still, temperature: -10 }
  const scene = hear({ seed: 12, places: street, guns: [{ ...pistol, east: 420, north: 180 }], weather: cold })
  const gun = { ...pistol, east: 420, north: 180 }
  const right = locateShots(scene)[0]!
  const wrong = locateShots({ ...scene, weather: { ...cold, temperature: 30 } })[0]
  t.ok(off(right, gun) < 12)
  t.ok(!wrong || off(wrong, gun) > off(right, gun), 'a wrong temperature moves the place')
  const unknown = locateShots({ ...scene, weather: { ...cold, temperature: null } })[0]
  t.ok(!unknown || radius(unknown) > radius(right), 'an unknown one widens it')
  const gust = locateShots({ ...scene, weather: { ...cold, windSpeed: null, windFrom: null } })[0]
  t.ok(gust && radius(gust) > radius(right), 'so does an unknown wind')

  const west = airOf({ ...still, windSpeed: 10, windFrom: 270 })
  t.ok(Math.abs(travelTime(west, 1000, 0, 0) - 1000 / (west.speed + 10)) < 1e-9, 'downwind is faster')
  t.ok(Math.abs(travelTime(west, -1000, 0, 0) - 1000 / (west.speed - 10)) < 1e-9, 'upwind is slower')
  t.ok(Math.abs(travelTime(west, 0, 1000, 0) - 1000 / west.speed) < 1e-6)
  t.ok(Math.abs(airOf({ ...still, temperature: 20 }).speed - 343.2) < 0.2, '343 m/s at 20 °C')
})

test('three times of a known source lead back to it', async () => {
  const stations = street.slice(0, 3).map(place => ({ ...place, heardUntil: 0, rippleRate: 0, candidates: [] }))
  const [a, b, c] = stations
  fc.assert(
    fc.property(
      fc.double({ min: -400, max: 400, noNaN: true }),
      fc.double({ min: -400, max: 400, noNaN: true }),
      (e, n) => {
        const times = stations.map(({ position }) => 7 + Math.hypot(position.east - e, position.north - n) / 340)
        const roots: number[] = []
        placesOfThree([a!, b!, c!], times[0]!, times[1]!, times[2]!, 340, (east, north, time) => {
          roots.push(Math.hypot(east - e, north - n) + 340 * Math.abs(time - 7))
        })
        return Math.min(...roots) < 0.5
      },
    ),
    { seed: 5 },
  )
})

test('arrivals of unknown gateways and without a time, and places without one, are left out', async t => {
  const scene = hear({ seed: 1, places: street, guns: [pistol], hearing: fading })
  const whole = locateShots(scene)
  const stranger = { ...scene.arrivals[0]!, id: 'x/y/1', gateway: 'x' }
  const timeless = { ...scene.arrivals[0]!, id: 'pole-01/5c2e/9999', time: Number.NaN }
  t.same(locateShots({ ...scene, arrivals: [...scene.arrivals, stranger, timeless] }), whole)
  const lost = { gateway: 'lost', position: { east: 0, north: 0, up: 0 }, positionError: Number.POSITIVE_INFINITY }
  t.same(locateShots({ ...scene, places: new Map([...scene.places, ['lost', lost]]) }), whole)
  t.same(locateShots({ ...scene, arrivals: [] }), [])
})

test('a daemon practises on bursts that many poles heard and on such that few did, the same every time', async t => {
  const heardBy: number[] = []
  const locate = (scene: Scene): LocatedShot[] => {
    const shots = locateShots(scene)
    heardBy.push(...shots.map(({ arrivals }) => arrivals.length))
    return shots
  }
  const counts = Array.from({ length: practiceBursts }, (_, burst) => practise(locate, burst))
  t.ok(counts.filter(shots => shots >= 2).length >= practiceBursts / 3, `${counts}`)
  t.ok(heardBy.some(poles => poles >= 9) && heardBy.some(poles => poles <= 6), `${heardBy}`)
  t.equal(practise(locateShots, 1), counts[1])
})
