import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { probabilityWeights } from '../../gateway/acoustics/probability-weights.js'
import { fitModels, reliability } from '../../scripts/probability/model.js'
import type { LocatedRow } from '../../scripts/probability/rows.js'

const read = (name: string): LocatedRow[] =>
  JSON.parse(readFileSync(new URL(`../../../test/golden/probability/${name}.json`, import.meta.url), 'utf8'))

test('the weights of an alert’s probability are those that its training days give', t => {
  t.same(fitModels(read('training')), probabilityWeights)
  t.end()
})

test('on a day that was not trained on, gunshots come as often as is stated', t => {
  const { bins, brier, rows } = reliability(probabilityWeights, read('held-out'))
  t.ok(rows > 150, `${rows} located sounds`)
  for (const { from, to, count, stated, observed } of bins) {
    if (count === 0) continue
    // Shots of one burst are right or wrong together: a burst has three on average, so the spread is as of a third of the count.
    const spread = Math.sqrt((3 * stated * (1 - stated)) / count)
    t.ok(
      Math.abs(stated - observed) < Math.max(0.05, 2 * spread),
      `${from} to ${to}: stated ${stated}, observed ${observed} of ${count}`,
    )
  }
  t.ok(brier < 0.06, `Brier score ${brier}`)
  const base = read('held-out').filter(({ gun, placed }) => gun && placed).length / rows
  t.ok(brier < 0.6 * base * (1 - base), 'better than to state of each how many are')
  t.end()
})
