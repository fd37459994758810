import type { LocalPosition } from '../../gateway/acoustics/arrival.js'
import { beforeWall, type City, mirrored, throughWall } from './buildings.js'
import { distanceBetween } from './physics.js'
import type { Random } from './random.js'

/** One way that sound takes from a source to a place. */
export interface Path {
  readonly kind: 'direct' | 'reflected' | 'diffracted' | 'scattered'
  /** Whether the sound also bounces off the ground; `points` stay those of the path above ground. */
  readonly ground: boolean
  /** From the source over walls or edges to the receiver. */
  readonly points: readonly LocalPosition[]
  /** Metres along the path, the bounce off the ground included. */
  readonly length: number
  /** Where the source seems to be, seen from the receiver. */
  readonly image: LocalPosition
  /** Product of the walls' pressure coefficients; negative where a scatterer turns the sign. */
  readonly reflection: number
  /** Metres that the way round edges is longer than straight on; null where no edge is in the way. */
  readonly detour: number | null
}

/** What to look for: wall reflections up to this order (0 to 2), and none later than this many metres behind the straight way. */
export interface PathSearch {
  readonly order: number
  readonly farthest: number
}

/** All ways from source to receiver, shortest first: direct or round the edges, off one or two walls, each also off the ground. */
export function findPaths(source: LocalPosition, receiver: LocalPosition, city: City, search: PathSearch): Path[] {
  const straight = distanceBetween(source, receiver)
  const open = city.sees(source, receiver)
  const first = open ? pathOver([source, receiver], 'direct', source, 1) : aroundCorners(source, receiver, city)
  const overhead = open ? null : overRoofs(source, receiver, city)
  const paths = first === null ? [] : [first]
  if (search.order >= 1) paths.push(...reflections(source, receiver, city, straight + search.farthest, search.order))
  const all = [...paths, ...paths.map(offGround), ...(overhead === null ? [] : [overhead])]
  return all.sort((a, b) => a.length - b.length)
}

function pathOver(
  points: readonly LocalPosition[],
  kind: Path['kind'],
  image: LocalPosition,
  reflection: number,
  detour: number | null = null,
): Path {
  return { kind, ground: false, points, length: lengthOf(points), image, reflection, detour }
}

function lengthOf(points: readonly LocalPosition[]): number {
  return points.reduce((sum, point, i) => (i === 0 ? 0 : sum + distanceBetween(points[i - 1]!, point)), 0)
}

/** The same way in plan with the source mirrored below the ground. */
function offGround(path: Path): Path {
  const receiver = path.points.at(-1)!
  const rise = receiver.up - path.image.up
  const plan = Math.sqrt(Math.max(0, path.length ** 2 - rise ** 2))
  const image = { ...path.image, up: -path.image.up }
  return { ...path, ground: true, image, length: Math.hypot(plan, receiver.up + path.image.up) }
}

/** First and second order by mirrored sources (Allen and Berkley, JASA 65 (1979)), each ray checked for what stands in its way. */
function reflections(source: LocalPosition, receiver: LocalPosition, city: City, limit: number, order: number): Path[] {
  const paths: Path[] = []
  for (const first of city.walls) {
    if (beforeWall(source, first) <= 0) continue
    const image = mirrored(source, first)
    if (distanceBetween(image, receiver) <= limit) {
      const hit = throughWall(image, receiver, first)
      if (hit !== null && city.sees(source, hit) && city.sees(hit, receiver)) {
        paths.push(pathOver([source, hit, receiver], 'reflected', image, first.reflection))
      }
    }
    if (order < 2) continue
    for (const second of city.walls) {
      if (second === first || beforeWall(image, second) <= 0 || beforeWall(receiver, second) <= 0) continue
      const twice = mirrored(image, second)
      if (distanceBetween(twice, receiver) > limit) continue
      const last = throughWall(twice, receiver, second)
      const hit = last === null ? null : throughWall(image, last, first)
      if (last === null || hit === null) continue
      if (!city.sees(source, hit) || !city.sees(hit, last) || !city.sees(last, receiver)) continue
      const reflection = first.reflection * second.reflection
      paths.push(pathOver([source, hit, last, receiver], 'reflected', twice, reflection))
    }
  }
  return paths
}

/** A path round edges, with the apparent source in the direction of the last edge. */
function roundEdges(points: readonly LocalPosition[]): Path {
  const receiver = points.at(-1)!
  const edge = points.at(-2)!
  const length = lengthOf(points)
  const stretch = length / distanceBetween(edge, receiver)
  const image = {
    east: receiver.east + (edge.east - receiver.east) * stretch,
    north: receiver.north + (edge.north - receiver.north) * stretch,
    up: receiver.up + (edge.up - receiver.up) * stretch,
  }
  return pathOver(points, 'diffracted', image, 1, length - distanceBetween(points[0]!, receiver))
}

