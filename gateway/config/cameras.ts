import { z } from 'zod'
import { identifier, instant, path, probability } from './fields.js'

// What a gateway sees with: one alternative a driver, the driver's own key first in each.

const lane = z
  .union([z.string().min(1).max(32), z.int().min(0).max(999)])
  .transform(String)
  .meta({ allowed: 'a number or a text of at most 32 characters' })

const cameraParts = {
  name: identifier.describe('Name of the camera, unique among all arrays, readers and cameras.'),
  lane: lane
    .nullable()
    .default(null)
    .describe('Lane that the camera watches, where it watches one. Empty: by `lanes`, else unknown.'),
  lanes: z
    .array(
      z.strictObject({
        name: lane.describe('Name of the lane.'),
        from: probability.describe('Its left edge, as a share of the width of the picture.'),
        to: probability.describe('Its right edge.'),
      }),
    )
    .max(16)
    .default([])
    .describe('Where the lanes are in the picture, by where a plate is when it is largest.'),
  direction: z
    .enum(['approaching', 'departing'])
    .nullable()
    .default(null)
    .describe('Way the traffic goes. Empty: as the plate moves in the picture, else unknown.'),
  minimumConfidence: probability
    .default(0.5)
    .describe('Reads with less confidence are counted and forgotten, unless a second frame gives the same.'),
  framesPerSecond: z
    .number()
    .gt(0)
    .max(30)
    .default(5)
    .meta({ unit: 'frames a second' })
    .describe('How many frames are looked at. More cost more and read faster cars.'),
}

const side = z.int().min(64).max(8192).meta({ unit: 'pixels' })

/** An address of a camera. Names and passwords in it are refused: secrets are files. */
const cameraAddress = z
  .string()
  .max(1024)
  .refine(text => {
    if (!URL.canParse(text)) return false
    const { protocol, hostname, username, password } = new URL(text)
    return ['rtsp:', 'rtsps:'].includes(protocol) && hostname !== '' && username === '' && password === ''
  })
  .meta({ allowed: 'an address such as "rtsp://10.0.0.7/stream1", without name and password' })

export const camera = z.discriminatedUnion('driver', [
  z.strictObject({
    driver: z.literal('rtsp').describe('A network camera.'),
    ...cameraParts,
    url: cameraAddress.describe("The camera's main stream, H.264 or H.265."),
    user: z.string().min(1).max(256).nullable().default(null).describe('Name to log in with at the camera.'),
    passwordFile: path
      .nullable()
      .default(null)
      .describe('File whose first line is the password. The file, never the password.'),
  }),
  z.strictObject({
    driver: z.literal('v4l2').describe('A camera on USB or CSI.'),
    ...cameraParts,
    device: path.describe('The device file, best by a name that udev keeps, such as /dev/v4l/by-path/….'),
    width: side.nullable().default(null).describe("Width to ask the camera for. Empty: the camera's own choice."),
    height: side.nullable().default(null).describe('Height to ask the camera for, with `width`.'),
  }),
  z.strictObject({
    driver: z.literal('video').describe('A video file in the place of a camera.'),
    ...cameraParts,
    file: path.describe('The video, in any usual format.'),
    startTime: instant
      .nullable()
      .default(null)
      .describe('When the first frame was taken. Empty: the moment it is first read.'),
  }),
  z.strictObject({
    driver: z.literal('simulator').describe('A drawn street, to try an installation without a camera.'),
    ...cameraParts,
    plates: z
      .array(z.string().regex(/^[A-Z0-9]{1,10}$/))
      .min(1)
      .max(1000)
      .meta({ allowed: '1 to 1000 texts of 1 to 10 capital letters and digits' })
      .describe('Plates that drive by, one after the other and again from the start. Made-up ones, please.'),
    interval: z.number().gt(0).max(86400).default(15).meta({ unit: 'seconds' }).describe('Time between two cars.'),
  }),
])
