import type { Burst } from './burst.js'
import {
  bearingOf,
  coverageEvidence,
  hearingProbability,
  onlyEchoDensity,
  type Station,
  studentDensity,
} from './evidence.js'
import { type Air, travelTime } from './propagation.js'
import { reach } from './seeds.js'

/** Side of the squares that the ground is divided into, metres. */
const cell = 15
/** With more tracks than this no other place can explain them. */
const mostTracks = 6
/** The discharge is sought at so many scales of the residual around what each track says. */
const timeNodes = [-1.6, -0.5, 0.5, 1.6] as const
/** No more squares than this are looked at; where there would be more, they are larger. */
const mostCells = 12_000

/**
 * How likely the source is further than `near` metres from a burst's place, against not, given its tracks: each of them may
 * have come straight, as an echo, or by chance have its rhythm, and whoever heard nothing counts. Three stations always agree
 * on some place, whatever they heard; only the sum over all other places says what their agreement is worth.
 */
export function oddsElsewhere(burst: Burst, stations: readonly Station[], air: Air, near: number): number {
  const { solution, tracks } = burst
  if (tracks.length > mostTracks) return 0
  const heardBy = tracks.map(({ station }) => station.position)
  const east = heardBy.map(position => position.east)
  const north = heardBy.map(position => position.north)
  const [west, south] = [Math.min(...east) - reach, Math.min(...north) - reach]
  const [width, height] = [Math.max(...east) + reach - west, Math.max(...north) + reach - south]
  const side = Math.max(cell, Math.sqrt((width * height) / mostCells))
  // Within a square travel times differ; Student's variance is twice its squared scale.
  const blur = side / air.speed / Math.sqrt(12 * 2)
  const scales = tracks.map(({ lead }) => ({ early: Math.hypot(lead.early, blur), late: Math.hypot(lead.late, blur) }))
  const silent = stations.filter(station => !tracks.some(track => track.station === station))
  const [columns, rows] = [Math.ceil(width / side), Math.ceil(height / side)]
  const shiftEast = ((solution.east - west) % side) - side / 2
  const shiftNorth = ((solution.north - south) % side) - side / 2
  const worth = Float64Array.from(tracks, track => Math.exp(track.worth - best(tracks)))
  const chance = Float64Array.from(tracks, track => Math.exp(track.chance - best(tracks)))
  const heard = new Float64Array(tracks.length)
  const offset = new Float64Array(tracks.length)
  const ratio = new Float64Array(tracks.length)
  let here = 0
  let elsewhere = 0
  for (let column = 0; column <= columns; column++) {
    const x = west + shiftEast + (column + 0.5) * side
    for (let row = 0; row <= rows; row++) {
      const y = south + shiftNorth + (row + 0.5) * side
      let nearest = Number.POSITIVE_INFINITY
      tracks.forEach(({ station, lead, time }, i) => {
        const { position } = station
        const dx = position.east - x
        const dy = position.north - y
        const distance = Math.sqrt(dx * dx + dy * dy)
        nearest = Math.min(nearest, distance)
        heard[i] = hearingProbability(distance)
        ratio[i] = bearingOf(lead, station, { east: x, north: y, up: solution.up }, air)?.ratio ?? 1
        offset[i] = time - travelTime(air, dx, dy, position.up - solution.up) - solution.time
      })
      if (nearest > reach) continue
      let prior = 1
      for (const { position, heardUntil } of silent) {
        const distance = Math.hypot(position.east - x, position.north - y)
        nearest = Math.min(nearest, distance)
        if (solution.time + distance / air.speed < heardUntil) prior *= 1 - hearingProbability(distance)
      }
      prior *= Math.exp(coverageEvidence(nearest))
      let mass = 0
      for (let i = 0; i < tracks.length; i++) {
        const { early, late } = scales[i]!
        for (const node of timeNodes) {
          const scale = node < 0 ? early : late
          const time = offset[i]! - node * scale
          // Every moment is shared among the tracks that would have come straight then, so that none counts twice.
          let product = 1
          let straight = 0
          for (let k = 0; k < tracks.length; k++) {
            const late = offset[k]! - time
            const direct = ratio[k]! * studentDensity(late, scales[k]!.early, scales[k]!.late)
            straight += direct
            product *= heard[k]! * worth[k]! * (direct + onlyEchoDensity(late)) + (1 - heard[k]!) * chance[k]!
          }
          mass += (product * scale * studentDensity(node * scale, early, late)) / straight
        }
      }
      mass *= prior
      if (Math.hypot(x - solution.east, y - solution.north) < near) here += mass
      else elsewhere += mass
    }
  }
  return here > 0 ? elsewhere / here : Number.POSITIVE_INFINITY
}

function best(tracks: Burst['tracks']): number {
  return Math.max(...tracks.map(track => track.worth))
}
