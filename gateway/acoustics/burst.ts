import {
  type Candidate,
  directProbability,
  hearingProbability,
  repeatEvidence,
  residualEvidence,
  type Station,
} from './evidence.js'
import { type Air, travelTime } from './propagation.js'
import { firstAfter, nearnessEvidence, reach, type Seed } from './seeds.js'
import { assumedHeight, type Sighting, type Solution, solve } from './solve.js'

/** A gateway that heard one round hears another of the same burst, and one that did not does not: probabilities. */
const repeatHeard = 0.92
const repeatUnheard = 0.2
/** Each round must be worth this much evidence: its time is free, and echoes come in its shape. */
const roundPrice = 10
/** Rounds of one burst lie at least and at most this far apart, seconds. */
const leastLag = 0.07
const mostLag = 5
/** A round matches the pattern within this time, seconds, plus four picking errors. */
const lagTolerance = 0.0025
const mostRounds = 24
/** Sound reaches a gateway no more than this before or after the straight line's time, seconds. */
const earliest = -0.05
const latest = 0.3

/** What one station heard of a burst: the time of the pattern there and the candidate of each round. */
export interface Track {
  readonly station: Station
  readonly anchor: number
  readonly timeError: number
  readonly picks: readonly (Candidate | null)[]
}

/** A source that fired rounds, `lags` seconds after `solution.time`. */
export interface Burst {
  readonly solution: Solution
  readonly lags: readonly number[]
  readonly tracks: readonly Track[]
  readonly score: number
}

/** The candidate nearest to a time, within the tolerance of the pattern. */
function nearest(station: Station, time: number): Candidate | null {
  let best: Candidate | null = null
  for (let i = firstAfter(station, time - 0.03); i < station.candidates.length; i++) {
    const candidate = station.candidates[i]!
    if (candidate.time > time + 0.03) break
    const gap = Math.abs(candidate.time - time)
    if (gap > lagTolerance + 4 * Math.min(candidate.timeError, 0.005)) continue
    if (!best || gap < Math.abs(best.time - time)) best = candidate
  }
  return best
}

/** All that one station can contribute to a burst from one place: its best track, or null for silence, and its evidence. */
function bestTrack(
  station: Station,
  expected: number,
  heard: number,
  lags: readonly number[],
): { track: Track | null; evidence: number } {
  const listening = lags.filter(lag => expected + lag < station.heardUntil).length
  let evidence = listening === 0 ? 0 : Math.log(1 - heard) + (listening - 1) * Math.log(1 - repeatUnheard)
  let track: Track | null = null
  for (const base of lags) {
    for (let i = firstAfter(station, expected + base + earliest); i < station.candidates.length; i++) {
      const head = station.candidates[i]!
      const residual = head.time - base - expected
      if (residual > latest) break
      let value = Math.log(heard)
      let sum = 0
      let weightSum = 0
      let error = Number.POSITIVE_INFINITY
      const picks: (Candidate | null)[] = []
      for (const lag of lags) {
        const pick = lag === base ? head : nearest(station, head.time - base + lag)
        picks.push(pick)
        if (!pick) {
          if (expected + lag < station.heardUntil) value += Math.log(1 - repeatHeard)
          continue
        }
        value += pick.weight
        if (pick !== head)
          value +=
            Math.log(repeatHeard) +
            repeatEvidence(
              pick.timeError,
              pick.time - lag - (head.time - base),
              pick.arrival.soundLevel - head.arrival.soundLevel,
            )
        const weight = 1 / (pick.timeError * pick.timeError + 1e-8)
        sum += weight * (pick.time - lag)
        weightSum += weight
        error = Math.min(error, pick.timeError)
      }
      const anchor = sum / weightSum
      value += residualEvidence(station, error, anchor - expected)
      if (value > evidence) {
        evidence = value
        track = { station, anchor, timeError: error, picks }
      }
    }
  }
  return { track, evidence }
}

/** The best tracks of all stations for a source and its rounds. */
function associate(
  stations: readonly Station[],
  air: Air,
  source: { east: number; north: number; up: number; time: number },
  lags: readonly number[],
): { tracks: Track[]; score: number } {
  const tracks: Track[] = []
  let score = -roundPrice * lags.length
  let closest = Number.POSITIVE_INFINITY
  for (const station of stations) {
    const dx = station.position.east - source.east
    const dy = station.position.north - source.north
    const distance = Math.hypot(dx, dy)
    closest = Math.min(closest, distance)
    const expected = source.time + travelTime(air, dx, dy, station.position.up - source.up)
    const { track, evidence } = bestTrack(station, expected, hearingProbability(distance), lags)
    score += evidence
    if (track) tracks.push(track)
  }
  return { tracks, score: closest > reach ? Number.NEGATIVE_INFINITY : score + nearnessEvidence(closest) }
}

