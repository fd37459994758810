/** A device's clock may differ from its nominal rate by this share. */
const drift = 300e-6
/** What is older than so many seconds of sound is forgotten: a clock keeps its rate so long, and one that is led is not led far. */
const remembered = 10
/** Of times closer than this the least late one is kept, seconds. */
const spacing = 0.02

interface Point {
  readonly sample: number
  readonly time: number
}

/**
 * When samples were taken, from times that are late, each by another amount, and never early: the straight line below all of them that is
 * nearest to them (Moon, Skelly and Towsley, Estimation and removal of clock skew from network delay measurements, INFOCOM 1999). One such
 * time in a second that is hardly late holds for all the others, whereas their mean would be late by half the device's step.
 */
export class LeastLateLine {
  readonly #nominal: number
  /** In the order of the samples. */
  #points: Point[] = []
  /** The lower side of their convex hull. */
  #hull: Point[] = []
  #line: (Point & { readonly rate: number }) | null = null

  /** @param sampleRate nominal, hertz */
  constructor(sampleRate: number) {
    this.#nominal = 1 / sampleRate
  }

  /** @param time seconds, of any clock that is not set; samples come in their order */
  take(sample: number, time: number): void {
    const point = { sample, time }
    const before = this.#points.at(-1)
    if (before !== undefined && sample - before.sample < spacing / this.#nominal) {
      if (time - before.time >= (sample - before.sample) * this.#nominal) return
      this.#points.pop()
    }
    this.#points.push(point)
    const oldest = sample - remembered / this.#nominal
    while ((this.#points[0]?.sample ?? sample) < oldest) this.#points.shift()
    if ((this.#hull[0]?.sample ?? sample) < oldest) this.#hull = lowerHull(this.#points)
    else turnTo(this.#hull, point)
    this.#line = null
  }

  /** Seconds, when the sample was taken; null before there was a time. */
  at(sample: number): number | null {
    this.#line ??= this.#below()
    return this.#line === null ? null : this.#line.time + this.#line.rate * (sample - this.#line.sample)
  }

  forget(): void {
    this.#points = []
    this.#hull = []
    this.#line = null
  }

  #below(): (Point & { readonly rate: number }) | null {
    const hull = this.#hull
    const [first, last] = [hull[0], hull.at(-1)]
    if (first === undefined || last === undefined) return null
    // Of all lines below, the one that touches in the middle is nearest to all times together.
    const middle = (first.sample + last.sample) / 2
    const after = hull.findIndex(({ sample }) => sample > middle)
    const [from, to] = [hull[after - 1], hull[after]]
    const steep = from === undefined || to === undefined ? this.#nominal : slope(from, to)
    const rate = Math.min(Math.max(steep, this.#nominal * (1 - drift)), this.#nominal * (1 + drift))
    const height = ({ sample, time }: Point): number => time - rate * (sample - last.sample)
    return { sample: last.sample, time: Math.min(...hull.map(height)), rate }
  }
}

/** By Andrew's monotone chain. */
function lowerHull(points: readonly Point[]): Point[] {
  const hull: Point[] = []
  for (const point of points) turnTo(hull, point)
  return hull
}

function turnTo(hull: Point[], point: Point): void {
  while (hull.length > 1 && !turnsUp(hull.at(-2), hull.at(-1), point)) hull.pop()
  hull.push(point)
}

function slope(from: Point, to: Point): number {
  return (to.time - from.time) / (to.sample - from.sample)
}

function turnsUp(first: Point | undefined, second: Point | undefined, third: Point): boolean {
  return first !== undefined && second !== undefined && slope(first, second) < slope(second, third)
}
