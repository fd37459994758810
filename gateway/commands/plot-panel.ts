import { Ground, nearestOf } from './plot-ground.js'
import { type Box, shortened } from './plot-labels.js'
import {
  badge,
  type Cluster,
  distance,
  faint,
  gatewayMark,
  halo,
  ink,
  middleOf,
  type NumberedShot,
  numbersOf,
  otherMark,
  type Scene,
  truthCross,
} from './plot-shots.js'
import { element, group, line, type Markup, text } from './svg.js'

/** So many shots are listed and so many clusters shown enlarged; the command's table has them all. */
const mostListed = 8
const mostEnlarged = 4
const rowHeight = 50
const enlargedSize = 172
/** With its title above and its scale below. */
const enlargedPitch = enlargedSize + 58

/** The list of shots beside the map. */
export function drawList(scene: Scene, x: number, y: number): { markup: Markup; height: number } {
  const marks: Markup[] = []
  let at = y
  for (const { incident, quality, shots } of scene.incidents) {
    const own = scene.shots.filter(shot => shot.incident === incident)
    const listed = own.filter(({ number }) => number <= mostListed)
    if (listed.length === 0) continue
    const count = `${shots.length} ${shots.length === 1 ? 'shot' : 'shots'}`
    marks.push(text(x, at + 12, shortened(`Incident ${incident}`, 40), { 'font-size': 13, 'font-weight': 'bold' }))
    marks.push(text(x, at + 28, `${count}, ${quality}`, { 'font-size': 12, fill: faint }))
    at += 40
    for (const shot of listed) {
      marks.push(...rowOf(shot, x, at, scene.truth.length > 0))
      at += rowHeight
    }
    at += 8
  }
  if (scene.shots.length === 0) {
    marks.push(text(x, at + 14, 'No gunfire was found.', { 'font-size': 14, 'font-weight': 'bold' }))
    at += 30
  }
  if (scene.shots.length > mostListed) {
    marks.push(text(x, at + 8, `and ${scene.shots.length - mostListed} more shots`, { 'font-size': 12, fill: faint }))
    at += 22
  }
  return { markup: group({ id: 'shots' }, marks), height: at - y }
}

function rowOf(numbered: NumberedShot, x: number, y: number, hasTruth: boolean): Markup[] {
  const { shot, fromTruth } = numbered
  const { position, uncertainty, bearing } = shot
  const time = new Date(shot.time * 1000).toISOString().slice(11, 23)
  const gateways = new Set(shot.arrivals.map(({ gateway }) => gateway)).size
  const place =
    position !== null
      ? `${position.latitude.toFixed(6)}°, ${position.longitude.toFixed(6)}°`.replaceAll('-', '−')
      : bearing !== null
        ? `bearing ${bearing.azimuth.toFixed(0)}° ± ${bearing.error.toFixed(0)}°`
        : 'heard, no position'
  const facts = [
    ...(uncertainty === null
      ? []
      : [`95 %: ${uncertainty.semiMajor.toFixed(1)} × ${uncertainty.semiMinor.toFixed(1)} m`]),
    `${gateways} ${gateways === 1 ? 'gateway' : 'gateways'}`,
    ...(fromTruth === null || !hasTruth ? [] : [`${fromTruth.toFixed(1)} m from truth`]),
  ]
  const words = { 'font-size': 12, fill: ink }
  return [
    ...badge(x + 12, y + 9, numbered),
    text(x + 34, y + 13, `${time} UTC`, { 'font-size': 13, 'font-weight': 'bold' }),
    text(x + 172, y + 13, `probability ${shot.probability.toFixed(2)}`, words),
    text(x + 34, y + 28, place, words),
    text(x + 34, y + 42, facts.join(' · '), { 'font-size': 11.5, fill: faint }),
  ]
}

/** Enlarged pieces of the map about clusters whose ellipses are too small there. */
export function drawEnlarged(
  scene: Scene,
  clusters: readonly Cluster[],
  map: Ground,
  x: number,
  y: number,
): { markup: Markup; height: number } {
  const small = clusters.filter(cluster => widestOf(cluster) * map.scale < 50).slice(0, mostEnlarged)
  const marks = small.map((cluster, index) => {
    const [column, row] = [index % 2, Math.floor(index / 2)]
    const left = x + column * (enlargedSize + 16)
    return enlarged(scene, cluster, index, left, y + 22 + row * enlargedPitch)
  })
  return { markup: group({ id: 'enlarged' }, marks), height: Math.ceil(small.length / 2) * enlargedPitch }
}

/** Metres of the largest half axis. */
function widestOf(cluster: Cluster): number {
  return Math.max(0, ...cluster.map(({ shot }) => shot.uncertainty?.semiMajor ?? 0))
}

