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
export const earliest = -0.05
export const latest = 0.3
/** What comes sooner after a sound than this is the sound itself, not an echo that another onset would be picked for, seconds. */
const leastEchoDelay = 0.015
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

/**
 * The track that `head`, heard in the round at `base`, starts, and its evidence without that of its residual, which is that of the
 * pick whose time is known best; the others are held against the time that all of them give together.
 */
export function trackOf(
  station: Station,
  head: Candidate,
  base: number,
  lags: readonly number[],
  expected: number,
  chance: number,
): Track {
  const start = head.time - base
  const picks: (Candidate | null)[] = []
  let worth = 0
  let lead = head
  let sum = 0
  let weightSum = 0
  for (const lag of lags) {
    const pick = lag === base ? head : pickAt(station.candidates, start + lag)
    picks.push(pick)
    if (!pick) {
      if (expected + lag < station.heardUntil) worth += logMissed
      continue
    }
    worth += pick.weight
    if (pick.timeError < lead.timeError) lead = pick
    const weight = 1 / (pick.timeError * pick.timeError + 1e-8)
    sum += weight * (pick.time - lag)
    weightSum += weight
  }
  const time = sum / weightSum
  for (let round = 0; round < lags.length; round++) {
    const pick = picks[round]
    if (!pick || pick === lead) continue
    const louder = pick.arrival.soundLevel - lead.arrival.soundLevel
    worth += logHeardAgain + repeatEvidence(pick.timeError, pick.time - lags[round]! - time, louder)
  }
  return { station, time, lead, picks, worth, chance }
}

/**
 * What it adds to a track that one of the others at its station, a little later, is its echo: a logarithm, none below nought. An
 * echo follows each round by the same delay; that there is one, and how often, the weights of the onsets before it tell already.
 */
function echoWorth(track: Track, others: readonly Track[]): number {
  let most = 0
  for (const other of others) {
    const delay = other.time - track.time
    if (delay < leastEchoDelay || delay > latest) continue
    let followed = 0
    let worth = 0
    track.picks.forEach((pick, round) => {
      const echo = other.picks[round]
      if (!pick || (!echo && followed === 0)) return
      if (!echo) worth += logMissed
      else if (followed++ > 0)
        worth +=
          logHeardAgain +
          repeatEvidence(pick.timeError + echo.timeError, echo.time - pick.time - delay, 0) +
          Math.min(0, echo.weight)
    })
    most = Math.max(most, worth)
  }
  return most
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
  const tracks: Track[] = []
  const { candidates } = station
  const used: Candidate[] = []
  for (const base of lags) {
    for (let i = firstAfter(candidates, expected + base + earliest); i < candidates.length; i++) {
      const head = candidates[i]!
      if (head.time > expected + base + latest) break
      if (used.includes(head)) continue
      const track = trackOf(station, head, base, lags, expected, chance)
      if (lags.length > 1) for (const pick of track.picks) if (pick) used.push(pick)
      tracks.push(track)
    }
  }
  let evidence = Number.NEGATIVE_INFINITY
  let best: Track | null = null
  for (const track of tracks) {
    const echoed = lags.length > 1 ? echoWorth(track, tracks) : 0
    const ratio = bearingOf(track.lead, station, source, air)?.ratio ?? 1
    const value = track.worth + echoed + Math.log(residualDensity(track.lead, track.time - expected, ratio))
    if (value > evidence) {
      evidence = value
      best = echoed > 0 ? { ...track, worth: track.worth + echoed } : track
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

/** The tracks that came straight rather than as an echo. */
export function directTracks(tracks: readonly Track[], residuals: readonly number[]): Track[] {
  return tracks.filter(({ lead }, i) => directProbability(lead, residuals[i]!) > surelyDirect)
}
