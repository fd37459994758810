import { SimulatedCamera } from '../../drivers/camera/simulator.js'
import { writeVideo } from '../contracts/camera-video.js'

/* For scripts/prove-package: `street-video FILE PLATE` draws what its network camera sends, twelve seconds of a street on which a car drives by. */

const [, , file, plate] = process.argv
if (file === undefined || plate === undefined) throw new Error('street-video FILE PLATE')
const size = { width: 960, height: 540, framesPerSecond: 5 }
const seconds = 12
let now = 0
const clock = {
  system: () => now,
  monotonic: () => now,
  sleep: async (duration: number) => {
    now += duration
  },
}
const pictures: Uint8Array[] = []
const stop = new AbortController()
const passages = [{ at: 3, text: plate }]
for await (const reading of new SimulatedCamera({ name: 'street', clock, ...size, passages }).readings(stop.signal)) {
  if (reading.kind === 'frame') pictures.push(reading.data)
  if (pictures.length === seconds * size.framesPerSecond) stop.abort()
}
await writeVideo(file, size, pictures, 'h264')
