import type { Bearing } from '../acoustics/arrival.js'
import { Ground } from './plot-ground.js'
import { type Box, LabelRoom, shortened, textWidth } from './plot-labels.js'
import {
  badge,
  type Cluster,
  clustersOf,
  distance,
  faint,
  gatewayMark,
  halo,
  ink,
  type MappedGateway,
  middleOf,
  type NumberedShot,
  numbersOf,
  otherMark,
  type Scene,
  truthCross,
} from './plot-shots.js'
import { element, group, hint, line, type Markup, text } from './svg.js'

/** Shots nearer to one another than this on the page are a cluster, page units. */
const clusterReach = 16
/** Clusters of more shots share one line to each gateway. */
const shownApart = 4
/** A gateway shows its residuals in two rows of so many; of more, only their spread. */
const residualsInRow = 3
/** Where there is no place a ray leaves the map, page units. */
const rayLength = 1500
/** A ring about a gateway bears no more numbers of shots. */
const numbersAtRing = 6

/** The map: gateways, shots with ellipses, true places, lines to the gateways that heard each shot, rays of bearings. */
export function drawMap(scene: Scene, box: Box): { markup: Markup; clusters: Cluster[]; ground: Ground } {
  const ground = groundOf(scene, box)
  const clusters = clustersOf(scene.shots, clusterReach / ground.scale)
  const room = new LabelRoom({ x: box.x + 4, y: box.y + 4, width: box.width - 8, height: box.height - 8 })
  room.take({ x: box.x + box.width - 60, y: box.y, width: 60, height: 70 }, 20)
  room.take({ x: box.x, y: box.y + box.height - 44, width: 170, height: 44 }, 20)
  for (const { spot } of scene.gateways) {
    room.take({ x: ground.x(spot) - 10, y: ground.y(spot) - 10, width: 20, height: 18 }, 2)
  }
  const lines = clusters.flatMap(cluster => linesOf(cluster, scene, ground, room))
  const inside = [
    ...ground.paper(),
    ...raysOf(scene, ground, room),
    ...lines,
    ...clusters.flatMap(cluster => ellipsesOf(cluster, ground)),
    ...ringsOf(scene, ground, room),
    ...scene.others.flatMap(spot => othersOf(spot, ground, room)),
    ...scene.truth.flatMap(spot => truthCross(ground.x(spot), ground.y(spot))),
    ...clusters.flatMap(cluster => pointOf(cluster, ground, room)),
    ...scene.gateways.map(({ spot, channels }) => gatewayMark(ground.x(spot), ground.y(spot), channels.length > 0)),
    ...scene.gateways.map(gateway => labelOf(gateway, scene, ground, room)),
    northArrow(box.x + box.width - 30, box.y + 36),
    ground.scaleBar(box.x + 18, box.y + box.height - 16),
  ]
  const { x, y, width, height } = box
  const markup = group({ id: 'map' }, [
    element('clipPath', { id: 'map-edge' }, element('rect', { x, y, width, height })),
    group({ 'clip-path': 'url(#map-edge)' }, inside),
    ground.frame(),
  ])
  return { markup, clusters, ground }
}

/** Everything that has a place is on the map; of an ellipse, as much as the rest leaves room for. */
function groundOf({ gateways, shots, truth, others }: Scene, box: Box): Ground {
  const found = shots.flatMap(({ spot }) => spot ?? [])
  const spots = [...gateways.map(({ spot }) => spot), ...found, ...truth, ...others]
  const [first = { east: 0, north: 0 }] = spots
  const extent = Math.max(100, ...spots.map(spot => distance(spot, first)))
  const edges = shots.flatMap(({ spot, shot }) => {
    const reach = Math.min(extent / 2, shot.uncertainty?.semiMajor ?? 0)
    return spot === null ? [] : [-reach, reach].map(by => ({ east: spot.east + by, north: spot.north + by }))
  })
  return Ground.around(box, [...spots, ...edges], 64, 120)
}

/** The true place of another sound and what it is. */
function othersOf(spot: Scene['others'][number], ground: Ground, room: LabelRoom): Markup[] {
  const [x, y] = [ground.x(spot), ground.y(spot)]
  room.take({ x: x - 6, y: y - 6, width: 12, height: 12 }, 1)
  const place = room.place(x, y, textWidth(spot.kind, 11) + 4, 14, 12)
  return [otherMark(x, y), text(place.x + 2, place.y + 11, spot.kind, { 'font-size': 11, fill: ink, ...halo })]
}

