import { loadFiles } from '../microphone-array/node-av.js'

export interface VideoRequest {
  /** File, device or address, as FFmpeg takes it. It may hold a password: no sentence names it. */
  readonly url: string
  /** What the source is called in sentences, such as "The camera at 10.0.0.7". */
  readonly title: string
  /** Name of FFmpeg's input format, where it cannot be told from the source. */
  readonly format?: string
  readonly options: Readonly<Record<string, string>>
  /** Pictures are made no wider, pixels. */
  readonly widest: number
  /** Frames that come faster are passed over, before the work of making a picture of them. */
  readonly framesPerSecond: number
  /**
   * Whether the source is read only as far as pictures are asked for, as a file can be. node-av reads a stream ahead instead, and
   * where its reader has a hundred packets that nobody wants yet it asks at every turn of the event loop whether somebody does.
   */
  readonly waits?: boolean
  /**
   * Whether the source is asked again and again in place of being waited for: nothing can call back whoever waits in the kernel for a
   * device that has fallen silent, and who waits there keeps it from being opened again.
   */
  readonly polled?: boolean
}

/** FFmpeg's AVFMT_FLAG_NONBLOCK, for which its options have no name. */
const notBlocking = '+4'

export interface VideoPicture {
  readonly width: number
  readonly height: number
  /** Red, green and blue; owned by the receiver. */
  readonly data: Uint8Array
  /** The stream's time of the picture, seconds; null where it has none. */
  readonly stamp: number | null
}

export interface Video {
  /** Ends where the video ends. May be asked for once. @throws VideoError when the source fails */
  pictures(): AsyncGenerator<VideoPicture, void, void>
  close(): Promise<void>
}

/** Why a source of pictures cannot be used. The message is a sentence for a person. */
export class VideoError extends Error {
  readonly fault: 'device-absent' | 'device-busy' | 'device-refused'

  constructor(fault: VideoError['fault'], message: string) {
    super(message)
    this.name = 'VideoError'
    this.fault = fault
  }
}

/** Error numbers of Linux for a source that is not there, as FFmpeg gives them. */
const absent = new Set([-2, -5, -6, -19, -32, -101, -103, -104, -110, -111, -112, -113])
const busy = -16
/** FFmpeg's own: the end of a stream where more was expected, and a name that cannot be resolved arrives as invalid data. */
const endOfFile = -0x20464f45

/**
 * Opens a video in this process, through FFmpeg. The signal is let go of when it aborts, and when the video is closed or cannot
 * be opened.
 *
 * @throws VideoError
 */
export async function openVideo(request: VideoRequest, signal: AbortSignal): Promise<Video> {
  // FFmpeg's parts and an attempt that nobody waits for any more listen for longer than the caller may expect: to a signal of ours.
  const stop = new AbortController()
  const onAbort = () => stop.abort()
  signal.addEventListener('abort', onAbort, { once: true })
  const letGo = () => signal.removeEventListener('abort', onAbort)
  try {
    const library = await loadFiles()
    if (signal.aborted) throw new VideoError('device-absent', `${request.title} is not opened any more.`)
    const video = await open(library, request, stop.signal)
    return { pictures: () => video.pictures(), close: () => video.close().finally(letGo) }
  } catch (error) {
    letGo()
    throw error
  }
}

async function open(
  { files, constants }: Awaited<ReturnType<typeof loadFiles>>,
  request: VideoRequest,
  signal: AbortSignal,
): Promise<Video> {
  const { title, widest, framesPerSecond, waits = false, polled = false } = request
  const { Demuxer, Decoder, FilterAPI } = files
  const opening = Demuxer.open(request.url, {
    options: { ...request.options, ...(polled ? { fflags: notBlocking } : {}) },
    // Looking at the first pictures would ask without a pause until they come.
    skipStreamInfo: polled,
    ...(request.format === undefined ? {} : { format: request.format }),
    signal,
  })
  const demuxer = await unlessAborted(opening, signal).catch((error: unknown) => {
    // An attempt that nobody waits for any more still has to be closed when it succeeds.
    opening.then(late => late.close()).catch(() => {})
    throw videoError(error, title)
  })
  try {
    const stream = demuxer.video()
    if (stream === undefined) throw new VideoError('device-refused', `${title} gives no video.`)
    const decoder = await Decoder.create(stream, { exitOnError: false, threadCount: 1, signal })
    const filter = FilterAPI.create(`scale='min(${widest},iw)':-2,format=rgb24`, { threads: 1, signal })
    const close = async () => {
      filter.close()
      decoder.close()
      await demuxer.close()
    }
    const seconds = (frame: TimedFrame): number | null =>
      frame.pts === constants.AV_NOPTS_VALUE ? null : (Number(frame.pts) * frame.timeBase.num) / frame.timeBase.den
    async function* pictures(): AsyncGenerator<VideoPicture, void, void> {
      try {
        const packets = waits ? later(demuxer.packetsSync(stream?.index)) : demuxer.packets(stream?.index)
        const decoded = decoder.frames(packets)
        for await (const frame of filter.frames(spaced(decoded, 1 / framesPerSecond, seconds))) {
          if (frame === null) continue
          const picture = { width: frame.width, height: frame.height, data: frame.toBuffer(), stamp: seconds(frame) }
          frame.free()
          yield picture
        }
      } catch (error) {
        throw videoError(error, title)
      }
    }
    return { pictures, close }
  } catch (error) {
    await demuxer.close()
    throw error instanceof VideoError ? error : videoError(error, title)
  }
}

async function* later<Value>(values: Iterable<Value>): AsyncGenerator<Value, void, void> {
  yield* values
}

interface TimedFrame {
  readonly pts: bigint
  readonly timeBase: { readonly num: number; readonly den: number }
}

/** Passes over frames that follow the one before sooner than `interval` seconds; a tenth less counts as kept. */
async function* spaced<Frame extends TimedFrame & { free(): void }>(
  frames: AsyncIterable<Frame | null>,
  interval: number,
  seconds: (frame: Frame) => number | null,
): AsyncGenerator<Frame | null, void, void> {
  let last = Number.NaN
  for await (const frame of frames) {
    const stamp = frame === null ? null : seconds(frame)
    if (frame !== null && stamp !== null) {
      if (stamp >= last && stamp - last < 0.9 * interval) {
        frame.free()
        continue
      }
      last = stamp
    }
    yield frame
  }
}

function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abandon = () => reject(new Error('aborted'))
    signal.addEventListener('abort', abandon, { once: true })
    if (signal.aborted) abandon()
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abandon))
  })
}

function videoError(error: unknown, title: string): VideoError {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null
  if (code === busy) return new VideoError('device-busy', `${title} is in use by another program.`)
  if (typeof code === 'number' && (absent.has(code) || code === endOfFile)) {
    return new VideoError('device-absent', `${title} does not answer.`)
  }
  const why = error instanceof Error ? /: (Server returned [^:]{1,60})$/.exec(error.message)?.[1] : undefined
  return new VideoError('device-refused', `${title} gives no video${why === undefined ? '' : ` (${why})`}.`)
}
