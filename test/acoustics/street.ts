import type { Arrival, GatewayPlace, LocalPosition, Weather } from '../../gateway/acoustics/arrival.js'
import { airOf } from '../../gateway/acoustics/propagation.js'
import type { Witness } from '../../gateway/acoustics/witness.js'
import { Random } from '../../scripts/simulator/random.js'

export const weather: Weather = { temperature: 12, humidity: null, windSpeed: null, windFrom: null }
const air = airOf(weather)

/** What is wrong with a gateway, unknown to it: seconds by which its times are late, metres that it stands further east. */
export interface Wrong {
  readonly clock?: number
  readonly east?: number
  /** Instead of a steady fault, what this gateway makes of a time that it heard. */
  readonly lie?: (time: number, shot: { readonly time: number; readonly position: LocalPosition }) => number
}

export interface Shot {
  readonly time: number
  readonly position: LocalPosition
  readonly arrivals: readonly Arrival[]
  /** The direct sound at each gateway that heard it. */
  readonly direct: ReadonlyMap<string, Arrival>
}

/** About 250 m apart, in no line. */
const corners = [
  [-260, -140],
  [10, -190],
  [250, -110],
  [-230, 130],
  [30, 90],
  [280, 170],
  [-20, 330],
  [-300, 380],
] as const

/**
 * Gateways that stay where they are, and shots around them. Arrivals are drawn, not rendered: sound comes 8 ms early or late
 * by its way and at two in five ways later by 12 ms on average, 8 % are not heard but for an echo, and other sounds come in.
 */
export class Street {
  readonly gateways: ReadonlyMap<string, GatewayPlace>
  readonly wrong = new Map<string, Wrong>()
  /** One standard deviation that every arrival states. */
  timeError = 0.002
  readonly #random: Random
  #number = 0

  constructor(seed: number, count: number) {
    this.#random = new Random(seed)
    this.gateways = new Map(
      corners.slice(0, count).map(([east, north], i) => {
        const gateway = String.fromCharCode(97 + i)
        return [gateway, { gateway, position: { east, north, up: 8 }, positionError: 1 }]
      }),
    )
  }

  /** A shot somewhere between the gateways or up to 60 m beyond them. */
  fire(time: number, position: LocalPosition = this.#somewhere()): Shot {
    const random = this.#random
    const arrivals: Arrival[] = []
    const direct = new Map<string, Arrival>()
    for (const [gateway, { position: stated }] of this.gateways) {
      const { clock = 0, east = 0, lie } = this.wrong.get(gateway) ?? {}
      const distance = Math.hypot(stated.east + east - position.east, stated.north - position.north)
      const late = random.normal(0, 0.008) + (random.chance(0.4) ? random.exponential(0.012) : 0)
      const heard = time + distance / air.speed + late
      const tell = (at: number, salience: number): Arrival => {
        const told = lie === undefined ? at + clock : lie(at, { time, position })
        const made = this.#arrival(gateway, told + random.normal(0, 0.001), salience)
        arrivals.push(made)
        return made
      }
      if (random.chance(0.92)) direct.set(gateway, tell(heard, random.between(8, 30)))
      for (let echoes = random.poisson(1.2); echoes > 0; echoes--)
        tell(heard + random.between(0.06, 0.3), random.between(4, 12))
      for (let others = random.poisson(0.4 * 4); others > 0; others--)
        tell(time + random.between(-1.5, 2.5), 3 + random.exponential(4.5))
    }
    return { time, position, direct, arrivals: arrivals.sort((a, b) => a.time - b.time) }
  }

  /** The shot as a locator would have it that takes the direct sounds near where they should be, some metres off. */
  witness(shot: Shot): Witness {
    const random = this.#random
    const position = {
      ...shot.position,
      east: shot.position.east + random.normal(0, 5),
      north: shot.position.north + random.normal(0, 5),
    }
    return {
      time: shot.time,
      position,
      air,
      gateways: [...this.gateways.values()].map(place => {
        const distance = Math.hypot(position.east - place.position.east, position.north - place.position.north)
        const expected = shot.time + distance / air.speed
        const own = shot.arrivals.filter(({ gateway }) => gateway === place.gateway)
        const near = own.filter(({ time }) => time - expected > -0.05 && time - expected < 0.2)
        const matched = near.sort((a, b) => b.salience - a.salience)[0] ?? null
        return { place, matched, arrivals: own.filter(each => each !== matched) }
      }),
    }
  }

  #somewhere(): LocalPosition {
    const { east, north } = { east: this.#random.between(-340, 340), north: this.#random.between(-250, 390) }
    const reaches = [...this.gateways.values()].some(
      ({ position }) => Math.hypot(position.east - east, position.north - north) < 160,
    )
    return reaches ? { east, north, up: 8 } : this.#somewhere()
  }

  #arrival(gateway: string, time: number, salience: number): Arrival {
    return {
      id: `${gateway}/e/${++this.#number}`,
      gateway,
      time,
      timeError: this.timeError,
      salience,
      soundLevel: 60 + salience,
      bearing: null,
      gunProbability: 0.95,
    }
  }
}
