import fc from 'fast-check'
import { test } from 'tap'
import type { Arrival } from '../../gateway/acoustics/arrival.js'
import { ImpulseJudge } from '../../gateway/acoustics/classifier.js'
import { ArrayListener, type Snippet } from '../../gateway/acoustics/listener.js'
import { Chance } from './scene.js'

const start = 1_700_000_000

/** A blast: a decaying burst of band-limited noise that sets in at `time` seconds, peak about `level`. */
interface Blast {
  readonly time: number
  readonly level: number
}

/**
 * Sound of one microphone. Blasts are sums of damped sines, defined in continuous time so that every sample rate hears the
 * same; the background is noise of its own.
 */
function sound(
  sampleRate: number,
  seconds: number,
  blasts: readonly Blast[],
  seed = 1,
  background = 0.001,
): Float32Array {
  const chance = new Chance(seed)
  const tones = Array.from({ length: 24 }, (_, i) => ({ hertz: 420 + 83 * i, phase: (i * i * 2.399) % 6.283 }))
  const samples = Float32Array.from({ length: Math.round(seconds * sampleRate) }, () => background * chance.normal())
  for (const { time, level } of blasts) {
    const from = Math.max(0, Math.ceil(time * sampleRate))
    for (let i = from; i < Math.min(samples.length, from + 0.08 * sampleRate); i++) {
      const t = i / sampleRate - time
      let value = 0
      for (const { hertz, phase } of tones) value += Math.sin(2 * Math.PI * hertz * t + phase)
      samples[i]! += (level * value * (1 - Math.exp(-t / 0.001)) * Math.exp(-t / 0.008)) / Math.sqrt(tones.length)
    }
  }
  return samples
}

function listen(
  channels: readonly Float32Array[],
  sampleRate: number,
  blocks: (sample: number) => number = () => 4096,
  skip: readonly (readonly [number, number])[] = [],
): Arrival[] {
  const listener = new ArrayListener({ gateway: 'pole-01', epoch: '5c2e', sampleRate, channels: channels.length })
  const timeOf = (sample: number) => ({ utc: start + sample / sampleRate, error: 0.0001 })
  const arrivals: Arrival[] = []
  const length = channels[0]!.length
  for (let at = 0; at < length; ) {
    const gap = skip.find(([from, to]) => at >= from && at < to)
    if (gap) {
      at = gap[1]
      continue
    }
    const limit = Math.min(length, ...skip.flatMap(([from]) => (from > at ? [from] : [])))
    const count = Math.min(limit - at, Math.max(1, blocks(at)))
    arrivals.push(
      ...listener.push(
        channels.map(channel => channel.subarray(at, at + count)),
        at,
        timeOf,
      ),
    )
    at += count
  }
  return [...arrivals, ...listener.flush()]
}

const near = (arrivals: readonly Arrival[], time: number, within = 0.005) =>
  arrivals.filter(arrival => Math.abs(arrival.time - start - time) < within)

test('a blast is timed to a fraction of a millisecond at every sample rate, and alike at all of them', async t => {
  const blasts = [
    { time: 0.60013, level: 0.3 },
    { time: 1.40057, level: 0.05 },
  ]
  const heard = [8000, 11025, 12000, 16000, 44100, 48000, 96000].map(sampleRate => ({
    sampleRate,
    arrivals: listen([sound(sampleRate, 2, blasts)], sampleRate),
  }))
  for (const { sampleRate, arrivals } of heard) {
    for (const { time } of blasts) {
      const [arrival, ...others] = near(arrivals, time)
      t.ok(arrival && others.length === 0, `one arrival of the blast at ${time} s, ${sampleRate} Hz`)
      t.ok(Math.abs(arrival!.time - start - time) < 0.001, `within 1 ms at ${sampleRate} Hz`)
    }
    const saliences = blasts.map(({ time }) => near(arrivals, time)[0]!.salience)
    t.ok(saliences[0]! > saliences[1]! + 10, 'the louder blast stands out more')
    t.ok(arrivals.length <= 4, `few other arrivals at ${sampleRate} Hz`)
  }
  for (const { time } of blasts) {
    const times = heard.map(({ arrivals }) => near(arrivals, time)[0]!.time)
    t.ok(Math.max(...times) - Math.min(...times) < 0.0004, 'rates agree within 0.4 ms')
  }
})

test('a shift of a fraction of a sample moves the onset by as much', async t => {
  const sampleRate = 8000
  for (const fraction of [0.2, 0.4, 0.6, 0.8]) {
    const at = (time: number) => listen([sound(sampleRate, 1.5, [{ time, level: 0.3 }])], sampleRate)[0]!.time
    const moved = at(0.7 + fraction / sampleRate) - at(0.7)
    t.ok(Math.abs(moved - fraction / sampleRate) < 0.25 / sampleRate, `${fraction} of a sample`)
  }
})

