import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'tap'
import { loadArrayGeometry } from '../../drivers/device-files.js'
import { AlsaArray, type AlsaOptions } from '../../drivers/microphone-array/alsa.js'
import { cardPresent, openAlsaCapture } from '../../drivers/microphone-array/alsa-capture.js'
import { openWideCapture } from '../../drivers/microphone-array/arecord-capture.js'
import { BlockAssembler, blocksFromPacket, CaptureTimeline } from '../../drivers/microphone-array/capture.js'
import { CaptureError, type CaptureRequest, type CaptureSource } from '../../drivers/microphone-array/capture-source.js'
import type { AudioBlock } from '../../drivers/microphone-array/microphone-array.js'
import { RecordedArray, type RecordingOptions } from '../../drivers/microphone-array/recording.js'
import { toChannels } from '../../drivers/microphone-array/samples.js'
import { SimulatedArray } from '../../drivers/microphone-array/simulator.js'
import { NotSoundError } from '../../drivers/microphone-array/sound-file.js'
import { StreamPlace } from '../../drivers/microphone-array/stream-place.js'
import { readWaveFile } from '../../drivers/microphone-array/wave-file.js'
import { systemClock } from '../../drivers/system-clock.js'
import { Random } from '../../scripts/simulator/random.js'
import { contractElsewhere } from '../contracts/contract.js'
import { collect, states } from '../contracts/driver.js'
import { microphoneArrayContract } from '../contracts/microphone-array.js'
import { VirtualClock } from '../contracts/virtual-clock.js'
import { flacFile, riff, riffChunk, waveFile } from './sound-files.js'

const devices = join(process.cwd(), 'firmware-config/devices')
const sampleRate = 8000

/** A sine of its own on each channel. */
function tones(channels: number, samples: number): Float32Array[] {
  return Array.from({ length: channels }, (_, channel) =>
    Float32Array.from({ length: samples }, (_, index) => 0.5 * Math.sin(((channel + 1) * index) / 20)),
  )
}

function blocksOf(items: readonly { readonly kind: string }[]): AudioBlock[] {
  return items.filter((item): item is AudioBlock => item.kind === 'audio')
}

/** The blocks' samples put together, one array a channel. */
function joined(blocks: readonly AudioBlock[]): number[][] {
  return blocks[0]!.channels.map((_, channel) => blocks.flatMap(block => [...block.channels[channel]!]))
}

/** An array that plays bytes held in memory. */
function recorded(bytes: Uint8Array, options: Partial<RecordingOptions> = {}): RecordedArray {
  return new RecordedArray({
    name: 'roof',
    files: ['pole-17.wav'],
    startTime: 1_545_180_566,
    pace: 'fast',
    clock: new VirtualClock(),
    readFile: async () => bytes,
    random: () => 0,
    ...options,
  })
}

/** A sound card that produces 16-bit sound as the virtual clock goes on; what goes wrong is set from outside. */
class FakeCard {
  readonly clock: VirtualClock
  readonly rate: number
  readonly channels: number
  openings = 0
  closings = 0
  plugged: (seconds: number) => boolean = () => true
  mute: (seconds: number) => boolean = () => false
  /** Seconds of sound that are lost when the stream is so old. */
  overrun: { readonly at: number; readonly seconds: number } | null = null
  onPacket: (seconds: number) => void = () => {}

  constructor(clock: VirtualClock, rate = sampleRate, channels = 2) {
    this.clock = clock
    this.rate = rate
    this.channels = channels
  }

  readonly open = async (request: CaptureRequest): Promise<CaptureSource> => {
    if (!this.plugged(this.clock.monotonic())) throw new CaptureError('device-absent', 'There is no such card.')
    this.openings += 1
    const period = 160
    const random = (seed: number) => ((seed * 7919) % 20011) - 10005
    let produced = this.clock.monotonic()
    let missed = false
    return {
      format: { sampleRate: this.rate, channelCount: request.channels, sampleFormat: 's16' },
      read: () => {
        const now = this.clock.monotonic()
        if (!this.plugged(now)) throw new CaptureError('stream-ended', 'The card has gone.')
        if (this.overrun !== null && !missed && now >= this.overrun.at) {
          produced += this.overrun.seconds
          missed = true
        }
        if (this.mute(now) || produced + period / this.rate > now) return null
        const captureTime = produced + (this.clock.system() - now)
        const samples = Int16Array.from({ length: period * this.channels }, (_, index) => random(index))
        produced += period / this.rate
        this.onPacket(now)
        return { planes: [new Uint8Array(samples.buffer)], captureTime }
      },
      close: async () => {
        this.closings += 1
      },
    }
  }
}

function alsa(card: FakeCard, options: Partial<AlsaOptions> = {}): AlsaArray {
  return new AlsaArray({
    name: 'roof',
    device: 'hw:CARD=Fake,DEV=0',
    channels: card.channels,
    clock: card.clock,
    openCapture: card.open,
    random: () => 0,
    ...options,
  })
}

