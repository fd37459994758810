import { shortened } from './plot-labels.js'
import { faint, halo, ink, type MappedGateway, type NumberedShot, roundUp, rule, type Scene } from './plot-shots.js'
import { encodePng } from './png.js'
import { highestFrequency, lowestFrequency, type SpectrogramImage, silence } from './spectrogram.js'
import { element, group, hint, line, type Markup, text } from './svg.js'

/** Shades from white to dark; one more, the first, is for what was not recorded. */
const shades = 32
const palette = Array.from({ length: shades + 1 }, (_, shade) => {
  const dark = ((shade - 1) / (shades - 1)) ** 1.1
  const mix = (to: number): number => Math.round(255 + (to - 255) * Math.max(0, dark))
  return [mix(20), mix(28), mix(40)] as const
})
/** Shows through where nothing was recorded. */
const nothing = '#e9ecf0'
/** The least range from white to black, decibel. */
const leastRange = 25
const labelWidth = 148
const flagHeight = 16
const gap = 10
/** An onset that no shot explains. */
const otherOnset = { stroke: '#5f6d80', 'stroke-dasharray': '2 2' } as const
/** Peaks from here on are called clipped, and below are called silent, full scale 1. */
const clipped = 0.999
const silent = 1e-4

/** The time that all strips share, and where it lies on the page. */
interface TimeAxis {
  readonly from: number
  readonly until: number
  readonly left: number
  readonly width: number
}

/** For each channel of each gateway a strip of spectrogram with the onsets that were picked, on one time axis. */
export function drawStrips(scene: Scene, x: number, y: number, width: number): { markup: Markup; height: number } {
  const heard = scene.gateways.filter(({ length }) => length > 0)
  const axis = {
    from: Math.min(...heard.map(({ startTime }) => startTime)),
    until: Math.max(...heard.map(({ startTime, length }) => startTime + length)),
    left: x + labelWidth,
    width: width - labelWidth,
  }
  const marks: Markup[] = []
  let at = y
  for (const gateway of scene.gateways) {
    const height = heightOf(gateway)
    marks.push(gatewayStrips(gateway, scene, axis, x, at))
    at += flagHeight + height + gap
  }
  if (heard.length > 0) {
    marks.push(...timeTicks(axis, y + flagHeight, at - gap))
    at += 26
  }
  return { markup: group({ id: 'waterfalls' }, marks), height: at - y }
}

function heightOf({ channels }: MappedGateway): number {
  return channels.length === 0 ? 26 : channels.length * stripHeight(channels.length)
}

function stripHeight(channels: number): number {
  return channels === 1 ? 66 : channels <= 4 ? 34 : 22
}

function timeX({ from, until, left, width }: TimeAxis, time: number): number {
  return left + ((time - from) / Math.max(1e-3, until - from)) * width
}

function gatewayStrips(gateway: MappedGateway, scene: Scene, axis: TimeAxis, x: number, y: number): Markup {
  const { channels, faults } = gateway
  const top = y + flagHeight
  const height = heightOf(gateway)
  const each = stripHeight(channels.length)
  const levels = channels.map(({ image }) => weighted(image))
  const range = levelRange(levels)
  const marks: Markup[] = [
    nameOf(gateway, x, top),
    ...channels.flatMap(({ image, peak }, index) => [
      element('rect', { x: axis.left, y: top + index * each, width: axis.width, height: each, fill: nothing }),
      picture(image, levels[index] ?? image.levels, range, gateway, axis, top + index * each, each),
      ...channelWords(channels.length, index, peak, x, top + index * each),
    ]),
    element('rect', { x: axis.left, y: top, width: axis.width, height, fill: 'none', stroke: rule }),
  ]
  for (let index = 1; index < channels.length; index++)
    marks.push(line(axis.left, top + index * each, axis.left + axis.width, top + index * each, { stroke: rule }))
  if (channels.length === 1) marks.push(...frequencyTicks(axis.left, top, height))
  faults.forEach((fault, index) => {
    const place = { x: axis.left + axis.width - 8, y: top + 17 + 14 * index }
    const look = { 'text-anchor': 'end', 'font-size': 11, 'font-weight': 'bold', ...halo, stroke: '#fff' }
    marks.push(group({}, [hint(fault.message), text(place.x, place.y, fault.code, look)]))
  })
  return group({ class: 'waterfall' }, [...marks, ...onsets(gateway, scene, axis, top, height)])
}

