/** How one sample is stored; all little-endian. `u8` is offset binary, `s24` is packed into three bytes, `s24in32` has one to spare on top. */
export type SampleFormat = 'u8' | 's16' | 's24' | 's24in32' | 's32' | 'f32' | 'f64'

export const bytesPerSample: Readonly<Record<SampleFormat, number>> = {
  u8: 1,
  s16: 2,
  s24: 3,
  s24in32: 4,
  s32: 4,
  f32: 4,
  f64: 8,
}

/**
 * Copies raw samples into one new array a channel, full scale ±1. Integer formats divide by their negative full scale;
 * float formats are copied, a value that is not a number becomes 0.
 *
 * @param planes one plane with the channels interleaved, or one plane a channel
 * @param channelCount at least 1
 * @throws RangeError when the number of planes fits neither
 */
export function toChannels(planes: readonly Uint8Array[], format: SampleFormat, channelCount: number): Float32Array[] {
  const interleaved = planes.length === 1
  if (!interleaved && planes.length !== channelCount) {
    throw new RangeError(`${planes.length} planes cannot hold ${channelCount} channels`)
  }
  const stride = bytesPerSample[format] * (interleaved ? channelCount : 1)
  const length = Math.floor(Math.min(...planes.map(plane => plane.byteLength)) / stride)
  return Array.from({ length: channelCount }, (_, channel) => {
    const plane = planes[interleaved ? 0 : channel]!
    const view = new DataView(plane.buffer, plane.byteOffset, plane.byteLength)
    return readers[format](view, interleaved ? channel * bytesPerSample[format] : 0, stride, length)
  })
}

type Reader = (view: DataView, first: number, stride: number, length: number) => Float32Array

function reader(scale: number, one: (view: DataView, at: number) => number): Reader {
  return (view, first, stride, length) => {
    const out = new Float32Array(length)
    for (let index = 0, at = first; index < length; index += 1, at += stride) out[index] = one(view, at) * scale
    return out
  }
}

const number = (value: number) => (Number.isFinite(value) ? value : 0)

const readers: Readonly<Record<SampleFormat, Reader>> = {
  u8: reader(2 ** -7, (view, at) => view.getUint8(at) - 128),
  s16: reader(2 ** -15, (view, at) => view.getInt16(at, true)),
  s24: reader(2 ** -23, (view, at) => view.getUint16(at, true) + view.getInt8(at + 2) * 65536),
  s24in32: reader(2 ** -31, (view, at) => view.getInt32(at, true) << 8),
  s32: reader(2 ** -31, (view, at) => view.getInt32(at, true)),
  f32: reader(1, (view, at) => number(view.getFloat32(at, true))),
  f64: reader(1, (view, at) => number(view.getFloat64(at, true))),
}
