import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { openWideCapture } from './arecord-capture.js'
import { CaptureError, type CaptureRequest, type CaptureSource } from './capture-source.js'
import { loadCapture } from './node-av.js'
import { bytesPerSample, type SampleFormat } from './samples.js'
import { StreamPlace } from './stream-place.js'

/** Of FFmpeg's own stamps; one standard deviation, seconds. */
const smoothedTimeError = 0.01

/**
 * Opens an ALSA device through FFmpeg's input. The kernel tells when each packet's first sample was taken; FFmpeg's own stamp,
 * which is smoothed over many seconds, stands in where it does not. Not blocking, because a device that has stopped would
 * otherwise keep a thread of the pool for ever.
 *
 * FFmpeg asks ALSA for 16-bit samples and node-av has no way to ask for another format; a device without them is captured by
 * `openWideCapture`.
 *
 * @throws CaptureError
 */
export async function openAlsaCapture(request: CaptureRequest): Promise<CaptureSource> {
  if (!cardPresent(request.device)) {
    throw new CaptureError('device-absent', `There is no sound device ${request.device}.`)
  }
  provideAlsaConfiguration()
  const { library, constants } = await loadCapture()
  const { AVFMT_FLAG_NONBLOCK, AVERROR_EAGAIN, AV_NOPTS_VALUE } = constants
  const context = new library.FormatContext()
  context.allocContext()
  context.setFlags(AVFMT_FLAG_NONBLOCK)
  const options = library.Dictionary.fromObject({
    ch_layout: `${request.channels}C`,
    ...(request.sampleRate !== null && { sample_rate: String(request.sampleRate) }),
  })
  const failure = await context.openInput(request.device, library.InputFormat.findInputFormat('alsa'), options)
  options.free()
  if (failure < 0) {
    context.freeContext()
    try {
      return await openWideCapture(request)
    } catch (error) {
      if (!(error instanceof CaptureError)) throw error
      throw new CaptureError(
        'device-refused',
        `The sound device ${request.device} is busy or does not offer ${request.channels} channels of 16, 24 or 32 bits` +
          `${request.sampleRate === null ? '' : ` at ${request.sampleRate} Hz`} (${error.message}).`,
      )
    }
  }
  const parameters = context.streams[0]!.codecpar
  const formats = new Map<number, SampleFormat>([
    [constants.AV_CODEC_ID_PCM_S16LE, 's16'],
    [constants.AV_CODEC_ID_PCM_S24LE, 's24'],
    [constants.AV_CODEC_ID_PCM_S32LE, 's32'],
    [constants.AV_CODEC_ID_PCM_F32LE, 'f32'],
    [constants.AV_CODEC_ID_PCM_U8, 'u8'],
  ])
  const sampleFormat = formats.get(parameters.codecId)
  if (sampleFormat === undefined) {
    await context.closeInput()
    throw new CaptureError('device-refused', `The sound device ${request.device} gives samples of an unknown format.`)
  }
  const frame = parameters.channels * bytesPerSample[sampleFormat]
  const place = new StreamPlace(request.device, parameters.sampleRate)
  const packet = new library.Packet()
  packet.alloc()
  let closed = false
  return {
    format: { sampleRate: parameters.sampleRate, channelCount: parameters.channels, sampleFormat },
    ...(place.sampleRate() === null ? { captureTimeError: smoothedTimeError } : {}),
    read() {
      packet.unref()
      const result = closed ? -1 : context.readFrameSync(packet)
      if (result === AVERROR_EAGAIN) return null
      if (result < 0)
        throw new CaptureError('stream-ended', `The sound device ${request.device} has stopped delivering.`)
      if (packet.data === null) return null
      const placed = place.of(packet.data.length / frame)
      const captureTime = packet.pts === AV_NOPTS_VALUE ? null : Number(packet.pts) / 1e6
      return { planes: [packet.data], captureTime, ...(placed === 'unknown' ? null : placed) }
    },
    async close() {
      if (closed) return
      closed = true
      packet.free()
      await context.closeInput()
    },
  }
}

/** Whether the kernel knows the card of an ALSA `hw:` name; true where the name cannot be understood. */
export function cardPresent(device: string, cards = '/sys/class/sound'): boolean {
  const card = /^(?:plug)?hw:(?:CARD=)?([^,]+)/.exec(device)?.[1]
  if (card === undefined) return true
  if (/^\d+$/.test(card)) return existsSync(`${cards}/card${card}`)
  if (!existsSync(cards)) return false
  return readdirSync(cards).some(entry => {
    const id = `${cards}/${entry}/id`
    return /^card\d+$/.test(entry) && existsSync(id) && readFileSync(id, 'utf8').trim() === card
  })
}

/** The static ALSA library opens nothing without a configuration file; bare systems have none. */
function provideAlsaConfiguration(): void {
  if (process.env.ALSA_CONFIG_PATH !== undefined) return
  const own = fileURLToPath(new URL('../../../firmware-config/devices/alsa.conf', import.meta.url))
  const found = ['/usr/share/alsa/alsa.conf', '/etc/alsa/alsa.conf', own].find(path => existsSync(path))
  if (found !== undefined) process.env.ALSA_CONFIG_PATH = found
}
