import { spawn } from 'node:child_process'
import type { CapturePacket } from './capture.js'
import { CaptureError, type CaptureRequest, type CaptureSource } from './capture-source.js'
import type { SampleFormat } from './samples.js'
import { StreamPlace } from './stream-place.js'

/** The widths that node-av cannot ask for, in the order in which they are tried. */
const wideFormats: readonly (readonly [string, SampleFormat, number])[] = [
  ['S32_LE', 's32', 4],
  ['S24_3LE', 's24', 3],
  ['S24_LE', 's24in32', 4],
]
/** Sound kept for a reader that is late, seconds; what is older is dropped and leaves a gap in the times. */
const keptSeconds = 2
/** Bytes that the pipe from the child holds, and that are read from it at once. */
const pipeSize = 65_536
/** Without the kernel's word a sample's time is when it came through the pipe; one standard deviation, seconds. */
const pipeTimeError = 0.05
/** An opened device must give its first sound within so many milliseconds. */
const patience = 3000

/**
 * Captures samples of 24 or 32 bits from an ALSA device by `arecord` of alsa-utils, kept as a child. The kernel tells in
 * /proc/asound how many samples the device has taken, so a packet's time is as good as the kernel's.
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
  let dropped = false
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
      const absent = 'code' in error && error.code === 'ENOENT'
      settle(absent ? `there is no ${program}: install alsa-utils` : error.message)
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
      const placed = place.of(count, chunk.length < pipeSize ? 'emptied' : 'full')
      if (placed === 'unknown') return
      packets.push({ planes: [data.subarray(0, whole)], captureTime: null, ...placed })
      heard += count
      while (heard > keptSeconds * wanted && packets.length > 1) {
        heard -= (packets.shift()?.planes[0]?.length ?? 0) / frame
        dropped = true
      }
      settle(null)
    })
  })
  const why = await first
  const rate = why === null ? place.sampleRate() : null
  if (why !== null || (rate ?? sampleRate) === null || (sampleRate !== null && rate !== null && rate !== sampleRate)) {
    child.kill()
    return why ?? (rate === null ? 'the kernel does not tell its rate' : `it runs at ${rate} Hz`)
  }
  return {
    format: { sampleRate: rate ?? wanted, channelCount: channels, sampleFormat },
    ...(rate === null ? { captureTimeError: pipeTimeError } : {}),
    read() {
      const packet = packets.shift()
      if (packet !== undefined) {
        heard -= (packet.planes[0]?.length ?? 0) / frame
        const follows = packet.follows === true && !dropped
        dropped = false
        return packet.follows === undefined ? packet : { ...packet, follows }
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
