import { type Level, windLevel } from './background.js'
import { drawCity, drawOther } from './city.js'
import { drawSource } from './placements.js'
import { Random } from './random.js'
import type { GatewayRenderer } from './render.js'
import type { Scene } from './scene.js'
import type { Source, SourceKind } from './source.js'

/** A long stretch of city life. */
export interface DaySettings {
  readonly seed: number
  readonly gateways: number
  readonly hours: number
  /** Rounds in all, fired in bursts of one to six at drawn times and places inside the network or at its edge. */
  readonly shots: number
  readonly sampleRate: number
}

export const usualDay: DaySettings = { seed: 1, gateways: 12, hours: 24, shots: 200, sampleRate: 12_000 }

/** How many of each kind begin in an hour somewhere in the network; fireworks come on top, in the evening. */
const hourly: readonly (readonly [SourceKind, number])[] = [
  ['slam', 30],
  ['hammering', 4],
  ['siren', 3],
  ['bark', 20],
  ['engine', 20],
  ['rotor', 0.4],
]

/**
 * A day: doors, dogs, hammers, engines, sirens, a helicopter now and then, fireworks in the evening, two hours of thunderstorm,
 * showers, wind that rises and falls, the hum of the city by day and by night, and gunshots. Hearing it costs no memory: go
 * through it with `blocks`.
 */
export function drawDay(parts: Partial<DaySettings> = {}): Scene {
  const { seed, gateways, hours, shots, sampleRate } = { ...usualDay, ...parts }
  const city = drawCity({ seed, gateways, sampleRate, guns: 4, shots: 1 })
  const random = new Random(seed).fork('day')
  const poles = city.gateways.map(({ position }) => position)
  const duration = hours * 3600
  const at = (): number => city.start + random.between(5, Math.max(6, duration - 20))
  const sources: Source[] = []
  for (const [kind, rate] of hourly) {
    for (let n = Math.round(random.normal(rate * hours, Math.sqrt(rate * hours))); n > 0; n--) {
      sources.push(drawOther(random, kind, at(), poles))
    }
  }
  const evening = city.start + 0.8 * duration
  for (let n = random.poisson(1.5 * hours); n > 0; n--) {
    const time = Math.min(city.start + duration - 20, evening + random.exponential(duration / 20))
    sources.push(drawOther(random, 'firework', time, poles))
  }
  const storm = city.start + random.between(0.1, 0.7) * duration
  for (let n = random.poisson(Math.min(24, hours)); n > 0; n--) {
    sources.push(drawOther(random, 'thunder', storm + random.between(0, duration / 12), poles))
  }
  for (let fired = 0; fired < shots; ) {
    const burst = Math.min(shots - fired, 1 + random.integer(6))
    const position = drawSource(random, poles, random.chance(0.75) ? 'inside' : 'edge')
    const [heading, level] = [random.between(0, 360), random.normal(159, 2)]
    let time = at()
    for (let round = 0; round < burst; round++) {
      sources.push({ kind: 'gun', time, position, heading: heading + random.normal(0, 4), level })
      time += random.between(0.18, 1.1)
    }
    fired += burst
  }
  return {
    ...city,
    duration,
    background: {
      ambience: hum(random, city.start, hours),
      rain: showers(random, city.start, duration, storm),
      wind: breeze(random, city.start, hours),
    },
    sources: sources.sort((a, b) => a.time - b.time),
  }
}

/** Quieter by night: the stretch is taken to begin at noon. */
function hum(random: Random, start: number, hours: number): Level {
  return Array.from({ length: Math.ceil(4 * hours) + 1 }, (_, quarter) => ({
    time: start + 900 * quarter,
    level: 52 + 6 * Math.cos((2 * Math.PI * quarter) / 96) + random.normal(0, 1.5),
  }))
}

const dry = -21

/** Two showers, one with the storm: they swell and end within minutes. */
function showers(random: Random, start: number, duration: number, storm: number): Level {
  const first = start + random.between(0, 0.05) * duration
  const shower = (from: number, length: number, level: number) => [
    { time: from, level: dry },
    { time: from + 0.2 * length, level },
    { time: from + 0.8 * length, level: level - 4 },
    { time: from + length, level: dry },
  ]
  return [
    ...shower(first, 0.04 * duration, random.between(45, 58)),
    ...shower(storm, duration / 12, random.between(55, 66)),
  ]
}

function breeze(random: Random, start: number, hours: number): Level {
  let speed = random.between(0.5, 4)
  return Array.from({ length: Math.ceil(2 * hours) + 1 }, (_, half) => {
    speed = Math.max(0.3, Math.min(10, speed + random.normal(0, 1.2)))
    return { time: start + 1800 * half, level: windLevel(speed) ?? 30 }
  })
}

/** A recording in pieces of so many samples, full scale ±1; the last may be shorter. */
export function* blocks(
  renderer: GatewayRenderer,
  length: number,
): Generator<{ readonly firstSample: number; readonly channels: Float32Array[] }> {
  for (let first = 0; first < renderer.sampleCount; first += length) {
    const count = Math.min(length, renderer.sampleCount - first)
    yield { firstSample: first, channels: renderer.samples(first, count) }
  }
}
