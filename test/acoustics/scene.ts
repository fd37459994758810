import type { Arrival, GatewayPlace, Weather } from '../../gateway/acoustics/arrival.js'
import type { Scene } from '../../gateway/acoustics/locate.js'

/** A stream of numbers from 0 to 1 that a seed fixes (mulberry32), and normal deviates from it. */
export class Chance {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0
  }
  uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform())
  }
}

export const still: Weather = { temperature: 10, humidity: null, windSpeed: 0, windFrom: 0 }
export const epochSecond = 1_700_000_000

export interface Gun {
  readonly east: number
  readonly north: number
  readonly up?: number
  /** Seconds of discharge. */
  readonly rounds: readonly number[]
}

export interface SceneOptions {
  readonly seed: number
  readonly places: readonly GatewayPlace[]
  readonly guns: readonly Gun[]
  readonly weather?: Weather
  /** Bound of what each gateway's path adds, seconds: early and late. */
  readonly pathSpread?: readonly [number, number]
  /** Error of places as written, metres a horizontal axis. */
  readonly placeError?: number
  readonly echoesPerArrival?: number
  readonly clutterPerSecond?: number
  /** Seconds of sound after the first discharge. */
  readonly duration?: number
  /** Chance that a gateway hears an arrival at all, by distance in metres. */
  readonly hearing?: (distance: number) => number
  readonly clockOffset?: (gatewayIndex: number) => number
}

/** Gateways on a grid of streets, their heights a few metres apart. */
export function grid(columns: number, rows: number, spacing: number, positionError = 1): GatewayPlace[] {
  return Array.from({ length: columns * rows }, (_, i) => ({
    gateway: `pole-${String(i + 1).padStart(2, '0')}`,
    position: {
      east: ((i % columns) - (columns - 1) / 2) * spacing + 23 * Math.sin(7 * i),
      north: (Math.floor(i / columns) - (rows - 1) / 2) * spacing + 23 * Math.cos(5 * i),
      up: 6 + 3 * Math.sin(3 * i),
    },
    positionError,
  }))
}

/** The arrivals that a network would hear of some guns: straight paths with a delay of their own, echoes, and clutter. */
export function hear(options: SceneOptions): Scene {
  const chance = new Chance(options.seed)
  const weather = options.weather ?? still
  const speed = 331.3 * Math.sqrt(1 + (weather.temperature ?? 12) / 273.15)
  const [early, late] = options.pathSpread ?? [0.004, 0.008]
  const duration = options.duration ?? 8
  const first = Math.min(...options.guns.flatMap(gun => gun.rounds), epochSecond)
  const arrivals: Arrival[] = []
  const heardUntil = new Map<string, number>()
  options.places.forEach((place, index) => {
    const offset = options.clockOffset?.(index) ?? 0
    const truth = {
      east: place.position.east + (options.placeError ?? 0) * chance.normal(),
      north: place.position.north + (options.placeError ?? 0) * chance.normal(),
    }
    const heard: { time: number; salience: number; level: number }[] = []
    for (const gun of options.guns) {
      const distance = Math.hypot(truth.east - gun.east, truth.north - gun.north, place.position.up - (gun.up ?? 2))
      const deviation = chance.normal()
      const path = distance / speed + deviation * (deviation < 0 ? early : late)
      const salience = 12 + 16 * chance.uniform() - distance / 100
      const level = 150 - 20 * Math.log10(Math.max(1, distance)) + 3 * chance.normal()
      const hears = chance.uniform() < (options.hearing?.(distance) ?? 1)
      const echoes = Array.from({ length: options.echoesPerArrival ?? 2 }, () => ({
        delay: 0.07 + 0.4 * chance.uniform(),
        salience: 3 + 6 * chance.uniform(),
        level: level - 6 * chance.uniform(),
      }))
      for (const round of gun.rounds) {
        if (!hears) continue
        const wobble = () => 0.0002 * chance.normal()
        heard.push({ time: round + path + wobble(), salience: Math.max(4, salience + chance.normal()), level })
        for (const echo of echoes) {
          if (chance.uniform() < 0.8)
            heard.push({ time: round + path + echo.delay + wobble(), salience: echo.salience, level: echo.level })
        }
      }
    }
    for (let time = first; time < first + duration; ) {
      time += -Math.log(1 - chance.uniform()) / (options.clutterPerSecond ?? 0.5)
      heard.push({ time, salience: 3 - 1.5 * Math.log(1 - chance.uniform()), level: 80 + 5 * chance.normal() })
    }
    heard.sort((a, b) => a.time - b.time)
    heard.forEach(({ time, salience, level }, number) => {
      arrivals.push({
        id: `${place.gateway}/5c2e/${number + 1}`,
        gateway: place.gateway,
        time: time + offset,
        timeError: 0.0005,
        salience,
        soundLevel: level,
        bearing: null,
        gunProbability: null,
      })
    })
    heardUntil.set(place.gateway, first + duration + offset)
  })
  return {
    arrivals,
    places: new Map(options.places.map(place => [place.gateway, place])),
    heardUntil,
    weather,
  }
}
