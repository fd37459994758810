import type { Arrival } from '../acoustics/arrival.js'
import { type GeodeticPosition, TangentPlane } from '../acoustics/geodesy.js'
import type { GunfireRevision, ReportedShot } from '../acoustics/incident.js'
import type { RecordingSet } from './recording-set.js'
import type { HeardGateway } from './replay-recorder.js'
import { distanceToTruth } from './replay-table.js'
import { element, type Markup, text } from './svg.js'

/** Of Okabe and Ito's colours for every kind of sight, those that are dark enough for white figures, some made darker. */
const colours = ['#0072b2', '#c44e00', '#00795a', '#a3457f', '#6b5a00', '#4b4b9d'] as const
export const ink = '#1b2430'
export const faint = '#6b7480'
export const rule = '#c9ced6'
/** The colour of the map's ground, and letters' edge in it. */
export const paper = '#fafaf7'
export const halo = { 'paint-order': 'stroke', stroke: paper, 'stroke-width': 3, 'stroke-linejoin': 'round' } as const

/** Metres east and north of the map's origin. */
export interface Spot {
  readonly east: number
  readonly north: number
}

/** A shot with the number and the colour that it has everywhere in the picture. */
export interface NumberedShot {
  readonly number: number
  readonly colour: string
  readonly incident: string
  readonly shot: ReportedShot
  readonly spot: Spot | null
  /** Metres from the nearest true shot. */
  readonly fromTruth: number | null
}

/** Shots so near to one another that the map cannot show them apart. */
export type Cluster = readonly NumberedShot[]

export interface MappedGateway extends HeardGateway {
  readonly spot: Spot
}

/** All that the picture shows. */
export interface Scene {
  readonly set: RecordingSet
  readonly gateways: readonly MappedGateway[]
  readonly incidents: readonly GunfireRevision[]
  readonly shots: readonly NumberedShot[]
  readonly truth: readonly Spot[]
  /** Where other sounds really were. */
  readonly others: readonly (Spot & { readonly kind: string })[]
  /** Shots by the id of the arrivals that they explain. */
  readonly shotOfArrival: ReadonlyMap<string, NumberedShot>
  readonly arrivals: ReadonlyMap<string, Arrival>
}

/** Numbers the shots of the last revisions by time and puts everything on one plane. */
export function sceneOf(
  set: RecordingSet,
  revisions: readonly GunfireRevision[],
  heard: readonly HeardGateway[],
): Scene {
  const plane = new TangentPlane(set.gateways[0]?.position ?? { latitude: 0, longitude: 0, altitude: 0 })
  const spotOf = (position: GeodeticPosition): Spot => plane.toLocal(position)
  const last = new Map(revisions.map(revision => [revision.incident, revision]))
  const incidents = [...last.values()].filter(({ state, shots }) => state !== 'withdrawn' && shots.length > 0)
  incidents.sort((a, b) => startOf(a) - startOf(b))
  const timed = incidents.flatMap(({ incident, shots }) => shots.map(shot => ({ incident, shot })))
  timed.sort((a, b) => a.shot.time - b.shot.time)
  const shots = timed.map(({ incident, shot }, index) => ({
    number: index + 1,
    colour: colours[index % colours.length] ?? ink,
    incident,
    shot,
    spot: shot.position === null ? null : spotOf(shot.position),
    fromTruth: distanceToTruth(shot, set.truth),
  }))
  return {
    set,
    gateways: heard.map(each => ({ ...each, spot: spotOf(each.gateway.position) })),
    incidents,
    shots,
    truth: set.truth.map(({ position }) => spotOf(position)),
    others: set.others.map(({ position, kind }) => ({ ...spotOf(position), kind })),
    shotOfArrival: new Map(shots.flatMap(each => each.shot.arrivals.map(({ id }) => [id, each] as const))),
    arrivals: new Map(heard.flatMap(({ arrivals }) => arrivals.map(arrival => [arrival.id, arrival] as const))),
  }
}

function startOf({ shots }: GunfireRevision): number {
  return Math.min(...shots.map(({ time }) => time))
}

/** Gathers shots that lie within `reach` metres of the first of their cluster. */
export function clustersOf(shots: readonly NumberedShot[], reach: number): Cluster[] {
  const clusters: NumberedShot[][] = []
  for (const shot of shots) {
    if (shot.spot === null) continue
    const { spot } = shot
    const near = clusters.find(([first]) => first?.spot != null && distance(first.spot, spot) <= reach)
    if (near === undefined) clusters.push([shot])
    else near.push(shot)
  }
  return clusters
}

/** The middle of a cluster's shots. */
export function middleOf(cluster: Cluster): Spot {
  const spots = cluster.flatMap(({ spot }) => spot ?? [])
  const mean = (of: (spot: Spot) => number): number => spots.reduce((sum, spot) => sum + of(spot), 0) / spots.length
  return { east: mean(({ east }) => east), north: mean(({ north }) => north) }
}

export function distance(a: Spot, b: Spot): number {
  return Math.hypot(a.east - b.east, a.north - b.north)
}

/** "1, 2 and 5–9": the numbers of shots as a person says them. */
export function numbersOf(shots: readonly NumberedShot[]): string {
  const runs: [number, number][] = []
  for (const { number } of shots) {
    const run = runs.at(-1)
    if (run !== undefined && run[1] === number - 1) run[1] = number
    else runs.push([number, number])
  }
  const words = runs.map(([from, to]) =>
    from === to ? `${from}` : to === from + 1 ? `${from}, ${to}` : `${from}–${to}`,
  )
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}

/** The least of 1, 2, 5, 10, 20 … (and below: 0.5, 0.2 …) that is not below `value`. */
export function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 5, 10].map(step => step * power).find(step => step >= value * (1 - 1e-9)) ?? value
}

/** A shot's number in its colour, the middle at (x, y). */
export function badge(x: number, y: number, { number, colour }: NumberedShot): Markup[] {
  const width = 11 + 7 * `${number}`.length
  return [
    element('rect', { x: x - width / 2, y: y - 9, width, height: 18, rx: 9, fill: colour, stroke: '#fff' }),
    text(x, y + 4.2, `${number}`, { 'text-anchor': 'middle', 'font-size': 12, 'font-weight': 'bold', fill: '#fff' }),
  ]
}

/** The mark of a true place: an upright cross with a white edge. */
export function truthCross(x: number, y: number, size = 7): Markup[] {
  const d = `M${x - size},${y - size} l${2 * size},${2 * size} m0,${-2 * size} l${-2 * size},${2 * size}`
  return [
    element('path', { d, stroke: '#fff', 'stroke-width': 5, fill: 'none' }),
    element('path', { d, stroke: ink, 'stroke-width': 2, fill: 'none' }),
  ]
}

/** The mark of another sound's true place: a hollow square. */
export function otherMark(x: number, y: number): Markup {
  return element('rect', { x: x - 5, y: y - 5, width: 10, height: 10, fill: '#fff', stroke: ink, 'stroke-width': 1.6 })
}

/** A gateway's mark: a triangle, hollow where it gave no sound. */
export function gatewayMark(x: number, y: number, heard: boolean): Markup {
  return element('path', {
    d: `M${(x - 8).toFixed(1)},${(y + 6).toFixed(1)} l8,-14 l8,14 z`,
    fill: heard ? ink : '#fff',
    stroke: heard ? '#fff' : ink,
    'stroke-width': 1.5,
  })
}