/** Thin lines from each shot to the gateways whose arrivals it used, side by side. */
function linesOf(cluster: Cluster, scene: Scene, ground: Ground, room: LabelRoom): Markup[] {
  const middle = middleOf(cluster)
  return scene.gateways.flatMap(({ gateway, spot }) => {
    const users = cluster.filter(({ shot }) => shot.arrivals.some(arrival => arrival.gateway === gateway.id))
    if (users.length === 0) return []
    const [x2, y2] = [ground.x(spot), ground.y(spot)]
    room.takeLine(ground.x(middle), ground.y(middle), x2, y2)
    const apart = users.length <= shownApart ? users : users.slice(0, 1)
    return apart.map((user, index) => {
      const from = user.spot ?? middle
      const [x1, y1] = [ground.x(from), ground.y(from)]
      const aside = (2.2 * (index - (apart.length - 1) / 2)) / Math.max(1, Math.hypot(x2 - x1, y2 - y1))
      const [dx, dy] = [aside * (y1 - y2), aside * (x2 - x1)]
      const stroke = apart.length === users.length ? user.colour : faint
      return line(x1 + dx, y1 + dy, x2 + dx, y2 + dy, { stroke, 'stroke-width': 0.9, 'stroke-opacity': 0.75 })
    })
  })
}

function ellipsesOf(cluster: Cluster, ground: Ground): Markup[] {
  return cluster.flatMap((shot, index) => ground.ellipse(shot, index, cluster.length))
}

function pointOf(cluster: Cluster, ground: Ground, room: LabelRoom): Markup[] {
  const middle = middleOf(cluster)
  const [x, y] = [ground.x(middle), ground.y(middle)]
  for (const { shot } of cluster) {
    const reach = Math.max(8, Math.min(60, (shot.uncertainty?.semiMajor ?? 0) * ground.scale))
    room.take({ x: x - reach, y: y - reach, width: 2 * reach, height: 2 * reach }, 1 / cluster.length)
  }
  const shown = cluster.length <= 6 ? cluster : []
  const words = shortened(`shots ${numbersOf(cluster)}`, 30)
  const width = shown.length > 0 ? 24 * shown.length : textWidth(words, 12) + 14
  const place = room.place(x, y, width, 20, 22)
  const [left, level] = [place.x, place.y + 10]
  const joint = Math.min(Math.max(x, left + 6), left + width - 6)
  const marks = [
    line(x, y, joint, level, { stroke: ink, 'stroke-width': 1 }),
    element('circle', { cx: x, cy: y, r: 3, fill: ink, stroke: '#fff' }),
    ...shown.flatMap((shot, index) => badge(left + 12 + 24 * index, level, shot)),
  ]
  if (shown.length === 0) {
    marks.push(
      element('rect', { x: left, y: level - 10, width, height: 20, rx: 10, fill: ink, stroke: '#fff' }),
      text(left + width / 2, level + 4, words, {
        'text-anchor': 'middle',
        'font-size': 12,
        'font-weight': 'bold',
        fill: '#fff',
      }),
    )
  }
  return marks
}

/** Of shots without a place: a ring about each gateway that heard any, and their numbers beside it. */
function ringsOf(scene: Scene, ground: Ground, room: LabelRoom): Markup[] {
  return scene.gateways.flatMap(({ gateway, spot }) => {
    const heard = scene.shots.filter(
      shot => shot.spot === null && shot.shot.arrivals.some(arrival => arrival.gateway === gateway.id),
    )
    const [first] = heard
    if (first === undefined) return []
    const [x, y] = [ground.x(spot), ground.y(spot)]
    const shown = heard.slice(0, numbersAtRing)
    room.take({ x: x - 17, y: y - 17, width: 34, height: 34 }, 2)
    room.take({ x: x + 3, y: y - 25, width: 24 * shown.length, height: 20 }, 2)
    const ring = { cx: x, cy: y - 1, r: 15, fill: 'none', stroke: first.colour, 'stroke-width': 2 }
    return [element('circle', ring), ...shown.flatMap((shot, index) => badge(x + 15 + 23 * index, y - 15, shot))]
  })
}

/** Directions that arrays gave of the sounds a shot was made of, with one standard deviation to both sides. */
function raysOf(scene: Scene, ground: Ground, room: LabelRoom): Markup[] {
  return scene.shots.flatMap(numbered => {
    const { shot, spot, colour, number } = numbered
    return shot.arrivals.flatMap(({ id, gateway }) => {
      const bearing = scene.arrivals.get(id)?.bearing ?? (spot === null ? shot.bearing : null)
      const from = scene.gateways.find(each => each.gateway.id === gateway)
      if (bearing === null || from === undefined) return []
      const length = spot === null ? rayLength : 1.12 * distance(from.spot, spot) * ground.scale + 12
      const [x, y] = [ground.x(from.spot), ground.y(from.spot)]
      const end = (azimuth: number): [number, number] => {
        const angle = (azimuth * Math.PI) / 180
        return [x + length * Math.sin(angle), y - length * Math.cos(angle)]
      }
      room.takeLine(x, y, ...end(bearing.azimuth))
      return [ray(bearing, [x, y], end, colour, `${gateway}, shot ${number}: ${degrees(bearing)}`)]
    })
  })
}