function enlarged(scene: Scene, cluster: Cluster, index: number, x: number, y: number): Markup {
  const box: Box = { x, y, width: enlargedSize, height: enlargedSize }
  const middle = middleOf(cluster)
  const reach = Math.max(
    2,
    widestOf(cluster),
    ...cluster.map(({ spot }) => (spot === null ? 0 : distance(spot, middle))),
  )
  const truth = nearestOf(middle, scene.truth)
  const away = truth === null ? Number.POSITIVE_INFINITY : distance(truth, middle)
  const radius = 1.35 * (away < 3 * reach ? Math.max(reach, away) : reach)
  const ground = new Ground(box, middle, enlargedSize / 2 / radius)
  const inside = [
    ...ground.paper(),
    ...cluster.flatMap((shot, at) => ground.ellipse(shot, at, cluster.length)),
    ...scene.gateways
      .filter(({ spot }) => ground.shows(spot))
      .map(({ spot, channels }) => gatewayMark(ground.x(spot), ground.y(spot), channels.length > 0)),
  ]
  const [centreX, centreY] = [ground.x(middle), ground.y(middle)]
  if (truth !== null && ground.shows(truth)) {
    inside.push(line(centreX, centreY, ground.x(truth), ground.y(truth), { stroke: ink, 'stroke-dasharray': '2 2' }))
  }
  for (const spot of scene.truth.filter(each => ground.shows(each)))
    inside.push(...truthCross(ground.x(spot), ground.y(spot), 6))
  for (const { spot, colour } of cluster.slice(0, 50)) {
    if (spot !== null)
      inside.push(element('circle', { cx: ground.x(spot), cy: ground.y(spot), r: 4, fill: colour, stroke: '#fff' }))
  }
  if (truth !== null && ground.shows(truth)) {
    const [truthX, truthY] = [ground.x(truth), ground.y(truth)]
    const aside = truthX < centreX ? -1 : 1
    const atEdge = Math.min(truthX - x, x + enlargedSize - truthX) < 64
    const anchor = atEdge ? 'middle' : aside < 0 ? 'end' : 'start'
    const [labelX, labelY] = atEdge ? [truthX, truthY + 21] : [truthX + 11 * aside, truthY + 4]
    const look = { 'text-anchor': anchor, 'font-size': 11, 'font-weight': 'bold', ...halo }
    inside.push(text(labelX, labelY, `${away.toFixed(1)} m`, look))
  }
  const title = shortened(`${cluster.length === 1 ? 'Shot' : 'Shots'} ${numbersOf(cluster)}`, 22)
  const { width, height } = box
  return group({}, [
    text(x, y - 7, title, { 'font-size': 12, 'font-weight': 'bold' }),
    element('clipPath', { id: `enlarged-${index}` }, element('rect', { x, y, width, height })),
    group({ 'clip-path': `url(#enlarged-${index})` }, inside),
    ground.frame(),
    ground.scaleBar(x + 4, y + enlargedSize + 24),
  ])
}

/** What the marks mean; only of those that are there. */
export function drawLegend(scene: Scene, x: number, y: number): { markup: Markup; height: number } {
  const [first] = scene.shots
  const bearings = scene.shots.some(({ shot }) =>
    shot.arrivals.some(({ id }) => scene.arrivals.get(id)?.bearing != null),
  )
  const colour = first?.colour ?? ink
  const rows: (readonly [(x: number, y: number) => Markup[], string])[] = [
    [(left, level) => [gatewayMark(left + 14, level, true)], 'gateway; hollow where it gave no sound'],
  ]
  if (scene.shots.some(({ spot }) => spot !== null)) {
    const oval = (left: number, level: number): Markup =>
      element('ellipse', { cx: left + 14, cy: level, rx: 13, ry: 7, fill: colour, 'fill-opacity': 0.1, stroke: colour })
    rows.push([
      (left, level) => [oval(left, level), element('circle', { cx: left + 14, cy: level, r: 3, fill: ink })],
      'a shot and where it lies with 95 % probability',
    ])
    rows.push([
      (left, level) => [line(left, level, left + 28, level, { stroke: colour })],
      'arrival used; at the gateway its lateness in ms',
    ])
  }
  if (scene.shots.some(({ spot }) => spot === null)) {
    const ring = (left: number, level: number): Markup =>
      element('circle', { cx: left + 14, cy: level, r: 8, fill: 'none', stroke: colour, 'stroke-width': 2 })
    rows.push([(left, level) => [ring(left, level)], 'gateway that heard a shot without a position'])
  }
  if (bearings) {
    const dashed = { stroke: colour, 'stroke-width': 1.2, 'stroke-dasharray': '7 4' }
    rows.push([(left, level) => [line(left, level, left + 28, level, dashed)], 'bearing and its standard deviation'])
  }
  if (scene.truth.length > 0) rows.push([(left, level) => truthCross(left + 14, level, 6), 'true place of a shot'])
  if (scene.others.length > 0)
    rows.push([(left, level) => [otherMark(left + 14, level)], 'true place of another sound'])
  const marks = rows.flatMap(([symbol, words], index) => {
    const level = y + 28 + 22 * index
    return [...symbol(x, level), text(x + 40, level + 4, words, { 'font-size': 12 })]
  })
  return {
    markup: group({ id: 'legend' }, [text(x, y + 8, 'Legend', { 'font-size': 13, 'font-weight': 'bold' }), ...marks]),
    height: 28 + 22 * rows.length,
  }
}
