/** Bytes of a RIFF chunk: name, length, body. */
function chunk(name: string, body: Uint8Array, declaredLength = body.byteLength): Uint8Array {
  const bytes = new Uint8Array(8 + body.byteLength + (body.byteLength % 2))
  bytes.set(new TextEncoder().encode(name))
  new DataView(bytes.buffer).setUint32(4, declaredLength, true)
  bytes.set(body, 8)
  return bytes
}

export interface WaveShape {
  readonly sampleRate: number
  readonly bits: 8 | 16 | 24 | 32 | 64
  readonly float?: boolean
  readonly extensible?: boolean
  /** Chunks put before the sound. */
  readonly before?: readonly Uint8Array[]
  /** What the data chunk claims to hold, bytes. */
  readonly declaredBytes?: number
}

/** Writes a WAV file; the samples are ±1, one array a channel. */
export function waveFile(channels: readonly ArrayLike<number>[], shape: WaveShape): Uint8Array {
  const { sampleRate, bits, float = false, extensible = false, before = [] } = shape
  const width = bits / 8
  const data = new Uint8Array(channels[0]!.length * channels.length * width)
  const view = new DataView(data.buffer)
  for (let index = 0; index < channels[0]!.length; index += 1) {
    channels.forEach((channel, number) => {
      writeSample(view, (index * channels.length + number) * width, channel[index]!, bits, float)
    })
  }
  const format = new Uint8Array(extensible ? 40 : 16)
  const fields = new DataView(format.buffer)
  fields.setUint16(0, extensible ? 0xfffe : float ? 3 : 1, true)
  fields.setUint16(2, channels.length, true)
  fields.setUint32(4, sampleRate, true)
  fields.setUint32(8, sampleRate * channels.length * width, true)
  fields.setUint16(12, channels.length * width, true)
  fields.setUint16(14, bits, true)
  if (extensible) {
    fields.setUint16(16, 22, true)
    fields.setUint16(18, bits, true)
    fields.setUint16(24, float ? 3 : 1, true)
  }
  const body = [...before, chunk('fmt ', format), chunk('data', data, shape.declaredBytes)]
  return riff(body)
}

export function riff(chunks: readonly Uint8Array[], form = 'RIFF'): Uint8Array {
  return chunk(form, concatenate([new TextEncoder().encode('WAVE'), ...chunks]))
}

export { chunk as riffChunk }

function writeSample(view: DataView, at: number, sample: number, bits: number, float: boolean): void {
  if (float && bits === 32) view.setFloat32(at, sample, true)
  else if (float) view.setFloat64(at, sample, true)
  else if (bits === 8) view.setUint8(at, Math.round(sample * 128) + 128)
  else if (bits === 16) view.setInt16(at, Math.round(sample * 32768), true)
  else if (bits === 32) view.setInt32(at, Math.round(sample * 2 ** 31), true)
  else {
    const value = Math.round(sample * 2 ** 23)
    view.setUint16(at, value & 0xffff, true)
    view.setInt8(at + 2, value >> 16)
  }
}

/** Writes a FLAC file (RFC 9639) of verbatim subframes in blocks of 1,024; integer samples, one array a channel. */
export function flacFile(channels: readonly ArrayLike<number>[], sampleRate: number, bits: 16 | 24): Uint8Array {
  const total = channels[0]!.length
  const size = 1024
  const info = new BitWriter()
  info.write(size, 16).write(size, 16).write(0, 24).write(0, 24)
  info
    .write(sampleRate, 20)
    .write(channels.length - 1, 3)
    .write(bits - 1, 5)
    .write(0, 4)
    .write(total, 32)
  for (let byte = 0; byte < 16; byte += 1) info.write(0, 8)
  const parts = [new TextEncoder().encode('fLaC'), Uint8Array.of(0x80, 0, 0, 34), info.bytes()]
  for (let first = 0, number = 0; first < total; first += size, number += 1) {
    const count = Math.min(size, total - first)
    const frame = new BitWriter()
    frame.write(0b11111111111110, 14).write(0, 2).write(0b0111, 4).write(0, 4)
    frame
      .write(channels.length - 1, 4)
      .write(bits === 16 ? 0b100 : 0b110, 3)
      .write(0, 1)
    frame.write(number, 8).write(count - 1, 16)
    frame.write(crc(frame.bytes(), 8, 0x07), 8)
    for (const channel of channels) {
      frame.write(0b00000010, 8)
      for (let index = first; index < first + count; index += 1) frame.write(channel[index]!, bits)
    }
    frame.write(crc(frame.bytes(), 16, 0x8005), 16)
    parts.push(frame.bytes())
  }
  return concatenate(parts)
}

class BitWriter {
  readonly #bytes: number[] = []
  #bits = 0

  write(value: number, width: number): this {
    for (let bit = width - 1; bit >= 0; bit -= 1) {
      if (this.#bits % 8 === 0) this.#bytes.push(0)
      if (Math.floor(value / 2 ** bit) & 1) this.#bytes[this.#bytes.length - 1]! |= 0x80 >> (this.#bits % 8)
      this.#bits += 1
    }
    return this
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes)
  }
}

function crc(bytes: Uint8Array, width: 8 | 16, polynomial: number): number {
  let value = 0
  for (const byte of bytes) {
    value ^= byte << (width - 8)
    for (let bit = 0; bit < 8; bit += 1) {
      const carry = (value >> (width - 1)) & 1
      value = ((value << 1) ^ (carry === 1 ? polynomial : 0)) & (2 ** width - 1)
    }
  }
  return value
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
}
