import type { Burst } from './burst.js'
import { type Candidate, candidatesOf, type Station } from './evidence.js'
import type { Air } from './propagation.js'
import type { Track } from './tracks.js'

/** What follows an arrival of a known shot within this time may be its echo, seconds. */
const echoSeconds = 1
/** Two bursts have the same rhythm, two echoes the same delay, when they agree to this, seconds. */
const rhythmTolerance = 0.004
/** A sound counts as louder than another from so many decibel. */
const louderBy = 1

/**
 * Whether a burst is another one's sound come back from somewhere: everywhere it was heard, one arrival of the other came
 * shortly before it, and either it has the other's rhythm or it was nowhere louder.
 */
export function isEcho(burst: Burst, earlier: Burst): boolean {
  let louder = false
  for (const { station, time, lead } of burst.tracks) {
    const before = earlier.tracks.find(track => track.station.gateway === station.gateway)
    const blast = before?.picks.findLast(pick => pick && pick.time < time && time < pick.time + echoSeconds)
    if (!blast) return false
    if (lead.arrival.soundLevel > blast.arrival.soundLevel + louderBy) louder = true
  }
  return !louder || (burst.lags.length > 1 && hasRhythm(burst.lags, earlier.lags))
}

/** Whether lags repeat others a constant time later. */
function hasRhythm(lags: readonly number[], others: readonly number[]): boolean {
  return others.some(start =>
    lags.every(lag => others.some(other => Math.abs(other - start - (lag - lags[0]!)) < rhythmTolerance)),
  )
}

/** What is left when bursts are explained: their arrivals and repeated echoes are gone, what follows may be echoes. */
export function without(stations: readonly Station[], known: readonly Burst[], air: Air): Station[] {
  return stations.map(station => {
    const tracks = known.flatMap(burst => burst.tracks.filter(track => track.station.gateway === station.gateway))
    if (tracks.length === 0) return station
    const gone = new Set<Candidate>()
    for (const track of tracks) for (const candidate of echoesOf(track, station.candidates)) gone.add(candidate)
    const left = station.candidates.flatMap(candidate => (gone.has(candidate) ? [] : [candidate.arrival]))
    const blasts = tracks.flatMap(({ picks }) => picks.flatMap(pick => pick?.time ?? []))
    return { ...station, candidates: candidatesOf(left, station.positionError, air, station.rippleRate, blasts) }
  })
}

/** A track's own picks, and the candidates that follow two of them by the same time: a gun's rounds echo alike. */
function echoesOf(track: Track, candidates: readonly Candidate[]): Candidate[] {
  const picks = track.picks.filter(pick => pick !== null)
  const delays = picks.map(pick => candidates.map(({ time }) => time - pick.time))
  const isDelay = (delay: number, round: number) =>
    delay > 0 && delay < echoSeconds && delays[round]!.some(other => Math.abs(other - delay) < rhythmTolerance)
  return candidates.filter(
    (candidate, i) =>
      picks.some(pick => pick.arrival.id === candidate.arrival.id) ||
      picks.some((_, round) => picks.some((_, other) => other !== round && isDelay(delays[round]![i]!, other))),
  )
}
