import { BoundedQueue } from '../bounded-queue.js'
import type { DriverClock, StateReport } from '../driver.js'
import { BackOff } from '../retry.js'
import type { Camera, CameraFrame } from './camera.js'
import { type Delay, FrameClock } from './frame-clock.js'
import { openVideo, VideoError, type VideoRequest } from './video.js'

export interface LiveCameraOptions {
  readonly name: string
  readonly clock: DriverClock
  readonly video: VideoRequest
  readonly delay: Delay
  /** Frames that may wait for the receiver; 2 unless given. An old picture is of no use to who looks for what moves. */
  readonly capacity?: number
  /** A stream that gives no frame for so many seconds is opened again; 10 unless given. */
  readonly stallSeconds?: number
  /** 0 to 1, for the spread of the back-off. */
  readonly random?: () => number
}

type QueuedFrame = Omit<CameraFrame, 'dropped'>

/**
 * A camera that goes on delivering whether or not anybody is ready, and is looked for again whenever it has gone. Faults that
 * it reports: `device-absent`, `device-busy`, `device-refused` (it answers, but gives no video) and `silent-stream`.
 */
export class LiveCamera implements Camera {
  readonly name: string
  readonly #options: LiveCameraOptions

  constructor(options: LiveCameraOptions) {
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<CameraFrame | StateReport, void, void> {
    const queue = new BoundedQueue<QueuedFrame>(this.#options.capacity ?? 2)
    for await (const item of queue.takeFrom(stop => this.#look(queue, stop), signal)) {
      yield item.kind === 'state' ? item : { ...item, dropped: queue.takeDropped() }
    }
  }

  async #look(queue: BoundedQueue<QueuedFrame>, signal: AbortSignal): Promise<void> {
    const { clock, video, random } = this.#options
    const backOff = new BackOff({ first: 0.5, longest: 15, ...(random && { random }) })
    while (!signal.aborted) {
      try {
        const { delivered, stalled } = await this.#watch(queue, signal)
        backOff.worked(delivered)
        if (!signal.aborted && !stalled)
          queue.report('absent', 'device-absent', `${video.title} has stopped delivering.`)
      } catch (error) {
        if (!(error instanceof VideoError)) throw error
        if (signal.aborted) return
        queue.report(error.fault === 'device-absent' ? 'absent' : 'faulty', error.fault, error.message)
      }
      await clock.sleep(backOff.next(), signal)
    }
  }

  /** Delivers until the stream ends, fails or stalls. Returns for how long it delivered, seconds, and whether it has stalled. */
  async #watch(
    queue: BoundedQueue<QueuedFrame>,
    signal: AbortSignal,
  ): Promise<{ readonly delivered: number; readonly stalled: boolean }> {
    const { clock, video, delay, stallSeconds = 10 } = this.#options
    const stop = new AbortController()
    const onAbort = () => stop.abort()
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) stop.abort()
    let first: number | null = null
    let last = clock.monotonic()
    let stalled = false
    const guarding = (async () => {
      while (!stop.signal.aborted) {
        const left = last + stallSeconds - clock.monotonic()
        if (left <= 0) {
          stalled = true
          stop.abort()
        } else await clock.sleep(left, stop.signal)
      }
    })()
    try {
      const opened = await openVideo(video, stop.signal)
      const times = new FrameClock(clock, delay)
      try {
        for await (const { width, height, data, stamp } of opened.pictures()) {
          if (stop.signal.aborted) break
          last = clock.monotonic()
          if (first === null) queue.report('ready', null, `${video.title} delivers ${width} × ${height} pixels.`)
          first ??= last
          queue.push({ kind: 'frame', width, height, data, ...times.place(stamp) })
        }
      } finally {
        await opened.close()
      }
    } catch (error) {
      if (!stalled) throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
      stop.abort()
      await guarding
    }
    if (stalled) {
      const detail = `${video.title} has given no picture for ${stallSeconds} s and is opened again.`
      queue.report('faulty', 'silent-stream', detail)
    }
    return { delivered: first === null ? 0 : last - first, stalled }
  }
}
