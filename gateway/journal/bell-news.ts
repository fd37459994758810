import { crc32 } from 'node:zlib'
import * as z from 'zod'
import type { Position, Priority } from './layout.js'

/** An alert as it was committed. `bytes` may be given to others as well and must not be changed. */
export interface StoredAlert extends Position {
  readonly id: string
  readonly topic: string
  readonly kind: string
  readonly priority: Priority
  readonly exercise: boolean
  readonly bytes: Buffer
  /** Seconds since 1970 UTC. */
  readonly appendedAt: number
}

/** All that one small commit has stored, for who would otherwise look it up in the file. */
export interface BellNews {
  /** The audit chain's last number before the commit and after it: who knows all before it knows all now. */
  readonly before: number
  readonly after: number
  /** Of one stream, ascending. */
  readonly alerts: readonly StoredAlert[]
}

/*
 * On the bell: CRC-32 of all that follows, length of the header, length of the whole (each 4 bytes, big-endian), the header as JSON, the
 * alerts' bytes one behind the other. What a longer one has left behind it means nothing; one that is being written fails its CRC.
 */
const prefix = 12
const alertsAtMost = 8
const bytesAtMost = 64 * 1024

const header = z.object({
  before: z.number(),
  after: z.number(),
  source: z.string(),
  epoch: z.string(),
  priority: z.enum(['gunfire', 'hit', 'fault', 'rest']),
  alerts: z.array(
    z.object({
      sequence: z.number(),
      id: z.string(),
      topic: z.string(),
      kind: z.string(),
      exercise: z.boolean(),
      appendedAt: z.number(),
      length: z.number(),
    }),
  ),
})

/** Null for what is better looked up: nothing, too much, or alerts of several streams. */
export function encodeNews({ before, after, alerts }: BellNews): Buffer | null {
  const first = alerts[0]
  const length = alerts.reduce((sum, { bytes }) => sum + bytes.byteLength, 0)
  if (first === undefined || alerts.length > alertsAtMost || length > bytesAtMost) return null
  const { source, epoch, priority } = first
  if (alerts.some(alert => alert.source !== source)) return null
  const listed = alerts.map(({ sequence, id, topic, kind, exercise, appendedAt, bytes }) => {
    return { sequence, id, topic, kind, exercise, appendedAt, length: bytes.byteLength }
  })
  const about = Buffer.from(JSON.stringify({ before, after, source, epoch, priority, alerts: listed }))
  const whole = Buffer.concat([Buffer.alloc(prefix), about, ...alerts.map(({ bytes }) => bytes)])
  whole.writeUInt32BE(about.length, 4)
  whole.writeUInt32BE(whole.length, 8)
  whole.writeUInt32BE(crc32(whole.subarray(4)))
  return whole
}

/** Null for what is no news, or not whole. */
export function decodeNews(bell: Buffer): BellNews | null {
  if (bell.length < prefix) return null
  const end = bell.readUInt32BE(8)
  const about = prefix + bell.readUInt32BE(4)
  if (about > end || end > bell.length || crc32(bell.subarray(4, end)) !== bell.readUInt32BE(0)) return null
  const { before, after, source, epoch, priority, alerts } = header.parse(
    JSON.parse(bell.toString('utf8', prefix, about)),
  )
  let from = about
  return {
    before,
    after,
    alerts: alerts.map(({ length, ...alert }) => {
      const bytes = bell.subarray(from, from + length)
      from += length
      return { ...alert, source, epoch, priority, bytes }
    }),
  }
}
