import { test } from 'tap'
import { AlsaArray } from '../../drivers/microphone-array/alsa.js'
import type { CaptureSource } from '../../drivers/microphone-array/capture-source.js'
import type { ChronyTracking } from '../../gateway/timebase/chrony.js'
import { ClockKeeper, ClockReporter } from '../../gateway/timebase/clock-keeper.js'
import { SampleClock } from '../../gateway/timebase/sample-clock.js'
import { Random } from '../../scripts/simulator/random.js'
import { VirtualClock } from '../contracts/virtual-clock.js'

/*
 * When an impulse was, through everything that tells: a sound card whose clock is off, the driver that places its packets, a
 * system clock that wanders, chrony that measures it now and then, and the straight line through it all.
 */

const nominalRate = 48_000
const period = 1024
const begin = 1_772_340_000

/** A sound card. The kernel counts its samples in steps, and what it says of a packet is late by up to one. */
class Card {
  readonly #clock: VirtualClock
  readonly #random: Random
  readonly #rate: number
  /** Seconds: a frame of USB, or a tick of a timer. */
  readonly #step: number
  #read = 0

  constructor(clock: VirtualClock, random: Random, { ppm, step }: { readonly ppm: number; readonly step: number }) {
    this.#clock = clock
    this.#random = random
    this.#rate = nominalRate * (1 + ppm * 1e-6)
    this.#step = step
  }

  open = async (): Promise<CaptureSource> => ({
    format: { sampleRate: nominalRate, channelCount: 1, sampleFormat: 's16' },
    read: () => {
      const from = this.#read
      if (this.takenAt(from + period) > this.#clock.monotonic()) return null
      this.#read += period
      // Now and then somebody else had the processor while the kernel was asked.
      const interrupted = this.#random.uniform() < 0.02 ? 0.01 * this.#random.uniform() : 0
      const late = this.#step * this.#random.uniform() + interrupted
      const captureTime = this.takenAt(from) + late + this.#clock.system() - this.#clock.monotonic()
      return { planes: [new Uint8Array(2 * period)], captureTime, follows: from > 0 }
    },
    close: async () => {},
  })

  /** Seconds of the monotonic clock. The rate moves by half a part per million as the air does. */
  takenAt(sample: number): number {
    const nominal = sample / this.#rate
    return nominal + 5e-6 * Math.sin(nominal / 10)
  }
}

/** chrony at a source: every 16 seconds it measures how far the system clock is behind, somewhat wrongly. */
class Chrony {
  readonly #random: Random
  readonly #phase: number
  readonly #reporter = new ClockReporter()
  #tracking: ChronyTracking | null = null
  #measured = Number.NEGATIVE_INFINITY

  constructor(random: Random) {
    this.#random = random
    this.#phase = random.between(0, 2 * Math.PI)
  }

  /** By how much the system clock is behind UTC, seconds. */
  behind(monotonic: number): number {
    return 250e-6 * Math.sin(this.#phase + monotonic / 40)
  }

  ask(clock: VirtualClock) {
    const [referenceTime, monotonic] = [clock.system(), clock.monotonic()]
    if (monotonic - this.#measured >= 16) {
      this.#measured = monotonic
      const correction = this.behind(monotonic) + this.#random.normal(0, 50e-6)
      const said = { source: 'PPS', stratum: 1, skew: 0.5, rootDelay: 0.0004, rootDispersion: 0.0001 }
      this.#tracking = { ...said, referenceTime, correction, updateInterval: 16, leap: 'normal' }
    }
    return this.#reporter.report(this.#tracking, monotonic)
  }
}

/** How far the UTC of an impulse is off, and the error that is stated with it, seconds. */
async function trial(seed: number, step: number): Promise<{ off: number; stated: number }> {
  const random = new Random(seed)
  const clock = new VirtualClock(begin)
  const card = new Card(clock, random.fork('card'), { ppm: seed % 2 === 0 ? 80 : -80, step })
  const chrony = new Chrony(random.fork('chrony'))
  const keeper = new ClockKeeper()
  const time = new SampleClock(nominalRate)
  const array = new AlsaArray({ name: 'roof', device: 'hw:Card', channels: 1, clock, openCapture: card.open })
  // From the first second on, in the middle of a block.
  const impulse = Math.round(nominalRate * random.between(1, 25))
  let asked = Number.NEGATIVE_INFINITY
  for await (const block of array.readings(new AbortController().signal)) {
    if (block.kind === 'state') continue
    if (clock.monotonic() - asked >= 5) {
      asked = clock.monotonic()
      keeper.take(chrony.ask(clock))
    }
    time.setClockStatus(keeper.look(clock.system(), clock.monotonic()))
    time.observe(block.firstSample, { system: block.systemTime, readingError: block.systemTimeError })
    if (block.firstSample < impulse) continue
    const { utc, error } = time.timeOf(impulse)
    const at = card.takenAt(impulse)
    return { off: utc - (begin + at + chrony.behind(at)), stated: error }
  }
  throw new Error('the card has fallen silent')
}

for (const [device, step] of [
  ['USB, which counts in milliseconds', 0.001],
  ['one that counts in four milliseconds', 0.004],
] as const) {
  test(`the UTC of an impulse that a card 80 ppm off has heard (${device}) is right in 95 % of 200 trials`, async t => {
    const trials: { off: number; stated: number }[] = []
    for (let seed = 1; seed <= 200; seed += 1) trials.push(await trial(seed, step))
    const within = trials.filter(({ off, stated }) => Math.abs(off) <= stated).length
    const offs = trials.map(({ off }) => off).sort((one, other) => one - other)
    const late = offs[offs.length >> 1] ?? Number.NaN
    const largest = Math.max(...trials.map(({ stated }) => stated))
    t.ok(within >= 190, `${within} of 200 within the stated error`)
    t.ok(Math.abs(late) <= 0.0001, `in the middle ${(late * 1000).toFixed(3)} ms late`)
    t.ok(largest <= 0.001, `stated are at most ${(largest * 1000).toFixed(3)} ms`)
  })
}
