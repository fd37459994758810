import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { test } from 'tap'
import { AlsaArray } from '../../drivers/microphone-array/alsa.js'
import { bothClocks, kernelClock, kernelMonotonic, systemClock } from '../../drivers/system-clock.js'
import { parseTracking } from '../../gateway/timebase/chrony.js'
import { ClockKeeper, ClockReporter, type KeptClock } from '../../gateway/timebase/clock-keeper.js'
import { SampleClock } from '../../gateway/timebase/sample-clock.js'
import { Random } from '../../scripts/simulator/random.js'
import { must } from './shell.js'

/*
 * When an impulse was, through everything that tells, all of it real: the kernel's looped-back card with a clock that is off, the driver,
 * the system clock that chronyd leads after a reference, and the straight line through it all. The reference, which knows better, is
 * `reference.py`. Runs in the test machine only, in the one whose time is counted. POLEWATCH_TRIALS: how many impulses; 20 unless given.
 */

const rate = 48_000
const trials = Number(process.env.POLEWATCH_TRIALS ?? 20)
/** Impulses of one opening of the card. They begin a second after it, at least. */
const together = 25
/** As many openings may have to be repeated because the machine was held up. */
const mostRepeated = 8
/** Seconds from the first frame that is played, in which they come. */
const [earliest, latest] = [0.6, 16]
const level = 0.5
/** The processor's count is said to be off by so much, parts per million: what chronyd has to find out. */
const processorOff = 17
const folder = '/run/impulse-time'
const execute = promisify(execFile)

/** A child that answers a line with a line. */
class Reference {
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<string>

