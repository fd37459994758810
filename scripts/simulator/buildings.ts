import type { LocalPosition } from '../../gateway/acoustics/arrival.js'

/** A rectangular building on flat ground: centre, metres along and across, degrees clockwise that "along" is turned from east. */
export interface Building {
  readonly east: number
  readonly north: number
  readonly along: number
  readonly across: number
  readonly height: number
  readonly heading: number
  /** Pressure coefficient of its walls, 0 to 1. */
  readonly reflection: number
}

/** A vertical wall: where it is, its outward normal, half its width and its height. */
export interface Wall {
  readonly building: number
  readonly east: number
  readonly north: number
  readonly normalEast: number
  readonly normalNorth: number
  readonly halfWidth: number
  readonly height: number
  readonly reflection: number
}

/** Room left at surfaces, metres, so that a ray that touches a wall or goes round a corner is not stopped by it. */
const skin = 0.01

/** The buildings of a scene, ready to be asked what sees what. */
export class City {
  readonly buildings: readonly Building[]
  readonly walls: readonly Wall[]
  /** Corners of all buildings at ground level, a little outside. */
  readonly corners: readonly LocalPosition[]
  readonly #frames: readonly { readonly cosine: number; readonly sine: number; readonly radius: number }[]
  /** What corner sees what corner: 0 not asked yet, 1 yes, 2 no. */
  readonly #cornerSight: Uint8Array

