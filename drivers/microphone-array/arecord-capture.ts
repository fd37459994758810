import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { systemClock } from '../system-clock.js'
import type { CapturePacket } from './capture.js'
import { CaptureError, type CaptureRequest, type CaptureSource } from './capture-source.js'
import type { SampleFormat } from './samples.js'

/** The widths that node-av cannot ask for, in the order in which they are tried. */
const wideFormats: readonly (readonly [string, SampleFormat, number])[] = [
  ['S32_LE', 's32', 4],
  ['S24_3LE', 's24', 3],
  ['S24_LE', 's24in32', 4],
]
/** Sound kept for a reader that is late, seconds; what is older is dropped and leaves a gap in the times. */
const keptSeconds = 2
/** An opened device must give its first sound within so many milliseconds. */
const patience = 3000

/**
 * Captures samples of 24 or 32 bits from an ALSA device by `arecord` of alsa-utils, kept as a child. The kernel tells in
 * /proc/asound how many samples the device has taken and when, so a packet's time is as good as the kernel's.
 *
 * @throws CaptureError `device-refused` when the device offers none of these formats
 */
export async function openWideCapture(request: CaptureRequest, program = 'arecord'): Promise<CaptureSource> {
  const complaints: string[] = []
  for (const [name, format, bytes] of wideFormats) {
    const opened = await open(request, program, name, format, bytes)
    if (typeof opened !== 'string') return opened
    complaints.push(`${name}: ${opened}`)
  }
  throw new CaptureError('device-refused', complaints.join('; '))
}

async function open(
  { device, channels, sampleRate }: CaptureRequest,
  program: string,
  name: string,
  sampleFormat: SampleFormat,
  bytes: number,
): Promise<CaptureSource | string> {
  const wanted = sampleRate ?? 48_000
  const child = spawn(
    program,
    [
      ...['-q', '-t', 'raw', '-D', device, '-f', name, '-c', String(channels), '-r', String(wanted)],
      ...['--disable-resample', '--disable-format', '--disable-channels'],
      ...['--period-time=10000', '--buffer-time=500000'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const frame = bytes * channels
  const packets: CapturePacket[] = []
  const place = new StreamPlace(device, wanted)
  let rest: Buffer = Buffer.alloc(0)
  let complaint = ''
  let ended = false
  let heard = 0
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = `${complaint}${chunk.toString()}`.slice(-200)
  })
  const first = new Promise<string | null>(resolve => {
    const timer = setTimeout(() => resolve('it gives nothing'), patience)
    const settle = (why: string | null) => {
      clearTimeout(timer)
      resolve(why)
    }
    child.once('error', error => {
      ended = true
      settle(error.message)
    })
    child.once('close', () => {
      ended = true
      settle(complaint.trim().split('\n').at(-1) ?? 'it has ended')
    })
    child.stdout.on('data', (chunk: Buffer) => {
      const data: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      const whole = data.length - (data.length % frame)
      rest = data.subarray(whole)
      if (whole === 0) return
      const count = whole / frame
      packets.push({ planes: [data.subarray(0, whole)], captureTime: place.timeOf(count) })
      heard += count
      while (heard > keptSeconds * wanted && packets.length > 1) {
        heard -= (packets.shift()?.planes[0]?.length ?? 0) / frame
      }
      settle(null)
    })
  })
  const why = await first
  const rate = why === null ? place.sampleRate() : null
  if (why !== null || (sampleRate !== null && rate !== null && rate !== sampleRate)) {
    child.kill()
    return why ?? `it runs at ${rate} Hz`
  }
  return {
    format: { sampleRate: rate ?? wanted, channelCount: channels, sampleFormat },
    read() {
      const packet = packets.shift()
      if (packet !== undefined) {
        heard -= (packet.planes[0]?.length ?? 0) / frame
        return packet
      }
      if (ended) throw new CaptureError('stream-ended', `The sound device ${device} has stopped delivering.`)
      return null
    },
    async close() {
      if (ended) return
      const closed = new Promise<void>(resolve => child.once('close', () => resolve()))
      child.kill()
      await closed
    },
  }
}

/** Where in the device's stream a reader of the child's output is, by what the kernel says of the device. */
class StreamPlace {
  readonly #folder: string
  #sampleRate: number
  /** Samples a channel that have come out of the child, counted as the kernel counts those the child has taken. */
  #read = 0
  #taken = 0

  constructor(device: string, sampleRate: number) {
    const [card = '0', number = '0', part = '0'] = device
      .slice('hw:'.length)
      .split(',')
      .map(field => field.replace(/^(CARD|DEV|SUBDEV)=/, ''))
    this.#folder = `/proc/asound/${/^\d+$/.test(card) ? `card${card}` : card}/pcm${number}c/sub${part}`
    this.#sampleRate = sampleRate
  }

  /** Hertz; null where the kernel does not say. */
  sampleRate(): number | null {
    const rate = this.#field('hw_params', 'rate')
    if (rate !== null) this.#sampleRate = rate
    return rate
  }

  /**
   * System time at which the first of so many samples was taken that have just come out of the child, seconds since 1970
   * UTC; null where the kernel does not say.
   */
  timeOf(count: number): number | null {
    this.#read += count
    const status = this.#status()
    if (status === null) return null
    // After an overrun the kernel begins to count anew, and the child has handed over all that it had.
    if (status.taken < this.#taken) this.#read = status.taken
    this.#taken = status.taken
    const behind = status.arrived - this.#read + count
    const age = kernelMonotonic() - status.monotonic + behind / this.#sampleRate
    return systemClock.system() - age
  }

  #status(): { monotonic: number; arrived: number; taken: number } | null {
    const [monotonic, arrived, taken] = ['tstamp', 'hw_ptr', 'appl_ptr'].map(name => this.#field('status', name))
    if (monotonic == null || arrived == null || taken == null) return null
    return { monotonic, arrived, taken }
  }

  #field(file: string, name: string): number | null {
    try {
      const text = readFileSync(`${this.#folder}/${file}`, 'utf8')
      const found = new RegExp(`^${name}\\s*:\\s*([0-9.]+)`, 'm').exec(text)?.[1]
      return found === undefined ? null : Number(found)
    } catch {
      return null
    }
  }
}

/** CLOCK_MONOTONIC, seconds, by which alsa-lib has the kernel stamp. */
function kernelMonotonic(): number {
  return Number(process.hrtime.bigint()) / 1e9
}
