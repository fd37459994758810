import type { LocatedShot } from '../gateway/acoustics/arrival.js'
import { locateShots } from '../gateway/acoustics/locate.js'
import { type Trial, type TrialSettings, trials } from './simulator/arrivals.js'
import { type GeometryClass, geometryClasses } from './simulator/placements.js'

/*
 * Whether ellipses hold what they promise: simulated shots by class of geometry. Of the shots reported, 92 to 98 % should lie
 * inside their 95 % ellipse in every class. Arrivals err by about ±12 ms, late more than early, as on the live-fire recordings;
 * one gateway in fourteen hears only an echo (on the recordings 8 of 480 did). With --harsh one in six does, and nobody knows
 * the wind: the locator does not allow for so many echoes, and its ellipses are then too small.
 *
 *   node dist/scripts/calibration.js [--trials N] [--seed N] [--harsh] [--json]
 */

/** Chi-squared with two degrees of freedom: 95 % of a plane Gaussian lies within this squared Mahalanobis distance. */
const chiSquared95 = 5.991464547107979
const lowest = 0.92
const highest = 0.98
/** A place further off than this is a false one, metres. */
const falseDistance = 100

/** Gateways are told the wind, as they are on the recordings. */
const surroundings: Partial<TrialSettings> = process.argv.includes('--harsh')
  ? {}
  : { shadowed: 0, echoes: 0.2, windKnown: true }

interface ClassResult {
  readonly geometry: GeometryClass
  readonly gateways: number
  readonly fired: number
  readonly reported: number
  readonly inside: number
  readonly falsePlaces: number
  /** Metres. */
  readonly medianError: number
  readonly medianRadius: number
}

/** The square of how many standard deviations the truth is off, and metres. */
function deviation({ covariance, position }: LocatedShot, truth: { readonly east: number; readonly north: number }) {
  const [[ee, en], [, nn]] = covariance
  const [east, north] = [truth.east - position.east, truth.north - position.north]
  return {
    square: (nn * east * east - 2 * en * east * north + ee * north * north) / (ee * nn - en * en),
    metres: Math.hypot(east, north),
    radius: Math.sqrt(chiSquared95 * Math.sqrt(ee * nn - en * en)),
  }
}

/** Of each burst one shot, since all its rounds share one place: the first that is reported. */
function judge(trial: Trial): ReturnType<typeof deviation> | null {
  const [shot] = locateShots(trial)
  const [truth] = trial.truth.shots
  return shot && truth ? deviation(shot, truth.position) : null
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}

function measure(seed: number, count: number, settings: Pick<TrialSettings, 'geometry' | 'gateways'>): ClassResult {
  const bursts = [...trials(seed, count, { ...surroundings, ...settings, rounds: 2 })].map(judge)
  const reported = bursts.flatMap(burst => burst ?? [])
  return {
    ...settings,
    fired: count,
    reported: reported.length,
    inside: reported.filter(({ square }) => square <= chiSquared95).length / reported.length,
    falsePlaces: reported.filter(({ metres }) => metres > falseDistance).length,
    medianError: median(reported.map(({ metres }) => metres)),
    medianRadius: median(reported.map(({ radius }) => radius)),
  }
}

function option(name: string, fallback: number): number {
  const at = process.argv.indexOf(name)
  const value = at < 0 ? fallback : Number(process.argv[at + 1])
  if (!Number.isInteger(value) || value < 1) throw new RangeError(`${name} needs a whole number from 1`)
  return value
}

const count = option('--trials', 400)
const seed = option('--seed', 17)
const results = [3, 6, 12].flatMap(gateways =>
  geometryClasses.map(geometry => measure(seed, count, { geometry, gateways })),
)
const held = results.every(({ inside }) => inside >= lowest && inside <= highest)
if (process.argv.includes('--json')) console.log(JSON.stringify({ seed, lowest, highest, held, classes: results }))
else {
  console.log('simulated: gateways  source    fired  reported  in 95 % ellipse  error m  radius m  over 100 m off')
  for (const { gateways, geometry, fired, reported, inside, medianError, medianRadius, falsePlaces } of results)
    console.log(
      [
        String(gateways).padStart(19),
        ` ${geometry.padEnd(8)}`,
        String(fired).padStart(6),
        String(reported).padStart(9),
        `${(100 * inside).toFixed(1)} %`.padStart(16),
        medianError.toFixed(1).padStart(8),
        medianRadius.toFixed(1).padStart(9),
        String(falsePlaces).padStart(15),
      ].join(' '),
    )
  console.log(held ? 'Every class is within 92 to 98 %.' : 'Not every class is within 92 to 98 %.')
}
process.exitCode = held ? 0 : 1
