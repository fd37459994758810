import { accessSync, constants, writeFileSync } from 'node:fs'
import { dirname, extname } from 'node:path'
import type { GunfireRevision } from '../acoustics/incident.js'
import { PolewatchError } from '../errors.js'
import { drawMap } from './plot-map.js'
import { drawEnlarged, drawLegend, drawList } from './plot-panel.js'
import { faint, ink, type Scene, sceneOf } from './plot-shots.js'
import { drawStripLegend, drawStrips } from './plot-strips.js'
import type { RecordingSet } from './recording-set.js'
import type { HeardGateway } from './replay-recorder.js'
import { element, type Markup, svgFile, text } from './svg.js'

const width = 1200
const margin = 28
const mapWidth = 764
const leastMapHeight = 560

/**
 * Looks before a long replay whether its picture can be written.
 *
 * @throws PolewatchError PW_USAGE where the name does not end in .svg, PW_PLOT_FILE where its folder takes no files
 */
export function checkPlotFile(file: string): void {
  if (extname(file).toLowerCase() !== '.svg') {
    throw new PolewatchError('PW_USAGE', { why: `--plot draws SVG; give it a name that ends in .svg, not ${file}` })
  }
  try {
    accessSync(dirname(file), constants.W_OK)
  } catch (error) {
    throw plotFileError(file, error)
  }
}

/** @throws PolewatchError PW_PLOT_FILE */
export function writePlot(file: string, picture: string): void {
  try {
    writeFileSync(file, picture)
  } catch (error) {
    throw plotFileError(file, error)
  }
}

function plotFileError(file: string, error: unknown): PolewatchError {
  const why = error instanceof Error ? error.message : String(error)
  return new PolewatchError('PW_PLOT_FILE', { file, why }, error)
}

/**
 * A picture of a replay as an SVG file without scripts: a map to scale with gateways, shots, their 95 % ellipses and the
 * truth, and below a strip of spectrogram for each channel with the onsets picked. The same replay gives the same bytes.
 *
 * @param name of the set, for the title
 */
export function drawReplay(
  name: string,
  set: RecordingSet,
  revisions: readonly GunfireRevision[],
  heard: readonly HeardGateway[],
): string {
  const scene = sceneOf(set, revisions, heard)
  const top = 92
  const panelLeft = margin + mapWidth + 24
  const list = drawList(scene, panelLeft, top)
  // The panel's height follows from the map's scale, and the map's height from the panel's: two rounds settle both.
  let height = leastMapHeight
  let map = drawMap(scene, { x: margin, y: top, width: mapWidth, height })
  let panel = drawPanel(scene, map, panelLeft, top + list.height)
  if (list.height + panel.height > height) {
    height = list.height + panel.height
    map = drawMap(scene, { x: margin, y: top, width: mapWidth, height })
    panel = drawPanel(scene, map, panelLeft, top + list.height)
  }
  const stripsTop = top + height + 44
  const strips = drawStrips(scene, margin, stripsTop + 12, width - 2 * margin)
  const title = `Replay of ${name}`
  return svgFile(width, stripsTop + 12 + strips.height + margin, rootLook, [
    element('title', {}, title),
    element('desc', {}, summaryOf(scene)),
    element('rect', { x: 0, y: 0, width: '100%', height: '100%', fill: '#fff' }),
    text(margin, 44, title, { 'font-size': 22, 'font-weight': 'bold' }),
    text(margin, 68, summaryOf(scene), { 'font-size': 13, fill: faint }),
    map.markup,
    list.markup,
    ...panel.markup,
    text(margin, stripsTop, 'What each channel heard', { 'font-size': 15, 'font-weight': 'bold' }),
    drawStripLegend(scene, width - margin, stripsTop),
    strips.markup,
  ])
}

const rootLook = {
  role: 'img',
  'font-family': "'DejaVu Sans', Verdana, 'Segoe UI', Roboto, Arial, sans-serif",
  fill: ink,
} as const

function drawPanel(
  scene: Scene,
  { clusters, ground }: ReturnType<typeof drawMap>,
  x: number,
  y: number,
): { markup: Markup[]; height: number } {
  const enlarged = drawEnlarged(scene, clusters, ground, x, y)
  const legend = drawLegend(scene, x, y + enlarged.height + 14)
  return { markup: [enlarged.markup, legend.markup], height: enlarged.height + 14 + legend.height }
}

/** One line: when, how many gateways, what was found, what the air was like. */
function summaryOf({ set, gateways, shots, incidents }: Scene): string {
  const heard = gateways.filter(({ length }) => length > 0)
  const from = Math.min(...heard.map(({ startTime }) => startTime))
  const until = Math.max(...heard.map(({ startTime, length }) => startTime + length))
  const when =
    heard.length === 0
      ? 'no sound'
      : `${new Date(from * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC, ${(until - from).toFixed(1)} s`
  const { temperature, windSpeed, windFrom } = set.weather
  const wind =
    windSpeed === null
      ? []
      : windSpeed === 0
        ? ['calm']
        : [`wind ${windSpeed} m/s${windFrom === null ? '' : ` from ${windFrom}°`}`]
  return [
    when,
    counted(gateways.length, 'gateway'),
    `${counted(shots.length, 'shot')} in ${counted(incidents.length, 'incident')}`,
    ...(temperature === null ? [] : [`${temperature} °C`.replace('-', '−')]),
    ...wind,
  ].join(' · ')
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
