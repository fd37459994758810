import type { CaptureSource } from '../../drivers/microphone-array/capture-source.js'
import type { MicrophoneArray } from '../../drivers/microphone-array/microphone-array.js'
import type { VirtualClock } from '../contracts/virtual-clock.js'

/** Samples a channel in a packet. */
const period = 1024

/** What an array gives in so many seconds, as 16-bit samples with the channels interleaved. */
export async function soundOf(array: MicrophoneArray, seconds: number): Promise<Int16Array> {
  const pieces: Int16Array[] = []
  const controller = new AbortController()
  let heard = 0
  for await (const item of array.readings(controller.signal)) {
    if (item.kind !== 'audio') continue
    const { channels, sampleRate } = item
    const length = channels[0]?.length ?? 0
    const piece = new Int16Array(length * channels.length)
    for (const [channel, samples] of channels.entries()) {
      for (let index = 0; index < length; index += 1) {
        piece[index * channels.length + channel] = Math.round(32767 * (samples[index] ?? 0))
      }
    }
    pieces.push(piece)
    heard += length / sampleRate
    if (heard >= seconds) controller.abort()
  }
  const whole = new Int16Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let filled = 0
  for (const piece of pieces) {
    whole.set(piece, filled)
    filled += piece.length
  }
  return whole
}

/** A sound card that plays such sound as time goes on by its clock, and is then quiet. */
export function playingCard(sound: Int16Array, channels: number, sampleRate: number, clock: VirtualClock) {
  return async (): Promise<CaptureSource> => {
    const began = clock.monotonic()
    let played = 0
    return {
      format: { sampleRate, channelCount: channels, sampleFormat: 's16' },
      read() {
        const at = played / sampleRate
        const piece = sound.slice(played * channels, (played + period) * channels)
        if (piece.length === 0 || began + at + period / sampleRate > clock.monotonic()) return null
        played += period
        return {
          planes: [new Uint8Array(piece.buffer)],
          captureTime: began + at + clock.system() - clock.monotonic(),
        }
      },
      close: async () => {},
    }
  }
}
