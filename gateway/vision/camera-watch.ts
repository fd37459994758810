import { type Glance, quantile } from './glance.js'

/** What can be wrong with a camera's picture. */
export type CameraFault = 'blind' | 'covered' | 'frozen' | 'unfocused' | 'turned'

export interface CameraChange {
  readonly fault: CameraFault
  readonly state: 'raised' | 'cleared'
}

/** Brightness, 0 to 255, that not even the brightest spots of a picture reach when no light comes in. */
const darkness = 24
/** Pictures of streets spread their brightness by 24 or more by day, and what covers a lens by next to nothing. */
const leastSpread = 8
/** The same as a share of the mean brightness, for the dusk. */
const leastContrast = 0.2
const leastDetail = 15
/**
 * The steepest step between neighbouring pixels against that between pixels four apart, where there are edges: 1 where they are
 * sharp, a quarter where nothing is. Of 165 street pictures, 640 pixels wide, the least sharp has 0.44, and 0.43 with 15 % of its
 * light; a blur of three, five or eight pixels brings every fourth of them, which were tried, below this or leaves no edge.
 */
const leastSharpness = 0.42
/**
 * An edge is a cell whose pixels four apart differ by this: steep ones first, and where blur or the dark has left too few of them, faint
 * ones. Fewer cells than this share say nothing of sharpness.
 */
const edges = [20, 8] as const
const leastEdges = 0.005
/** A view whose outlines correlate less with the usual ones is another view. */
const leastLikeness = 0.3
/** One that correlates more is taken into the usual view. */
const sameView = 0.5
/** The usual view is known after so many frames and seconds, and follows within so many seconds. */
const viewFrames = 20
const viewSeconds = 20
const viewFollows = 600
/** A new view that has lasted this long is the usual one, seconds: somebody meant it. */
const viewAccepted = 1800
/** Seconds that each has to last before it is told. Nothing that drives by takes so long. */
const patience: Readonly<Record<CameraFault, number>> = {
  blind: 10,
  covered: 10,
  frozen: 30,
  unfocused: 20,
  turned: 20,
}
/** A fault is over when it has been so for this long, seconds. */
const relief = 5

/** Watches whether a camera sees what it is there for. A fault hides those that follow from it. */
export class CameraWatch {
  #digest: number | null = null
  #view: View | null = null
  readonly #spells = new Map<CameraFault, Spell>()

  /** @param time of the picture, seconds from any zero. Pictures may come at any rate. */
  see(glance: Glance, time: number): CameraChange[] {
    const frozen = glance.digest === this.#digest
    this.#digest = glance.digest
    const blind = quantile(glance.levels, 0.99) < darkness
    const covered = !blind && isPlain(glance)
    const seesNothing = blind || covered
    const sharpness = seesNothing ? null : sharpnessOf(glance)
    const unfocused = sharpness !== null && sharpness < leastSharpness
    const turned = !seesNothing && !frozen && this.#isAnotherView(glance, time)
    const found: Readonly<Record<CameraFault, boolean>> = { blind, covered, frozen, unfocused, turned }
    const changes: CameraChange[] = []
    for (const fault of ['blind', 'covered', 'frozen', 'unfocused', 'turned'] as const) {
      // What cannot be judged at the moment stays as it is.
      if (seesNothing && fault !== 'blind' && fault !== 'covered') continue
      const spell = this.#spells.get(fault) ?? { raised: false, since: null }
      const state = spellOf(spell, found[fault], time, patience[fault])
      this.#spells.set(fault, state)
      if (state.raised !== spell.raised) changes.push({ fault, state: state.raised ? 'raised' : 'cleared' })
    }
    return changes
  }

  #isAnotherView(glance: Glance, time: number): boolean {
    const outlines = outlinesOf(glance)
    const view = this.#view
    if (view === null || view.outlines.length !== outlines.length || time < view.last) {
      this.#view = { outlines, frames: 1, since: time, last: time, strangeSince: null }
      return false
    }
    const likeness = correlation(outlines, view.outlines)
    const known = view.frames >= viewFrames && time - view.since >= viewSeconds
    const passed = Math.min(time - view.last, 60)
    view.last = time
    if (known && likeness < sameView) {
      view.strangeSince ??= time
      if (time - view.strangeSince > viewAccepted) this.#view = null
      return likeness < leastLikeness
    }
    view.strangeSince = null
    view.frames += 1
    const rate = known ? 1 - Math.exp(-passed / viewFollows) : 1 / view.frames
    for (const [index, outline] of outlines.entries()) {
      view.outlines[index] = (view.outlines[index] ?? 0) + rate * (outline - (view.outlines[index] ?? 0))
    }
    return false
  }
}

interface View {
  readonly outlines: Float32Array
  frames: number
  readonly since: number
  last: number
  strangeSince: number | null
}

interface Spell {
  readonly raised: boolean
  /** Since when it is otherwise than told; null while it is not. */
  readonly since: number | null
}

function spellOf({ raised, since }: Spell, found: boolean, time: number, patienceOfFault: number): Spell {
  if (found === raised) return { raised, since: null }
  const begun = since === null || since > time ? time : since
  return time - begun >= (raised ? relief : patienceOfFault) ? { raised: found, since: null } : { raised, since: begun }
}

/** Whether there is next to nothing to be seen. */
function isPlain({ levels, coarse }: Glance): boolean {
  const mean = levels.reduce((sum, level) => sum + level, 0) / Math.max(1, levels.length)
  const spread = Math.sqrt(levels.reduce((sum, level) => sum + (level - mean) ** 2, 0) / Math.max(1, levels.length))
  return spread < Math.min(leastSpread, leastContrast * mean) && quantile(coarse, 0.95) < leastDetail
}

/** Of the sharpest edges; null where there are too few. */
function sharpnessOf({ fine, coarse }: Glance): number | null {
  for (const edge of edges) {
    const ratios: number[] = []
    for (const [cell, difference] of coarse.entries()) {
      if (difference > edge) ratios.push((fine[cell] ?? 0) / difference)
    }
    if (ratios.length >= leastEdges * coarse.length) return quantile(ratios, 0.9)
  }
  return null
}

/** How the brightness changes from cell to cell to the right and down; by ratio, so that the light of day does not matter. */
function outlinesOf({ levels, columns, rows }: Glance): Float32Array {
  const logarithms = levels.map(level => Math.log(level + 8))
  const outlines = new Float32Array(2 * levels.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const cell = row * columns + column
      const here = logarithms[cell] ?? 0
      if (column + 1 < columns) outlines[2 * cell] = (logarithms[cell + 1] ?? 0) - here
      if (row + 1 < rows) outlines[2 * cell + 1] = (logarithms[cell + columns] ?? 0) - here
    }
  }
  return outlines
}

function correlation(one: Float32Array, other: Float32Array): number {
  let [product, ones, others] = [0, 0, 0]
  for (const [index, value] of one.entries()) {
    const opposite = other[index] ?? 0
    product += value * opposite
    ones += value * value
    others += opposite * opposite
  }
  return product / Math.sqrt(Math.max(1e-12, ones * others))
}
