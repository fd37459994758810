import {
  audibilityShares,
  bearingOf,
  type Candidate,
  coverageEvidence,
  directProbability,
  hearingProbability,
  repeatEvidence,
  residualDensity,
  type Station,
} from './evidence.js'
import { type Air, travelTime } from './propagation.js'
import { firstAfter, reach } from './seeds.js'

/** A gateway that heard one round hears another of the same burst, and one that did not does not: probabilities. */
export const repeatHeard = 0.92
export const repeatUnheard = 0.2
const logHeardAgain = Math.log(repeatHeard)
const logMissed = Math.log(1 - repeatHeard)
const logUnheardAgain = Math.log(1 - repeatUnheard)
/** Each round must be worth this much evidence: its time is free (1 ms in some seconds) and echoes come in its shape. */
export const roundPrice = 10
/** A round matches the pattern within this time plus four picking errors, of which no more than this counts, seconds. */
export const lagTolerance = 0.0025
const pickingErrors = 4
const mostPickingError = 0.005
/** Sound reaches a gateway no more than this before or after the straight line's time, seconds. */
const earliest = -0.05
const latest = 0.3
/** An arrival likelier than this to have come straight may place a source; from the second on it surely came straight. */
const maybeDirect = 0.05
const surelyDirect = 0.5

/** A place and a moment: metres in the tangent plane, seconds since 1970 UTC. */
export interface Source {
  readonly east: number
  readonly north: number
  readonly up: number
  readonly time: number
}

/** What one station heard of a burst: the time of the pattern there, its best pick, and the pick of each round. */
export interface Track {
  readonly station: Station
  readonly time: number
  readonly lead: Candidate
  readonly picks: readonly (Candidate | null)[]
  /** Logarithms: what its picks are worth as arrivals of the burst, wherever it is, and what their being something else is. */
  readonly worth: number
  readonly chance: number
}

/** The candidate nearest to a time, within the tolerance of the pattern. */
export function pickAt(candidates: readonly Candidate[], time: number): Candidate | null {
  const widest = lagTolerance + pickingErrors * mostPickingError
  let best: Candidate | null = null
  let least = Number.POSITIVE_INFINITY
  for (let i = firstAfter(candidates, time - widest); i < candidates.length; i++) {
    const candidate = candidates[i]!
    if (candidate.time > time + widest) break
    const gap = Math.abs(candidate.time - time)
    if (gap < least && gap <= lagTolerance + pickingErrors * Math.min(candidate.timeError, mostPickingError)) {
      best = candidate
      least = gap
    }
  }
  return best
}

/** The track that `head`, heard in the round at `base`, starts, and its evidence without that of its residual. */
function trackOf(
  station: Station,
  head: Candidate,
  base: number,
  lags: readonly number[],
  expected: number,
  chance: number,
): Track {
  const start = head.time - base
  const picks: (Candidate | null)[] = []
  let evidence = 0
  let lead = head
  let sum = 0
  let weightSum = 0
  for (const lag of lags) {
    const pick = lag === base ? head : pickAt(station.candidates, start + lag)
    picks.push(pick)
    if (!pick) {
      if (expected + lag < station.heardUntil) evidence += logMissed
      continue
    }
    evidence += pick.weight
    if (pick !== head) {
      const louder = pick.arrival.soundLevel - head.arrival.soundLevel
      evidence += logHeardAgain + repeatEvidence(pick.timeError, pick.time - lag - start, louder)
    }
    if (pick.timeError < lead.timeError) lead = pick
    const weight = 1 / (pick.timeError * pick.timeError + 1e-8)
    sum += weight * (pick.time - lag)
    weightSum += weight
  }
  return { station, time: sum / weightSum, lead, picks, worth: evidence, chance }
}

/** The best that one station can contribute to a burst from one place, and what it is worth if the burst can be heard there. */
function bestTrack(
  station: Station,
  source: Source,
  air: Air,
  expected: number,
  lags: readonly number[],
): Contribution {
  let listening = 0
  for (const lag of lags) if (expected + lag < station.heardUntil) listening++
  const chance = Math.max(0, listening - 1) * logUnheardAgain
  let evidence = Number.NEGATIVE_INFINITY
  let best: Track | null = null
  const { candidates } = station
  const used: Candidate[] = []
  for (const base of lags) {
    for (let i = firstAfter(candidates, expected + base + earliest); i < candidates.length; i++) {
      const head = candidates[i]!
      if (head.time > expected + base + latest) break
      if (used.includes(head)) continue
      const track = trackOf(station, head, base, lags, expected, chance)
      if (lags.length > 1) for (const pick of track.picks) if (pick) used.push(pick)
      const ratio = bearingOf(track.lead, station, source, air)?.ratio ?? 1
      const value = track.worth + Math.log(residualDensity(track.lead, track.time - expected, ratio))
      if (value > evidence) {
        evidence = value
        best = track
      }
    }
  }
  return { track: best, evidence, chance, listening: listening > 0 }
}

