import { test } from 'tap'
import { type Building, City } from '../../scripts/simulator/buildings.js'
import { findPaths, scatteredPaths } from '../../scripts/simulator/paths.js'
import { distanceBetween } from '../../scripts/simulator/physics.js'
import { Random } from '../../scripts/simulator/random.js'

const at = (east: number, north: number, up = 2) => ({ east, north, up })
const box = (east: number, north: number, along: number, across: number, more: Partial<Building> = {}): Building => ({
  east,
  north,
  along,
  across,
  height: 10,
  heading: 0,
  reflection: 0.8,
  ...more,
})
const everything = { order: 2, farthest: 1000 }
const near = (a: number, b: number, tolerance = 1e-6) => Math.abs(a - b) <= tolerance

test('in the open there are two ways: straight, and off the ground as from a mirrored source', async t => {
  const paths = findPaths(at(0, 0, 1.5), at(100, 0, 8), new City([]), everything)
  t.same(
    paths.map(({ kind, ground }) => [kind, ground]),
    [
      ['direct', false],
      ['direct', true],
    ],
  )
  t.ok(near(paths[0]!.length, Math.hypot(100, 6.5)))
  t.ok(near(paths[1]!.length, Math.hypot(100, 9.5)))
  t.ok(near(distanceBetween(paths[1]!.image, at(100, 0, 8)), paths[1]!.length))
})

test('an echo off a wall is as long as the line from the mirrored source, whichever way the wall is turned', async t => {
  for (const heading of [0, 30, -75]) {
    const city = new City([box(0, 0, 40, 20, { heading })])
    const angle = (-heading * Math.PI) / 180
    const turn = (east: number, north: number) =>
      at(east * Math.cos(angle) - north * Math.sin(angle), east * Math.sin(angle) + north * Math.cos(angle))
    const [source, receiver] = [turn(-10, 40), turn(15, 60)]
    const echo = findPaths(source, receiver, city, everything).find(
      ({ kind, ground }) => kind === 'reflected' && !ground,
    )!
    t.ok(near(echo.length, Math.hypot(25, 30 + 50)), `turned by ${heading}`)
    t.equal(echo.reflection, 0.8)
    t.ok(near(distanceBetween(echo.image, receiver), echo.length))
    t.ok(near(distanceBetween(source, echo.points[1]!) + distanceBetween(echo.points[1]!, receiver), echo.length))
  }
})

test('a wall does not reflect beside its ends, above its top, or from behind', async t => {
  const reflected = (source: ReturnType<typeof at>, receiver: ReturnType<typeof at>, building: Building) =>
    findPaths(source, receiver, new City([building]), everything).filter(({ kind }) => kind === 'reflected').length
  t.ok(reflected(at(-10, 40), at(15, 60), box(0, 0, 40, 20)) > 0)
  t.equal(reflected(at(90, 40), at(120, 60), box(0, 0, 40, 20)), 0, 'beside')
  t.equal(reflected(at(-10, 40, 30), at(15, 60, 30), box(0, 0, 40, 20)), 0, 'above')
  t.equal(reflected(at(-10, 40), at(15, -60), box(0, 0, 40, 20)), 0, 'behind')
})

test('between two parallel walls the second echo comes off both, mirrored twice', async t => {
  const city = new City([box(0, 60, 200, 20), box(0, -60, 200, 20, { reflection: 0.5 })])
  const [source, receiver] = [at(-20, 10), at(30, -5)]
  const echoes = findPaths(source, receiver, city, everything).filter(
    ({ kind, ground }) => kind === 'reflected' && !ground,
  )
  const first = echoes.filter(({ points }) => points.length === 3).map(({ length }) => length)
  const second = echoes.filter(({ points }) => points.length === 4)
  t.ok(near(first[0]!, Math.hypot(50, 40 + 55)) || near(first[0]!, Math.hypot(50, 60 + 45)))
  t.equal(first.length, 2)
  t.equal(second.length, 2)
  for (const { length, reflection } of second) {
    t.ok(near(length, Math.hypot(50, 200 - 15)) || near(length, Math.hypot(50, 200 + 15)), `${length}`)
    t.ok(near(reflection, 0.4))
  }
  t.equal(findPaths(source, receiver, city, { order: 2, farthest: 60 }).filter(p => p.points.length === 4).length, 0)
  t.equal(findPaths(source, receiver, city, { order: 1, farthest: 999 }).filter(p => p.points.length === 4).length, 0)
})

