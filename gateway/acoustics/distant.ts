import type { Burst } from './burst.js'
import type { Station } from './evidence.js'
import { type Air, travelTime } from './propagation.js'

/** Times that one far source explains agree to this, seconds: its sound goes through much air, but around few buildings. */
const agreement = 0.03
/** Direction, height and distance of a far source fit any four times; so many must agree to prove one. */
const fewest = 6
/** Places that are tried: metres from the middle of those who heard it, degrees above the horizon, degrees of azimuth. */
const distances = [1200, 1400, 1700, 2100, 2700, 3700, 6000, 20_000]
const elevations = [0, 6, 12, 18, 24, 30, 36, 42, 48, 54, 60]
const azimuthStep = 1
/** Azimuths that are looked at first, this far apart; those between only where sound could agree at all. */
const coarseStep = 4
/** A source nearer than this to somebody who heard it is none that is far, metres. */
const nearest = 600
/**
 * Thunder rumbles: strong onsets that no place explains come at every gateway within seconds. Of shots' own sound and echoes
 * little is left over. Seconds, decibel above the background, and how many at half of the gateways.
 */
const rumble = { around: 3, salience: 6, onsets: 2 }
/** What a place explains comes from so long before its straight sound to so long after, seconds. */
const explained = { before: 0.1, after: 0.8 }

/**
 * Whether a source kilometres away, whose sound crosses the network nearly as a plane wave, explains when a burst was heard at
 * more stations than its own place does: thunder, blasting, or guns out of the network's reach.
 */
export function isDistant({ tracks, solution }: Burst, { speed }: Air): boolean {
  if (tracks.length < fewest) return false
  const needed = Math.max(fewest, agreeing(Float64Array.from(solution.residuals).sort(), agreement) + 1)
  if (needed > tracks.length) return false
  const middle = { east: 0, north: 0 }
  for (const { station } of tracks) {
    middle.east += station.position.east / tracks.length
    middle.north += station.position.north / tracks.length
  }
  const radius = Math.max(
    ...tracks.map(({ station: { position } }) =>
      Math.hypot(position.east - middle.east, position.north - middle.north),
    ),
  )
  const stations = tracks.map(({ station, time }) => ({ ...station.position, time: time - solution.time }))
  // Kept in order from one direction to the next, which hardly changes it.
  const order = Uint16Array.from(tracks.keys())
  const offsets = new Float64Array(tracks.length)
  /** Whether enough of the times agree to so many seconds with a source in that direction. */
  const explains = (along: number, up: number, azimuth: number, within: number): boolean => {
    const east = middle.east + along * cosine(90 - azimuth)
    const north = middle.north + along * cosine(azimuth)
    let least = Number.POSITIVE_INFINITY
    for (let rank = 0; rank < order.length; rank++) {
      const index = order[rank]!
      const station = stations[index]!
      const x = station.east - east
      const y = station.north - north
      const way = Math.sqrt(x * x + y * y + up * up)
      if (way < least) least = way
      const offset = station.time - way / speed
      let place = rank
      for (; place > 0 && offsets[place - 1]! > offset; place--) {
        offsets[place] = offsets[place - 1]!
        order[place] = order[place - 1]!
      }
      offsets[place] = offset
      order[place] = index
    }
    return (within > agreement || least >= nearest) && agreeing(offsets, within) >= needed
  }
  for (const distance of distances) {
    for (const elevation of elevations) {
      const [along, up] = [distance * cosine(elevation), distance * cosine(90 - elevation)]
      // Turned by half a coarse step, the source comes no more than this nearer to one station than to the middle.
      const turned = ((coarseStep / 2) * Math.PI * radius * along) / (180 * Math.max(nearest, distance - radius))
      for (let coarse = 0; coarse < 360; coarse += coarseStep) {
        if (!explains(along, up, coarse, agreement + (2 * turned) / speed)) continue
        for (let azimuth = coarse - coarseStep / 2; azimuth <= coarse + coarseStep / 2; azimuth += azimuthStep)
          if (explains(along, up, azimuth, agreement)) return true
      }
    }
  }
  return false
}

/**
 * Whether so much more was heard around a burst, where it was heard, that it is a part of a rumble.
 *
 * @param bursts all that have a place, itself among them
 */
export function isRumble(
  { tracks, lags }: Burst,
  stations: readonly Station[],
  bursts: readonly Burst[],
  air: Air,
): boolean {
  const last = lags.at(-1) ?? 0
  const counts = tracks.map(({ station: { gateway }, time }) => {
    const station = stations.find(each => each.gateway === gateway)
    const strong = station?.candidates.filter(
      candidate =>
        candidate.arrival.salience >= rumble.salience &&
        candidate.time > time - rumble.around &&
        candidate.time < time + last + rumble.around,
    )
    return strong?.filter(({ time: onset }) => !bursts.some(burst => covers(burst, station, onset, air))).length ?? 0
  })
  counts.sort((a, b) => a - b)
  return (counts[Math.floor(counts.length / 2)] ?? 0) >= rumble.onsets
}

/** Whether a sound at a station is a burst's, or an echo of it. */
function covers({ solution, lags }: Burst, station: Station | undefined, onset: number, air: Air): boolean {
  if (station === undefined) return false
  const { east, north, up } = station.position
  const travel = travelTime(air, east - solution.east, north - solution.north, up - solution.up)
  return lags.some(lag => {
    const late = onset - solution.time - lag - travel
    return late > -explained.before && late < explained.after
  })
}

/** How many of some times, in order, lie within so many seconds of each other. */
function agreeing(times: Float64Array, within: number): number {
  let most = 0
  for (let first = 0, last = 0; last < times.length; last++) {
    while (times[last]! - times[first]! > within) first++
    most = Math.max(most, last - first + 1)
  }
  return most
}

function cosine(degrees: number): number {
  return Math.cos((degrees * Math.PI) / 180)
}