test('microphone-array contract', async t => {
  const asked: string[] = []
  const renamedCard = {
    make: (clock: VirtualClock) => {
      const card = new FakeCard(clock)
      card.plugged = seconds => seconds < 1 || seconds > 3
      return alsa(card, {
        openCapture: request => {
          asked.push(request.device)
          return card.open(request)
        },
      })
    },
    asked: () => asked,
  }
  contractElsewhere(t, 'microphone-array', 'snd-aloop', 'the kernel’s looped-back card: ./scripts/test-machine')
  const long = waveFile(tones(2, 4 * sampleRate), { sampleRate, bits: 16 })
  const short = waveFile(tones(2, sampleRate), { sampleRate, bits: 16 })
  microphoneArrayContract(t, {
    title: 'recording',
    channels: 2,
    sampleRate,
    make: clock => recorded(long, { clock, pace: 'real-time' }),
    makeInterrupted: clock =>
      recorded(short, {
        clock,
        pace: 'real-time',
        readFile: async () => (clock.monotonic() < 2 ? Promise.reject(new Error('no such file')) : short),
      }),
    interruptedStates: ['absent recording-missing', 'ready', 'absent recording-ended'],
    wrong: {
      make: clock => recorded(new TextEncoder().encode('no sound'), { clock, pace: 'real-time' }),
      state: 'faulty recording-not-audio',
    },
    excused: {
      renamed: 'a file has one name',
      silent: 'silence in a recording is what was recorded',
      flooding: 'it is read as fast as it is asked for',
      queue: 'nothing waits: it is read when it is asked for',
    },
  })
  microphoneArrayContract(t, {
    title: 'ALSA',
    channels: 2,
    sampleRate,
    make: clock => alsa(new FakeCard(clock)),
    makeInterrupted: clock => {
      const card = new FakeCard(clock)
      card.plugged = seconds => (seconds > 1 && seconds < 3) || seconds > 6
      return alsa(card)
    },
    interruptedStates: ['absent device-absent', 'ready', 'faulty stream-ended', 'absent device-absent', 'ready'],
    silent: {
      make: clock => {
        const card = new FakeCard(clock)
        card.mute = seconds => seconds > 1 && seconds < 6
        return alsa(card)
      },
      states: ['ready', 'faulty silent-stream', 'ready'],
    },
    wrong: {
      make: clock => alsa(new FakeCard(clock, 2 * sampleRate), { sampleRate }),
      state: 'faulty wrong-sample-rate',
    },
    renamed: renamedCard,
    flooding: {
      make: clock => {
        const card = new FakeCard(clock)
        card.overrun = { at: 1, seconds: 0.5 }
        let delayed = false
        // Its reader was held up for two seconds, and finds all of them waiting.
        card.onPacket = seconds => {
          if (delayed || seconds < 0.5) return
          delayed = true
          void clock.sleep(2, new AbortController().signal)
        }
        return alsa(card)
      },
      lost: 0.5,
    },
    excused: {},
  })
  microphoneArrayContract(t, {
    title: 'simulator',
    channels: 4,
    sampleRate,
    make: clock =>
      new SimulatedArray({ name: 'roof', channels: 4, sampleRate, clock, impulses: [{ at: 0.5, level: 3 }] }),
    makeInterrupted: clock =>
      new SimulatedArray({
        name: 'roof',
        channels: 4,
        sampleRate,
        clock,
        faults: [
          { from: 0, until: 1, fault: 'absent' },
          { from: 3, until: 5, fault: 'absent' },
        ],
      }),
    interruptedStates: ['absent device-absent', 'ready', 'absent device-absent', 'ready'],
    excused: {
      renamed: 'it has no name on a bus',
      silent: 'its zeros are the microphone watch’s to name (test/commands/microphone-wiring)',
      flooding: 'it makes sound when it is asked for',
      wrong: 'it makes its own sound',
      queue: 'nothing waits: sound is made when it is asked for',
    },
  })
})

