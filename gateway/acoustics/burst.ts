import { repeatEvidence, type Station } from './evidence.js'
import type { Air } from './propagation.js'
import { firstAfter, type Seed } from './seeds.js'
import { assumedHeight, type Solution, solve } from './solve.js'
import { associate, lagTolerance, repeatHeard, repeatUnheard, roundPrice, type Source, type Track } from './tracks.js'

/** Rounds of one burst lie at least and at most this far apart, seconds. */
const leastLag = 0.07
const mostLag = 5
const mostRounds = 40
/** A place needs so many arrivals that may have come straight. */
const fewestDirect = 3
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

/** Rounds that at least half of the stations heard that heard any: what only some heard is an echo. */
function heardRounds(burst: Burst): number[] {
  const enough = Math.max(2, burst.tracks.length / 2)
  return burst.lags.filter((_, round) => burst.tracks.filter(({ picks }) => picks[round]).length >= enough)
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

/** A burst of one round, from a first guess. */
export function startBurst(stations: readonly Station[], air: Air, seed: Seed): Burst | null {
  const height = assumedHeight(stations)
  return settle(stations, air, height, { ...seed, up: height }, [0])
}

/** Adds every round that shows the same pattern at one common lag. */
export function growBurst(stations: readonly Station[], air: Air, start: Burst): Burst {
  const height = assumedHeight(stations)
  const grow = (burst: Burst, lags: readonly number[]): Burst | null => {
    let grown = settle(stations, air, height, burst.solution, lags)
    for (let heard = grown && heardRounds(grown); grown && heard && heard.length < grown.lags.length; ) {
      grown = heard.length > burst.lags.length ? settle(stations, air, height, burst.solution, heard) : null
      heard = grown && heardRounds(grown)
    }
    return grown && grown.score > burst.score ? { ...grown, lags: exactLags(grown) } : null
  }
  let burst = start
  for (let turn = 0; turn < mostTurns; turn++) {
    const lags = furtherLags(stations, burst)
    if (lags.length === 0) break
    const grown =
      grow(burst, [...burst.lags, ...lags]) ?? (lags.length > 1 ? grow(burst, [...burst.lags, lags[0]!]) : null)
    if (!grown) break
    burst = grown
  }
  return burst
}
