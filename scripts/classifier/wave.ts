import { readFileSync } from 'node:fs'

export interface Recording {
  /** Hertz. */
  readonly sampleRate: number
  /** The first channel, full scale ±1. */
  readonly samples: Float32Array
}

/** Reads a plain WAVE file of 8, 16 or 24 bit integers. @throws Error when it is something else */
export function readWave(file: string): Recording {
  return waveOf(readFileSync(file), file)
}

/** The same of bytes; `file` is for the error. A length that was not known when the header was written is taken for the rest. */
export function waveOf(bytes: Buffer, file: string): Recording {
  if (bytes.toString('latin1', 0, 4) !== 'RIFF') throw new Error(`${file} is not a WAVE file`)
  let format: { readonly channels: number; readonly sampleRate: number; readonly bits: number } | null = null
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at + 4)
    const name = bytes.toString('latin1', at, at + 4)
    if (name === 'fmt ') {
      const [channels, sampleRate, bits] = [
        bytes.readUInt16LE(at + 10),
        bytes.readUInt32LE(at + 12),
        bytes.readUInt16LE(at + 22),
      ]
      format = { channels, sampleRate, bits }
    }
    if (name === 'data' && format !== null) {
      return { sampleRate: format.sampleRate, samples: samplesOf(bytes.subarray(at + 8, at + 8 + length), format) }
    }
    at += 8 + length + (length % 2)
  }
  throw new Error(`${file} holds no sound`)
}

function samplesOf(
  data: Buffer,
  { channels, bits }: { readonly channels: number; readonly bits: number },
): Float32Array {
  const width = bits / 8
  if (![8, 16, 24].includes(bits)) throw new Error(`samples of ${bits} bits are not read here`)
  const samples = new Float32Array(Math.floor(data.length / (width * channels)))
  for (let i = 0, at = 0; i < samples.length; i++, at += width * channels) {
    if (bits === 8) samples[i] = (data[at]! - 128) / 128
    else if (bits === 16) samples[i] = data.readInt16LE(at) / 32_768
    else samples[i] = data.readIntLE(at, 3) / 2 ** 23
  }
  return samples
}