test('WAV files', async t => {
  const sound = tones(3, 1001)
  const shapes = [
    { bits: 8, step: 2 ** -7 },
    { bits: 16, step: 2 ** -15 },
    { bits: 24, step: 2 ** -23 },
    { bits: 32, step: 2 ** -24 },
    { bits: 32, float: true, step: 0 },
    { bits: 64, float: true, step: 0 },
    { bits: 24, extensible: true, step: 2 ** -23 },
    { bits: 32, float: true, extensible: true, step: 0 },
  ] as const
  for (const { step, ...shape } of shapes) {
    t.test(`with ${JSON.stringify(shape)} give every sample of every channel`, async t => {
      const items = await collect(
        recorded(waveFile(sound, { sampleRate, ...shape }), { blockSeconds: 0.01 }),
        () => false,
      )
      t.same(states(items), ['ready'])
      const heard = joined(blocksOf(items))
      t.equal(heard.length, 3)
      for (const [channel, samples] of heard.entries()) {
        t.equal(samples.length, 1001)
        t.ok(samples.every((sample, index) => Math.abs(sample - sound[channel]![index]!) <= step))
      }
    })
  }

  t.test('may hold other chunks before the sound, of odd length too, and bytes after it', async t => {
    const before = [riffChunk('LIST', Uint8Array.of(1, 2, 3)), riffChunk('bext', new Uint8Array(602))]
    const file = waveFile(sound, { sampleRate, bits: 16, before })
    const more = new Uint8Array(file.byteLength + 100)
    more.set(file)
    t.equal(readWaveFile(more).sampleCount, 1001)
  })

  t.test('longer than four gigabytes are understood, and those whose writer did not know the length', async t => {
    const plain = waveFile(sound, { sampleRate, bits: 16, declaredBytes: 0xffffffff })
    t.equal(readWaveFile(plain).sampleCount, 1001)
    t.equal(readWaveFile(plain).declaredSampleCount, 1001)
    const lengths = new Uint8Array(28)
    new DataView(lengths.buffer).setBigUint64(8, 1_000_000_000_002n, true)
    const long = riff([riffChunk('ds64', lengths), plain.subarray(12)], 'RF64')
    t.equal(readWaveFile(long).declaredSampleCount, Math.floor(1_000_000_000_002 / 6))
  })

  t.test('that are damaged in any way make a named fault or less sound, never a crash', async t => {
    const good = waveFile(sound, { sampleRate, bits: 16 })
    await t.resolves(
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.record({ at: fc.nat(60), value: fc.nat(255) }), { maxLength: 4 }),
          fc.nat(good.byteLength),
          async (changes, length) => {
            const bytes = good.slice(0, length)
            for (const { at, value } of changes) if (at < length) bytes[at] = value
            const items = await collect(recorded(bytes), () => false)
            const [state] = states(items)
            const played = ['ready', 'faulty recording-truncated'].includes(state!)
            return states(items).length === 1 && (played || state === 'faulty recording-not-audio')
          },
        ),
        { numRuns: 300 },
      ),
    )
    await t.resolves(
      fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async bytes => {
          return states(await collect(recorded(bytes), () => false)).join() === 'faulty recording-not-audio'
        }),
      ),
    )
  })
})

test('FLAC files', async t => {
  for (const bits of [16, 24] as const) {
    const sound = tones(4, 3000).map(channel => channel.map(sample => Math.round(sample * 2 ** (bits - 1))))
    const file = flacFile(sound, 16000, bits)

    t.test(`of ${bits} bits give every sample of every channel`, async t => {
      const blocks = blocksOf(await collect(recorded(file), () => false))
      t.equal(blocks[0]!.sampleRate, 16000)
      const heard = joined(blocks).map(channel => channel.map(sample => sample * 2 ** (bits - 1)))
      t.same(
        heard,
        sound.map(channel => [...channel]),
      )
    })

    t.test(`of ${bits} bits that are cut off give what they hold and say so`, async t => {
      const items = await collect(recorded(file.subarray(0, file.byteLength * 0.7)), () => false)
      t.same(states(items), ['faulty recording-truncated'])
      const heard = joined(blocksOf(items))
      t.ok(heard[0]!.length >= 1024)
      for (const [channel, samples] of heard.entries()) {
        t.same(
          samples.map(sample => sample * 2 ** (bits - 1)),
          [...sound[channel]!.subarray(0, samples.length)],
        )
      }
    })
  }

  t.test('that are damaged make a named fault or other sound, never a crash', async t => {
    const good = flacFile(
      tones(1, 2000).map(channel => channel.map(sample => Math.round(sample * 32768))),
      8000,
      16,
    )
    await t.resolves(
      fc.assert(
        fc.asyncProperty(fc.nat(good.byteLength), fc.nat(255), fc.nat(good.byteLength), async (at, value, length) => {
          const bytes = good.slice(0, length)
          if (at < length) bytes[at] = value
          return states(await collect(recorded(bytes), () => false)).length === 1
        }),
        { numRuns: 60 },
      ),
    )
  })
})

