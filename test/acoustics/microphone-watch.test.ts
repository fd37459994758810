import { join } from 'node:path'
import { test } from 'tap'
import { loadArrayGeometry } from '../../drivers/device-files.js'
import type { Microphone } from '../../gateway/acoustics/array-shape.js'
import { judgeOrder } from '../../gateway/acoustics/channel-order.js'
import {
  type MicrophoneChange,
  MicrophoneWatch,
  type SensitivityHistory,
} from '../../gateway/acoustics/microphone-watch.js'
import { loadFourier } from '../../gateway/commands/fourier.js'
import { Random } from '../../scripts/simulator/random.js'
import { addPulse, friedlanderSpectrum, shapedNoise } from '../../scripts/simulator/waveform.js'

const folder = join(process.cwd(), 'firmware-config/devices/microphone-arrays')
const microphonesOf = async (name: string) => (await loadArrayGeometry(join(folder, `${name}.json`))).microphones
const speedOfSound = 340

/** Samples by which each microphone hears a wave from an azimuth (degrees from the front) later than the middle. */
function delays(microphones: readonly Microphone[], azimuth: number, elevation: number, sampleRate: number): number[] {
  const [a, e] = [(azimuth * Math.PI) / 180, (elevation * Math.PI) / 180]
  return microphones.map(({ right, forward, up }) => {
    const towards = right * Math.cos(e) * Math.sin(a) + forward * Math.cos(e) * Math.cos(a) + up * Math.sin(e)
    return (-towards * sampleRate) / speedOfSound
  })
}

/** The front of a clap with noise 20 dB below its peak. */
function clap(
  microphones: readonly Microphone[],
  azimuth: number,
  random: Random,
  sampleRate = 48_000,
): Float32Array[] {
  const spectrum = friedlanderSpectrum({ peak: 1, positive: random.between(0.0003, 0.0008), decay: 1 })
  return delays(microphones, azimuth, random.between(0, 25), sampleRate).map(delay => {
    const sound = { samples: new Float64Array(Math.round(0.01 * sampleRate)), sampleRate, lead: 0 }
    addPulse(sound, spectrum, 0.002 + delay / sampleRate, 0.006, 0.3 * random.between(0.9, 1.1))
    return Float32Array.from(sound.samples, sample => sample + random.normal(0, 0.03))
  })
}

/** Seconds of a street: noise from a few directions, and each microphone's own, far below. */
function street(
  microphones: readonly Microphone[],
  seconds: number,
  random: Random,
  sampleRate = 16_000,
): Float32Array[] {
  const length = seconds * sampleRate
  const waves = [0, 1, 2].map(() => ({
    noise: shapedNoise(random, length + 64, sampleRate, frequency => 1 / Math.max(100, frequency)),
    delay: delays(microphones, random.between(0, 360), 5, sampleRate),
  }))
  return microphones.map((_, channel) =>
    Float32Array.from({ length }, (_, i) => {
      let sum = random.normal(0, 2e-5)
      for (const { noise, delay } of waves) {
        const at = i + 32 - (delay[channel] ?? 0)
        const whole = Math.floor(at)
        const [a = 0, b = 0] = [noise[whole], noise[whole + 1]]
        sum += 0.01 * (a + (at - whole) * (b - a))
      }
      return sum
    }),
  )
}

/** What a watch says of a recording, in blocks of a tenth of a second. */
async function watched(
  microphones: readonly Microphone[],
  channels: readonly Float32Array[],
  watch?: MicrophoneWatch,
  sampleRate = 16_000,
): Promise<MicrophoneChange[]> {
  const own = watch ?? new MicrophoneWatch({ microphones, sampleRate, fourier: await loadFourier() })
  const changes: MicrophoneChange[] = []
  const block = sampleRate / 10
  for (let first = 0; first < (channels[0]?.length ?? 0); first += block) {
    changes.push(
      ...own.hear(
        channels.map(channel => channel.subarray(first, first + block)),
        first,
      ),
    )
  }
  return changes
}

function told(changes: readonly MicrophoneChange[]): string[] {
  return changes
    .map(({ channel, fault, state, swappedWith }) =>
      [
        channel,
        fault,
        ...(swappedWith === null ? [] : [`with ${swappedWith}`]),
        ...(state === 'raised' ? [] : [state]),
      ].join(' '),
    )
    .sort()
}

