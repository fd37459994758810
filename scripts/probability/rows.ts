import type { Arrival, GatewayPlace, LocatedShot } from '../../gateway/acoustics/arrival.js'
import { roundsOf } from '../../gateway/acoustics/incident.js'
import { locateShots } from '../../gateway/acoustics/locate.js'
import { type Evidence, evidenceOf } from '../../gateway/acoustics/probability.js'
import { airOf } from '../../gateway/acoustics/propagation.js'
import { unexplainedOnsets } from '../../gateway/acoustics/sounds.js'
import type { HeardStep } from '../simulator/day-network.js'
import type { Scene } from '../simulator/scene.js'

/** What a located shot of a simulated scene looks like to its gateways, and what it was. */
export interface LocatedRow {
  /** As it is judged: together with the other rounds from its place. */
  readonly evidence: Evidence
  /** By its own arrivals alone. */
  readonly single: Evidence
  /** Whether a gun or a firework went off about then, a gun did, and either of them where the shot was placed. */
  readonly blast: boolean
  readonly gun: boolean
  readonly placed: boolean
}

/** Stretches of this length are solved at once, and so much before and after each is known, seconds. */
const hop = 6
const margin = 5
/** Sound of a discharge so long ago, or so far off, is not its sound, seconds and metres; as in the score of a simulated day. */
const sameTime = 0.5
const samePlace = 100

/**
 * Every shot that the locator finds in what gateways heard of a scene, each stretch of time solved once with all that was heard
 * around it; what hearing keeps from the hub is among them.
 */
export function locatedRows(scene: Scene, steps: Iterable<HeardStep>): LocatedRow[] {
  const places = new Map<string, GatewayPlace>(
    scene.gateways.map(({ id, statedPosition, positionError }) => [
      id,
      { gateway: id, position: statedPosition, positionError },
    ]),
  )
  const arrivals: Arrival[] = []
  const seconds = new Set<number>()
  for (const step of steps) {
    seconds.add(Math.floor(step.seconds / hop))
    for (const { arrivals: heard } of step.heard) arrivals.push(...heard.filter(({ shockWave }) => shockWave !== true))
  }
  const rows: LocatedRow[] = []
  for (const index of seconds) {
    const from = scene.start + hop * index
    const pool = arrivals.filter(({ time }) => time > from - margin && time < from + hop + margin)
    if (pool.length === 0) continue
    const heardUntil = new Map([...places.keys()].map(gateway => [gateway, from + hop + margin]))
    const located = locateShots({ arrivals: pool, places, heardUntil, weather: scene.statedWeather })
    for (const shot of located) {
      if (shot.time < from || shot.time >= from + hop) continue
      const unexplained = unexplainedOnsets(shot, located, pool, places, airOf(scene.statedWeather))
      const [single, evidence] = [[shot], roundsOf(shot, located)].map(rounds => {
        const ids = new Set(rounds.flatMap(({ arrivals: own }) => own.map(({ id }) => id)))
        return evidenceOf(
          pool.filter(({ id }) => ids.has(id)),
          { located: shot, unexplained },
        )
      })
      if (single && evidence) rows.push({ evidence, single, ...truthOf(scene, shot) })
    }
  }
  return rows
}

function truthOf(scene: Scene, { time, position }: LocatedShot): Omit<LocatedRow, 'evidence' | 'single'> {
  const blasts = scene.sources.filter(
    source => (source.kind === 'gun' || source.kind === 'firework') && Math.abs(source.time - time) <= sameTime,
  )
  const here = blasts.filter(
    ({ position: { east, north } }) => Math.hypot(east - position.east, north - position.north) <= samePlace,
  )
  const meant = here.length > 0 ? here : blasts
  return { blast: blasts.length > 0, gun: meant.some(({ kind }) => kind === 'gun'), placed: here.length > 0 }
}