test('recordings', async t => {
  const sound = waveFile(tones(1, 2 * sampleRate), { sampleRate, bits: 16 })

  t.test(
    'played fast are stamped with the time of the recording, or from the start that is asked for, and end',
    async t => {
      const blocks = blocksOf(await collect(recorded(sound, { timeError: 0.003 }), () => false))
      t.equal(blocks.length, 20)
      t.equal(blocks[0]!.systemTime, 1_545_180_566)
      t.equal(blocks[0]!.systemTimeError, 0.003)
      t.equal(blocks[5]!.systemTime, 1_545_180_566 + 0.5)
      const moved = blocksOf(await collect(recorded(sound, { startAt: 2_000_000_000 }), () => false))
      t.equal(moved[5]!.systemTime, 2_000_000_000 + 0.5)
    },
  )

  t.test('in real time give a block when its last sample is due, stamped from the start that is asked for', async t => {
    const clock = new VirtualClock(1000)
    const array = recorded(sound, { clock, pace: 'real-time', startAt: 1002 })
    const due: number[] = []
    const controller = new AbortController()
    for await (const item of array.readings(controller.signal)) {
      if (item.kind !== 'audio') continue
      due.push(Math.round((clock.system() - item.systemTime) * 1e6) / 1e6)
      if (due.length === 1) t.equal(item.systemTime, 1002)
      if (due.length === 20) controller.abort()
    }
    t.same(due, new Array(20).fill(0.1))
  })

  t.test('joined late in real time go on at the present place', async t => {
    const clock = new VirtualClock(1000)
    const array = recorded(sound, { clock, pace: 'real-time', startAt: 998.75 })
    const [first, ...rest] = blocksOf(await collect(array, all => all.length === 9))
    t.equal(first!.firstSample, 1.2 * sampleRate)
    t.equal(first!.systemTime, 998.75 + 1.2)
    t.equal(rest.at(-1)!.firstSample + rest.at(-1)!.channels[0]!.length, 2 * sampleRate)
  })

  t.test('whose end has passed play nothing and say that they have ended', async t => {
    const clock = new VirtualClock(1000)
    const items = await collect(recorded(sound, { clock, pace: 'real-time', startAt: 900 }), all => all.length === 2)
    t.same(states(items), ['ready', 'absent recording-ended'])
  })

  t.test('keep their pace when the system clock is set', async t => {
    const clock = new VirtualClock()
    const began = clock.system()
    let last: AudioBlock | null = null
    for (const block of blocksOf(
      await collect(recorded(sound, { clock, pace: 'real-time' }), all => {
        if (all.length === 5) clock.stepSystem(3600)
        return all.length === 21
      }),
    )) {
      last = block
    }
    t.equal(last!.systemTime, began + 1.9)
    t.ok(Math.abs(clock.monotonic() - 2) < 1e-9)
  })

  t.test('name what is wrong with them', async t => {
    const faulty = async (options: Partial<RecordingOptions>, bytes = sound) =>
      states(await collect(recorded(bytes, options), () => false)).join()
    t.equal(await faulty({ sampleRate: 48000 }), 'faulty wrong-sample-rate')
    t.equal(await faulty({ channels: 4 }), 'faulty wrong-channel-count')
    t.equal(await faulty({ readFile: async () => Promise.reject(new Error('gone')) }), 'absent recording-missing')
    t.equal(await faulty({}, new TextEncoder().encode('<html>not found</html>')), 'faulty recording-not-audio')
    t.equal(await faulty({}, sound.subarray(0, 10_000)), 'faulty recording-truncated')
    const other = waveFile(tones(1, 100), { sampleRate: 16000, bits: 16 })
    const files = { files: ['one', 'two'], readFile: async (path: string) => (path === 'one' ? sound : other) }
    t.equal(await faulty(files), 'faulty wrong-sample-rate')
    t.throws(() => recorded(sound, { files: [] }), RangeError)
  })

  t.test('of several files play them side by side until the shortest ends', async t => {
    const [left, right] = tones(2, 1000)
    const files = new Map([
      ['left', waveFile([left!], { sampleRate, bits: 16 })],
      ['right', waveFile([right!.subarray(0, 900)], { sampleRate, bits: 16 })],
    ])
    const array = recorded(sound, { files: ['left', 'right'], readFile: async path => files.get(path)!, channels: 2 })
    const heard = joined(blocksOf(await collect(array, () => false)))
    t.same(
      heard.map(channel => channel.length),
      [900, 900],
    )
    t.ok(heard[1]!.every((sample, index) => Math.abs(sample - right![index]!) <= 2 ** -15))
  })

  t.test('are read from the disk', async t => {
    const folder = t.testdir({})
    writeFileSync(join(folder, 'pole.wav'), sound)
    const { readFile: _, ...options } = { ...defaults, files: [join(folder, 'pole.wav')] }
    t.equal(blocksOf(await collect(new RecordedArray(options), () => false)).length, 20)
  })
})

const defaults: RecordingOptions = { name: 'roof', files: [], startTime: 0, pace: 'fast', clock: new VirtualClock() }

