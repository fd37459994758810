import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { type Test, test } from 'tap'
import type { StateReport } from '../../drivers/driver.js'
import { AlsaArray } from '../../drivers/microphone-array/alsa.js'
import { openAlsaCapture } from '../../drivers/microphone-array/alsa-capture.js'
import type { CaptureRequest } from '../../drivers/microphone-array/capture-source.js'
import type { AudioBlock, MicrophoneArray } from '../../drivers/microphone-array/microphone-array.js'
import { systemClock } from '../../drivers/system-clock.js'
import { SampleClock } from '../../gateway/timebase/sample-clock.js'
import { collect, states } from '../contracts/driver.js'
import { microphoneArrayContract } from '../contracts/microphone-array.js'
import { must } from './shell.js'

/*
 * AlsaArray against the kernel's looped-back sound card: what aplay plays into device 1 is heard at device 0. Runs in the
 * test machine only.
 */

const device = 'hw:CARD=Loopback,DEV=0'
/** Times and indices may part by so much where whoever looks is held up, as in a machine that is translated; seconds. */
const together = 0.1
const platform = '/sys/bus/platform/drivers/snd_aloop'

async function plug(...settings: string[]): Promise<void> {
  await must(`modprobe snd-aloop ${settings.join(' ')} pcm_substreams=1; udevadm settle`)
}

async function unload(): Promise<void> {
  await must('pkill -x aplay; while pgrep -x aplay >/dev/null; do sleep 0.05; done; modprobe -r snd-aloop')
}

/** Each channel plays a constant of its own: channel n is at n + 1 sixty-fourths of full scale. */
async function play(t: Test, format: string, channels: number, rate: number): Promise<void> {
  const bytes = format === 'S16_LE' ? 2 : format === 'S24_3LE' ? 3 : 4
  const frames = rate / 20
  const top = format === 'S24_LE' ? 2 ** 23 : 2 ** (8 * bytes - 1)
  const sound = Buffer.alloc(frames * channels * bytes)
  for (let index = 0; index < frames * channels; index += 1) {
    sound.writeIntLE(((1 + (index % channels)) / 64) * top, index * bytes, bytes)
  }
  // Long enough that no player runs dry while the shell starts the next `cat`.
  writeFileSync('/tmp/sound.raw', Buffer.concat(Array.from({ length: 100 }, () => sound)))
  const player = spawn('sh', [
    '-c',
    `while cat /tmp/sound.raw; do :; done | aplay -q -t raw -D hw:Loopback,1,0 -f ${format} -c ${channels} -r ${rate}`,
  ])
  const closed = once(player, 'close')
  t.teardown(async () => {
    await must('pkill aplay; true')
    await closed
  })
  while (!/RUNNING/.test(textOf('/proc/asound/Loopback/pcm1p/sub0/status'))) await pause(20)
}

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

function array(channels: number, sampleRate: number, openCapture = openAlsaCapture): AlsaArray {
  return new AlsaArray({
    name: 'north',
    device,
    channels,
    sampleRate,
    openCapture,
    clock: systemClock,
    random: () => 0,
  })
}

/** So many seconds of sound, however long it takes to open the card. */
async function listenFor(seconds: number): Promise<AudioBlock[]> {
  const items = await collect(array(2, 48_000), all => {
    const [first, last] = [all.find(({ kind }) => kind === 'audio'), all.at(-1)]
    if (first?.kind !== 'audio' || last?.kind !== 'audio') return false
    return last.firstSample - first.firstSample > seconds * 48_000
  })
  return blocksOf(items)
}

function unbroken(blocks: readonly AudioBlock[]): boolean {
  return blocks.every(({ firstSample }, index) => {
    const before = blocks[index - 1]
    return before === undefined || firstSample === before.firstSample + (before.channels[0]?.length ?? 0)
  })
}

type Hands = (item: AudioBlock | StateReport) => Promise<void> | void

function blocksOf(items: readonly (AudioBlock | StateReport)[]): AudioBlock[] {
  return items.filter(item => item.kind === 'audio')
}

test('microphone-array contract', async t => {
  await unload()
  const asked: string[] = []
  const openCapture = (request: CaptureRequest) => {
    asked.push(request.device)
    return openAlsaCapture(request)
  }
  /** An array on the card; nobody plays, so it hears silence. `hands` may do something to the card at any item. */
  const made = (before: () => Promise<void>, hands: Hands = () => {}): MicrophoneArray => ({
    name: 'north',
    async *readings(signal) {
      if (signal.aborted) return
      await before()
      for await (const item of array(2, 48_000, openCapture).readings(signal)) {
        await hands(item)
        yield item
      }
    },
  })
  const interrupted = (): MicrophoneArray => {
    let blocks = 0
    let pulled: Promise<unknown> | null = null
    return made(unload, async item => {
      if (item.kind === 'audio') {
        blocks += 1
        // The kernel waits there until the device has been closed.
        if (blocks === 10) pulled = must(`echo snd_aloop.0 > ${platform}/unbind`)
      } else if (item.state === 'absent') {
        await pulled
        await unload()
        await plug(`index=${pulled === null ? 2 : 5}`, 'id=Loopback')
      }
    })
  }
  microphoneArrayContract(t, {
    title: 'snd-aloop',
    channels: 2,
    sampleRate: 48_000,
    // Of a kernel that counts 250 ticks a second.
    step: 0.004,
    reopenings: 25,
    make: () => made(plug),
    makeInterrupted: interrupted,
    interruptedStates: ['absent device-absent', 'ready', 'faulty stream-ended', 'absent device-absent', 'ready'],
    renamed: { make: interrupted, asked: () => asked },
    wrong: {
      make: () =>
        made(async () => {
          await plug()
          await play(t, 'S16_LE', 2, 44_100)
        }),
      state: 'faulty wrong-sample-rate',
    },
    flooding: {
      lost: null,
      make: () => {
        let blocks = 0
        return made(plug, item => {
          if (item.kind === 'audio') blocks += 1
          // The whole process stands still, as under a heavy load.
          if (blocks === 10) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6000)
        })
      },
    },
    excused: { silent: 'the looped-back card never stops by itself' },
  })
})