test('the same sound gives the same arrivals whatever the size of the blocks', async t => {
  const sampleRate = 12000
  const blasts = [0.31, 0.9, 1.05, 1.9, 2.4].map((time, i) => ({ time, level: 0.02 * (i + 1) }))
  const channels = [sound(sampleRate, 3, blasts, 1), sound(sampleRate, 3, blasts, 2)]
  const whole = listen(channels, sampleRate, () => channels[0]!.length)
  t.ok(whole.length >= blasts.length)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 }), sizes => {
      let turn = 0
      t.same(
        listen(channels, sampleRate, () => sizes[turn++ % sizes.length]!),
        whole,
      )
    }),
    { numRuns: 25, seed: 7 },
  )
})

test('an arrival is told within 0.3 s of sound after its onset, and numbered without a break', async t => {
  const sampleRate = 16000
  const samples = sound(
    sampleRate,
    4,
    [0.5, 1.3, 2.1, 3.2].map(time => ({ time, level: 0.2 })),
  )
  const listener = new ArrayListener({ gateway: 'pole-01', epoch: '5c2e', sampleRate, channels: 1, firstNumber: 41 })
  const told: string[] = []
  for (let at = 0; at < samples.length; at += 160) {
    const block = samples.subarray(at, at + 160)
    for (const arrival of listener.push([block], at, i => ({ utc: start + i / sampleRate, error: 0 }))) {
      told.push(arrival.id)
      t.ok(start + (at + 160) / sampleRate - arrival.time < 0.3, 'soon')
    }
  }
  t.ok(told.length >= 4)
  t.same(
    told,
    told.map((_, i) => `pole-01/5c2e/${41 + i}`),
  )
})

test('an offset, a dead channel, a noisy channel, clipping and samples that are no numbers leave the time as it is', async t => {
  const sampleRate = 12000
  const blasts = [
    { time: 0.6, level: 0.3 },
    { time: 1.5, level: 0.3 },
  ]
  const clean = sound(sampleRate, 2.2, blasts)
  const chance = new Chance(5)
  const worse: Record<string, readonly Float32Array[]> = {
    offset: [clean.map(value => value + 0.4)],
    clipping: [clean.map(value => Math.max(-0.05, Math.min(0.05, value)))],
    'a dead channel': [clean, new Float32Array(clean.length), sound(sampleRate, 2.2, blasts, 3)],
    'a constant channel': [new Float32Array(clean.length).fill(-1), clean, clean],
    'a noisy channel': [clean, clean.map(value => value + 0.3 * chance.normal()), sound(sampleRate, 2.2, blasts, 3)],
    'no numbers': [clean.map((value, i) => (i >= 3000 && i < 3010 ? Number.NaN : value))],
  }
  for (const [name, channels] of Object.entries(worse)) {
    const arrivals = listen(channels, sampleRate)
    for (const { time } of blasts) {
      const [arrival] = near(arrivals, time)
      t.ok(arrival && Math.abs(arrival.time - start - time) < 0.0015, `${name}, blast at ${time} s`)
      t.ok(arrival && Number.isFinite(arrival.salience) && Number.isFinite(arrival.soundLevel), `${name} stays finite`)
    }
    t.ok(arrivals.length <= 6, `${name} makes no crowd of arrivals`)
  }
})

test('silence, a constant and steady noise make no arrival', async t => {
  const sampleRate = 8000
  t.same(listen([new Float32Array(40000)], sampleRate), [])
  t.same(listen([new Float32Array(40000).fill(0.7)], sampleRate), [])
  t.ok(listen([sound(sampleRate, 30, [], 9, 0.05)], sampleRate).length <= 3, 'next to none in half a minute of noise')
})

test('a gap in the stream is no onset, and what comes after it is heard at its own time', async t => {
  const sampleRate = 12000
  const samples = sound(
    sampleRate,
    4,
    [
      { time: 0.8, level: 0.3 },
      { time: 3, level: 0.3 },
    ],
    2,
    0.02,
  )
  const gap = [Math.round(1.2 * sampleRate), Math.round(2.37 * sampleRate)] as const
  const arrivals = listen([samples], sampleRate, () => 777, [gap])
  t.equal(near(arrivals, 0.8).length, 1)
  t.equal(near(arrivals, 3).length, 1)
  t.equal(arrivals.filter(({ time }) => Math.abs(time - start - 2.37) < 0.3).length, 0, 'nothing at the gap')
  const twice = new ArrayListener({ gateway: 'a', epoch: 'b', sampleRate, channels: 1 })
  const timeOf = (sample: number) => ({ utc: start + sample / sampleRate, error: 0 })
  const once = [...twice.push([samples], 0, timeOf), ...twice.push([samples.subarray(0, 24000)], 0, timeOf)]
  t.equal(near(once, 0.8).length, 1, 'samples seen before are skipped')
})