test('raw samples become channels of full scale ±1', async t => {
  const bytes = (array: Int16Array | Int32Array | Float32Array | Uint8Array) =>
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
  const interleaved = bytes(Int16Array.of(-32768, 16384, 0, 32767, 1, -1))
  t.same(toChannels([interleaved], 's16', 2), [
    Float32Array.of(-1, 0, 2 ** -15),
    Float32Array.of(0.5, 1 - 2 ** -15, -(2 ** -15)),
  ])
  t.same(toChannels([bytes(Int32Array.of(-(2 ** 31), 2 ** 30))], 's32', 1), [Float32Array.of(-1, 0.5)])
  const planar = [bytes(Float32Array.of(0.25, Number.NaN)), bytes(Float32Array.of(-0.5, Number.POSITIVE_INFINITY))]
  t.same(toChannels(planar, 'f32', 2), [Float32Array.of(0.25, 0), Float32Array.of(-0.5, 0)])
  t.same(toChannels([Uint8Array.of(0, 0, 0x80, 0xff, 0xff, 0x7f)], 's24', 1), [Float32Array.of(-1, 1 - 2 ** -23)])
  t.same(toChannels([Uint8Array.of(0, 255, 128)], 'u8', 1), [Float32Array.of(-1, 127 / 128, 0)])
  t.same(
    toChannels([interleaved.subarray(0, 7)], 's16', 2),
    [Float32Array.of(-1), Float32Array.of(0.5)],
    'half a frame is left out',
  )
  t.throws(() => toChannels([interleaved, interleaved], 's16', 3), RangeError)
})

test('capture packets become blocks placed by their time stamps', async t => {
  const format = { sampleRate: 1000, channelCount: 2, sampleFormat: 's16' } as const
  /** 10 samples a packet; sample k holds k on the left and -k on the right. */
  const packet = (first: number, captureTime: number | null) => {
    const values = Array.from({ length: 10 }, (_, index) => [first + index, -(first + index)])
    return { planes: [new Uint8Array(Int16Array.from(values.flat()).buffer)], captureTime }
  }

  t.test('packets of any length make blocks of one length', async t => {
    const timeline = new CaptureTimeline(1000)
    const assembler = new BlockAssembler(format, 25, 0.001)
    const blocks = [0, 10, 20, 30, 40].flatMap(first => {
      const now = { system: 500 + first / 1000 + 0.013, monotonic: 3 + first / 1000 + 0.013 }
      return blocksFromPacket(packet(first, 500 + first / 1000), format, now, timeline, assembler).blocks
    })
    t.same(
      blocks.map(block => block.firstSample),
      [0, 25],
    )
    t.ok(blocks.every((block, index) => Math.abs(block.systemTime - (500 + index * 0.025)) < 1e-6))
    const left = joined(blocks)[0]!.map(sample => Math.round(sample * 32768))
    t.same(
      left,
      Array.from({ length: 50 }, (_, index) => index),
    )
    t.same(assembler.flush(), [])
  })

  t.test('jitter and drift lose no sound, a jump is a gap of the right length', async t => {
    const timeline = new CaptureTimeline(1000)
    const place = (time: number) => timeline.place(10, 500 + time, { system: 500 + time, monotonic: 7 + time })
    t.equal(place(0).lost, 0)
    t.same(
      [0.012, 0.0195, 0.031].map(time => place(time).firstSample),
      [10, 20, 30],
    )
    for (let index = 0; index < 1000; index += 1) t.equal(place(0.041 + index * 0.010001).lost, 0)
    const late = place(0.041 + 1000 * 0.010001 + 0.35)
    t.equal(late.lost, 350)
    t.equal(late.firstSample, 1004 * 10 + 350)
    t.equal(place(0.041 + 1001 * 0.010001 + 0.35).lost, 0)
  })

  t.test('where the samples are counted, no single late time is a gap, and the least late ones hold', async t => {
    const timeline = new CaptureTimeline(1000)
    let taken = 0
    const place = (late: number, follows = true) => {
      const now = { system: 500 + taken + late + 0.02, monotonic: 7 + taken + late + 0.02 }
      const placement = timeline.place(10, 500 + taken + late, now, follows)
      const off = placement.systemTime - 500 - taken
      taken += 0.010001
      return { ...placement, off }
    }
    place(0.003)
    for (const late of [0.001, 0, 0.004, 0.03, 0.05, 0.002]) t.equal(place(late).lost, 0)
    for (let index = 0; index < 1000; index += 1) {
      const { lost, off } = place(index % 7 === 0 ? 0 : index % 100 < 2 ? 0.2 : 0.004)
      t.ok(lost === 0 && off > -1e-9 && off < 0.0005, `${lost} lost, ${off} s off`)
    }
    taken += 0.35
    t.equal(place(0, false).lost, 350, 'what the source knows to be lost is a gap at once')
    taken += 0.35
    const lost = Array.from({ length: 400 }, () => place(0).lost).filter(count => count !== 0)
    t.same(lost, [350], 'and what only the time shows is one when it has lasted')
  })

  t.test(
    'of a device that counts in four milliseconds the true times are known to a twentieth, however fast it is',
    async t => {
      const random = new Random(11)
      for (const ppm of [-200, -80, 0, 80, 200]) {
        const timeline = new CaptureTimeline(48_000)
        const offs = Array.from({ length: 3000 }, (_, index) => {
          const taken = 500 + (index * 1024 * (1 + ppm * 1e-6)) / 48_000
          // Whoever looks is interrupted now and then.
          const said = taken + 0.004 * random.uniform() + (random.uniform() < 0.02 ? 0.02 : 0)
          return timeline.place(1024, said, { system: said, monotonic: said - 493 }, index > 0).systemTime - taken
        })
        const known = offs.slice(500)
        t.ok(
          known.every(off => Math.abs(off) < 0.0002),
          `${ppm} ppm: off by ${Math.min(...known)} to ${Math.max(...known)} s`,
        )
      }
    },
  )

  t.test('a packet without a time stamp is placed by its arrival', async t => {
    const timeline = new CaptureTimeline(1000)
    const placement = timeline.place(10, null, { system: 500, monotonic: 7 })
    t.ok(Math.abs(placement.systemTime - 499.99) < 1e-9)
  })

  t.test('setting the system clock is no gap', async t => {
    const timeline = new CaptureTimeline(1000)
    timeline.place(10, 500, { system: 500.01, monotonic: 7.01 })
    const stepped = timeline.place(10, 500.01, { system: 503.05, monotonic: 7.05 })
    t.match(stepped, { firstSample: 10, lost: 0, clockStepped: true })
    t.ok(Math.abs(stepped.systemTime - 503.04) < 1e-9)
  })

  t.test('what was lost while the system clock was set is a gap of the right length, and only once', async t => {
    for (const step of [1, -1, 3600]) {
      for (const stamped of [true, false]) {
        for (const follows of [undefined, false]) {
          const timeline = new CaptureTimeline(1000)
          const place = (taken: number, stepped: number, stamped = true) => {
            const now = { system: 500 + taken + 0.03 + stepped, monotonic: 7 + taken + 0.03 }
            return timeline.place(10, stamped ? 500 + taken + stepped : null, now, follows)
          }
          for (let index = 0; index < 10; index += 1) place(index / 100, 0)
          const taken = 0.1 + 3600
          const first = place(taken, step, stamped)
          const what = `${step} s, ${stamped ? 'with' : 'without'} a stamp`
          t.ok(first.clockStepped, what)
          t.ok(Math.abs(first.lost - 3_600_000) <= 30, `${what}: ${first.lost} lost`)
          const again = place(taken + 0.51, step)
          const apart = again.firstSample - 100
          t.ok(Math.abs(apart - 3_600_510) <= 30, `${what}: ${apart} samples on after it was opened again`)
          t.ok(Math.abs(again.systemTime - (500 + taken + 0.51 + step)) < 1e-6)
        }
      }
    }
  })

  t.test('a loss that a packet hides which may have waited shows with the next', async t => {
    const timeline = new CaptureTimeline(1000)
    timeline.place(10, 500, { system: 500.01, monotonic: 7.01 })
    t.equal(timeline.place(10, null, { system: 503.32, monotonic: 7.32 }).lost, 0)
    t.equal(timeline.place(10, 503.6, { system: 503.61, monotonic: 7.61 }).lost, 580)
  })
})

