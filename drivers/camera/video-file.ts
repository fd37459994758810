import { setImmediate as nextTurn } from 'node:timers/promises'
import type { DriverClock, StateReport } from '../driver.js'
import { BackOff } from '../retry.js'
import { type Camera, type CameraFrame, usualFrameRate, widestFrame } from './camera.js'
import { openVideo, type Video, VideoError } from './video.js'

export interface VideoFileOptions {
  readonly name: string
  readonly file: string
  /** UTC of the first frame, seconds since 1970; in real time the moment that it is played unless given. */
  readonly startTime?: number
  /** One standard deviation of `startTime`, seconds; 0 unless given. */
  readonly timeError?: number
  /**
   * `fast` gives every frame as quickly as it is asked for and ends the stream after the last, or at the first fault.
   * `real-time` plays like a live camera: what is late is dropped, a file that cannot be played is looked for again, and after the
   * last frame nothing more comes.
   */
  readonly pace: 'real-time' | 'fast'
  readonly clock: DriverClock
  readonly framesPerSecond?: number
  /** 0 to 1, for the spread of the back-off. */
  readonly random?: () => number
}

/** In real time a frame that is late by more than this is dropped, seconds. */
const late = 0.25

/** Plays a video file through the camera contract. Faults that it reports: `recording-missing`, `recording-not-video`, `recording-ended`. */
export class VideoFile implements Camera {
  readonly name: string
  readonly #options: VideoFileOptions

  constructor(options: VideoFileOptions) {
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<CameraFrame | StateReport, void, void> {
    const { clock, pace, random } = this.#options
    const backOff = new BackOff({ longest: 10, ...(random && { random }) })
    let last: string | null = null
    while (!signal.aborted) {
      const opened = await this.#open(signal)
      if ('pictures' in opened) {
        try {
          yield* this.#play(opened, signal)
        } finally {
          await opened.close()
        }
        if (signal.aborted || pace === 'fast') return
        yield report('absent', 'recording-ended', 'The video has been played to its end.')
        while (!signal.aborted) await clock.sleep(3600, signal)
        return
      }
      if (signal.aborted) return
      if (opened.fault !== last) yield opened
      last = opened.fault
      if (pace === 'fast') return
      await clock.sleep(backOff.next(), signal)
    }
  }

  async #open(signal: AbortSignal): Promise<Video | StateReport> {
    const { file, framesPerSecond = usualFrameRate } = this.#options
    try {
      const source = { url: file, title: `The video ${file}`, options: {}, waits: true }
      return await openVideo({ ...source, widest: widestFrame, framesPerSecond }, signal)
    } catch (error) {
      if (!(error instanceof VideoError)) throw error
      return error.fault === 'device-absent'
        ? report('absent', 'recording-missing', `The video ${file} cannot be read.`)
        : report('faulty', 'recording-not-video', `${file} is not a video that can be played.`)
    }
  }

  async *#play(video: Video, signal: AbortSignal): AsyncGenerator<CameraFrame | StateReport, void, void> {
    const { clock, pace, startTime, timeError = 0 } = this.#options
    const begin = clock.monotonic()
    const systemStart = startTime ?? clock.system()
    let zero: number | null = null
    let frames = 0
    let dropped = 0
    try {
      for await (const { width, height, data, stamp } of video.pictures()) {
        if (signal.aborted) return
        if (frames === 0) yield report('ready', null, `The video of ${width} × ${height} pixels is played.`)
        frames += 1
        const at: number = stamp ?? (zero ?? 0) + frames / (this.#options.framesPerSecond ?? usualFrameRate)
        zero ??= at
        const seconds = at - zero
        if (pace === 'real-time') {
          const wait = begin + seconds - clock.monotonic()
          if (wait < -late) {
            dropped += 1
            continue
          }
          await clock.sleep(Math.max(0, wait), signal)
        } else if (frames % 16 === 0) await nextTurn()
        if (signal.aborted) return
        yield {
          ...{ kind: 'frame' as const, width, height, data, dropped },
          systemTime: systemStart + seconds,
          systemTimeError: timeError,
        }
        dropped = 0
      }
    } catch (error) {
      // A file that was cut or damaged gives what it holds.
      if (!(error instanceof VideoError)) throw error
    }
  }
}

function report(state: StateReport['state'], fault: string | null, detail: string): StateReport {
  return { kind: 'state', state, fault, detail }
}
