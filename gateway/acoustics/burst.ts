import { repeatEvidence, type Station } from './evidence.js'
import type { Air } from './propagation.js'
import { firstAfter, type Seed } from './seeds.js'
import { type Solution, solve } from './solve.js'
import {
  associate,
  directTracks,
  lagTolerance,
  pickAt,
  repeatHeard,
  repeatUnheard,
  roundPrice,
  type Source,
  type Track,
} from './tracks.js'

/** Rounds of one burst lie at least and at most this far apart, seconds. */
const leastLag = 0.07
const mostLag = 5
const mostRounds = 40
/** A place needs so many arrivals that may have come straight, or two with bearings. */
const fewestDirect = 3
/** Delays of echoes, and how exactly they come again, seconds; a round that so many of the stations heard straight is no echo. */
const longestEcho = 0.6
const echoTolerance = 0.004
const nearlyAll = 0.9
/** Choosing arrivals and solving, or adding rounds, settles within so many turns or is left as it is. */
const mostTurns = 4

/** A source that fired rounds, `lags` seconds after `solution.time`; `solution.residuals` are those of the tracks. */
export interface Burst {
  readonly solution: Solution
  readonly lags: readonly number[]
  readonly tracks: readonly Track[]
  readonly score: number
}

/** Alternates between choosing arrivals and solving for the source until the choice stands. */
function settle(
  stations: readonly Station[],
  air: Air,
  height: number,
  start: Source,
  lags: readonly number[],
): Burst | null {
  let chosen = associate(stations, air, start, lags)
  let source = start
  let best: Burst | null = null
  for (let turn = 0; turn < mostTurns && chosen.direct >= fewestDirect; turn++) {
    const { tracks } = chosen
    const solution = solve(tracks, air, height, source)
    const settled = associate(stations, air, solution, lags)
    if (settled.score === Number.NEGATIVE_INFINITY || (best && settled.score <= best.score + 1e-6)) break
    best = { solution, lags, tracks, score: settled.score }
    const same =
      settled.tracks.length === tracks.length && settled.tracks.every((track, i) => track.time === tracks[i]!.time)
    if (same) break
    chosen = settled
    source = solution
  }
  return best
}

interface Vote {
  readonly lag: number
  readonly gain: number
  readonly track: number
}

/** The lags at which the burst's pattern comes again, most likely first. */
function furtherLags(stations: readonly Station[], burst: Burst): number[] {
  let votes: Vote[] = []
  let silence = (stations.length - burst.tracks.length) * Math.log(1 - repeatUnheard) - roundPrice
  burst.tracks.forEach(({ station, time, lead }, track) => {
    silence += Math.log(1 - repeatHeard)
    const surprise = Math.log(repeatHeard / (1 - repeatHeard))
    const { candidates } = station
    for (let i = firstAfter(candidates, time - mostLag); i < candidates.length; i++) {
      const candidate = candidates[i]!
      const lag = candidate.time - time
      if (lag > mostLag) break
      const louder = candidate.arrival.soundLevel - lead.arrival.soundLevel
      votes.push({ lag, gain: candidate.weight + surprise + repeatEvidence(candidate.timeError, 0, louder), track })
    }
  })
  votes.sort((a, b) => a.lag - b.lag || a.track - b.track)
  const found: number[] = []
  while (found.length + burst.lags.length < mostRounds) {
    const taken = [...burst.lags, ...found]
    votes = votes.filter(({ lag }) => !taken.some(known => Math.abs(known - lag) < leastLag))
    const lag = bestLag(votes, silence, burst.tracks.length)
    if (lag === null) break
    found.push(lag)
  }
  return found
}