/** Name and sample rate, above the strips: beside them stand labels of their own. */
function nameOf({ gateway, channels, sampleRate }: MappedGateway, x: number, top: number): Markup {
  const name = element('tspan', { 'font-size': 13, 'font-weight': 'bold' }, shortened(gateway.id, 17))
  const rate = { fill: faint, 'font-size': 11 }
  const words = channels.length === 0 ? '' : `${sampleRate / 1000} kHz`
  return element('text', { x, y: top - 4 }, name, element('tspan', { dx: 7, ...rate }, words))
}

function channelWords(channels: number, index: number, peak: number, x: number, top: number): Markup[] {
  const level = peak < silent ? 'silent' : `peak ${(20 * Math.log10(peak)).toFixed(1).replace('-', '−')} dBFS`
  const words = peak >= clipped ? 'clipped' : level
  const look = { 'font-size': channels > 4 ? 10 : 11, fill: faint }
  if (channels === 1) return [text(x, top + 14, words, look)]
  return [
    text(x + labelWidth - 8, top + stripHeight(channels) / 2 + 4, `${index + 1}  ${words}`, {
      ...look,
      'text-anchor': 'end',
    }),
  ]
}

/** A-weighted levels, decibel; NaN where there was no sound. */
function weighted({ columns, rows, levels }: SpectrogramImage): Float32Array {
  return levels.map((level, place) => {
    if (!(level > silence)) return Number.NaN
    const share = 1 - (Math.floor(place / columns) + 0.5) / rows
    return level + aWeighting(lowestFrequency * (highestFrequency / lowestFrequency) ** share)
  })
}

/** How much less an ear hears of a frequency than of 1 kHz, decibel: IEC 61672-1, annex E. */
function aWeighting(frequency: number): number {
  const f = frequency ** 2
  const gain =
    (12194 ** 2 * f ** 2) / ((f + 20.6 ** 2) * Math.sqrt((f + 107.7 ** 2) * (f + 737.9 ** 2)) * (f + 12194 ** 2))
  return 20 * Math.log10(gain) + 2
}

/** From the level that half of the pictures is below to that of their loudest thousandth, decibel. */
function levelRange(pictures: readonly Float32Array[]): readonly [number, number] {
  const sorted = new Float32Array(pictures.reduce((sum, { length }) => sum + length, 0))
  let count = 0
  for (const levels of pictures) for (const level of levels) if (!Number.isNaN(level)) sorted[count++] = level
  const sound = sorted.subarray(0, count).sort()
  const low = sound[Math.floor(count * 0.5)] ?? 0
  return [low, Math.max(low + leastRange, sound[Math.floor(count * 0.999)] ?? 0)]
}

function picture(
  { columns, rows, samplesPerColumn }: SpectrogramImage,
  levels: Float32Array,
  [low, high]: readonly [number, number],
  { sampleRate, startTime }: MappedGateway,
  axis: TimeAxis,
  y: number,
  height: number,
): Markup {
  const pixels = Uint8Array.from(levels, level => {
    if (Number.isNaN(level)) return 0
    return 1 + Math.round((shades - 1) * Math.min(1, Math.max(0, (level - low) / (high - low))))
  })
  const png = encodePng(columns, rows, pixels, palette)
  const left = timeX(axis, startTime)
  return element('image', {
    x: left,
    y,
    width: timeX(axis, startTime + (columns * samplesPerColumn) / sampleRate) - left,
    height,
    preserveAspectRatio: 'none',
    'xlink:href': `data:image/png;base64,${png.toString('base64')}`,
  })
}

/** Onsets that a shot explains in its colour and with its number, the others faint. */
function onsets(
  { gateway, arrivals }: MappedGateway,
  scene: Scene,
  axis: TimeAxis,
  top: number,
  height: number,
): Markup[] {
  const shown = ({ time }: { readonly time: number }): boolean => time >= axis.from && time <= axis.until
  const others = arrivals.filter(arrival => shown(arrival) && !scene.shotOfArrival.has(arrival.id))
  const used = scene.shots.flatMap(shot =>
    shot.shot.arrivals
      .filter(arrival => arrival.gateway === gateway.id && shown(arrival))
      .map(arrival => ({ shot, arrival })),
  )
  const marks = others.map(({ time }) => {
    const at = timeX(axis, time)
    return group({}, [
      line(at, top, at, top + height, { stroke: '#fff', 'stroke-width': 2.4, 'stroke-opacity': 0.6 }),
      line(at, top - 4, at, top + height, otherOnset),
    ])
  })
  let free = Number.NEGATIVE_INFINITY
  for (const { shot, arrival } of used.sort((a, b) => a.arrival.time - b.arrival.time)) {
    const at = timeX(axis, arrival.time)
    const words = `shot ${shot.number}: ${new Date(arrival.time * 1000).toISOString().slice(11, 23)} UTC, residual ${(arrival.residual * 1000).toFixed(1)} ms`
    marks.push(line(at, top - 2, at, top + height, { stroke: '#fff', 'stroke-width': 4, 'stroke-opacity': 0.7 }))
    marks.push(
      group({}, [hint(words), line(at, top - 3, at, top + height, { stroke: shot.colour, 'stroke-width': 1.8 })]),
    )
    const width = 7 + 7 * `${shot.number}`.length
    // Where shots follow too fast the colour has to do.
    if (at - width / 2 < free) continue
    marks.push(...flag(at, top, width, shot))
    free = at + width / 2 + 1
  }
  return marks
}

