import { test } from 'tap'
import type { ChronyTracking } from '../../gateway/timebase/chrony.js'
import { ClockKeeper, ClockReporter } from '../../gateway/timebase/clock-keeper.js'
import { SampleClock } from '../../gateway/timebase/sample-clock.js'

/** A small seeded generator (xorshift), so that a failure can be repeated. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

const gaussian = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

test('a sample clock knows nothing before the first observation', async t => {
  const time = new SampleClock(48000).timeOf(10)
  t.equal(time.error, Number.POSITIVE_INFINITY)
  t.ok(Number.isNaN(time.utc))
})

test('one observation dates every sample at the nominal rate', async t => {
  const clock = new SampleClock(12000)
  clock.setClockStatus({ offset: 0.25, error: 0.001 })
  clock.observe(0, { system: 1000, readingError: 1e-4 })
  t.ok(Math.abs(clock.timeOf(6000.5).utc - (1000.25 + 6000.5 / 12000)) < 1e-9)
  t.ok(clock.timeOf(0).error >= 0.001, 'the error of the system clock is part of the error')
})

test('a rate that is 80 ppm off is found through a millisecond of jitter and late outliers', async t => {
  const random = generator(7)
  const rate = 48000 * (1 + 80e-6)
  const clock = new SampleClock(48000)
  clock.setClockStatus({ offset: 0, error: 0 })
  const start = 1_700_000_000
  for (let second = 0; second < 600; second += 0.1) {
    const sample = Math.round(second * rate)
    const late = random() < 0.05 ? 0.015 * random() : 0
    clock.observe(sample, { system: start + sample / rate + 0.001 * gaussian(random) + late, readingError: 0.001 })
  }
  t.ok(Math.abs(clock.sampleRate / rate - 1) < 3e-6, `rate found: ${clock.sampleRate}`)
  const { utc, error } = clock.timeOf(Math.round(600 * rate))
  t.ok(Math.abs(utc - (start + 600)) < 3 * error, `off by ${utc - start - 600}, stated ${error}`)
  t.ok(error < 0.001, 'the stated error is smaller than the jitter')
})

test('from the first second on a time is right within its stated error, whatever the rate, and the error stays below 1 ms', async t => {
  const random = generator(11)
  let within = 0
  let asked = 0
  let largest = 0
  for (let trial = 0; trial < 200; trial++) {
    const rate = 48000 * (1 + (random() < 0.5 ? -80e-6 : 80e-6))
    const clock = new SampleClock(48000)
    clock.setClockStatus({ offset: 0, error: 0 })
    for (let second = 0; second < 120; second += 0.05) {
      const sample = Math.round(second * rate)
      const jitter = 0.0003 * gaussian(random)
      clock.observe(sample, { system: 1_700_000_000 + sample / rate + jitter, readingError: 0.0003 })
      // An impulse somewhere between this block and the next.
      if (random() > 0.01) continue
      const impulse = sample + 0.05 * rate * random()
      const { utc, error } = clock.timeOf(impulse)
      asked++
      largest = Math.max(largest, error)
      if (Math.abs(utc - (1_700_000_000 + impulse / rate)) <= 2 * error) within++
    }
  }
  t.ok(within >= 0.95 * asked, `${within} of ${asked} within two standard deviations`)
  t.ok(largest <= 0.001, `largest stated error ${largest}`)
})

test('a step of the system clock is followed after a few observations and not before', async t => {
  const clock = new SampleClock(1000)
  clock.setClockStatus({ offset: 0, error: 0 })
  const at = (second: number, step: number): void =>
    clock.observe(second * 1000, { system: 500 + second + step, readingError: 1e-4 })
  for (let second = 0; second < 60; second++) at(second, 0)
  at(60, 1)
  t.ok(Math.abs(clock.timeOf(60000).utc - 560) < 0.01, 'one wild reading changes nothing')
  for (let second = 61; second < 70; second++) at(second, 1)
  t.ok(Math.abs(clock.timeOf(70000).utc - 571) < 0.01, 'a lasting step does')
})

const leap: ChronyTracking['leap'] = 'normal'

/** A chrony that is without its source for five minutes, finds the clock off, and takes that out in 48 seconds. */
interface Slew {
  readonly seed: number
  /** Seconds by which the clock is behind when it is measured again. */
  readonly off: number
  /** Somebody set it, rather than that it drifted. */
  readonly set: boolean
}

function slewed({ seed, off, set }: Slew) {
  const random = generator(seed)
  const rate = 48_000 * (1 + (seed % 2 === 0 ? 80e-6 : -80e-6))
  const [keeper, reporter, clock] = [new ClockKeeper(), new ClockReporter(), new SampleClock(48_000)]
  const begin = 1_700_000_000
  const [lost, found] = [300, 600 + 16 * random()]
  const between = (time: number, from: number, until: number): number =>
    Math.min(Math.max((time - from) / (until - from), 0), 1)
  const behind = (time: number): number =>
    off * (set ? Number(time >= lost) : between(time, lost, found)) * (1 - between(time, found, found + 48))
  let measured = 0
  let asks = 5 * random()
  const told: { at: number; off: number; stated: number }[] = []
  for (let second = 0; second < found + 600; second += 0.05) {
    if ((second < lost || second >= found) && second - measured >= 16) measured = second
    if (second >= asks) {
      asks += 5
      const knows = measured < lost ? second < lost : measured >= found
      const correction = knows ? behind(second) + 20e-6 * gaussian(random) : 0
      // Without its source it says truly how badly it knows the rate.
      const skew = set || knows ? 0.5 : (Math.abs(off) / (found - lost)) * 1e6
      const quality = { skew, rootDelay: 0.0004, rootDispersion: 0.0001, updateInterval: 16, leap }
      const tracking = { source: 'PPS', stratum: 1, referenceTime: begin + measured, correction, ...quality }
      keeper.take(reporter.report(tracking, second))
    }
    clock.setClockStatus(keeper.look(begin + second - behind(second), second))
    const sample = Math.round(second * rate)
    const taken = sample / rate
    const system = begin + taken - behind(taken) + 0.0003 * gaussian(random)
    clock.observe(sample, { system, readingError: 0.001 })
    const { utc, error } = clock.timeOf(sample - 0.3 * rate)
    if (Number.isFinite(error)) told.push({ at: second - found, off: utc - (begin + taken - 0.3), stated: error })
  }
  return told
}

for (const { off, set } of [
  ...[0.015, -0.015, 0.004, -0.004, 0.0015].map(off => ({ off, set: false })),
  ...[0.025, -0.025, 0.015, -0.006].map(off => ({ off, set: true })),
]) {
  const what = `${off * 1000} ms by which a clock ${set ? 'was set' : 'has drifted'} without its source`
  test(`while chrony takes out ${what} times are within three stated errors, and soon known to a millisecond`, async t => {
    for (const seed of [1, 2, 3, 4]) {
      const told = slewed({ seed, off, set })
      const shares = told.map(each => Math.abs(each.off) / each.stated)
      const worst = told[shares.indexOf(Math.max(...shares))]
      const { at = 0, off: wrong = 1, stated = 0 } = worst ?? {}
      t.ok(Math.abs(wrong) <= 3 * stated, `${at} s after it was measured again off by ${wrong}, stated ${stated}`)
      const after = told.filter(each => each.at > 90)
      const largest = Math.max(...after.map(each => each.stated))
      t.ok(largest < 0.001, `stated up to ${largest} when it is taken out`)
      const within = after.filter(each => Math.abs(each.off) <= each.stated).length
      t.ok(within >= 0.95 * after.length, `${within} of ${after.length} within the stated error then`)
    }
  })
}