/** The lag on which votes of at least two tracks, by time, agree best; null where that is worth less than nothing. */
function bestLag(votes: readonly Vote[], silence: number, tracks: number): number | null {
  let most = 0
  let lag: number | null = null
  const best = new Array<Vote | null>(tracks)
  for (let i = 0; i < votes.length; i++) {
    best.fill(null)
    for (let k = i; k < votes.length && votes[k]!.lag <= votes[i]!.lag + 2 * lagTolerance; k++) {
      const vote = votes[k]!
      if (vote.gain > (best[vote.track]?.gain ?? 0)) best[vote.track] = vote
    }
    const agreeing = best.filter(vote => vote !== null)
    const total = agreeing.reduce((sum, { gain }) => sum + gain, silence)
    if (agreeing.length >= 2 && total > most) {
      most = total
      lag = median(agreeing.map(vote => vote.lag))
    }
  }
  return lag
}

/** Rounds that are no echo: at least half of the stations heard them that heard any, and they do not follow all others alike. */
function heardRounds(burst: Burst): number[] {
  const { lags, tracks, solution } = burst
  const heardBy = (round: number) => tracks.filter(({ picks }) => picks[round]).length
  const allStraight = directTracks(tracks, solution.residuals) === tracks.length
  return lags.filter((_, round) => {
    if (heardBy(round) < Math.max(2, tracks.length / 2)) return false
    if (allStraight && heardBy(round) >= nearlyAll * tracks.length) return true
    return !lags.some((_, earlier) => isEchoOf(burst, round, earlier))
  })
}

/**
 * Whether a round follows an earlier one by a delay by which something follows a third one, too, where it was heard; but not
 * twice in a row as in automatic fire. No hand repeats a pause to the millisecond; a wall does.
 */
function isEchoOf({ lags, tracks }: Burst, round: number, earlier: number): boolean {
  const delay = lags[round]! - lags[earlier]!
  if (!(delay > 0 && delay < longestEcho)) return false
  const isRound = (lag: number) => lags.some(other => Math.abs(other - lag) < echoTolerance)
  if (isRound(lags[round]! + delay) || isRound(lags[earlier]! - delay)) return false
  return lags.some((_, third) => {
    if (third === round || third === earlier) return false
    const able = tracks.filter(({ picks }) => picks[round] && picks[third])
    const alike = able.filter(({ station, picks }) => pickAt(station.candidates, picks[third]!.time + delay))
    return alike.length >= Math.max(2, able.length / 2)
  })
}

/** Lags made exact: the middle of what the stations say. */
function exactLags(burst: Burst): number[] {
  return burst.lags.map((lag, round) => {
    const heard = burst.tracks.flatMap(({ picks, time }) => (picks[round] ? [picks[round].time - time] : []))
    return heard.length > 0 ? median(heard) : lag
  })
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2
}

/** A burst of one round, from a first guess; `height` is what is assumed of the source's, metres. */
export function startBurst(stations: readonly Station[], air: Air, height: number, seed: Seed): Burst | null {
  return settle(stations, air, height, { ...seed, up: height }, [0])
}

/** Adds every round that shows the same pattern at one common lag. */
export function growBurst(stations: readonly Station[], air: Air, height: number, start: Burst): Burst {
  const refused: number[] = []
  const grow = (burst: Burst, lags: readonly number[]): Burst | null => {
    let grown = settle(stations, air, height, burst.solution, lags)
    for (let heard = grown && heardRounds(grown); grown && heard && heard.length < grown.lags.length; ) {
      refused.push(...grown.lags.filter(lag => !heard?.includes(lag)))
      grown = heard.length > burst.lags.length ? settle(stations, air, height, burst.solution, heard) : null
      heard = grown && heardRounds(grown)
    }
    return grown && grown.score > burst.score ? { ...grown, lags: exactLags(grown) } : null
  }
  const isRefused = (lag: number) => refused.some(other => Math.abs(other - lag) < echoTolerance)
  let burst = start
  for (let turn = 0; turn < mostTurns; turn++) {
    const lags = furtherLags(stations, burst).filter(lag => !isRefused(lag))
    if (lags.length === 0) break
    let grown = grow(burst, [...burst.lags, ...lags])
    const first = lags.find(lag => !isRefused(lag))
    if (!grown && lags.length > 1 && first !== undefined) grown = grow(burst, [...burst.lags, first])
    if (!grown) break
    burst = grown
  }
  return burst
}
