import type { DriverClock } from '../driver.js'
import { usualFrameRate, widestFrame } from './camera.js'
import { LiveCamera } from './live-camera.js'

export interface V4l2CameraOptions {
  readonly name: string
  /** The device file, best by a name that udev keeps, such as /dev/v4l/by-path/…. */
  readonly device: string
  /** Pixels to ask the camera for; its own choice unless given. */
  readonly size?: { readonly width: number; readonly height: number }
  readonly clock: DriverClock
  readonly framesPerSecond?: number
  readonly capacity?: number
  readonly stallSeconds?: number
  readonly random?: () => number
}

/** The kernel hands a picture over when it is read out: an exposure and one frame after it was taken. */
const wireDelay = { mean: 0.04, error: 0.02 }

/** A camera on USB or CSI, through Video4Linux. */
export class V4l2Camera extends LiveCamera {
  constructor(options: V4l2CameraOptions) {
    const { device, size, framesPerSecond = usualFrameRate } = options
    super({
      ...options,
      delay: wireDelay,
      video: {
        url: device,
        title: `The camera ${device}`,
        format: 'video4linux2',
        polled: true,
        options: size === undefined ? {} : { video_size: `${size.width}x${size.height}` },
        widest: widestFrame,
        framesPerSecond,
      },
    })
  }
}
