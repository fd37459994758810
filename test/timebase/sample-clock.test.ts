import { test } from 'tap'
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