/** Ways round corners that are longer than the straight line by more than this are not looked for, metres. */
const longestDetour = 120

/**
 * The shortest way round the corners of the buildings (A* on the graph of what sees what in plan), or null where there is none:
 * an end lies within a building, or the detour is too long.
 */
function aroundCorners(source: LocalPosition, receiver: LocalPosition, city: City): Path | null {
  if (city.buildingAt(source, 0) >= 0 || city.buildingAt(receiver, 0) >= 0) return null
  const { corners } = city
  const goal = corners.length
  const flat = (a: LocalPosition, b: LocalPosition): number => Math.hypot(a.east - b.east, a.north - b.north)
  const limit = flat(source, receiver) + longestDetour
  const toGoal = corners.map(corner => flat(corner, receiver))
  const reached = new Float64Array(corners.length + 1).fill(Number.POSITIVE_INFINITY)
  const before = new Int32Array(corners.length + 1).fill(-1)
  const open = new Set<number>()
  reached[goal] = limit
  corners.forEach((corner, index) => {
    const length = flat(source, corner)
    if (length + toGoal[index]! >= limit || !city.seesInPlan(source, corner)) return
    reached[index] = length
    open.add(index)
  })
  while (open.size > 0) {
    let best = -1
    for (const node of open)
      if (best < 0 || reached[node]! + toGoal[node]! < reached[best]! + toGoal[best]!) best = node
    open.delete(best)
    if (reached[best]! + toGoal[best]! >= reached[goal]!) break
    if (city.seesInPlan(corners[best]!, receiver)) {
      reached[goal] = reached[best]! + toGoal[best]!
      before[goal] = best
    }
    for (let next = 0; next < corners.length; next++) {
      const length = reached[best]! + flat(corners[best]!, corners[next]!)
      if (length >= reached[next]! || length + toGoal[next]! >= reached[goal]! || !city.cornersSee(best, next)) continue
      reached[next] = length
      before[next] = best
      open.add(next)
    }
  }
  if (before[goal]! < 0) return null
  const chain: number[] = []
  for (let node = before[goal]!; node >= 0; node = before[node]!) chain.unshift(node)
  const rise = (receiver.up - source.up) / reached[goal]!
  const edges = chain.map(node => ({ ...corners[node]!, up: source.up + rise * reached[node]! }))
  return roundEdges([source, ...edges, receiver])
}

/** The shortest way over the roofs in the upright plane of source and receiver: a string pulled tight over them. */
function overRoofs(source: LocalPosition, receiver: LocalPosition, city: City): Path | null {
  const edges = city.roofEdges(source, receiver).filter(edge => edge.fraction > 0 && edge.fraction < 1)
  const points = [{ fraction: 0, up: source.up }, ...edges, { fraction: 1, up: receiver.up }]
  points.sort((a, b) => a.fraction - b.fraction || a.up - b.up)
  const string: { fraction: number; up: number }[] = []
  for (const point of points) {
    while (string.length >= 2) {
      const [a, b] = [string.at(-2)!, string.at(-1)!]
      const turn = (b.fraction - a.fraction) * (point.up - a.up) - (b.up - a.up) * (point.fraction - a.fraction)
      if (turn < 0) break
      string.pop()
    }
    string.push(point)
  }
  if (string.length < 3) return null
  return roundEdges(
    string.map(({ fraction, up }) => ({
      east: source.east + fraction * (receiver.east - source.east),
      north: source.north + fraction * (receiver.north - source.north),
      up,
    })),
  )
}

/** How a street rings: seconds until the tail is 60 dB down, its loudest part relative to the straight sound, and how dense it is. */
export interface Reverberation {
  readonly time: number
  readonly level: number
  readonly arrivalsPerSecond: number
}

/** Late sound off clutter that is not modelled: plane waves from drawn directions at drawn delays, decaying exponentially. */
export function scatteredPaths(
  source: LocalPosition,
  receiver: LocalPosition,
  reverberation: Reverberation,
  random: Random,
  speed: number,
): Path[] {
  const straight = distanceBetween(source, receiver)
  const count = random.poisson(reverberation.arrivalsPerSecond * reverberation.time)
  return Array.from({ length: count }, () => {
    const delay = random.between(0, reverberation.time)
    const azimuth = random.between(0, 2 * Math.PI)
    const elevation = random.between(-0.1, 0.4)
    const length = straight + delay * speed
    const image = {
      east: receiver.east + length * Math.sin(azimuth) * Math.cos(elevation),
      north: receiver.north + length * Math.cos(azimuth) * Math.cos(elevation),
      up: receiver.up + length * Math.sin(elevation),
    }
    const decay = 10 ** ((reverberation.level - (60 * delay) / reverberation.time) / 20)
    const reflection = (random.normal() * decay * length) / straight
    return { kind: 'scattered', ground: false, points: [image, receiver], length, image, reflection, detour: null }
  })
}