/** Alternates between choosing arrivals and solving for the source until the choice stands. */
function settle(
  stations: readonly Station[],
  air: Air,
  height: number,
  start: Solution | Seed,
  lags: readonly number[],
): Burst | null {
  let source = { up: height, ...start }
  let best: Burst | null = null
  for (let round = 0; round < 4; round++) {
    const { tracks } = associate(stations, air, source, lags)
    const direct = tracks.filter(({ station, anchor, timeError }) => {
      const { position } = station
      const travel = travelTime(
        air,
        position.east - source.east,
        position.north - source.north,
        position.up - source.up,
      )
      return directProbability(station, timeError, anchor - source.time - travel) > 0.05
    })
    if (direct.length < 3) return best
    const sightings: Sighting[] = tracks.map(({ station, anchor, timeError }) => ({ station, time: anchor, timeError }))
    const solution = solve(sightings, air, height, source)
    const settled = associate(stations, air, solution, lags)
    if (settled.score === Number.NEGATIVE_INFINITY) return best
    if (best && settled.score <= best.score + 1e-6) return best
    best = { solution, lags, tracks, score: settled.score }
    const same =
      settled.tracks.length === tracks.length && settled.tracks.every((track, i) => track.anchor === tracks[i]!.anchor)
    if (same) return best
    source = { ...solution, score: 0 }
  }
  return best
}

/** The lag at which the burst's pattern is most likely to come again, and what that is worth; null where it does not. */
function nextLag(stations: readonly Station[], burst: Burst): number | null {
  const votes: { lag: number; gain: number; station: number }[] = []
  let silence = 0
  burst.tracks.forEach((track, index) => {
    silence += Math.log(1 - repeatHeard)
    const level = track.picks.find(pick => pick !== null)?.arrival.soundLevel ?? 0
    for (const candidate of track.station.candidates) {
      const lag = candidate.time - track.anchor
      if (Math.abs(lag) > mostLag) continue
      if (burst.lags.some(known => Math.abs(known - lag) < leastLag)) continue
      const gain =
        candidate.weight +
        repeatEvidence(candidate.timeError, 0, candidate.arrival.soundLevel - level) +
        Math.log(repeatHeard / (1 - repeatHeard))
      votes.push({ lag, gain, station: index })
    }
  })
  silence += (stations.length - burst.tracks.length) * Math.log(1 - repeatUnheard)
  votes.sort((a, b) => a.lag - b.lag)
  let best: { lag: number; gain: number } | null = null
  for (let i = 0; i < votes.length; i++) {
    const gains = new Map<number, { gain: number; lag: number }>()
    for (let k = i; k < votes.length && votes[k]!.lag <= votes[i]!.lag + 2 * lagTolerance; k++) {
      const { station, gain, lag } = votes[k]!
      if (gain > (gains.get(station)?.gain ?? 0)) gains.set(station, { gain, lag })
    }
    let total = silence - roundPrice
    for (const { gain } of gains.values()) total += gain
    if (gains.size >= 2 && (!best || total > best.gain)) {
      const lags = [...gains.values()].map(({ lag }) => lag).sort((a, b) => a - b)
      best = { gain: total, lag: (lags[(lags.length - 1) >> 1]! + lags[lags.length >> 1]!) / 2 }
    }
  }
  return best && best.gain > 0 ? best.lag : null
}

/** Whether each round was heard by at least half of the stations that heard any: what only some heard is an echo. */
function everyRoundHeard(burst: Burst): boolean {
  const enough = Math.max(2, burst.tracks.length / 2)
  return burst.lags.every((_, round) => burst.tracks.filter(({ picks }) => picks[round]).length >= enough)
}

/** Lags made exact: the middle of what the stations say, the first round at zero. */
function tidyLags(burst: Burst): number[] {
  return burst.lags.map((lag, round) => {
    const offsets = burst.tracks.flatMap(({ picks, anchor }) => (picks[round] ? [picks[round].time - anchor] : []))
    if (offsets.length === 0) return lag
    offsets.sort((a, b) => a - b)
    return (offsets[(offsets.length - 1) >> 1]! + offsets[offsets.length >> 1]!) / 2
  })
}

/** From a first guess to a burst: one round first, then every round that shows the same pattern at one common lag. */
export function growBurst(stations: readonly Station[], air: Air, seed: Seed): Burst | null {
  const height = assumedHeight(stations)
  let burst = settle(stations, air, height, seed, [0])
  while (burst && burst.lags.length < mostRounds) {
    const lag = nextLag(stations, burst)
    if (lag === null) break
    const grown = settle(stations, air, height, burst.solution, [...burst.lags, lag])
    if (!grown || grown.score <= burst.score || !everyRoundHeard(grown)) break
    burst = { ...grown, lags: tidyLags(grown) }
  }
  return burst
}
