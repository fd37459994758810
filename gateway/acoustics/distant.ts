import type { Burst } from './burst.js'
import type { Air } from './propagation.js'

/** Times that one far source explains agree to this, seconds: its sound goes through much air, but around few buildings. */
const agreement = 0.03
/** Direction, height and distance of a far source fit any four times; so many must agree to prove one. */
const fewest = 6
/** Places that are tried: metres from the middle of those who heard it, degrees above the horizon, degrees of azimuth. */
const distances = [1200, 1600, 2200, 3000, 5000, 20_000]
const elevations = [0, 15, 30, 45, 60]
const azimuthStep = 1
/** A source nearer than this to somebody who heard it is none that is far, metres. */
const nearest = 600

/**
 * Whether a source kilometres away, whose sound crosses the network nearly as a plane wave, explains when a burst was heard at
 * more stations than its own place does: thunder, blasting, or guns out of the network's reach.
 */
export function isDistant({ tracks, solution }: Burst, { speed }: Air): boolean {
  if (tracks.length < fewest) return false
  const needed = Math.max(fewest, agreeing([...solution.residuals]) + 1)
  if (needed > tracks.length) return false
  const middle = { east: 0, north: 0 }
  for (const { station } of tracks) {
    middle.east += station.position.east / tracks.length
    middle.north += station.position.north / tracks.length
  }
  const offsets = new Array<number>(tracks.length)
  for (const distance of distances) {
    for (const elevation of elevations) {
      const [along, up] = [distance * cosine(elevation), distance * cosine(90 - elevation)]
      for (let azimuth = 0; azimuth < 360; azimuth += azimuthStep) {
        const east = middle.east + along * cosine(90 - azimuth)
        const north = middle.north + along * cosine(azimuth)
        let least = Number.POSITIVE_INFINITY
        for (let i = 0; i < tracks.length; i++) {
          const { station, time } = tracks[i]!
          const way = Math.hypot(station.position.east - east, station.position.north - north, up)
          least = Math.min(least, way)
          offsets[i] = time - solution.time - way / speed
        }
        if (least >= nearest && agreeing(offsets) >= needed) return true
      }
    }
  }
  return false
}

/** How many of some times lie within the agreement of each other; puts them in order. */
function agreeing(times: number[]): number {
  times.sort((a, b) => a - b)
  let most = 0
  for (let first = 0, last = 0; last < times.length; last++) {
    while (times[last]! - times[first]! > agreement) first++
    most = Math.max(most, last - first + 1)
  }
  return most
}

function cosine(degrees: number): number {
  return Math.cos((degrees * Math.PI) / 180)
}