test("the place of samples in a device's stream follows from the kernel's count", async t => {
  const folder = t.testdir({})
  const clock = new VirtualClock()
  const status = (arrived: number, taken: number) =>
    writeFileSync(
      join(folder, 'status'),
      `state: RUNNING\ntstamp : 0.000000000\nhw_ptr : ${arrived}\nappl_ptr : ${taken}\n`,
    )
  const placed = (place: StreamPlace, ...given: Parameters<StreamPlace['of']>) => {
    const found = place.of(...given)
    if (found === null || found === 'unknown') return found
    return { age: Math.round((clock.system() - found.captureTime) * 1000) / 1000, follows: found.follows }
  }

  t.test('and so does its time, however far behind the reader is', async t => {
    const place = new StreamPlace('hw:CARD=Fake,DEV=0', 1000, clock, folder)
    t.equal(placed(place, 100), null, 'not when the kernel says nothing')
    status(500, 200)
    t.same(placed(place, 100), { age: 0.4, follows: false })
    status(2300, 300)
    t.same(placed(place, 100), { age: 2.1, follows: true })
    status(100, 100)
    t.same(placed(place, 100), { age: 0.1, follows: false }, 'after an overrun')
    status(220, 200)
    t.same(placed(place, 100), { age: 0.12, follows: true })
  })

  t.test('through a pipe too, but for what was in it at an overrun', async t => {
    const place = new StreamPlace('hw:CARD=Fake,DEV=0', 1000, clock, folder)
    status(500, 500)
    t.same(placed(place, 300, 'emptied'), { age: 0.5, follows: false })
    status(250, 250)
    t.equal(placed(place, 200, 'full'), 'unknown')
    t.equal(placed(place, 100, 'emptied'), 'unknown')
    status(350, 350)
    t.same(placed(place, 50, 'emptied'), { age: 0.1, follows: false })
    t.same(placed(place, 50, 'emptied'), { age: 0.05, follows: true })
  })
})