function ray(
  bearing: Bearing,
  [x, y]: readonly [number, number],
  end: (azimuth: number) => [number, number],
  colour: string,
  words: string,
): Markup {
  const error = Math.min(90, bearing.error)
  const corners = [-error, 0, error].map(by => end(bearing.azimuth + by).map(value => value.toFixed(1)))
  const points = [`${x.toFixed(1)},${y.toFixed(1)}`, ...corners.map(corner => corner.join(','))].join(' ')
  return group({}, [
    hint(words),
    element('polygon', { points, fill: colour, 'fill-opacity': 0.1 }),
    line(x, y, ...end(bearing.azimuth), { stroke: colour, 'stroke-width': 1.2, 'stroke-dasharray': '7 4' }),
  ])
}

function degrees({ azimuth, error }: Bearing): string {
  return `bearing ${azimuth.toFixed(0)}° ± ${error < 9.95 ? error.toFixed(1) : error.toFixed(0)}°`
}

/** A gateway's name, and by how much each shot's sound came later there than the shot's place and time say. */
function labelOf({ gateway, spot, channels }: MappedGateway, scene: Scene, ground: Ground, room: LabelRoom): Markup {
  const used = scene.shots.flatMap(shot =>
    shot.shot.arrivals.filter(arrival => arrival.gateway === gateway.id).map(arrival => ({ shot, arrival })),
  )
  const bearings = used.flatMap(({ arrival }) => scene.arrivals.get(arrival.id)?.bearing ?? [])
  const [best] = bearings.toSorted((a, b) => a.error - b.error)
  const rows: Words[][] = [[{ words: shortened(gateway.id, 24), fill: ink }], ...residualsOf(used)]
  if (best !== undefined) rows.push([{ words: degrees(best), fill: faint }])
  if (channels.length === 0) rows.push([{ words: 'no sound', fill: faint }])
  const shown = rows.filter(row => row.length > 0)
  const width = Math.max(
    ...shown.map((row, index) => textWidth(row.map(({ words }) => words).join('  '), sizeOf(index))),
  )
  const place = room.place(ground.x(spot), ground.y(spot) - 1, width + 4, 4 + 14 * shown.length, 12)
  // Words lie at the side of their box that is next to the mark.
  const aside = place.x + place.width / 2 - ground.x(spot)
  const [anchor, x] =
    aside < -12
      ? (['end', place.x + place.width] as const)
      : aside > 12
        ? (['start', place.x] as const)
        : (['middle', place.x + place.width / 2] as const)
  const written = shown.map((row, index) =>
    element(
      'text',
      { x, y: place.y + 13 + 14 * index, 'text-anchor': anchor, 'font-size': sizeOf(index), ...halo },
      ...row.map(({ words, fill }, at) =>
        element('tspan', { fill, dx: at === 0 ? null : 6, 'font-weight': fill === faint ? null : 'bold' }, words),
      ),
    ),
  )
  return group({ class: 'gateway' }, [hint(`gateway ${gateway.id}`), ...written])
}

interface Words {
  readonly words: string
  readonly fill: string
}

/** The name is larger than what stands below it. */
function sizeOf(row: number): number {
  return row === 0 ? 13 : 11
}

function residualsOf(
  used: readonly { readonly shot: NumberedShot; readonly arrival: { readonly residual: number } }[],
): Words[][] {
  const placed = used.filter(({ shot }) => shot.spot !== null)
  if (placed.length === 0) return []
  if (placed.length > 2 * residualsInRow) {
    const spread = Math.sqrt(placed.reduce((sum, { arrival }) => sum + arrival.residual ** 2, 0) / placed.length)
    return [[{ words: `± ${(spread * 1000).toFixed(1)} ms, ${placed.length} shots`, fill: faint }]]
  }
  const each = placed.map(({ shot, arrival }) => ({
    words: `${shot.number}: ${signed(arrival.residual * 1000)}`,
    fill: shot.colour,
  }))
  const unit = { words: 'ms', fill: faint }
  if (each.length <= residualsInRow) return [[...each, unit]]
  return [each.slice(0, residualsInRow), [...each.slice(residualsInRow), unit]]
}

function signed(value: number): string {
  const words = Math.abs(value).toFixed(1)
  return words === '0.0' ? words : `${value < 0 ? '−' : '+'}${words}`
}

function northArrow(x: number, y: number): Markup {
  return group({}, [
    element('path', { d: `M${x},${y - 20} l7,28 l-7,-6 l-7,6 z`, fill: ink }),
    text(x, y + 24, 'N', { 'text-anchor': 'middle', 'font-size': 13, 'font-weight': 'bold' }),
  ])
}
