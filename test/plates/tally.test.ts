import { test } from 'tap'
import { Tally, tallySchema } from '../../gateway/plates/tally.js'

const noon = Date.UTC(2026, 2, 1, 12) / 1000

test('what is counted is found under its hour and its day, and survives being written down', async t => {
  const tally = new Tally()
  for (const after of [0, 10, 3599]) tally.count('scans', noon + after)
  tally.count('scans', noon + 3600)
  tally.count('possible', noon + 3600)
  tally.count('scans', noon - 86_400)
  const again = new Tally(tallySchema.parse(JSON.parse(JSON.stringify(tally.record()))))
  again.count('scans', noon + 1)
  t.match(again.current(noon), { hour: { scans: 4, possible: 0 }, day: { scans: 5, possible: 1 } })
  t.match(again.current(noon + 3600), { hour: { scans: 1, possible: 1 } })
  t.match(again.current(noon - 86_400), { hour: { scans: 1 }, day: { scans: 1 } })
  t.match(again.current(noon + 86_400 * 5), { hour: { scans: 0 }, day: { scans: 0 } })
  t.match(tally.current(noon), { hour: { scans: 3 } }, 'the record is a copy')
})

test('old hours and days are dropped, so that the record stays small', async t => {
  const tally = new Tally()
  for (let hour = 0; hour < 24 * 500; hour++) tally.count('reads', noon + hour * 3600)
  const { hours, days } = tally.record()
  t.equal(hours.length, 48)
  t.equal(days.length, 400)
  t.equal(hours.at(-1)?.start, noon + (24 * 500 - 1) * 3600)
  tally.count('reads', noon - 86_400 * 1000)
  t.match(tally.current(noon - 86_400 * 1000), { hour: { reads: 1 } }, 'a clock that steps back still counts')
})