test('levels follow the calibration, and the time carries the error of clock and picking', async t => {
  const sampleRate = 16000
  const samples = sound(sampleRate, 1.5, [{ time: 0.7, level: 0.25 }])
  const level = (fullScaleLevel: number | undefined) => {
    const listener = new ArrayListener({
      gateway: 'a',
      epoch: 'b',
      sampleRate,
      channels: 1,
      ...(fullScaleLevel === undefined ? {} : { fullScaleLevel }),
    })
    return listener.push([samples], 0, i => ({ utc: i / sampleRate, error: 0.02 }))[0]!
  }
  const plain = level(undefined)
  t.ok(plain.soundLevel > 100 && plain.soundLevel < 120, 'below full scale, which is 120')
  t.ok(Math.abs(level(94).soundLevel - plain.soundLevel + 26) < 1e-9)
  t.ok(plain.timeError >= 0.02 && plain.timeError < 0.021)
})

test('a direction finder is handed all channels around the onset, and its answer is passed on', async t => {
  const sampleRate = 48000
  const delays = [0, 0.00005, 0.0001, 0.00015]
  const channels = delays.map((delay, i) => sound(sampleRate, 1.2, [{ time: 0.6 + delay, level: 0.3 }], i + 1))
  const snippets: Snippet[] = []
  const answer = { azimuth: 120, elevation: null, error: 3 }
  const listener = new ArrayListener({
    gateway: 'a',
    epoch: 'b',
    sampleRate,
    channels: 4,
    bearing: snippet => {
      snippets.push(snippet)
      return answer
    },
  })
  const arrivals = listener.push(channels, 0, i => ({ utc: i / sampleRate, error: 0 }))
  t.equal(arrivals.length, 1)
  t.same(arrivals[0]!.bearing, answer)
  const [snippet] = snippets
  t.equal(snippet!.channels.length, 4)
  const from = Math.round((arrivals[0]!.time - snippet!.onset / sampleRate) * sampleRate)
  for (const [i, channel] of snippet!.channels.entries()) {
    t.same(channel, channels[i]!.slice(from, from + channel.length), `channel ${i} as it came in`)
  }
  t.ok(snippet!.onset > 0.01 * sampleRate && snippet!.channels[0]!.length - snippet!.onset > 0.02 * sampleRate)
})

test('each arrival is judged by its sound from 0.4 s before to 0.25 s after, in a channel that is neither dead nor clips', async t => {
  const sampleRate = 16000
  const clean = sound(sampleRate, 2, [{ time: 0.9, level: 0.3 }])
  const clipping = clean.map(value => Math.max(-1, Math.min(1, 40 * value)))
  const [alone] = near(listen([clean], sampleRate), 0.9)
  const judgement = new ImpulseJudge(sampleRate).judge(clean, (alone!.time - start) * sampleRate)
  t.ok(alone!.gunProbability !== null && Math.abs(alone!.gunProbability - judgement!.gun) < 0.02)
  t.ok(Math.abs((alone!.fireworkProbability ?? 1) - judgement!.firework) < 0.02)
  for (const worse of [clipping, new Float32Array(clean.length)]) {
    const [arrival] = near(listen([worse, clean], sampleRate), 0.9)
    t.ok(Math.abs(arrival!.gunProbability! - alone!.gunProbability!) < 0.05)
  }
  const cut = listen([clean.subarray(0, Math.round(0.92 * sampleRate))], sampleRate)
  t.ok(
    near(cut, 0.9).every(({ gunProbability }) => gunProbability === null),
    'sound that breaks off is not judged',
  )
})

test('impossible settings are refused', async t => {
  const make = (sampleRate: number, channels: number) => () =>
    new ArrayListener({ gateway: 'a', epoch: 'b', sampleRate, channels })
  t.throws(make(4000, 1), RangeError)
  t.throws(make(192000, 1), RangeError)
  t.throws(make(8000, 0), RangeError)
  t.throws(make(8000, 17), RangeError)
  const listener = make(8000, 2)()
  t.throws(() => listener.push([new Float32Array(8)], 0, () => ({ utc: 0, error: 0 })), RangeError)
})

test('digital silence that ends in sound is no impulse', async t => {
  const rate = 16000
  const samples = sound(rate, 3, [{ time: 2.2, level: 0.3 }], 5, 0.02)
  samples.fill(0, 0, 1.1 * rate)
  const found = listen([samples], rate)
  t.same(near(found, 1.1, 0.1), [], 'nothing at its edge')
  t.equal(near(found, 2.2).length, 1, 'the blast is heard')
})
