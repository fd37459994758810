import { readFile as readFileOfNode } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { DriverClock, StateReport } from '../driver.js'
import { BackOff } from '../retry.js'
import { isFlacFile, readFlacFile } from './flac-file.js'
import type { AudioBlock, MicrophoneArray } from './microphone-array.js'
import { NotSoundError, type SoundFile } from './sound-file.js'
import { readWaveFile } from './wave-file.js'

export interface RecordingOptions {
  readonly name: string
  /** WAV or FLAC files, the format told by their first bytes. Their channels are put side by side; the shortest ends all. */
  readonly files: readonly string[]
  /** UTC of the first sample, seconds since 1970: what blocks are stamped with at pace `fast`. */
  readonly startTime: number
  /** One standard deviation of `startTime`, seconds; 0 unless given. */
  readonly timeError?: number
  /**
   * `fast` gives the blocks as quickly as they are asked for and ends the stream after the last, or at the first fault.
   * `real-time` plays like a live array: it never ends, and looks again for files that cannot be played.
   */
  readonly pace: 'real-time' | 'fast'
  /**
   * System time at which sample 0 is played; the stamps are moved so that sample 0 has it. In real time it is the moment of
   * the first call of `readings` unless given, and whoever comes late joins at the present place in the recording.
   */
  readonly startAt?: number
  /** 0.1 unless given. */
  readonly blockSeconds?: number
  /** What the files have to have, where that is known: hertz, and the channels of all of them together. */
  readonly sampleRate?: number
  readonly channels?: number
  readonly clock: DriverClock
  readonly readFile?: (path: string) => Promise<Uint8Array>
  /** 0 to 1, for the spread of the back-off. */
  readonly random?: () => number
}

/** After so many blocks without a wait, whatever else the process has to do gets its turn. */
const blocksPerTurn = 64

/**
 * Plays recordings through the array contract. Faults that it reports: `recording-missing`, `recording-not-audio`,
 * `wrong-sample-rate`, `wrong-channel-count`, `recording-truncated` (and plays what there is), `recording-ended`.
 */
export class RecordedArray implements MicrophoneArray {
  readonly name: string
  readonly #options: RecordingOptions