test('two channels swapped, one reversed and one dead are named from five claps in a street, 20 of 20 times', async t => {
  const microphones = await microphonesOf('circle-8')
  for (let trial = 0; trial < 20; trial++) {
    const random = new Random(trial)
    const [one = 0, other = 0, reversed = 0, dead = 0] = shuffled([...microphones.keys()], random)
    const wire = (channels: Float32Array[]): Float32Array[] =>
      channels.map((channel, index) => {
        const source = index === one ? channels[other] : index === other ? channels[one] : channel
        if (index === dead || source === undefined) return new Float32Array(channel.length)
        return index === reversed ? source.map(sample => -sample) : source
      })
    const watch = new MicrophoneWatch({ microphones, sampleRate: 48_000, fourier: await loadFourier() })
    const quiet = street(microphones, 15, random, 48_000 / 8).map(channel => repeated(channel, 8))
    const changes = await watched(microphones, wire(quiet), watch, 48_000)
    for (let n = 0; n < 5; n++) {
      changes.push(
        ...watch.impulse({ channels: wire(clap(microphones, random.between(0, 360), random)), sampleRate: 48_000 }),
      )
    }
    const expected = [
      `${dead} dead`,
      `${one} swapped with ${other}`,
      `${other} swapped with ${one}`,
      `${reversed} reversed`,
    ]
    t.same(told(changes), expected.sort(), `trial ${trial}`)
  }
})

function repeated(samples: Float32Array, times: number): Float32Array {
  return Float32Array.from({ length: samples.length * times }, (_, i) => {
    const at = i / times
    const [a = 0, b = 0] = [samples[Math.floor(at)], samples[Math.floor(at) + 1]]
    return a + (at % 1) * (b - a)
  })
}