function flag(x: number, top: number, width: number, { number, colour }: NumberedShot): Markup[] {
  return [
    element('rect', { x: x - width / 2, y: top - 15, width, height: 13, rx: 2, fill: colour }),
    text(x, top - 4.8, `${number}`, {
      'text-anchor': 'middle',
      'font-size': 10.5,
      'font-weight': 'bold',
      fill: '#fff',
    }),
  ]
}

function frequencyTicks(left: number, top: number, height: number): Markup[] {
  return [200, 1000, 5000].flatMap(frequency => {
    const share = Math.log(frequency / lowestFrequency) / Math.log(highestFrequency / lowestFrequency)
    const y = top + height * (1 - share)
    const words = frequency >= 1000 ? `${frequency / 1000} kHz` : `${frequency} Hz`
    return [
      line(left - 4, y, left, y, { stroke: faint }),
      text(left - 7, y + 3, words, { 'text-anchor': 'end', 'font-size': 9, fill: faint }),
    ]
  })
}

function timeTicks(axis: TimeAxis, top: number, bottom: number): Markup[] {
  const step = niceStep(((axis.until - axis.from) * 90) / axis.width)
  const marks: Markup[] = []
  for (let tick = Math.ceil(axis.from / step - 1e-6); tick * step <= axis.until + 1e-6; tick++) {
    const at = timeX(axis, tick * step)
    const words = new Date(Math.round(tick * step * 1000)).toISOString().slice(11, step < 0.1 ? 22 : step < 1 ? 21 : 19)
    marks.push(line(at, top, at, bottom + 5, { stroke: ink, 'stroke-opacity': 0.12 }))
    marks.push(line(at, bottom, at, bottom + 5, { stroke: ink }))
    marks.push(text(at, bottom + 18, words, { 'text-anchor': 'middle', 'font-size': 11 }))
  }
  return marks
}

/** Seconds between ticks: decimal below ten, then as clocks divide. */
function niceStep(least: number): number {
  if (least <= 10) return roundUp(least)
  return [15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600].find(step => step >= least) ?? 86400
}

/** What marks and shades mean, in one line that ends at `right`. */
export function drawStripLegend(scene: Scene, right: number, y: number): Markup {
  const colour = scene.shots[0]?.colour ?? ink
  const marks: Markup[] = []
  let at = right
  const say = (words: string, width: number, symbol: (left: number) => Markup[]): void => {
    at -= words.length * 6.5
    marks.push(text(at, y, words, { 'font-size': 12 }))
    at -= width + 6
    marks.push(...symbol(at))
    at -= 22
  }
  const shade = (index: number): string => `rgb(${palette[index]?.join(',')})`
  say('no sound', 12, left => [
    element('rect', { x: left, y: y - 10, width: 12, height: 12, fill: nothing, stroke: rule }),
  ])
  say('quiet to loud (dB(A), own scale each gateway)', 64, left =>
    Array.from({ length: 8 }, (_, i) =>
      element('rect', {
        x: left + 8 * i,
        y: y - 10,
        width: 8,
        height: 12,
        fill: shade(1 + Math.round((i * (shades - 1)) / 7)),
        stroke: rule,
        'stroke-width': 0.3,
      }),
    ),
  )
  say('other onset', 4, left => [line(left, y - 12, left, y + 3, otherOnset)])
  if (scene.shots.length > 0)
    say('onset of a shot', 4, left => [line(left, y - 12, left, y + 3, { stroke: colour, 'stroke-width': 1.8 })])
  return group({}, marks)
}