test('a looped-back sound card', async t => {
  const settings: readonly (readonly [string, number, number])[] = [
    ['S16_LE', 1, 16_000],
    ['S16_LE', 2, 44_100],
    ['S16_LE', 4, 48_000],
    ['S16_LE', 8, 48_000],
    ['S16_LE', 16, 48_000],
    ['S16_LE', 2, 96_000],
    ['S24_3LE', 2, 48_000],
    ['S24_LE', 4, 48_000],
    ['S32_LE', 8, 48_000],
    ['S32_LE', 6, 16_000],
  ]
  for (const [format, channels, rate] of settings) {
    await t.test(`of ${format}, ${channels} channels, ${rate} Hz is heard channel by channel`, async t => {
      await plug()
      await play(t, format, channels, rate)
      const began = systemClock.system()
      const items = await collect(array(channels, rate), all => blocksOf(all).length >= 20)
      t.same(states(items), ['ready'])
      const blocks = blocksOf(items)
      const last = blocks.at(-1)
      t.equal(last?.sampleRate, rate)
      last?.channels.forEach((channel, index) => {
        t.ok(
          channel.every(sample => Math.abs(sample - (index + 1) / 64) < 1e-4),
          `channel ${index} is at ${channel[0]}`,
        )
      })
      const [first] = blocks
      if (first === undefined || last === undefined) throw new Error('no sound')
      const heard = (last.firstSample - first.firstSample) / rate
      const apart = last.systemTime - first.systemTime - heard
      t.ok(Math.abs(apart) < together, `times and indices run together (${apart} s apart)`)
      t.ok(began < first.systemTime && last.systemTime < systemClock.system(), 'the times are those of now')
    })
  }

  await t.test('that was not listened to for a while has lost sound, and its indices say how much', async t => {
    for (const format of ['S16_LE', 'S32_LE']) {
      await plug()
      await play(t, format, 2, 48_000)
      const controller = new AbortController()
      const blocks: AudioBlock[] = []
      for await (const item of array(2, 48_000).readings(controller.signal)) {
        if (item.kind !== 'audio') continue
        blocks.push(item)
        // The whole process stands still, as under a heavy load; so does the child, whose pipe fills.
        if (blocks.length === 10) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6000)
        if (blocks.length === 40) controller.abort()
      }
      const gaps = blocks.flatMap((block, index) => {
        const before = blocks[index - 1]
        if (before === undefined) return []
        const gap = block.firstSample - before.firstSample - (before.channels[0]?.length ?? 0)
        return gap > 0 ? [gap / 48_000] : []
      })
      t.ok(gaps.length > 0, `${format}: sound is lost`)
      const [first, last] = [blocks[0], blocks.at(-1)]
      if (first === undefined || last === undefined) throw new Error('no sound')
      const apart = last.systemTime - first.systemTime - (last.firstSample - first.firstSample) / 48_000
      t.ok(Math.abs(apart) < together, `${format}: the indices keep up with the clock (${apart} s apart, lost ${gaps})`)
      await must('pkill aplay; true')
      await pause(200)
    }
  })

  await t.test('80 ppm slow is seen to be slow, and its stated error holds the difference', async t => {
    await plug()
    await must("amixer -q -c Loopback cset iface=PCM,name='PCM Rate Shift 100000' 100008")
    const clock = new SampleClock(48_000)
    clock.setClockStatus({ offset: 0, error: 0 })
    let blocks = await listenFor(25)
    // A computer that stood still meanwhile has lost sound, and tells nothing of rates.
    for (let turn = 0; turn < 3 && !unbroken(blocks); turn += 1) blocks = await listenFor(25)
    for (const { firstSample, systemTime, systemTimeError } of blocks) {
      clock.observe(firstSample, { system: systemTime, readingError: systemTimeError })
    }
    const [first, last] = [blocks[0], blocks.at(-1)]
    if (first === undefined || last === undefined) throw new Error('no sound')
    const from = clock.timeOf(last.firstSample - 20 * 48_000)
    const until = clock.timeOf(last.firstSample)
    const slow = ((until.utc - from.utc) / 20 - 1) * 1e6
    t.ok(Math.abs(slow - 80) < 60, `${slow} ppm`)
    t.ok(until.error <= 0.001, `stated error ${until.error} s`)
    t.ok(Math.abs(until.utc - last.systemTime) < 0.003)
    await unload()
  })
})
