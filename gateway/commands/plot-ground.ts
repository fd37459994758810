import type { Box } from './plot-labels.js'
import { distance, ink, type NumberedShot, paper, roundUp, rule, type Spot } from './plot-shots.js'
import { element, group, hint, line, type Markup, text } from './svg.js'

/** Length of the dashes of ellipses that take turns, page units. */
const dash = 7

/** A piece of ground drawn to scale into a box, north up. */
export class Ground {
  readonly box: Box
  /** Page units a metre. */
  readonly scale: number
  readonly #middle: Spot

  constructor(box: Box, middle: Spot, scale: number) {
    this.box = box
    this.#middle = middle
    this.scale = scale
  }

  /** The ground that shows all spots with a margin, and is at least `least` metres wide. */
  static around(box: Box, spots: readonly Spot[], margin: number, least: number): Ground {
    const range = (values: number[]): [number, number] =>
      values.length === 0 ? [0, 0] : [Math.min(...values), Math.max(...values)]
    const [west, east] = range(spots.map(spot => spot.east))
    const [south, north] = range(spots.map(spot => spot.north))
    const scale = Math.min(
      (box.width - 2 * margin) / Math.max(least, east - west),
      (box.height - 2 * margin) / Math.max(least, north - south),
    )
    return new Ground(box, { east: (west + east) / 2, north: (south + north) / 2 }, scale)
  }

  x({ east }: Spot): number {
    return this.box.x + this.box.width / 2 + (east - this.#middle.east) * this.scale
  }

  y({ north }: Spot): number {
    return this.box.y + this.box.height / 2 - (north - this.#middle.north) * this.scale
  }

  /** Metres of the scale bar and of the grid. */
  get unit(): number {
    return roundUp(60 / this.scale)
  }

  /** Paper with a faint grid. */
  paper(): Markup[] {
    const { x, y, width, height } = this.box
    const step = this.unit * this.scale
    const marks: Markup[] = [element('rect', { x, y, width, height, fill: paper })]
    const look = { stroke: '#eceae3', 'stroke-width': 1 }
    const origin = { east: 0, north: 0 }
    for (let at = firstFrom(x, this.x(origin), step); at < x + width; at += step)
      marks.push(line(at, y, at, y + height, look))
    for (let at = firstFrom(y, this.y(origin), step); at < y + height; at += step)
      marks.push(line(x, at, x + width, at, look))
    return marks
  }

  frame(): Markup {
    const { x, y, width, height } = this.box
    return element('rect', { x, y, width, height, fill: 'none', stroke: rule })
  }

  /** The scale bar, its left end at (x, y). */
  scaleBar(x: number, y: number): Markup {
    const length = this.unit * this.scale
    const bar = { stroke: ink, 'stroke-width': 1.5 }
    return group({}, [
      element('rect', { x: x - 6, y: y - 18, width: length + 12, height: 26, fill: paper, 'fill-opacity': 0.85 }),
      line(x, y, x + length, y, bar),
      line(x, y - 4, x, y + 4, bar),
      line(x + length, y - 4, x + length, y + 4, bar),
      text(x + length / 2, y - 6, metres(this.unit), { 'text-anchor': 'middle', 'font-size': 11 }),
    ])
  }

  /** A shot's 95 % ellipse. Those of one cluster take turns along the line, so that all show where they coincide. */
  ellipse({ number, shot, spot, colour }: NumberedShot, turn: number, turns: number): Markup[] {
    const { uncertainty } = shot
    if (spot === null || uncertainty === null) return []
    const [x, y] = [this.x(spot), this.y(spot)]
    return [
      element(
        'ellipse',
        {
          cx: x,
          cy: y,
          rx: uncertainty.semiMajor * this.scale,
          ry: uncertainty.semiMinor * this.scale,
          // The longer axis lies along x in its own frame; orientation counts clockwise from north.
          transform: `rotate(${(uncertainty.orientation - 90).toFixed(2)} ${x.toFixed(2)} ${y.toFixed(2)})`,
          fill: colour,
          'fill-opacity': 0.12 / turns,
          stroke: colour,
          'stroke-width': 1.8,
          'stroke-dasharray': turns === 1 ? null : `${dash} ${dash * (turns - 1)}`,
          'stroke-dashoffset': turns === 1 ? null : -dash * turn,
        },
        hint(`shot ${number}: 95 % within ${uncertainty.semiMajor.toFixed(1)} × ${uncertainty.semiMinor.toFixed(1)} m`),
      ),
    ]
  }

  /** Whether a spot lies in the box. */
  shows(spot: Spot): boolean {
    const [x, y] = [this.x(spot) - this.box.x, this.y(spot) - this.box.y]
    return x >= 0 && y >= 0 && x <= this.box.width && y <= this.box.height
  }
}

/** The first of `through` plus or minus whole steps that is not below `start`. */
function firstFrom(start: number, through: number, step: number): number {
  return start + ((((through - start) % step) + step) % step)
}

export function metres(length: number): string {
  return length >= 1000 ? `${length / 1000} km` : `${Number(length.toPrecision(2))} m`
}

/** The spot of a list that is nearest; null where the list is empty. */
export function nearestOf(spot: Spot, spots: readonly Spot[]): Spot | null {
  return spots.reduce<Spot | null>(
    (best, each) => (best === null || distance(each, spot) < distance(best, spot) ? each : best),
    null,
  )
}
