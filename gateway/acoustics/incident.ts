import type { Arrival, Bearing, LocatedShot, SourceRange } from './arrival.js'
import { ellipse95, type UncertaintyEllipse } from './ellipse.js'
import type { GeodeticPosition, TangentPlane } from './geodesy.js'
import { combinedClasses, gunshotProbability, type NamedSound, named, type Support } from './probability.js'

export type IncidentState = 'provisional' | 'updated' | 'final' | 'withdrawn'
/** Best first. */
export const incidentQualities = ['located', 'bearing', 'heard'] as const
export type IncidentQuality = (typeof incidentQualities)[number]

/** One discharge as the hub is told of it. */
export interface ReportedShot {
  readonly time: number
  readonly timeError: number
  readonly probability: number
  /** What it sounds like to all that heard it together; null where nobody could judge. */
  readonly sound: NamedSound | null
  readonly position: GeodeticPosition | null
  /** One standard deviation of the height in `position`, metres; null where that was only assumed. */
  readonly heightError: number | null
  readonly uncertainty: UncertaintyEllipse | null
  /** Whether the position would be found without any one gateway; null without a position. */
  readonly corroborated: boolean | null
  readonly bearing: Bearing | null
  /** Of the gun from the gateway that the bearing is from. */
  readonly range: SourceRange | null
  readonly arrivals: readonly {
    readonly id: string
    readonly gateway: string
    readonly time: number
    readonly error: number
    readonly residual: number
    readonly soundLevel: number
  }[]
}

/** One revision of an incident, ready to be told to the hub. */
export interface GunfireRevision {
  readonly incident: string
  readonly revision: number
  readonly state: IncidentState
  readonly mergedInto: string | null
  readonly quality: IncidentQuality
  readonly shots: readonly ReportedShot[]
}

/** What a reporter tells its neighbours beside each revision, so that nobody else reports the same arrivals. */
export interface Claim {
  readonly incident: string
  readonly reporter: string
  readonly revision: number
  readonly state: IncidentState
  readonly quality: IncidentQuality
  readonly time: number
  readonly earliest: { readonly id: string; readonly time: number }
  readonly arrivals: readonly string[]
}

/** A shot with the arrivals it was made of, kept while its incident is open. */
export interface SupportedShot {
  readonly located: LocatedShot | null
  readonly arrivals: readonly Arrival[]
  /** Of the earliest arrival for a shot without a position. */
  readonly time: number
  /** Onsets around its own that no place explains, a gateway; none counted for a shot without a position. */
  readonly unexplained?: number
  /** Arrivals of all rounds from its place, by which it is judged: what made one made the others. Else its own. */
  readonly judged?: readonly Arrival[]
}

/** A located shot and those that were located with it as rounds from one place. */
export function roundsOf({ position }: LocatedShot, located: readonly LocatedShot[]): LocatedShot[] {
  return located.filter(other => other.position.east === position.east && other.position.north === position.north)
}

/** What bears a shot out besides its sound; null without a position. */
export function supportOf({ located, unexplained }: SupportedShot): Support | null {
  return located && { located, unexplained: unexplained ?? 0 }
}

/** The identifier that an incident gets for life: its earliest arrival's, in a form that fits a topic. */
export function incidentIdentifier(earliest: Arrival): string {
  return earliest.id.replaceAll('/', '-')
}

/** The earliest of all arrivals in the shots; shots are never empty. */
export function earliestArrival(shots: readonly SupportedShot[]): Arrival | undefined {
  let earliest: Arrival | undefined
  for (const shot of shots) {
    for (const arrival of shot.arrivals) if (earliest === undefined || arrival.time < earliest.time) earliest = arrival
  }
  return earliest
}

/** The gateway whose arrival it is, by the arrival's id. */
export function gatewayOf(arrival: string): string {
  return arrival.slice(0, arrival.indexOf('/'))
}

/** Gateways in the order of their earliest arrival: who reports first, and who steps in when nobody claims. */
export function reportingOrder(shots: readonly SupportedShot[]): string[] {
  const first = new Map<string, number>()
  for (const shot of shots) {
    for (const arrival of shot.arrivals) {
      first.set(arrival.gateway, Math.min(first.get(arrival.gateway) ?? Number.POSITIVE_INFINITY, arrival.time))
    }
  }
  return [...first].sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1)).map(([gateway]) => gateway)
}

/** The best that any of the shots can say; a bearing counts from whichever gateway it is. */
export function qualityOf(shots: readonly SupportedShot[]): IncidentQuality {
  if (shots.some(({ located }) => located !== null)) return 'located'
  return shots.some(({ arrivals }) => arrivals.some(({ bearing }) => bearing !== null)) ? 'bearing' : 'heard'
}

/** Metres between two shots, 0 where the place of one is not known. */
export function distance({ located: a }: SupportedShot, { located: b }: SupportedShot): number {
  if (a === null || b === null) return 0
  return Math.hypot(a.position.east - b.position.east, a.position.north - b.position.north)
}

/**
 * Whether a place would still be found if any one gateway were left out: four that only time a sound, or arrays that give as much.
 * Two unknowns take three times, or two and a direction.
 */
function isCorroborated({ arrivals }: SupportedShot): boolean {
  const gateways = new Set(arrivals.map(({ gateway }) => gateway))
  return [...gateways].every(left => {
    const rest = arrivals.filter(({ gateway }) => gateway !== left)
    const directions = new Set(rest.flatMap(({ gateway, bearing }) => (bearing === null ? [] : [gateway])))
    const times = new Set(rest.map(({ gateway }) => gateway)).size
    return times >= 2 && times + directions.size >= 3
  })
}

/** A shot as it is reported; a bearing is as seen from the gateway of the first arrival listed, one with a range if there is one. */
export function reportedShot(shot: SupportedShot, plane: TangentPlane): ReportedShot {
  const { located, arrivals, time } = shot
  const support = supportOf(shot)
  const residuals = new Map(located?.arrivals.map(({ id, residual }) => [id, residual]))
  const [first] = arrivals
  const judged = shot.judged ?? arrivals
  const classes = combinedClasses(judged, support)
  const directed = located === null ? arrivals.filter(({ bearing }) => bearing !== null) : []
  const seen = directed.find(({ range }) => range !== undefined) ?? directed[0]
  const listed = seen === undefined ? arrivals : [seen, ...arrivals.filter(arrival => arrival !== seen)]
  return {
    time: located?.time ?? time,
    timeError: located?.timeError ?? first?.timeError ?? Number.POSITIVE_INFINITY,
    probability: gunshotProbability(judged, support),
    sound: classes && named(classes),
    position: located === null ? null : plane.toGeodetic(located.position),
    heightError: located?.heightError ?? null,
    uncertainty: located === null ? null : ellipse95(located.covariance),
    corroborated: located && isCorroborated(shot),
    bearing: seen?.bearing ?? null,
    range: seen?.range ?? null,
    arrivals: listed.map(arrival => ({
      id: arrival.id,
      gateway: arrival.gateway,
      time: arrival.time,
      error: arrival.timeError,
      residual: residuals.get(arrival.id) ?? 0,
      soundLevel: arrival.soundLevel,
    })),
  }
}