function shuffled<T>(items: T[], random: Random): T[] {
  return items
    .map(item => ({ item, key: random.between(0, 1) }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item)
}

test('a small square tells neighbours exchanged from any clap, opposite corners only from one whose direction is known', async t => {
  const microphones = await microphonesOf('respeaker-4')
  const random = new Random(3)
  const pairs = [
    [0, 1],
    [1, 2],
    [2, 3],
    [0, 3],
    [0, 2],
    [1, 3],
  ] as const
  for (const [one, other] of pairs) {
    const opposite = Math.abs(one - other) === 2
    const votes = [0, 40, 75, 130, 200, 260, 310].map(azimuth => {
      const channels = clap(microphones, azimuth, random)
      const swapped = channels.map(
        (channel, index) => channels[index === one ? other : index === other ? one : index] ?? channel,
      )
      const front = { channels: swapped, sampleRate: 48_000 }
      const judge = (known?: number) => judgeOrder({ ...front, azimuth: known }, microphones, [0, 1, 2, 3])
      return {
        blind: judge(),
        told: judge(azimuth),
        straight: judgeOrder({ channels, sampleRate: 48_000 }, microphones, [0, 1, 2, 3]),
      }
    })
    const right = votes.filter(({ told: verdict }) => verdict?.swapped?.join() === `${one},${other}`)
    t.ok(right.length >= 6, `${one} and ${other} with a known direction: ${right.length} of 7`)
    const seen = votes.reduce(
      (sum, { blind }) => sum + (blind?.swapped?.join() === `${one},${other}` ? blind.margin : 0),
      0,
    )
    t.equal(seen > 6, !opposite, `${one} and ${other} without: ${seen}`)
    const wrongly = votes.reduce((sum, { straight }) => sum + (straight?.swapped ? straight.margin : 0), 0)
    t.ok(wrongly < 6, `and none where none is: ${wrongly}`)
  }
})

test('each fault of one channel is named, and nothing else; it is cleared when it is over', async t => {
  const microphones = await microphonesOf('circle-8')
  const random = new Random(11)
  const sound = street(microphones, 16, random)
  const length = sound[0]?.length ?? 0
  const wind = shapedNoise(random, length, 16_000, frequency => (frequency < 30 ? 0 : 1 / frequency ** 1.67))
  const smooth = (samples: Float32Array): Float32Array => {
    const out = samples.slice()
    for (let pass = 0; pass < 3; pass++)
      for (let i = 1; i < length; i++) out[i] = (out[i - 1] ?? 0) * 0.55 + (out[i] ?? 0) * 0.45
    return out
  }
  const faulty: Record<string, (samples: Float32Array) => Float32Array> = {
    dead: samples => samples.map(() => 0),
    stuck: samples => samples.map(() => 0.25),
    reversed: samples => samples.map(sample => -sample),
    clipped: samples => samples.map(sample => Math.max(-1, Math.min(1, 60 * sample))),
    muffled: smooth,
    'wind-blown': samples => samples.map((sample, i) => sample + 0.3 * (wind[i] ?? 0)),
    buzzing: samples =>
      samples.map((sample, i) => {
        let hum = 0
        for (let harmonic = 1; harmonic <= 16; harmonic++)
          hum += Math.sin((2 * Math.PI * 60 * harmonic * i) / 16_000 + harmonic)
        return sample + 0.01 * hum
      }),
  }
  t.same(told(await watched(microphones, sound)), [], 'nothing in a healthy array')
  for (const [fault, change] of Object.entries(faulty)) {
    const channels = sound.map((samples, channel) => (channel === 2 ? change(samples) : samples))
    const watch = new MicrophoneWatch({ microphones, sampleRate: 16_000, fourier: await loadFourier() })
    t.same(told(await watched(microphones, channels, watch)), [`2 ${fault}`], fault)
    t.same(told(await watched(microphones, sound, watch)), [], 'the past is not heard twice')
    const later = new MicrophoneWatch({ microphones, sampleRate: 16_000, fourier: await loadFourier() })
    const both = channels.map((samples, channel) => Float32Array.from([...samples, ...(sound[channel] ?? [])]))
    t.same(told(await watched(microphones, both, later)), [`2 ${fault}`, `2 ${fault} cleared`], `${fault}, over`)
  }
})

test('a single microphone is found dead, stuck, clipped or blown on, by itself', async t => {
  const microphones = await microphonesOf('mono')
  const sound = street(microphones, 16, new Random(5))
  t.same(told(await watched(microphones, sound)), [])
  t.same(
    told(
      await watched(
        microphones,
        sound.map(samples => samples.map(() => 0)),
      ),
    ),
    ['0 dead'],
  )
  t.same(
    told(
      await watched(
        microphones,
        sound.map(samples => samples.map(() => -0.5)),
      ),
    ),
    ['0 stuck'],
  )
  t.same(
    told(
      await watched(
        microphones,
        sound.map(samples => samples.map(s => Math.max(-1, Math.min(1, 60 * s)))),
      ),
    ),
    ['0 clipped'],
  )
})

/** Hours of a street through a watch, of which only the windows that it looks at are made. @param change what becomes of one channel */
async function hoursOfStreet() {
  const microphones = await microphonesOf('respeaker-4')
  const sampleRate = 8000
  const piece = street(microphones, 2, new Random(9), sampleRate)
  const fourier = await loadFourier()
  let second = 0
  return {
    watch: (history?: SensitivityHistory) =>
      new MicrophoneWatch({ microphones, sampleRate, fourier, ...(history && { history }) }),
    hear(watch: MicrophoneWatch, hours: number, change: (sample: number) => number): string[] {
      const channels = piece.map((samples, channel) =>
        (channel === 1 ? samples.map(change) : samples).subarray(0, 2048),
      )
      // A jump of a second between blocks is a window each.
      return told(Array.from({ length: hours * 3600 }, () => watch.hear(channels, sampleRate * second++)).flat())
    },
  }
}

test('a microphone that grows deaf against the others is named after hours, also across a restart', async t => {
  const { watch, hear } = await hoursOfStreet()
  const first = watch()
  t.same(
    hear(first, 2, sample => sample),
    [],
  )
  const again = watch(first.history)
  t.same(
    hear(again, 1, sample => 0.4 * sample),
    ['1 insensitive'],
  )
  t.same(
    hear(again, 1, sample => sample),
    ['1 insensitive cleared'],
  )
})

test('a fault that makes a microphone louder or softer for a while leaves what is usual of it alone', async t => {
  const { watch, hear } = await hoursOfStreet()
  const own = watch()
  hear(own, 0.5, sample => sample)
  t.same(
    hear(own, 0.25, sample => Math.max(-1, Math.min(1, 4000 * sample))),
    ['1 clipped'],
  )
  t.same(
    hear(own, 3, sample => sample),
    ['1 clipped cleared'],
  )
  t.same(
    hear(own, 0.25, () => 0),
    ['1 dead'],
  )
  t.same(
    hear(own, 3, sample => sample),
    ['1 dead cleared'],
  )
})

test('exchanged lines that are mended are told to be so, also by an array that looks the same from six sides', async t => {
  const microphones = await microphonesOf('respeaker-6')
  const fourier = await loadFourier()
  const random = new Random(5)
  const watch = new MicrophoneWatch({ microphones, sampleRate: 48_000, fourier })
  const clapped = (exchanged: boolean) =>
    [0, 40, 75, 130, 200, 260, 310, 345].flatMap(azimuth => {
      const channels = clap(microphones, azimuth, random)
      const [one, other] = [channels[1] ?? new Float32Array(), channels[2] ?? new Float32Array()]
      if (exchanged) channels.splice(1, 2, other, one)
      return watch.impulse({ channels, sampleRate: 48_000 })
    })
  t.same(told(clapped(true)), ['1 swapped with 2', '2 swapped with 1'])
  t.match(clapped(false), [
    { channel: 1, fault: 'swapped', state: 'cleared' },
    { channel: 2, fault: 'swapped', state: 'cleared' },
  ])
  t.same(clapped(false), [])
})
