import { readFileSync } from 'node:fs'
import type { Camera } from '../../drivers/camera/camera.js'
import { RtspCamera } from '../../drivers/camera/rtsp.js'
import { SimulatedCamera } from '../../drivers/camera/simulator.js'
import { V4l2Camera } from '../../drivers/camera/v4l2.js'
import { VideoFile } from '../../drivers/camera/video-file.js'
import { systemClock } from '../../drivers/system-clock.js'
import type { CameraSettings } from '../config/schema.js'
import { messageOf, PolewatchError } from '../errors.js'

/** A simulated camera goes on for a day. */
const simulatedSeconds = 86_400

/**
 * The camera that the configuration asks for.
 *
 * @throws PolewatchError PW_CAMERA_PASSWORD
 */
export function camera(settings: CameraSettings): Camera {
  const { name, framesPerSecond } = settings
  const common = { name, framesPerSecond, clock: systemClock }
  switch (settings.driver) {
    case 'rtsp': {
      const { url, user } = settings
      const password = passwordOf(settings)
      return new RtspCamera({
        ...common,
        url,
        ...(user === null ? {} : { user }),
        ...(password === null ? {} : { password }),
      })
    }
    case 'v4l2': {
      const { device, width, height } = settings
      return new V4l2Camera({
        ...common,
        device,
        ...(width === null || height === null ? {} : { size: { width, height } }),
      })
    }
    case 'video': {
      const { file, startTime } = settings
      return new VideoFile({ ...common, file, pace: 'real-time', ...(startTime === null ? {} : { startTime }) })
    }
    case 'simulator': {
      const { plates, interval } = settings
      const passages = Array.from({ length: Math.ceil(simulatedSeconds / interval) }, (_, index) => ({
        at: 3 + index * interval,
        text: plates[index % plates.length] ?? '',
      }))
      return new SimulatedCamera({ ...common, passages })
    }
  }
}

function passwordOf({ name, passwordFile }: Extract<CameraSettings, { driver: 'rtsp' }>): string | null {
  if (passwordFile === null) return null
  try {
    return readFileSync(passwordFile, 'utf8').split(/\r?\n/, 1)[0] ?? ''
  } catch (error) {
    throw new PolewatchError('PW_CAMERA_PASSWORD', { part: name, file: passwordFile, why: messageOf(error) }, error)
  }
}