  constructor(socket: string) {
    const program = '/polewatch/project/test/machine/reference.py'
    this.#child = spawn('python3', [program, socket, String(processorOff)], { stdio: ['pipe', 'pipe', 'inherit'] })
    if (this.#child.stdout === null) throw new Error('it has no output')
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  async ask(command: string): Promise<string> {
    this.#child.stdin?.write(`${command}\n`)
    return String((await this.#answers.next()).value)
  }

  end(): void {
    this.#child.stdin?.end()
  }
}

async function tracking() {
  try {
    return parseTracking((await execute('chronyc', ['-c', '-n', 'tracking'])).stdout)
  } catch {
    return null
  }
}

function lookAt(keeper: ClockKeeper): KeptClock {
  const { system, monotonic } = bothClocks(kernelClock)
  return keeper.look(system, monotonic)
}

interface Trial {
  /** Of the UTC that is said, seconds. */
  readonly off: number
  readonly stated: number
}

/**
 * Opens the card and plays impulses to it. Where the reference cannot tell when they were it gives in words why; what was heard of them
 * has no say in that.
 *
 * @param shift by how much the card is slow, parts per million
 */
async function session(reference: Reference, random: Random, shift: number): Promise<Trial[] | string> {
  await must(`
    modprobe -r snd-aloop; modprobe snd-aloop pcm_substreams=1; udevadm settle
    amixer -q -c Loopback cset iface=PCM,name='PCM Rate Shift 100000' ${100_000 + shift / 10}`)
  const played = Array.from({ length: together }, (_, index) => {
    const wide = (latest - earliest) / together
    return Math.round(rate * (earliest + wide * (index + random.between(0.1, 0.9))))
  })
  const sound = new Int16Array(rate * (latest + 1))
  for (const frame of played) sound[frame] = level * 32_767
  writeFileSync(`${folder}/sound.raw`, sound)

  const [clock, keeper, reporter] = [new SampleClock(rate), new ClockKeeper(), new ClockReporter()]
  const controller = new AbortController()
  const asking = (async () => {
    while (!controller.signal.aborted) {
      const asked = kernelMonotonic()
      keeper.take(reporter.report(await tracking(), asked))
      await systemClock.sleep(5, controller.signal)
    }
  })()
  const array = new AlsaArray({
    ...{ name: 'roof', device: 'hw:CARD=Loopback,DEV=0', channels: 1, sampleRate: rate },
    ...{ clock: systemClock, random: () => 0 },
  })
  const heard: { readonly utc: number; readonly error: number }[] = []
  let player: Promise<unknown> | null = null
  let complaint = ''
  for await (const item of array.readings(controller.signal)) {
    if (item.kind === 'state') {
      if (item.state !== 'ready') throw new Error(item.detail)
      continue
    }
    if (player === null) {
      const child = spawn('aplay', [
        ...['-q', '-t', 'raw', '-D', 'hw:Loopback,1,0', '-f', 'S16_LE', '-c', '1', '-r', String(rate)],
        `${folder}/sound.raw`,
      ])
      child.stderr.on('data', (chunk: Buffer) => {
        complaint += chunk.toString()
      })
      player = once(child, 'close').then(() => controller.abort())
      await reference.ask('watch')
    }
    clock.setClockStatus(lookAt(keeper))
    clock.observe(item.firstSample, { system: item.systemTime, readingError: item.systemTimeError })
    item.channels[0]?.forEach((sample, index) => {
      if (sample > level / 2) heard.push(clock.timeOf(item.firstSample + index))
    })
  }
  await Promise.all([asking, player])
  // After an underrun the card counts anew what is played.
  if (complaint !== '') return `aplay: ${complaint.trim()}`
  const truth: number[] = []
  for (const frame of played) {
    const [time, looks, took] = (await reference.ask(`time ${frame} ${rate / (1 + shift * 1e-6)}`))
      .split(' ')
      .map(Number)
    if (time === undefined || !(Number(looks) > 50) || !(Number(took) < 0.001)) {
      return `${looks} looks, of ${took} s, tell too little of frame ${frame}`
    }
    truth.push(time)
  }
  return truth.map(time => {
    const [nearest] = heard.toSorted((one, other) => Math.abs(one.utc - time) - Math.abs(other.utc - time))
    return { off: (nearest?.utc ?? Number.POSITIVE_INFINITY) - time, stated: nearest?.error ?? 0 }
  })
}

test('the UTC of an impulse that a card 80 ppm off has heard is right within its stated error in 95 % of trials, a millisecond at most', async t => {
  await must(`mkdir -p ${folder}; ip link set lo up; systemctl stop chrony systemd-timesyncd 2>/dev/null; true`)
  const socket = `${folder}/reference.sock`
  const directives = [`refclock SOCK ${socket} poll 0 filter 4 refid TRUE`, 'makestep 0.01 3', 'port 0']
  const chronyd = spawn('chronyd', ['-d', '-u', 'root', ...directives], { stdio: 'ignore' })
  const reference = new Reference(socket)
  t.teardown(async () => {
    reference.end()
    chronyd.kill()
    await must('modprobe -r snd-aloop')
  })
  const began = systemClock.monotonic()
  const [keeper, reporter] = [new ClockKeeper(), new ClockReporter()]
  for (;;) {
    const asked = kernelMonotonic()
    keeper.take(reporter.report(await tracking(), asked))
    if (lookAt(keeper).error < 200e-6) break
    if (systemClock.monotonic() - began > 300) throw new Error('chronyd does not come to know the time')
    await pause(1000)
  }
  t.comment(`chronyd knows the time after ${(systemClock.monotonic() - began).toFixed(0)} s`)
  const random = new Random(7)
  const all: Trial[] = []
  let repeated = 0
  for (let round = 0; all.length < trials; ) {
    const told = await session(reference, random, round % 2 === 0 ? 80 : -80)
    if (typeof told !== 'string') {
      all.push(...told)
      round += 1
      continue
    }
    repeated += 1
    t.comment(`played again: ${told}`)
    if (repeated > mostRepeated) throw new Error('the machine is held up too often to tell when anything was')
  }
  t.comment(
    `${repeated} of ${repeated + all.length / together} openings were played again, as the reference could not tell`,
  )
  const within = all.filter(({ off, stated }) => Math.abs(off) <= stated).length
  const sorted = (values: number[]) => values.sort((one, other) => one - other).map(value => (value * 1000).toFixed(3))
  const [offs, stated] = [sorted(all.map(({ off }) => off)), sorted(all.map(each => each.stated))]
  const middle = Math.floor(all.length / 2)
  t.comment(`off by ${offs[0]} … ${offs[middle]} … ${offs.at(-1)} ms`)
  t.comment(`stated ${stated[0]} … ${stated[middle]} … ${stated.at(-1)} ms`)
  t.ok(within >= 0.95 * all.length, `${within} of ${all.length} within the stated error`)
  t.ok(Number(stated.at(-1)) <= 1, `stated are at most ${stated.at(-1)} ms`)
})
