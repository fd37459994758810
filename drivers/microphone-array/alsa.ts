import type { DriverClock, StateReport } from '../driver.js'
import { BackOff } from '../retry.js'
import { bothClocks } from '../system-clock.js'
import { openAlsaCapture } from './alsa-capture.js'
import { BlockAssembler, blocksFromPacket, CaptureTimeline } from './capture.js'
import { CaptureError, type CaptureRequest, type CaptureSource } from './capture-source.js'
import type { AudioBlock, MicrophoneArray } from './microphone-array.js'

export interface AlsaOptions {
  readonly name: string
  /** An ALSA `hw:` device, best by name: `hw:CARD=ArrayUAC10,DEV=0`. */
  readonly device: string
  readonly channels: number
  /** Hertz; what the device prefers unless given. */
  readonly sampleRate?: number
  readonly clock: DriverClock
  /** The channels that are kept, from 0, in the order in which they are given on; all in theirs unless given. */
  readonly microphones?: readonly number[]
  /** 0.05 unless given. */
  readonly blockSeconds?: number
  /** One standard deviation of the capture timestamps, seconds; 0.001 unless given. */
  readonly captureTimeError?: number
  /** A stream that gives nothing for so long is opened again; 2 unless given. */
  readonly silentSeconds?: number
  readonly openCapture?: (request: CaptureRequest) => Promise<CaptureSource>
  /** 0 to 1, for the spread of the back-off. */
  readonly random?: () => number
}

/** Seconds between looks at the device, at most; its buffer holds many times as much. */
const pollSeconds = 0.02
/**
 * Looks are sooner by a share of these seconds, another one each time. A device that counts in steps of the kernel's ticks, looked at in
 * as many of them each time, would be found as late each time, and nobody could tell by how much.
 */
const pollSpread = 0.004
/** Its multiples lie evenly in any stretch. */
const goldenShare = (Math.sqrt(5) - 1) / 2

/**
 * Captures from an ALSA device. Faults that it reports: `device-absent`, `device-refused`, `stream-ended`, `silent-stream`,
 * `wrong-sample-rate`. The sample indices run on through reopenings, and lost sound is a gap in them.
 */
export class AlsaArray implements MicrophoneArray {
  readonly name: string
  readonly #options: AlsaOptions

  /** @throws RangeError for a device that is not `hw:`, or no channels */
  constructor(options: AlsaOptions) {
    if (!options.device.startsWith('hw:')) throw new RangeError(`${options.device} is not an ALSA hw: device`)
    if (!(options.channels >= 1)) throw new RangeError('an array has at least one channel')
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<AudioBlock | StateReport, void, void> {
    const { clock, random } = this.#options
    const backOff = new BackOff(random === undefined ? {} : { random })
    const stream: Stream = { timeline: null, sampleRate: this.#options.sampleRate ?? null }
    let last: StateReport | null = null
    while (!signal.aborted) {
      let fault: StateReport | null = null
      try {
        const source = await this.#open(stream)
        const opened = clock.monotonic()
        try {
          for await (const item of this.#capture(source, stream, signal)) {
            if (item.kind === 'audio' && last?.state !== 'ready') {
              last = { kind: 'state', state: 'ready', fault: null, detail: this.#describe(source) }
              yield last
            }
            if (item.kind === 'audio') yield this.#kept(item)
            else fault = item
          }
        } finally {
          backOff.worked(clock.monotonic() - opened)
          await source.close()
        }
      } catch (error) {
        if (!(error instanceof CaptureError)) throw error
        const absent = error.fault === 'device-absent'
        fault = { kind: 'state', state: absent ? 'absent' : 'faulty', fault: error.fault, detail: error.message }
      }
      if (signal.aborted) return
      if (fault === null) continue
      if (fault.fault !== last?.fault) yield fault
      last = fault
      await clock.sleep(backOff.next(), signal)
    }
  }

  #kept(block: AudioBlock): AudioBlock {
    const { microphones } = this.#options
    if (microphones === undefined) return block
    return { ...block, channels: microphones.flatMap(channel => block.channels[channel] ?? []) }
  }

  async #open(stream: Stream): Promise<CaptureSource> {
    const { device, channels, openCapture = openAlsaCapture } = this.#options
    return openCapture({ device, channels, sampleRate: stream.sampleRate })
  }

  /** Ends without a report when the signal aborts or the system clock was set, and the device should be opened afresh. */
  async *#capture(
    source: CaptureSource,
    stream: Stream,
    signal: AbortSignal,
  ): AsyncGenerator<AudioBlock | StateReport, void, void> {
    const { clock, device, blockSeconds = 0.05, silentSeconds = 2 } = this.#options
    const { sampleRate, channelCount } = source.format
    const captureTimeError = source.captureTimeError ?? this.#options.captureTimeError ?? 0.001
    if (channelCount !== this.#options.channels) {
      throw new CaptureError('device-refused', `${device} has ${channelCount} channels, not ${this.#options.channels}.`)
    }
    if (stream.sampleRate !== null && stream.sampleRate !== sampleRate) {
      const detail = `${device} runs at ${sampleRate} Hz, expected are ${stream.sampleRate} Hz.`
      yield { kind: 'state', state: 'faulty', fault: 'wrong-sample-rate', detail }
      return
    }
    stream.sampleRate = sampleRate
    stream.timeline ??= new CaptureTimeline(sampleRate)
    const assembler = new BlockAssembler(source.format, Math.round(blockSeconds * sampleRate), captureTimeError)
    let heard = clock.monotonic()
    let looks = 0
    while (!signal.aborted) {
      const packet = source.read()
      const now = bothClocks(clock)
      if (packet === null) {
        if (now.monotonic - heard > silentSeconds) {
          const detail = `${device} is open but has given nothing for ${silentSeconds} seconds.`
          yield* assembler.flush()
          yield { kind: 'state', state: 'faulty', fault: 'silent-stream', detail }
          return
        }
        looks += 1
        await clock.sleep(pollSeconds - pollSpread * ((looks * goldenShare) % 1), signal)
        continue
      }
      heard = now.monotonic
      const { blocks, clockStepped } = blocksFromPacket(packet, source.format, now, stream.timeline, assembler)
      for (const block of blocks) {
        yield block
        heard = clock.monotonic()
      }
      if (!clockStepped) continue
      yield* assembler.flush()
      return
    }
  }

  #describe(source: CaptureSource): string {
    const { sampleRate, channelCount } = source.format
    return `${this.#options.device} delivers ${channelCount} channels at ${sampleRate} Hz.`
  }
}

/** What outlives one opening of the device. */
interface Stream {
  timeline: CaptureTimeline | null
  sampleRate: number | null
}