test('ALSA capture', async t => {
  t.test('an overrun is a gap in the indices, and time goes on', async t => {
    const card = new FakeCard(new VirtualClock())
    card.overrun = { at: 1, seconds: 0.35 }
    const blocks = blocksOf(await collect(alsa(card), all => all.length === 60))
    const gaps = blocks
      .slice(1)
      .map((block, index) => block.firstSample - blocks[index]!.firstSample - blocks[index]!.channels[0]!.length)
    t.same(
      gaps.filter(gap => gap !== 0),
      [0.35 * sampleRate],
    )
    const begin = blocks[0]!.systemTime
    t.ok(blocks.every(block => Math.abs(block.systemTime - begin - block.firstSample / sampleRate) < 1e-6))
  })

  t.test('after the system clock was set the device is opened afresh, without a fault and without a gap', async t => {
    const card = new FakeCard(new VirtualClock())
    let stepped = false
    card.onPacket = seconds => {
      if (seconds < 1 || stepped) return
      stepped = true
      card.clock.stepSystem(-3)
    }
    const items = await collect(alsa(card), all => all.length === 60)
    t.same(states(items), ['ready'])
    t.equal(card.openings, 2)
    const blocks = blocksOf(items)
    const lost =
      blocks.at(-1)!.firstSample - blocks.slice(0, -1).reduce((sum, block) => sum + block.channels[0]!.length, 0)
    t.equal(lost, 0)
    const offset = blocks.at(-1)!.systemTime - blocks[0]!.systemTime - blocks.at(-1)!.firstSample / sampleRate
    // The card begins anew in the middle of a packet.
    t.ok(Math.abs(offset + 3) < 0.02, `${offset} s`)
  })

  t.test('a stream that gives nothing for two seconds is reported and opened again', async t => {
    const card = new FakeCard(new VirtualClock())
    card.mute = seconds => seconds > 1 && seconds < 8
    const items = await collect(alsa(card), all => states(all).length === 3)
    t.same(states(items), ['ready', 'faulty silent-stream', 'ready'])
    t.ok(card.openings > 2)
    t.equal(card.openings, card.closings)
  })

  t.test('a card that gives a moment of sound and fails, again and again, is opened ever more rarely', async t => {
    const card = new FakeCard(new VirtualClock())
    const openings: number[] = []
    card.plugged = seconds => seconds < openings.at(-1)! + 0.5
    const openCapture = async (request: CaptureRequest) => {
      openings.push(card.clock.monotonic())
      return card.open(request)
    }
    await collect(alsa(card, { openCapture }), () => openings.length > 8)
    const waits = openings.slice(1).map((at, index) => Math.round((at - openings[index]! - 0.5) * 4) / 4)
    t.same(waits, [0.25, 0.5, 1, 2, 4, 8, 15, 15])
  })

  t.test('a device with another rate or number of channels than it should have is refused by name', async t => {
    const wrong = await collect(
      alsa(new FakeCard(new VirtualClock(), 44100), { sampleRate: 48000 }),
      all => all.length === 1,
    )
    t.same(states(wrong), ['faulty wrong-sample-rate'])
    const card = new FakeCard(new VirtualClock())
    const openCapture = async (request: CaptureRequest) => card.open({ ...request, channels: 1 })
    t.same(states(await collect(alsa(card, { openCapture }), all => all.length === 1)), ['faulty device-refused'])
    t.throws(() => alsa(card, { device: 'plughw:0' }), RangeError)
    t.throws(() => alsa(card, { channels: 0 }), RangeError)
  })

  t.test('of a card with more channels the microphones are kept, in their order', async t => {
    const heard = async (options: Partial<AlsaOptions>) => {
      const card = new FakeCard(new VirtualClock(), sampleRate, 4)
      return blocksOf(await collect(alsa(card, options), items => items.length === 3))
    }
    const [all, kept] = [await heard({}), await heard({ microphones: [3, 0] })]
    t.same(
      kept.map(({ channels }) => channels),
      all.map(({ channels }) => [channels[3], channels[0]]),
    )
    t.not(all[0]?.channels[3]?.join(), all[0]?.channels[0]?.join())
  })

  t.test('a thousand reopenings leave nothing open', async t => {
    const card = new FakeCard(new VirtualClock())
    let ends = 0
    card.onPacket = () => {
      ends += 1
    }
    card.plugged = () => ends % 20 !== 19 || ends++ < 0
    let reopenings = 0
    await collect(alsa(card), () => {
      reopenings = card.openings
      return reopenings >= 1000
    })
    t.ok(card.openings >= 1000)
    t.equal(card.openings, card.closings)
  })

  t.test('on this machine, a card that is not there is absent, and waiting for it can be broken off', async t => {
    const array = new AlsaArray({ name: 'roof', device: 'hw:CARD=NoSuchCard,DEV=0', channels: 4, clock: systemClock })
    const items = await collect(array, all => all.length === 1)
    t.same(states(items), ['absent device-absent'])
    await t.rejects(
      openAlsaCapture({ device: 'hw:,0', channels: 4, sampleRate: 48000 }),
      /busy or does not offer 4 channels/,
    )
  })

  t.test(
    'where the kernel does not tell when samples were taken, their times are said to be as bad as they are',
    async t => {
      const program = join(t.testdir({ arecord: '#!/bin/sh\nhead -c 400000 /dev/zero; exec sleep 30\n' }), 'arecord')
      chmodSync(program, 0o755)
      const device = 'hw:CARD=NoSuchCard,DEV=0'
      const opened: CaptureSource[] = []
      const openCapture = async (request: CaptureRequest) => {
        const source = await openWideCapture(request, program)
        opened.push(source)
        return source
      }
      const array = new AlsaArray({
        name: 'roof',
        device,
        channels: 2,
        sampleRate: 48_000,
        clock: systemClock,
        openCapture,
      })
      const blocks = blocksOf(await collect(array, all => all.some(({ kind }) => kind === 'audio')))
      t.equal(blocks[0]?.systemTimeError, 0.05)
      for (const source of opened) await source.close()
      const request = { device, channels: 2, sampleRate: null }
      await t.rejects(openWideCapture(request, program), /does not tell its rate/)
      await t.rejects(openWideCapture(request, '/no/such'), /install alsa-utils/)
    },
  )

  t.test('cards are known by number and by name', async t => {
    const cards = t.testdir({ card1: { id: 'ArrayUAC10\n' } })
    mkdirSync(join(cards, 'pcmC1D0c'))
    for (const device of ['hw:1', 'hw:1,0', 'hw:ArrayUAC10', 'hw:CARD=ArrayUAC10,DEV=0'])
      t.ok(cardPresent(device, cards), device)
    for (const device of ['hw:0', 'hw:CARD=1x,DEV=0', 'hw:Array']) t.notOk(cardPresent(device, cards), device)
    t.notOk(cardPresent('hw:CARD=Any', join(cards, 'missing')))
  })
})

