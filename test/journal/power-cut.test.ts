import { spawnSync } from 'node:child_process'
import { test } from 'tap'
import { cutPower } from '../../scripts/delivery/power-cut-run.js'

const skip = spawnSync('gcc', ['--version']).error === undefined ? false : 'gcc is missing'

test('a power cut at any write loses no confirmed alert, gives no number twice and leaves a journal that opens', {
  skip,
}, async t => {
  const result = await cutPower(10, 7)
  t.ok(result.confirmed > 100 && result.syncs > 20, `${result.confirmed} confirmed, ${result.syncs} syncs`)
  t.match(result, { lost: 0, unopened: 0, brokenChains: 0, givenTwice: 0 })
})

test('a disk that ignores syncs is found out', { skip }, async t => {
  const result = await cutPower(4, 7, false)
  t.ok(result.lost > 0, `${result.lost} of ${result.confirmed} lost`)
})