  constructor(options: RecordingOptions) {
    if (options.files.length === 0) throw new RangeError('a recording needs at least one file')
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<AudioBlock | StateReport, void, void> {
    const { clock, pace } = this.#options
    const realTime = pace === 'real-time'
    const zero = new ZeroSample(this.#options)
    const backOff = new BackOff({ longest: 10, ...(this.#options.random && { random: this.#options.random }) })
    let last: StateReport | null = null
    while (!signal.aborted) {
      const opened = await this.#open()
      if (signal.aborted) return
      if ('read' in opened) {
        yield readiness(opened)
        yield* realTime ? this.#playLive(opened, zero, signal) : this.#playFast(opened, zero, signal)
        if (signal.aborted || !realTime) return
        yield report('absent', 'recording-ended', 'The recording has been played to its end.')
        while (!signal.aborted) await clock.sleep(3600, signal)
        return
      }
      if (opened.fault !== last?.fault) yield opened
      last = opened
      if (!realTime) return
      await clock.sleep(backOff.next(), signal)
    }
  }

  async #open(): Promise<SoundFile | StateReport> {
    const files: SoundFile[] = []
    for (const path of this.#options.files) {
      const bytes = await (this.#options.readFile ?? readFileOfNode)(path).catch((error: unknown) => asError(error))
      if (bytes instanceof Error)
        return report('absent', 'recording-missing', `${path} cannot be read: ${bytes.message}.`)
      try {
        files.push(isFlacFile(bytes) ? await readFlacFile(bytes) : readWaveFile(bytes))
      } catch (error) {
        if (!(error instanceof NotSoundError)) throw error
        return report(
          'faulty',
          'recording-not-audio',
          `${path} is not a recording that can be played: ${error.message}.`,
        )
      }
    }
    const sound = sideBySide(files)
    const { sampleRate, channels } = this.#options
    const rates = [...new Set(files.map(file => file.sampleRate)), ...(sampleRate === undefined ? [] : [sampleRate])]
    const wrongRate = rates.find(rate => rate !== rates.at(-1))
    if (wrongRate !== undefined) {
      return report(
        'faulty',
        'wrong-sample-rate',
        `The recording has ${wrongRate} Hz, expected are ${rates.at(-1)} Hz.`,
      )
    }
    if (channels !== undefined && sound.channelCount !== channels) {
      return report(
        'faulty',
        'wrong-channel-count',
        `The recording has ${sound.channelCount} channels, the array has ${channels}.`,
      )
    }
    return sound
  }

  async *#playFast(sound: SoundFile, zero: ZeroSample, signal: AbortSignal): AsyncGenerator<AudioBlock, void, void> {
    const size = this.#blockSize(sound)
    for (let first = 0; first < sound.sampleCount && !signal.aborted; first += size) {
      yield this.#block(sound, first, zero)
      if ((first / size) % blocksPerTurn === blocksPerTurn - 1) await nextTurn()
    }
  }

  async *#playLive(sound: SoundFile, zero: ZeroSample, signal: AbortSignal): AsyncGenerator<AudioBlock, void, void> {
    const { clock } = this.#options
    const size = this.#blockSize(sound)
    const played = Math.max(0, (clock.monotonic() - zero.monotonic) * sound.sampleRate)
    for (let first = Math.floor(played / size) * size; first < sound.sampleCount; first += size) {
      const end = Math.min(first + size, sound.sampleCount)
      const wait = zero.monotonic + end / sound.sampleRate - clock.monotonic()
      if (wait > 0) await clock.sleep(wait, signal)
      if (signal.aborted) return
      yield this.#block(sound, first, zero)
    }
  }

  #blockSize(sound: SoundFile): number {
    return Math.max(1, Math.round((this.#options.blockSeconds ?? 0.1) * sound.sampleRate))
  }

  #block(sound: SoundFile, first: number, zero: ZeroSample): AudioBlock {
    return {
      kind: 'audio',
      channels: sound.read(first, Math.min(this.#blockSize(sound), sound.sampleCount - first)),
      sampleRate: sound.sampleRate,
      firstSample: first,
      systemTime: zero.system + first / sound.sampleRate,
      systemTimeError: this.#options.timeError ?? 0,
    }
  }
}

/** When sample 0 is played, on both clocks: a step of the system clock must not disturb the pace. */
class ZeroSample {
  readonly system: number
  readonly monotonic: number

  constructor(options: RecordingOptions) {
    const { clock, pace, startAt, startTime } = options
    this.system = startAt ?? (pace === 'fast' ? startTime : clock.system())
    this.monotonic = clock.monotonic() + (this.system - clock.system())
  }
}

function sideBySide(files: readonly SoundFile[]): SoundFile {
  const first = files[0]!
  if (files.length === 1) return first
  return {
    sampleRate: first.sampleRate,
    channelCount: files.reduce((sum, file) => sum + file.channelCount, 0),
    sampleCount: Math.min(...files.map(file => file.sampleCount)),
    declaredSampleCount: Math.min(...files.map(file => file.declaredSampleCount)),
    read: (start, count) => files.flatMap(file => file.read(start, count)),
  }
}

function readiness(sound: SoundFile): StateReport {
  const { sampleCount, declaredSampleCount, sampleRate, channelCount } = sound
  if (sampleCount >= declaredSampleCount) {
    const seconds = (sampleCount / sampleRate).toFixed(1)
    return report('ready', null, `Playing ${seconds} s with ${channelCount} channels at ${sampleRate} Hz.`)
  }
  return report(
    'faulty',
    'recording-truncated',
    `The recording promises ${declaredSampleCount} samples a channel and holds ${sampleCount}; these are played.`,
  )
}

function report(state: StateReport['state'], fault: string | null, detail: string): StateReport {
  return { kind: 'state', state, fault, detail }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
