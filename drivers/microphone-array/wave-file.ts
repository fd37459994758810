import { bytesPerSample, type SampleFormat, toChannels } from './samples.js'
import { NotSoundError, type SoundFile } from './sound-file.js'

const integerPcm = 1
const floatPcm = 3
const extensible = 0xfffe
/** A length of a stream whose writer did not know it. */
const unknownLength = 0xffffffff

/** Whether the bytes begin like a RIFF (or, for more than 4 GiB, RF64) WAVE file. */
export function isWaveFile(bytes: Uint8Array): boolean {
  const form = text(bytes, 0)
  return (form === 'RIFF' || form === 'RF64') && text(bytes, 8) === 'WAVE'
}

/**
 * Reads a RIFF WAVE file: integers of 8, 16, 24 and 32 bits and floats of 32 and 64 bits, plain or with the extensible
 * header. The bytes are kept, not copied. Format: Multimedia Programming Interface and Data Specifications 1.0 (IBM and
 * Microsoft, 1991) and Multiple Channel Audio Data and WAVE Files (Microsoft, 2007); RF64: EBU Tech 3306.
 *
 * @throws NotSoundError
 */
export function readWaveFile(bytes: Uint8Array): SoundFile {
  if (!isWaveFile(bytes)) throw new NotSoundError('it does not begin like a WAV file')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let shape: WaveShape | null = null
  let longData: number | null = null
  for (let at = 12; at + 8 <= bytes.byteLength; ) {
    const name = text(bytes, at)
    const length = view.getUint32(at + 4, true)
    const body = at + 8
    if (name === 'ds64' && body + 16 <= bytes.byteLength) longData = Number(view.getBigUint64(body + 8, true))
    if (name === 'fmt ') shape = readShape(view, body, length)
    if (name === 'data') {
      if (shape === null) throw new NotSoundError('its sound comes before the description of the format')
      return soundFile(bytes, body, length === unknownLength ? longData : length, shape)
    }
    at = body + length + (length % 2)
  }
  throw new NotSoundError(shape === null ? 'it has no description of the format' : 'it holds no sound')
}

interface WaveShape {
  readonly format: SampleFormat
  readonly sampleRate: number
  readonly channelCount: number
}

function readShape(view: DataView, at: number, length: number): WaveShape {
  if (length < 16 || at + length > view.byteLength) throw new NotSoundError('the description of the format is cut off')
  const plainTag = view.getUint16(at, true)
  const tag = plainTag === extensible && length >= 26 ? view.getUint16(at + 24, true) : plainTag
  const channelCount = view.getUint16(at + 2, true)
  const sampleRate = view.getUint32(at + 4, true)
  const blockAlign = view.getUint16(at + 12, true)
  const bits = view.getUint16(at + 14, true)
  const format = sampleFormat(tag, bits)
  if (format === null) throw new NotSoundError(`samples of kind ${tag} with ${bits} bits are not supported`)
  if (channelCount === 0 || sampleRate === 0) throw new NotSoundError('it claims no channels or no sample rate')
  if (blockAlign !== channelCount * bytesPerSample[format]) {
    throw new NotSoundError(`${blockAlign} bytes cannot hold ${channelCount} samples of ${bits} bits`)
  }
  return { format, sampleRate, channelCount }
}

function sampleFormat(tag: number, bits: number): SampleFormat | null {
  if (tag === integerPcm) {
    const integers = new Map<number, SampleFormat>([
      [8, 'u8'],
      [16, 's16'],
      [24, 's24'],
      [32, 's32'],
    ])
    return integers.get(bits) ?? null
  }
  if (tag === floatPcm) return bits === 32 ? 'f32' : bits === 64 ? 'f64' : null
  return null
}

function soundFile(bytes: Uint8Array, at: number, declared: number | null, shape: WaveShape): SoundFile {
  const stride = bytesPerSample[shape.format] * shape.channelCount
  const present = bytes.byteLength - at
  const sampleCount = Math.floor(Math.min(present, declared ?? present) / stride)
  return {
    sampleRate: shape.sampleRate,
    channelCount: shape.channelCount,
    sampleCount,
    declaredSampleCount: Math.floor((declared ?? present) / stride),
    read(first, count) {
      const start = at + first * stride
      return toChannels([bytes.subarray(start, start + count * stride)], shape.format, shape.channelCount)
    },
  }
}

function text(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4))
}