test('behind a house sound takes the shorter way round its corners, and another over its roof', async t => {
  const city = new City([box(5, 0, 40, 20)])
  const [source, receiver] = [at(0, -50), at(0, 50)]
  const paths = findPaths(source, receiver, city, { order: 0, farthest: 0 })
  t.ok(paths.every(({ kind }) => kind === 'diffracted'))
  const around = Math.hypot(15, 40) + 20 + Math.hypot(15, 40)
  const over = Math.hypot(40, 8) + 20 + Math.hypot(40, 8)
  const corner = paths.find(({ points, ground }) => points[1]!.up === 2 && !ground)!
  const roof = paths.find(({ points }) => points[1]!.up > 9)!
  t.ok(near(corner.length, around, 0.1), `round the western corners: ${corner.length} for ${around}`)
  t.ok(near(corner.detour!, around - 100, 0.1))
  t.ok(near(roof.length, over, 0.1), `over the roof: ${roof.length} for ${over}`)
  t.ok(near(distanceBetween(corner.image, receiver), corner.length), 'it seems to come from beyond the last corner')
  t.ok(corner.image.east < -20)
})

test('through many houses the way round is never shorter than straight and never through a wall', async t => {
  const random = new Random(5)
  const buildings = Array.from({ length: 40 }, () =>
    box(random.between(-200, 200), random.between(-200, 200), random.between(10, 50), random.between(10, 30), {
      heading: random.between(0, 90),
    }),
  )
  const city = new City(buildings)
  let bent = 0
  for (let n = 0; n < 60; n++) {
    const source = at(random.between(-220, 220), random.between(-220, 220))
    const receiver = at(random.between(-220, 220), random.between(-220, 220))
    if (city.buildingAt(source, 0.1) >= 0 || city.buildingAt(receiver, 0.1) >= 0) continue
    for (const path of findPaths(source, receiver, city, { order: 2, farthest: 300 })) {
      t.ok(path.length >= distanceBetween(source, receiver) - 1e-6)
      const legs = path.points.slice(1).map((point, i) => [path.points[i]!, point] as const)
      const overhead = path.points.some(({ up }) => up > 5)
      t.ok(
        legs.every(([a, b]) => (overhead ? city.sees(a, b) : city.seesInPlan(a, b))),
        `${path.kind} path of ${legs.length}`,
      )
      if (path.kind === 'diffracted') bent++
    }
  }
  t.ok(bent > 20)
})

test('clutter comes after the straight sound, decays, and is the same again for the same seed', async t => {
  const draw = () =>
    scatteredPaths(at(0, 0), at(200, 0), { time: 1, level: -20, arrivalsPerSecond: 2000 }, new Random(3), 340)
  const paths = draw()
  t.same(paths, draw())
  t.ok(paths.every(({ length }) => length >= 200))
  const level = (from: number, to: number) => {
    const some = paths.filter(({ length }) => (length - 200) / 340 >= from && (length - 200) / 340 < to)
    const strength = some.map(({ length, reflection }) => ((reflection / length) * 200) ** 2)
    return 10 * Math.log10(strength.reduce((a, b) => a + b) / some.length)
  }
  t.ok(Math.abs(level(0, 0.1) + 23) < 1.5, `${level(0, 0.1)} dB`)
  t.ok(Math.abs(level(0.5, 0.6) - level(0, 0.1) + 30) < 2.5, '60 dB a second')
})
