import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { formatTime } from '../../gateway/messages/time.js'
import { City } from './buildings.js'
import { GatewayRenderer } from './render.js'
import type { Scene, SceneGateway } from './scene.js'

export type Bits = 16 | 24

/** Bytes of the plain PCM header: Multimedia Programming Interface and Data Specifications 1.0 (IBM and Microsoft, 1991). */
const headerLength = 44

/**
 * Writes `recording.json` and one WAV file a gateway into `directory`, which is made where it is absent. The set has a key
 * `truth`: shots, other sounds, and what is wrong with each gateway. The same scene gives the same bytes.
 * @returns the path of `recording.json`
 */
export function writeRecordingSet(
  scene: Scene,
  directory: string,
  bits: Bits = 16,
  progress: (gateway: SceneGateway, share: number) => void = () => {},
): string {
  mkdirSync(directory, { recursive: true })
  const city = new City(scene.buildings)
  for (const gateway of scene.gateways) {
    const renderer = new GatewayRenderer(scene, gateway, city)
    writeSound(join(directory, `${gateway.id}.wav`), renderer, scene.sampleRate, bits, share =>
      progress(gateway, share),
    )
  }
  const file = join(directory, 'recording.json')
  writeFileSync(file, `${JSON.stringify(describe(scene), null, 2)}\n`)
  return file
}

/** The recording set as it is written. */
export function describe(scene: Scene): unknown {
  const sounds = scene.sources.map(({ kind, time, position }) => ({ time: formatTime(time, 6), position, kind }))
  return {
    origin: scene.origin,
    weather: scene.statedWeather,
    gateways: scene.gateways.map(gateway => ({
      id: gateway.id,
      position: gateway.statedPosition,
      positionError: gateway.positionError,
      timeError: gateway.timeError,
      array: gateway.array,
      heading: gateway.heading,
      audio: `${gateway.id}.wav`,
      startTime: formatTime(scene.start + gateway.startDelay + gateway.clockOffset, 6),
    })),
    truth: {
      shots: sounds.filter(({ kind }) => kind === 'gun'),
      others: sounds.filter(({ kind }) => kind !== 'gun'),
      gateways: scene.gateways.map(({ id, position, clockOffset, drift }) => ({ id, position, clockOffset, drift })),
    },
  }
}

function writeSound(
  file: string,
  renderer: GatewayRenderer,
  sampleRate: number,
  bits: Bits,
  progress: (share: number) => void,
): void {
  const channelCount = renderer.gateway.geometry.length
  const stride = (bits / 8) * channelCount
  const handle = openSync(file, 'w')
  try {
    writeSync(handle, header(renderer.sampleCount * stride, channelCount, sampleRate, bits))
    for (let first = 0; first < renderer.sampleCount; first += sampleRate) {
      const count = Math.min(sampleRate, renderer.sampleCount - first)
      writeSync(handle, encode(renderer.samples(first, count), bits))
      progress((first + count) / renderer.sampleCount)
    }
  } finally {
    closeSync(handle)
  }
}

function header(dataLength: number, channelCount: number, sampleRate: number, bits: Bits): Buffer {
  const bytes = Buffer.alloc(headerLength)
  bytes.write('RIFF', 0, 'latin1')
  bytes.writeUInt32LE(headerLength - 8 + dataLength, 4)
  bytes.write('WAVEfmt ', 8, 'latin1')
  bytes.writeUInt32LE(16, 16)
  bytes.writeUInt16LE(1, 20)
  bytes.writeUInt16LE(channelCount, 22)
  bytes.writeUInt32LE(sampleRate, 24)
  bytes.writeUInt32LE(sampleRate * channelCount * (bits / 8), 28)
  bytes.writeUInt16LE(channelCount * (bits / 8), 32)
  bytes.writeUInt16LE(bits, 34)
  bytes.write('data', 36, 'latin1')
  bytes.writeUInt32LE(dataLength, 40)
  return bytes
}

/** Interleaved little-endian integers; the largest is one step below full scale. */
export function encode(channels: readonly Float32Array[], bits: Bits): Buffer {
  const count = channels[0]?.length ?? 0
  const width = bits / 8
  const bytes = Buffer.alloc(count * channels.length * width)
  const scale = 2 ** (bits - 1)
  channels.forEach((channel, c) => {
    for (let i = 0, at = c * width; i < count; i++, at += channels.length * width) {
      bytes.writeIntLE(Math.max(-scale, Math.min(scale - 1, Math.round(channel[i]! * scale))), at, width)
    }
  })
  return bytes
}
