import type { DriverClock } from '../driver.js'
import { usualFrameRate, widestFrame } from './camera.js'
import { LiveCamera } from './live-camera.js'

export interface RtspCameraOptions {
  readonly name: string
  /** rtsp:// or rtsps:// without a name or password in it. */
  readonly url: string
  readonly user?: string
  readonly password?: string
  readonly clock: DriverClock
  readonly framesPerSecond?: number
  readonly capacity?: number
  readonly stallSeconds?: number
  readonly random?: () => number
}

/** Network cameras deliver a tenth of a second to one second late and do not say how much. */
const networkDelay = { mean: 0.3, error: 0.2 }
/** An answer that takes longer than this will not come, microseconds. */
const answerTime = '5000000'

/** A network camera (RTSP 1.0, RFC 2326). Its stream comes over TCP: a lost packet costs time, not a torn picture. */
export class RtspCamera extends LiveCamera {
  constructor(options: RtspCameraOptions) {
    const address = new URL(options.url)
    const title = `The camera at ${address.host}`
    if (options.user !== undefined) address.username = encodeURIComponent(options.user)
    if (options.password !== undefined) address.password = encodeURIComponent(options.password)
    super({
      ...options,
      delay: networkDelay,
      video: {
        url: address.href,
        title,
        format: 'rtsp',
        options: {
          rtsp_transport: 'tcp',
          timeout: answerTime,
          analyzeduration: '1000000',
          allowed_media_types: 'video',
        },
        widest: widestFrame,
        framesPerSecond: options.framesPerSecond ?? usualFrameRate,
      },
    })
  }
}
