import fc from 'fast-check'
import { test } from 'tap'
import type { Arrival } from '../../gateway/acoustics/arrival.js'
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
  t.same(combinedClasses([heard(0.6, 0.3)], false), classesOf(heard(0.6, 0.3)))
  t.equal(gunshotProbability([heard(0.6, 0.3)], null), 0.6)
  t.ok(Math.abs((blastProbability([heard(0.6, 0.3)], false) ?? 0) - 0.9) < 1e-9)
})

test('whatever is judged, the classes add up to one and no more gateways make it certain', async t => {
  fc.assert(
    fc.property(fc.array(judged, { minLength: 1, maxLength: 12 }), fc.boolean(), (arrivals, located) => {
      const { gun, firework, other } = combinedClasses(arrivals, located)!
      t.ok(Math.abs(gun + firework + other - 1) < 1e-9)
      t.ok(Math.min(gun, firework, other) >= -1e-12)
      if (located) t.ok(gun < 0.9995)
    }),
    { seed: 3 },
  )
})

test('gateways that agree are surer than one, less sure than if they knew nothing of each other, and doubts cancel', async t => {
  const one = blastProbability([heard(0.8)], false)!
  const four = blastProbability(
    [0, 1, 2, 3].map(() => heard(0.8)),
    false,
  )!
  t.ok(four > one && four < 0.8 ** 4 / (0.8 ** 4 + 0.2 ** 4), `${one} becomes ${four}`)
  const torn = blastProbability([heard(0.8), heard(0.2)], false)!
  t.ok(Math.abs(torn - 0.5) < 1e-6)
  const doubting = blastProbability(
    [0, 1, 2, 3].map(() => heard(0.1)),
    true,
  )!
  t.ok(doubting < 0.1, `a place does not make a gun of what four judge to be none: ${doubting}`)
})

test('a place counts as far as it is right, and is all there is where nobody could judge', async t => {
  const arrivals = [heard(0.9), heard(0.9), heard(0.9)]
  t.ok(gunshotProbability(arrivals, 0.5) < 0.5)
  t.ok(gunshotProbability(arrivals, 0.95) > 0.9)
  t.equal(gunshotProbability([heard(null), heard(null)], 0.7), 0.7)
  t.equal(combinedClasses([heard(null)], true), null)
  t.equal(blastProbability([], false), null)
})

test('a class is named only where it stands out', async t => {
  t.equal(named({ gun: 0.8, firework: 0.1, other: 0.1 }), 'gun')
  t.equal(named({ gun: 0.1, firework: 0.8, other: 0.1 }), 'firework-like')
  t.equal(named({ gun: 0.1, firework: 0.1, other: 0.8 }), 'other')
  t.equal(named({ gun: 0.5, firework: 0.4, other: 0.1 }), 'unsure')
})
