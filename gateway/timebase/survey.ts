/** A place by satellite: degrees and metres above the sea. */
export interface SurveyFix {
  readonly latitude: number
  readonly longitude: number
  readonly altitude: number | null
  /** One standard deviation across, metres. */
  readonly horizontalError: number
  /** Monotonic, seconds. */
  readonly at: number
}

export interface SurveyedPlace {
  readonly latitude: number
  readonly longitude: number
  readonly altitude: number | null
  /** One standard deviation across, metres. */
  readonly error: number
  /** Over which it was surveyed, seconds. */
  readonly duration: number
}

export interface SurveyOptions {
  /** A survey takes at least so many seconds. */
  readonly duration: number
  /** It ends only when the error is no larger than this, metres. */
  readonly accuracy: number
  /** From the antenna to the middle of the array, metres. */
  readonly antennaOffset?: { readonly east: number; readonly north: number; readonly up: number }
}

/** Errors of satellite fixes keep for minutes, so fixes within such a time count as one, seconds. */
const correlation = 300
/** Errors that stay for days: no mean of single fixes is better than this, metres. */
const floor = 1
/** Fixes further than so many of their own standard deviations from the middle count as its edge. */
const outlying = 3
/** What is known is worked out anew so often, seconds: it changes slowly and costs a sort. */
const lookEvery = 60
/** Fixes kept; when there are more, every other one goes. */
const capacity = 4096

const radians = Math.PI / 180
/** Mean radius of the Earth (IUGG), metres; within a survey's few metres its shape does not matter. */
const earth = 6_371_008.8

/**
 * Surveys a place that does not move: the mean of the fixes around their median, weighted by their errors. The error counts
 * only one fix in five minutes as a new one.
 */
export class Survey {
  readonly #options: SurveyOptions
  #fixes: SurveyFix[] = []
  #every = 1
  #seen = 0
  #looked = Number.NEGATIVE_INFINITY

  constructor(options: SurveyOptions) {
    this.#options = options
  }

  /** @returns the place, once a minute, when it is known as long and as well as asked; null otherwise */
  take(fix: SurveyFix): SurveyedPlace | null {
    this.#seen += 1
    if (this.#seen % this.#every === 0) this.#fixes.push(fix)
    if (this.#fixes.length > capacity) {
      this.#fixes = this.#fixes.filter((_, index) => index % 2 === 1)
      this.#every *= 2
    }
    if (fix.at - this.#looked < lookEvery) return null
    this.#looked = fix.at
    const place = this.sofar()
    if (place === null || place.duration < this.#options.duration || place.error > this.#options.accuracy) return null
    return place
  }

  /** What is known by now, whether or not that is enough; null before the first fix. */
  sofar(): SurveyedPlace | null {
    const [first, last] = [this.#fixes[0], this.#fixes.at(-1)]
    if (first === undefined || last === undefined) return null
    const middle = {
      latitude: median(this.#fixes.map(({ latitude }) => latitude)),
      longitude: median(this.#fixes.map(({ longitude }) => longitude)),
    }
    const points = this.#fixes.map(fix => {
      const offset = metresFrom(middle, fix)
      const distance = Math.hypot(offset.east, offset.north)
      const held = Math.min(1, (outlying * fix.horizontalError) / Math.max(distance, 1e-9))
      return { east: offset.east * held, north: offset.north * held, weight: 1 / fix.horizontalError ** 2 }
    })
    const total = sum(points.map(({ weight }) => weight))
    const east = sum(points.map(point => point.east * point.weight)) / total
    const north = sum(points.map(point => point.north * point.weight)) / total
    const spread = Math.sqrt(
      sum(points.map(point => point.weight * ((point.east - east) ** 2 + (point.north - north) ** 2))) / total,
    )
    const duration = last.at - first.at
    const independent = Math.min(this.#fixes.length, 1 + duration / correlation)
    const claimed = Math.sqrt(this.#fixes.length / total)
    const altitudes = this.#fixes.flatMap(({ altitude }) => (altitude === null ? [] : [altitude]))
    const antenna = this.#options.antennaOffset ?? { east: 0, north: 0, up: 0 }
    return {
      ...moved(middle, { east: east + antenna.east, north: north + antenna.north }),
      altitude: altitudes.length === 0 ? null : median(altitudes) + antenna.up,
      error: Math.hypot(floor, Math.max(spread, claimed) / Math.sqrt(independent)),
      duration,
    }
  }
}

export interface MoveOptions {
  /** A move of less than this is none, metres; 15 unless given. */
  readonly distance?: number
  /** It must last so long, seconds; 120 unless given. */
  readonly lasting?: number
}

/** Notices that a pole that was surveyed stands elsewhere: knocked over, replaced, or carried away. */
export class MoveWatch {
  readonly #place: SurveyedPlace
  readonly #distance: number
  readonly #lasting: number
  #away: { readonly since: number; readonly fixes: readonly number[] } | null = null
  #seen = false

  constructor(place: SurveyedPlace, options: MoveOptions = {}) {
    this.#place = place
    this.#distance = options.distance ?? 15
    this.#lasting = options.lasting ?? 120
  }

  /** Whether the latest fix was elsewhere, be it for too short a time to call it a move; null before the first. */
  get away(): boolean | null {
    return this.#seen ? this.#away !== null : null
  }

  /**
   * @param fix of the array's middle
   * @returns metres by which it has moved; null while it stands where it was surveyed, or nothing else is certain
   */
  take(fix: SurveyFix): number | null {
    this.#seen = true
    const distance = distanceBetween(this.#place, fix)
    // Three standard deviations, so that a poor sky is no theft.
    if (distance < Math.max(this.#distance, 3 * Math.hypot(fix.horizontalError, this.#place.error))) {
      this.#away = null
      return null
    }
    this.#away = {
      since: this.#away?.since ?? fix.at,
      fixes: [...(this.#away?.fixes ?? []), distance].slice(-60),
    }
    return fix.at - this.#away.since >= this.#lasting ? median(this.#away.fixes) : null
  }
}

/** Metres over ground between two places that are not far apart. */
export function distanceBetween(one: Degrees, other: Degrees): number {
  const { east, north } = metresFrom(one, other)
  return Math.hypot(east, north)
}

interface Degrees {
  readonly latitude: number
  readonly longitude: number
}

function metresFrom(from: Degrees, to: Degrees): { east: number; north: number } {
  // The shorter way around the Earth, also across the 180th meridian.
  const turn = ((to.longitude - from.longitude + 540) % 360) - 180
  return {
    east: turn * radians * earth * Math.cos(from.latitude * radians),
    north: (to.latitude - from.latitude) * radians * earth,
  }
}

function moved(from: Degrees, by: { readonly east: number; readonly north: number }): Degrees {
  return {
    latitude: from.latitude + by.north / earth / radians,
    longitude: from.longitude + by.east / (earth * Math.cos(from.latitude * radians)) / radians,
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}
