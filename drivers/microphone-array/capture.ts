import { LeastLateLine } from './least-late.js'
import type { AudioBlock } from './microphone-array.js'
import { type SampleFormat, toChannels } from './samples.js'

/** What an open capture device delivers. */
export interface CaptureFormat {
  /** Hertz. */
  readonly sampleRate: number
  readonly channelCount: number
  readonly sampleFormat: SampleFormat
}

/** Raw samples as the device gave them. */
export interface CapturePacket {
  /** One plane with the channels interleaved, or one a channel. Only read until the next packet is asked for. */
  readonly planes: readonly Uint8Array[]
  /** System clock when the first sample was taken, seconds since 1970 UTC; null where the device does not say. */
  readonly captureTime: number | null
  /**
   * Where the source counts the device's samples: whether this packet follows the one before without a loss. Its times may then
   * be late, as a device counts in steps, but never early.
   */
  readonly follows?: boolean
}

/** Both clocks, read together when the packet was fetched; seconds. */
export interface ClockReading {
  readonly system: number
  readonly monotonic: number
}

export interface Placement {
  readonly firstSample: number
  /** System clock when the first sample was taken. */
  readonly systemTime: number
  /** Samples missing before this packet. */
  readonly lost: number
  /** The system clock was set since the packet before, so what the device says of time is worthless for a while. */
  readonly clockStepped: boolean
}

/** Seconds that a packet may come later than the one before promises, before sound counts as lost. */
const tolerance = 0.01
/** Where the device's samples are counted, all packets of so many seconds have to be that late: lost before it was counted. */
const lateSeconds = 2
/** Sound waits in the buffers of a device and of whoever reads it for so many seconds at most. */
const longestWait = 0.5
/** Seconds by which system and monotonic clock may part between two packets. */
const largestSlew = 0.05

/**
 * Gives each packet its place in the stream by its capture timestamp, so that an overrun or an unplugged hour is a gap in the
 * sample indices. Works on the monotonic clock: setting the system clock loses no sound.
 */
export class CaptureTimeline {
  readonly #sampleRate: number
  #next: { readonly sample: number; readonly monotonic: number } | null = null
  #offset: number | null = null
  readonly #line: LeastLateLine
  /** Since when every packet has been late, and by how much at least; seconds. */
  #late: { readonly since: number; readonly least: number } | null = null

  constructor(sampleRate: number) {
    this.#sampleRate = sampleRate
    this.#line = new LeastLateLine(sampleRate)
  }

  /**
   * @param count samples a channel in the packet
   * @param follows as in `CapturePacket`; what is late is then evened out by the least late packets of the last seconds
   */
  place(count: number, captureTime: number | null, now: ClockReading, follows?: boolean): Placement {
    const offset = now.system - now.monotonic
    const clockStepped = this.#offset !== null && Math.abs(offset - this.#offset) > largestSlew
    this.#offset = offset
    const duration = count / this.#sampleRate
    const counted = follows === true && !clockStepped
    if (!counted) this.#line.forget()
    const next = this.#next?.sample ?? 0
    const due = this.#line.at(next) ?? this.#next?.monotonic ?? null
    const fetched = now.monotonic - duration
    const claimed = captureTime === null ? null : captureTime - offset
    // When the clock was set, a stamp by the old time lies outside what can be.
    const possible = due !== null && claimed !== null && claimed >= due - tolerance && claimed <= fetched + tolerance
    const known = !clockStepped || possible
    const said = known ? (claimed ?? fetched) : fetched
    const expected = due ?? said
    const late = said - expected
    const missing = counted
      ? this.#lateThroughout(late, said)
      : follows !== true && late > (known ? tolerance : longestWait)
        ? late
        : 0
    if (missing > 0) this.#line.forget()
    const lost = Math.round(missing * this.#sampleRate)
    const firstSample = next + lost
    if (follows !== undefined && known) this.#line.take(firstSample, said)
    const taken = this.#line.at(firstSample) ?? said
    // Where it only waited, or its wait hides a loss, the next packet that tells its time decides.
    const ended = known || missing > 0 ? taken : expected
    this.#next = { sample: firstSample + count, monotonic: ended + duration }
    return { firstSample, systemTime: taken + offset, lost, clockStepped }
  }

  /** By how much all packets of the last seconds were late; 0 when one was not. */
  #lateThroughout(late: number, monotonic: number): number {
    if (late <= tolerance) {
      this.#late = null
      return 0
    }
    const { since, least } = this.#late ?? { since: monotonic, least: late }
    this.#late = { since, least: Math.min(least, late) }
    if (monotonic - since < lateSeconds) return 0
    this.#late = null
    return Math.min(least, late)
  }
}

/** Gathers packets into blocks of one length; a gap closes a block early. */
export class BlockAssembler {
  readonly #format: CaptureFormat
  readonly #size: number
  readonly #timeError: number
  #pending: { channels: Float32Array[]; filled: number; firstSample: number; systemTime: number } | null = null

  /**
   * @param size samples a channel in a block
   * @param timeError one standard deviation of the capture timestamps, seconds
   */
  constructor(format: CaptureFormat, size: number, timeError: number) {
    this.#format = format
    this.#size = Math.max(1, size)
    this.#timeError = timeError
  }

  /** @param channels samples of one packet, one array a channel */
  add(channels: readonly Float32Array[], placement: Placement): AudioBlock[] {
    const { sampleRate, channelCount } = this.#format
    const blocks = placement.lost > 0 || placement.clockStepped ? this.flush() : []
    const count = channels[0]?.length ?? 0
    for (let used = 0; used < count; ) {
      this.#pending ??= {
        channels: Array.from({ length: channelCount }, () => new Float32Array(this.#size)),
        filled: 0,
        firstSample: placement.firstSample + used,
        systemTime: placement.systemTime + used / sampleRate,
      }
      const pending = this.#pending
      const taken = Math.min(count - used, this.#size - pending.filled)
      pending.channels.forEach((channel, index) => {
        channel.set(channels[index]!.subarray(used, used + taken), pending.filled)
      })
      pending.filled += taken
      used += taken
      if (pending.filled === this.#size) blocks.push(...this.flush())
    }
    return blocks
  }

  /** What has been gathered so far, as a block that may be short; nothing when there is nothing. */
  flush(): AudioBlock[] {
    const pending = this.#pending
    this.#pending = null
    if (pending === null) return []
    return [
      {
        kind: 'audio',
        channels: pending.channels.map(channel =>
          pending.filled < this.#size ? channel.slice(0, pending.filled) : channel,
        ),
        sampleRate: this.#format.sampleRate,
        firstSample: pending.firstSample,
        systemTime: pending.systemTime,
        systemTimeError: this.#timeError,
      },
    ]
  }
}

/** Converts, places and gathers one packet: blocks that became full, and whether the system clock was set. */
export function blocksFromPacket(
  packet: CapturePacket,
  format: CaptureFormat,
  now: ClockReading,
  timeline: CaptureTimeline,
  assembler: BlockAssembler,
): { readonly blocks: AudioBlock[]; readonly clockStepped: boolean } {
  const channels = toChannels(packet.planes, format.sampleFormat, format.channelCount)
  const placement = timeline.place(channels[0]?.length ?? 0, packet.captureTime, now, packet.follows)
  return { blocks: assembler.add(channels, placement), clockStepped: placement.clockStepped }
}