interface Contribution {
  readonly track: Track | null
  /** Logarithms: of the track if the burst is heard, and of the silence if it is not. */
  readonly evidence: number
  readonly chance: number
  readonly listening: boolean
}

/** What a contribution adds as a track, or as silence, where a burst is heard with that probability, logarithms. */
function asTrack({ evidence }: Contribution, heard: number): number {
  return evidence + Math.log(heard)
}

function asSilence({ chance, listening }: Contribution, heard: number): number {
  return listening ? Math.log(1 - heard) + chance : 0
}

/** The best tracks of all stations for a source and its rounds, and what those that may have come straight give towards a place. */
export function associate(
  stations: readonly Station[],
  air: Air,
  source: Source,
  lags: readonly number[],
): { tracks: Track[]; direct: number; score: number } {
  const distances: number[] = []
  const contributions: Contribution[] = []
  const scores = audibilityShares.map(share => Math.log(share) - roundPrice * lags.length)
  let nearest = Number.POSITIVE_INFINITY
  for (const station of stations) {
    const dx = station.position.east - source.east
    const dy = station.position.north - source.north
    const distance = Math.hypot(dx, dy)
    nearest = Math.min(nearest, distance)
    const expected = source.time + travelTime(air, dx, dy, station.position.up - source.up)
    const contribution = bestTrack(station, source, air, expected, lags)
    distances.push(distance)
    contributions.push(contribution)
    for (let audibility = 0; audibility < scores.length; audibility++) {
      const heard = hearingProbability(distance, audibility)
      scores[audibility]! += Math.max(asTrack(contribution, heard), asSilence(contribution, heard))
    }
  }
  const most = Math.max(...scores)
  const likeliest = scores.indexOf(most)
  const score = most + Math.log(scores.reduce((sum, each) => sum + Math.exp(each - most), 0))
  const tracks: Track[] = []
  let direct = 0
  contributions.forEach((contribution, index) => {
    const { track } = contribution
    const heard = hearingProbability(distances[index]!, likeliest)
    if (track === null || asTrack(contribution, heard) <= asSilence(contribution, heard)) return
    tracks.push(track)
    const { station, lead, time } = track
    const { east, north, up } = station.position
    const expected = source.time + travelTime(air, east - source.east, north - source.north, up - source.up)
    const ratio = bearingOf(lead, station, source, air)?.ratio ?? 1
    if (directProbability(lead, time - expected, ratio) > maybeDirect) direct += fixesOf(ratio)
  })
  return { tracks, direct, score: nearest > reach ? Number.NEGATIVE_INFINITY : score + coverageEvidence(nearest) }
}

/** What an arrival gives towards a place, in arrivals: its time, and half as much again a bearing that agrees with the source. */
function fixesOf(ratio: number): number {
  return ratio > 1 ? 1.5 : 1
}

/** What the tracks that came straight give towards a place, in arrivals. */
export function straightFixes(
  burst: { readonly solution: Source; readonly tracks: readonly Track[] },
  air: Air,
): number {
  const { solution, tracks } = burst
  return tracks.reduce((sum, { station, lead, time }) => {
    const { east, north, up } = station.position
    const travel = travelTime(air, east - solution.east, north - solution.north, up - solution.up)
    const ratio = bearingOf(lead, station, solution, air)?.ratio ?? 1
    return directProbability(lead, time - solution.time - travel, ratio) > surelyDirect ? sum + fixesOf(ratio) : sum
  }, 0)
}

/** How many tracks came straight rather than as an echo. */
export function directTracks(tracks: readonly Track[], residuals: readonly number[]): number {
  return tracks.filter(({ lead }, i) => directProbability(lead, residuals[i]!) > surelyDirect).length
}

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
 * How many stations heard the burst's rhythm, two rounds or more of it, shortly before its own sound can have come, as where what is
 * taken for the burst is its reflection: sound by the straight way came first.
 */
export function precursors(
  stations: readonly Station[],
  air: Air,
  { solution, lags }: { readonly solution: Source; readonly lags: readonly number[] },
): number {
  const first = Math.min(...lags)
  const enough = Math.max(2, 0.75 * lags.length)
  return stations.filter(station => {
    const { east, north, up } = station.position
    const travel = travelTime(air, east - solution.east, north - solution.north, up - solution.up)
    const begin = solution.time + travel + first
    const { candidates } = station
    for (let i = firstAfter(candidates, begin - 2 * latest); i < candidates.length; i++) {
      const head = candidates[i]!
      if (head.time > begin + earliest) return false
      const { picks } = trackOf(station, head, first, lags, begin - first, 0)
      if (picks.filter(pick => pick !== null).length >= enough) return true
    }
    return false
  }).length
}
