import { test } from 'tap'
import { clockStatusOf, parseTracking } from '../../gateway/timebase/chrony.js'

/** A line in chronyc's own format; the reference time is that of the measurement. */
function line(referenceTime: number, leap = 'Normal', stratum = 1): string {
  return `47505300,GPS,${stratum},${referenceTime}.0,-0.000010000,0.000002,0.000003,-12.5,0.01,0.5,0.000400,0.000100,16.0,${leap}\n`
}

test('what chrony says of the system clock', async t => {
  t.test('is its correction, with half the root delay and the dispersion as error', async t => {
    const tracking = parseTracking(line(1000))
    t.match(tracking, { source: 'GPS', stratum: 1, referenceTime: 1000, skew: 0.5, updateInterval: 16, leap: 'normal' })
    const status = clockStatusOf(tracking, 1000)
    t.equal(status.condition, 'synchronised')
    t.equal(status.offset, -0.00001)
    t.ok(Math.abs(status.error - 0.0003) < 1e-9)
  })

  t.test('ages from its reference time, whatever its leap status says, and the error grows', async t => {
    const tracking = parseTracking(line(1000))
    const at = (seconds: number) => clockStatusOf(tracking, 1000 + seconds)
    t.equal(at(40).condition, 'synchronised')
    t.equal(at(60).condition, 'holdover')
    let before = 0
    for (const seconds of [0, 60, 600, 3600, 36_000]) {
      const { error } = at(seconds)
      t.ok(error > before, `${seconds} s: ${error} s`)
      before = error
    }
    t.ok(at(3600).error >= 0.0003 + 3600 * 1e-6)
    t.same(at(100_000).error, Number.POSITIVE_INFINITY)
  })

  t.test('is nothing when it is not synchronised, from the future, or no answer', async t => {
    const nothing = { offset: 0, error: Number.POSITIVE_INFINITY, condition: 'unknown' }
    t.same(clockStatusOf(parseTracking(line(1000, 'Not synchronised')), 1000), nothing)
    t.same(clockStatusOf(parseTracking(line(1000, 'Normal', 0)), 1000), nothing)
    t.same(clockStatusOf(parseTracking(line(2000)), 1000), nothing)
    t.same(clockStatusOf(null, 1000), nothing)
    // What chrony 4.3 said with `local stratum 3` and no source.
    const local = '7F7F0101,,3,1000.453865223,0.000000000,0.0,0.0,0.000,0.000,0.000,0.000000000,0.000000000,0.0,Normal'
    t.same(clockStatusOf(parseTracking(local), 1001), nothing)
    for (const text of ['', '506 Cannot talk to daemon', line(1000).replace('0.5', ''), `${line(1000).trim()},more`]) {
      t.equal(parseTracking(text), null)
    }
  })

  t.test('keeps a leap second that is due', async t => {
    t.equal(parseTracking(line(1000, 'Insert second'))?.leap, 'insert-second')
    t.equal(clockStatusOf(parseTracking(line(1000, 'Insert second')), 1000).condition, 'synchronised')
  })
})
