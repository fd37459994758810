import { loadFiles } from './node-av.js'
import { type SampleFormat, toChannels } from './samples.js'
import { NotSoundError, type SoundFile } from './sound-file.js'

/** Whether the bytes begin like a FLAC stream. */
export function isFlacFile(bytes: Uint8Array): boolean {
  return String.fromCharCode(...bytes.subarray(0, 4)) === 'fLaC'
}

/**
 * Decodes a whole FLAC file (RFC 9639) into memory: four bytes a sample and channel.
 *
 * @throws NotSoundError
 */
export async function readFlacFile(bytes: Uint8Array): Promise<SoundFile> {
  const declared = readStreamInfo(bytes)
  const blocks: Float32Array[][] = []
  let sampleCount = 0
  for await (const channels of decode(bytes)) {
    if (channels.length !== declared.channelCount) throw new NotSoundError('its number of channels changes')
    blocks.push(channels)
    sampleCount += channels[0]!.length
  }
  const channels = Array.from({ length: declared.channelCount }, (_, channel) => {
    const whole = new Float32Array(sampleCount)
    let at = 0
    for (const block of blocks) {
      whole.set(block[channel]!, at)
      at += block[channel]!.length
    }
    return whole
  })
  return {
    sampleRate: declared.sampleRate,
    channelCount: declared.channelCount,
    sampleCount,
    declaredSampleCount: declared.sampleCount === 0 ? sampleCount : declared.sampleCount,
    read: (first, count) => channels.map(channel => channel.slice(first, first + count)),
  }
}

/** RFC 9639, section 8.2. A sample count of 0 means that the writer did not know. */
function readStreamInfo(bytes: Uint8Array): { sampleRate: number; channelCount: number; sampleCount: number } {
  if (bytes.byteLength < 42 || (bytes[4]! & 0x7f) !== 0) throw new NotSoundError('its stream description is cut off')
  const packed = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(18)
  const sampleRate = Number(packed >> 44n)
  if (sampleRate === 0) throw new NotSoundError('it claims no sample rate')
  return {
    sampleRate,
    channelCount: Number((packed >> 41n) & 7n) + 1,
    sampleCount: Number(packed & 0xfffffffffn),
  }
}

/** Yields what can be decoded; damage ends the stream, so that a cut file gives what it holds. */
async function* decode(bytes: Uint8Array): AsyncGenerator<Float32Array[], void, void> {
  const { files, constants } = await loadFiles()
  const formats = new Map<number, SampleFormat>([
    [constants.AV_SAMPLE_FMT_S16, 's16'],
    [constants.AV_SAMPLE_FMT_S16P, 's16'],
    [constants.AV_SAMPLE_FMT_S32, 's32'],
    [constants.AV_SAMPLE_FMT_S32P, 's32'],
  ])
  const failed = (error: unknown) => new NotSoundError(error instanceof Error ? error.message : String(error))
  const demuxer = await files.Demuxer.open(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), {
    format: 'flac',
  }).catch((error: unknown) => Promise.reject(failed(error)))
  try {
    const stream = demuxer.audio()
    if (stream === undefined) throw new NotSoundError('it holds no sound')
    using decoder = await files.Decoder.create(stream, { exitOnError: false })
    for await (const frame of decoder.frames(demuxer.packets(stream.index))) {
      if (frame === null) continue
      const format = formats.get(frame.format)
      const planes = frame.data
      if (format === undefined || planes === null) throw new NotSoundError('its samples have an unknown format')
      const channels = toChannels(planes, format, frame.channels).map(channel => channel.subarray(0, frame.nbSamples))
      frame.free()
      yield channels
    }
  } catch (error) {
    throw failed(error)
  } finally {
    await demuxer.close()
  }
}
