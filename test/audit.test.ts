import { test } from 'tap'
import { openHoles } from '../scripts/audit.js'

const hole = { url: 'https://github.com/advisories/GHSA-aaaa-bbbb-cccc', title: 'Reads too much', severity: 'high' }
const audit = { vulnerabilities: { inner: { via: [hole] }, outer: { via: ['inner'] } } }
const exception = {
  advisory: 'GHSA-aaaa-bbbb-cccc',
  package: 'inner',
  reason: 'That part of it is never called here.',
  until: '2030-01-31',
}

test('a known hole of a package fails unless it is excepted, with a reason and until its day', t => {
  t.same(openHoles({ vulnerabilities: {} }, [], '2030-01-01'), [])
  t.match(openHoles(audit, [], '2030-01-01'), [/^inner \(high\): Reads too much, .*GHSA-aaaa-bbbb-cccc$/])
  t.same(openHoles(audit, [exception], '2030-01-31'), [])
  t.equal(openHoles(audit, [exception], '2030-02-01').length, 1, 'the exception has run out')
  t.equal(openHoles(audit, [{ ...exception, package: 'outer' }], '2030-01-01').length, 2, 'it is for another package')
  t.match(openHoles({ vulnerabilities: {} }, [exception], '2030-01-01'), [/not needed any more/])
  t.throws(() => openHoles(audit, [{ ...exception, reason: '' }], '2030-01-01'), 'an exception says why')
  t.end()
})
