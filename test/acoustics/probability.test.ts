import fc from 'fast-check'
import { test } from 'tap'
import type { Arrival } from '../../gateway/acoustics/arrival.js'
import { TangentPlane } from '../../gateway/acoustics/geodesy.js'
import { reportedShot } from '../../gateway/acoustics/incident.js'
import {
  blastProbability,
  classesOf,
  combinedClasses,
  gunshotProbability,
  named,
} from '../../gateway/acoustics/probability.js'

const heard = (gunProbability: number | null, fireworkProbability: number | null = 0): Arrival => ({
  ...{ id: 'a/e/1', gateway: 'a', time: 1000, timeError: 0.001, salience: 20, soundLevel: 80, bearing: null },
  gunProbability,
  fireworkProbability,
})

const probability = fc.double({ min: 0, max: 1, noNaN: true })
const judged = fc.tuple(probability, probability).map(([blast, share]) => heard(blast * share, blast * (1 - share)))

test('one gateway’s judgement is passed on as it is', async t => {
  t.same(combinedClasses([heard(0.6, 0.3)], null), classesOf(heard(0.6, 0.3)))
  t.equal(gunshotProbability([heard(0.6, 0.3)], null), 0.6)
  t.ok(Math.abs((blastProbability([heard(0.6, 0.3)], null) ?? 0) - 0.9) < 1e-9)
})

const support = (probability: number, residuals: readonly number[] = [0, 0, 0], unexplained = 0) => ({
  unexplained,
  located: {
    ...{ time: 1000, timeError: 0.001, position: { east: 0, north: 0, up: 2 }, threeDimensional: false, probability },
    covariance: [
      [4, 0],
      [0, 4],
    ] as const,
    arrivals: residuals.map((residual, i) => ({ id: `a/e/${i}`, residual })),
  },
})
const sure = support(0.999)

test('whatever is judged, the classes add up to one and no more gateways make it certain', async t => {
  fc.assert(
    fc.property(fc.array(judged, { minLength: 1, maxLength: 12 }), fc.boolean(), (arrivals, located) => {
      const { gun, firework, other } = combinedClasses(arrivals, located ? sure : null)!
      t.ok(Math.abs(gun + firework + other - 1) < 1e-9)
      t.ok(Math.min(gun, firework, other) >= -1e-12)
      if (located) t.ok(gun < 0.9995)
    }),
    { seed: 3 },
  )
})

test('gateways that agree are surer than one, less sure than if they knew nothing of each other, and doubts cancel', async t => {
  const one = blastProbability([heard(0.8)], null)!
  const four = blastProbability(
    [0, 1, 2, 3].map(() => heard(0.8)),
    null,
  )!
  t.ok(four > one && four < 0.8 ** 4 / (0.8 ** 4 + 0.2 ** 4), `${one} becomes ${four}`)
  const torn = blastProbability([heard(0.8), heard(0.2)], null)!
  t.ok(Math.abs(torn - 0.5) < 1e-6)
})

test('a located sound is a gunshot as far as it sounds like one, its place is right and little else is heard around it', async t => {
  const guns = [0, 1, 2, 3, 4, 5].map(() => heard(0.9, 0.04))
  const good = gunshotProbability(guns, sure)
  t.ok(good > 0.9, `${good}`)
  t.ok(gunshotProbability(guns, support(0.65)) < good, 'an open place')
  t.ok(gunshotProbability(guns, support(0.999, [0, 0.06, 0.1, -0.05])) < good, 'sound that came round corners')
  t.ok(gunshotProbability(guns, support(0.999, [0, 0, 0], 6)) < good, 'in a rumble')
  const fireworks = guns.map(() => heard(0.2, 0.75))
  t.ok(gunshotProbability(fireworks, sure) < 0.2)
  t.equal(named(combinedClasses(fireworks, sure)!), 'firework-like')
  t.equal(gunshotProbability([heard(null), heard(null)], support(0.7)), 0.7, 'where nobody could judge')
  t.equal(combinedClasses([heard(null)], sure), null)
  t.equal(blastProbability([], null), null)
})

test('a gateway that hears a sound clearly is believed more than one that hears it faintly', async t => {
  const clear = (gun: number, firework: number) => ({ ...heard(gun, firework), salience: 35 })
  const faint = (gun: number, firework: number) => ({ ...heard(gun, firework), salience: 4 })
  const byGun = combinedClasses([clear(0.9, 0.05), faint(0.1, 0.7), faint(0.1, 0.7)], sure)!
  const byFirework = combinedClasses([faint(0.9, 0.05), clear(0.1, 0.7), clear(0.1, 0.7)], sure)!
  t.ok(byGun.gun > byFirework.gun)
  t.ok(byFirework.firework > byFirework.gun)
})

test('an alert says what it sounds like, with a place and without, and nothing where nobody could judge', async t => {
  const plane = new TangentPlane({ latitude: 40.44, longitude: -79.99, altitude: 230 })
  const soundOf = (arrivals: readonly Arrival[], located: boolean, unexplained = 0) =>
    reportedShot({ located: located ? sure.located : null, arrivals, time: 1000, unexplained }, plane).sound
  const all = (gun: number, firework: number) => [0, 1, 2, 3].map(() => heard(gun, firework))
  for (const located of [true, false]) {
    t.equal(soundOf(all(0.95, 0.03), located), 'gun')
    t.equal(soundOf(all(0.1, 0.85), located), 'firework-like')
    t.equal(soundOf(all(0.05, 0.02), located), 'other')
    t.equal(soundOf([heard(null)], located), null)
  }
  t.equal(soundOf(all(0.7, 0.25), true), 'unsure')
  t.equal(soundOf(all(0.5, 0.4), false), 'unsure')
  t.equal(soundOf(all(0.95, 0.03), true, 8), 'other', 'a blast-like piece of a rumble')
})

test('a round that was heard badly is judged with the others of its burst', async t => {
  const plane = new TangentPlane({ latitude: 40.44, longitude: -79.99, altitude: 230 })
  const [clear, blurred] = [[heard(0.97, 0.02), heard(0.95, 0.03)], [heard(0.4, 0.3)]]
  const alone = { located: sure.located, arrivals: blurred, time: 1000 }
  const inBurst = { ...alone, judged: [...clear, ...blurred] }
  t.ok(reportedShot(alone, plane).probability < 0.5)
  t.ok(reportedShot(inBurst, plane).probability > 0.8)
  t.equal(reportedShot(inBurst, plane).arrivals.length, 1, 'it is told with its own arrivals')
})

test('a class is named only where it stands out', async t => {
  t.equal(named({ gun: 0.8, firework: 0.1, other: 0.1 }), 'gun')
  t.equal(named({ gun: 0.1, firework: 0.8, other: 0.1 }), 'firework-like')
  t.equal(named({ gun: 0.1, firework: 0.1, other: 0.8 }), 'other')
  t.equal(named({ gun: 0.5, firework: 0.4, other: 0.1 }), 'unsure')
})