test('the simulated array hears an impulse later where it is told to', async t => {
  const impulses = [{ at: 0.25, level: 0.8, delays: [0, 0.01] }]
  const array = new SimulatedArray({ name: 'roof', channels: 2, sampleRate, clock: new VirtualClock(), impulses })
  const heard = joined(blocksOf(await collect(array, all => all.length === 6)))
  const onsets = heard.map(channel => channel.findIndex(sample => sample > 0.4) / sampleRate)
  t.same(onsets, [0.25, 0.26])
  const again = new SimulatedArray({ name: 'roof', channels: 2, sampleRate, clock: new VirtualClock(), impulses })
  t.same(joined(blocksOf(await collect(again, all => all.length === 6))), heard, 'the same seed gives the same samples')
})

test('array geometries', async t => {
  const names = readdirSync(join(devices, 'microphone-arrays')).map(file => file.replace(/\.json$/, ''))
  t.ok(names.includes('mono') && names.includes('respeaker-4'))
  for (const name of names) {
    const geometry = await loadArrayGeometry(name, devices)
    t.equal(geometry.name, name)
    for (const axis of ['right', 'forward', 'up'] as const) {
      const middle =
        geometry.microphones.reduce((sum, microphone) => sum + microphone[axis], 0) / geometry.microphones.length
      t.ok(Math.abs(middle) < 1e-4, `${name} lies around its middle`)
    }
    const places = new Set(geometry.microphones.map(place => JSON.stringify(place)))
    t.equal(places.size, geometry.microphones.length, `${name} has every microphone at a place of its own`)
  }
  const tetrahedron = await loadArrayGeometry('tetrahedron', devices)
  const [one, , , top] = tetrahedron.microphones
  t.ok(Math.abs(Math.hypot(one!.right - top!.right, one!.forward - top!.forward, one!.up - top!.up) - 0.2) < 1e-4)
  await t.rejects(loadArrayGeometry('no-such-array', devices), /no-such-array\.json/)
  await t.rejects(loadArrayGeometry('../plate-readers/auto-intellect', devices), /not a name/)
  const mono = {
    name: 'two',
    description: 'two',
    microphones: [{ right: 0, forward: 0, up: 0 }],
    soundLevelAtFullScale: null,
  }
  const wrong = { ...mono, capture: { channels: 2, microphones: [2] } }
  const folder = t.testdir({
    'mine.json': JSON.stringify({ name: 'mine', microphones: [{ right: 'x' }] }),
    'two.json': JSON.stringify(wrong),
  })
  await t.rejects(loadArrayGeometry(join(folder, 'two.json')), /one channel of the card for each microphone/)
  await t.rejects(loadArrayGeometry(join(folder, 'mine.json')), /description[\s\S]*soundLevelAtFullScale|microphones/)
})

test('sound files that are no sound say why', async t => {
  t.throws(() => readWaveFile(riff([])), NotSoundError)
  t.throws(() => readWaveFile(riff([riffChunk('data', new Uint8Array(4))])), /before the description/)
})
