import { isFlacFile } from '../../drivers/microphone-array/flac-file.js'
import { isWaveFile, readWaveFile } from '../../drivers/microphone-array/wave-file.js'

/** How long a WAV or FLAC file plays by its header, seconds; null where that cannot be told. */
export function recordingLength(bytes: Uint8Array): number | null {
  if (isFlacFile(bytes)) return flacLength(bytes)
  if (!isWaveFile(bytes)) return null
  try {
    const { sampleCount, sampleRate } = readWaveFile(bytes)
    return sampleCount / sampleRate
  } catch {
    // Whoever plays the file says what is wrong with it.
    return null
  }
}

/** RFC 9639, section 8.2: 20 bits of sample rate, 8 of other things, 36 of sample count, which is 0 where it is not known. */
function flacLength(bytes: Uint8Array): number | null {
  if (bytes.byteLength < 26) return null
  const packed = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(18)
  const [sampleRate, sampleCount] = [Number(packed >> 44n), Number(packed & 0xfffffffffn)]
  return sampleRate === 0 || sampleCount === 0 ? null : sampleCount / sampleRate
}
