import type { Check } from './framing.js'

/** The bytes that a frame carries to vouch for `bytes`, its `check.skip` first ones left out. */
export function checksum(check: Check, bytes: Uint8Array): Uint8Array {
  const covered = bytes.subarray(check.skip)
  if (check.kind === 'xor') return Uint8Array.of(covered.reduce((sum, byte) => sum ^ byte, 0))
  const sum = check.kind === 'crc-16-ccitt' ? crcCcitt(covered) : crcModbus(covered)
  const [high, low] = [sum >> 8, sum & 0xff]
  return check.order === 'big' ? Uint8Array.of(high, low) : Uint8Array.of(low, high)
}

export function checksumBytes(check: Check | undefined): number {
  if (check === undefined) return 0
  return check.kind === 'xor' ? 1 : 2
}

/** ITU-T X.25's polynomial x¹⁶ + x¹² + x⁵ + 1, most significant bit first, begun with ones. */
function crcCcitt(bytes: Uint8Array): number {
  let crc = 0xffff
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff
  }
  return crc
}

/** x¹⁶ + x¹⁵ + x² + 1, least significant bit first, begun with ones, as in "Modbus over serial line" V1.02, 6.2.2. */
function crcModbus(bytes: Uint8Array): number {
  let crc = 0xffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >> 1) ^ (crc & 1 ? 0xa001 : 0)
  }
  return crc
}
