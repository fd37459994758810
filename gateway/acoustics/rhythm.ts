import type { Station } from './evidence.js'
import { type Air, travelTime } from './propagation.js'
import { firstAfter } from './seeds.js'
import { earliest, latest, type Source, type Track, trackOf } from './tracks.js'

/**
 * How many stations heard the burst's rhythm, three rounds or more of it, at a time that neither its sound nor an echo can
 * have reached them: their clocks or the burst's own are wrong. Chance does not repeat two lags to the millisecond.
 */
export function contradictions(
  stations: readonly Station[],
  air: Air,
  {
    solution,
    lags,
    tracks,
  }: { readonly solution: Source; readonly lags: readonly number[]; readonly tracks: readonly Track[] },
): number {
  const enough = Math.max(3, 0.75 * lags.length)
  const first = Math.min(...lags)
  return stations.filter(station => {
    const { east, north, up } = station.position
    const travel = travelTime(air, east - solution.east, north - solution.north, up - solution.up)
    const expected = solution.time + travel
    const heard = tracks.some(track => track.station === station)
    return station.candidates.some(head => {
      const late = head.time - expected - first
      if (late > 2 * earliest && (late < 2 * latest || heard)) return false
      const { picks } = trackOf(station, head, first, lags, expected, 0)
      return picks.filter(pick => pick !== null).length >= enough
    })
  }).length
}

/**
 * Tracks of the burst's rhythm, two rounds or more of it, that stations heard shortly before its own sound can have come, as where
 * what is taken for the burst is its reflection: sound by the straight way came first. At most one a station.
 */
export function precursors(
  stations: readonly Station[],
  air: Air,
  { solution, lags }: { readonly solution: Source; readonly lags: readonly number[] },
): Track[] {
  const first = Math.min(...lags)
  const enough = Math.max(2, 0.75 * lags.length)
  return stations.flatMap(station => {
    const { east, north, up } = station.position
    const travel = travelTime(air, east - solution.east, north - solution.north, up - solution.up)
    const begin = solution.time + travel + first
    const { candidates } = station
    for (let i = firstAfter(candidates, begin - 2 * latest); i < candidates.length; i++) {
      const head = candidates[i]!
      if (head.time > begin + earliest) return []
      const track = trackOf(station, head, first, lags, begin - first, 0)
      if (track.picks.filter(pick => pick !== null).length >= enough) return [track]
    }
    return []
  })
}
