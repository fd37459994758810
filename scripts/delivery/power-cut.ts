/*
 * Power loss: what a journal's writer does to its folder is recorded by a preloaded layer, and its disk is cut at arbitrary
 * writes. What was not synced is lost, kept, torn at sectors or reordered. Then the journal is opened and looked at as at a
 * start. Beside it the same with a disk that ignores syncs, which must lose: it shows that the test can tell.
 *   npm run power-cut [-- --cuts 100] [--seed 1] [--json]
 */
import { parseArgs } from 'node:util'
import { cutPower, type PowerCutResult } from './power-cut-run.js'

const { values } = parseArgs({
  options: {
    cuts: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
})
const [cuts, seed] = [Number(values.cuts), Number(values.seed)]
const result = await cutPower(cuts, seed)
const lying = await cutPower(Math.min(cuts, 20), seed, false)
const kept = result.lost + result.unopened + result.brokenChains + result.givenTwice === 0
if (values.json) process.stdout.write(`${JSON.stringify({ ...result, kept, withoutSyncs: lying })}\n`)
else {
  tell('a disk that keeps what was synced', result)
  tell('a disk that ignores syncs', lying)
}
process.exitCode = kept ? 0 : 1

function tell(
  name: string,
  { cuts, writes, syncs, confirmed, lost, unopened, brokenChains, givenTwice }: PowerCutResult,
) {
  process.stdout.write(
    `${name}: ${cuts} cuts in ${writes} writes and ${syncs} syncs; of ${confirmed} confirmed alerts lost ${lost}; ` +
      `journals that did not open ${unopened}, broken audit chains ${brokenChains}, numbers given twice ${givenTwice}\n`,
  )
}