  constructor(buildings: readonly Building[]) {
    this.buildings = buildings
    this.#frames = buildings.map(({ heading, along, across }) => {
      const angle = (-heading * Math.PI) / 180
      return { cosine: Math.cos(angle), sine: Math.sin(angle), radius: Math.hypot(along, across) / 2 }
    })
    this.walls = buildings.flatMap((building, index) => this.#wallsOf(building, index))
    this.corners = buildings.flatMap((building, index) => {
      const [along, across] = [building.along / 2 + 2 * skin, building.across / 2 + 2 * skin]
      return [
        this.#toPlan(index, along, across),
        this.#toPlan(index, -along, across),
        this.#toPlan(index, -along, -across),
        this.#toPlan(index, along, -across),
      ]
    })
    this.#cornerSight = new Uint8Array(this.corners.length ** 2)
  }

  /** Whether two of `corners`, by index, see each other in plan; remembered. */
  cornersSee(a: number, b: number): boolean {
    const slot = Math.min(a, b) * this.corners.length + Math.max(a, b)
    if (this.#cornerSight[slot] === 0) {
      this.#cornerSight[slot] = this.seesInPlan(this.corners[a]!, this.corners[b]!) ? 1 : 2
    }
    return this.#cornerSight[slot] === 1
  }

  /** Whether the straight line between two points meets no building. */
  sees(from: LocalPosition, to: LocalPosition): boolean {
    return !this.buildings.some((building, index) => this.#crossing(index, from, to, building.height - skin) !== null)
  }

  /** Whether the line meets no building when all are endlessly high: can one walk it? */
  seesInPlan(from: LocalPosition, to: LocalPosition): boolean {
    return !this.buildings.some((_, index) => this.#crossing(index, from, to, Number.POSITIVE_INFINITY) !== null)
  }

  /** Roof edges over the line from `from` to `to`: fraction of the way and height. */
  roofEdges(from: LocalPosition, to: LocalPosition): { readonly fraction: number; readonly up: number }[] {
    return this.buildings.flatMap((building, index) => {
      const span = this.#crossing(index, from, to, Number.POSITIVE_INFINITY)
      return span === null ? [] : span.map(fraction => ({ fraction, up: building.height }))
    })
  }

  /** The building whose footprint, widened by `margin` metres, holds the point; -1 where none does. */
  buildingAt(place: LocalPosition, margin: number): number {
    return this.buildings.findIndex((building, index) => {
      const { along, across } = this.#toBuilding(index, place)
      return Math.abs(along) <= building.along / 2 + margin && Math.abs(across) <= building.across / 2 + margin
    })
  }

  #toBuilding(index: number, place: LocalPosition): { along: number; across: number } {
    const { cosine, sine } = this.#frames[index]!
    const east = place.east - this.buildings[index]!.east
    const north = place.north - this.buildings[index]!.north
    return { along: east * cosine + north * sine, across: -east * sine + north * cosine }
  }

  #toPlan(index: number, along: number, across: number): LocalPosition {
    const { cosine, sine } = this.#frames[index]!
    const { east, north } = this.buildings[index]!
    return { east: east + along * cosine - across * sine, north: north + along * sine + across * cosine, up: 0 }
  }

  /** The fractions of the line between which it is inside the building up to `height`, or null. Liang and Barsky's clipping. */
  #crossing(index: number, from: LocalPosition, to: LocalPosition, height: number): [number, number] | null {
    const { east: centreEast, north: centreNorth, along, across } = this.buildings[index]!
    const { cosine, sine, radius } = this.#frames[index]!
    const fromEast = from.east - centreEast
    const fromNorth = from.north - centreNorth
    const east = to.east - from.east
    const north = to.north - from.north
    const beside = fromEast * north - fromNorth * east
    const square = east * east + north * north
    if (beside * beside > radius * radius * square && square > 0) return null
    const up = to.up - from.up
    let enter = 0
    let leave = 1
    const clip = (start: number, step: number, low: number, high: number): boolean => {
      if (Math.abs(step) < 1e-12) return start > low && start < high
      const [near, far] = [(low - start) / step, (high - start) / step]
      enter = Math.max(enter, Math.min(near, far))
      leave = Math.min(leave, Math.max(near, far))
      return enter < leave
    }
    const halfAlong = along / 2 - skin
    const halfAcross = across / 2 - skin
    if (!clip(fromEast * cosine + fromNorth * sine, east * cosine + north * sine, -halfAlong, halfAlong)) return null
    if (!clip(-fromEast * sine + fromNorth * cosine, -east * sine + north * cosine, -halfAcross, halfAcross))
      return null
    if (height < Number.POSITIVE_INFINITY && !clip(from.up, up, -1e9, height)) return null
    return [enter, leave]
  }

  #wallsOf(building: Building, index: number): Wall[] {
    const { cosine, sine } = this.#frames[index]!
    const { height, reflection } = building
    const wall = (along: number, across: number, halfWidth: number): Wall => {
      const { east, north } = this.#toPlan(index, along, across)
      const reach = Math.hypot(along, across)
      return {
        building: index,
        east,
        north,
        normalEast: (along * cosine - across * sine) / reach,
        normalNorth: (along * sine + across * cosine) / reach,
        halfWidth,
        height,
        reflection,
      }
    }
    const [along, across] = [building.along / 2, building.across / 2]
    return [wall(along, 0, across), wall(-along, 0, across), wall(0, across, along), wall(0, -across, along)]
  }
}

/** Metres that a point lies before (positive) or behind a wall's plane. */
export function beforeWall(place: LocalPosition, wall: Wall): number {
  return (place.east - wall.east) * wall.normalEast + (place.north - wall.north) * wall.normalNorth
}

/** The point behind the wall that looks like `place` in a mirror there. */
export function mirrored(place: LocalPosition, wall: Wall): LocalPosition {
  const twice = 2 * beforeWall(place, wall)
  return { east: place.east - twice * wall.normalEast, north: place.north - twice * wall.normalNorth, up: place.up }
}

/** Where the line from a mirrored source to `to` goes through the wall itself, or null where it passes beside or above it. */
export function throughWall(image: LocalPosition, to: LocalPosition, wall: Wall): LocalPosition | null {
  const behind = -beforeWall(image, wall)
  const before = beforeWall(to, wall)
  if (behind <= 0 || before <= 0) return null
  const fraction = behind / (behind + before)
  const east = image.east + fraction * (to.east - image.east)
  const north = image.north + fraction * (to.north - image.north)
  const up = image.up + fraction * (to.up - image.up)
  const beside = Math.abs((north - wall.north) * wall.normalEast - (east - wall.east) * wall.normalNorth)
  return beside <= wall.halfWidth && up >= 0 && up <= wall.height ? { east, north, up } : null
}
