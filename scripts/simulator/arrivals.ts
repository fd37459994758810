import type { Arrival, GatewayPlace, LocalPosition, Weather } from '../../gateway/acoustics/arrival.js'
import { distanceBetween, effectiveSpeed, speedOfSound, toDecibel, type Wind, windVector } from './physics.js'
import { drawGateways, drawSource, type GeometryClass } from './placements.js'
import { Random } from './random.js'
import { muzzleGain } from './source.js'

/**
 * How arrivals are drawn without rendering sound. Errors are one standard deviation; metres, seconds, decibel, degrees. The
 * usual values give residuals like those of the live-fire recordings (-10 to +12 ms about the median, 16th to 84th percentile);
 * what is `stated` is what gateways believe, the rest is the truth.
 */
export interface TrialSettings {
  readonly gateways: number
  readonly geometry: GeometryClass
  /** Metres between gateways. */
  readonly spacing: number
  /** Guns at places of their own, and rounds that each fires, so many seconds apart. */
  readonly guns: number
  readonly rounds: number
  readonly interval: readonly [number, number]
  /** Onset picking, anew at every arrival, and what gateways state of it. */
  readonly pickError: number
  readonly statedPickError: number
  /** What a gateway's way from a gun differs from the straight line, the same for all rounds: either way, and late only. */
  readonly pathError: number
  readonly lateShare: number
  readonly lateMean: number
  readonly clockError: number
  readonly statedClockError: number
  readonly surveyError: number
  readonly statedSurveyError: number
  /** Probability that a gateway hears no direct sound of a gun at all, only echoes, and that it misses a single round. */
  readonly shadowed: number
  readonly missed: number
  /** Mean number of echoes of a round at a gateway, and their mean delay. */
  readonly echoes: number
  readonly echoDelay: number
  /** Other impulses at each gateway, a second. */
  readonly falseRate: number
  /** Stated temperature against the truth, Celsius; the wind's mean speed, and whether gateways know it. */
  readonly temperatureError: number
  readonly windSpeed: number
  readonly windKnown: boolean
  /** Share of the gateways that give bearings. */
  readonly arrays: number
  readonly bearingError: number
  /** Gateways, by index, whose clock is fast by so many seconds or that stand so many metres off, unknown to them. */
  readonly faulty: readonly { readonly gateway: number; readonly clock?: number; readonly survey?: number }[]
}

export const usualSettings: TrialSettings = {
  gateways: 6,
  geometry: 'inside',
  spacing: 250,
  guns: 1,
  rounds: 1,
  interval: [0.15, 1.2],
  pickError: 0.0015,
  statedPickError: 0.002,
  pathError: 0.008,
  lateShare: 0.4,
  lateMean: 0.012,
  clockError: 0.0005,
  statedClockError: 0.0005,
  surveyError: 1,
  statedSurveyError: 1,
  shadowed: 0.08,
  missed: 0.02,
  echoes: 1.5,
  echoDelay: 0.15,
  falseRate: 0.5,
  temperatureError: 1,
  windSpeed: 2,
  windKnown: false,
  arrays: 0,
  bearingError: 2,
  faulty: [],
}

/** Where an arrival comes from: which round (index into the truth), straight or not; null for another sound. */
export interface Provenance {
  readonly shot: number | null
  readonly echo: boolean
}

export interface TrueShot {
  readonly time: number
  readonly position: LocalPosition
  readonly kind: 'gun'
  readonly gun: number
  /** How many gateways have an arrival of its direct sound. */
  readonly heardDirectly: number
}

/** What a network hears, as the locator takes it, and the truth. Arrivals are in order of time. */
export interface Trial {
  readonly places: ReadonlyMap<string, GatewayPlace>
  readonly arrivals: readonly Arrival[]
  readonly heardUntil: ReadonlyMap<string, number>
  readonly weather: Weather
  readonly truth: {
    readonly shots: readonly TrueShot[]
    readonly positions: ReadonlyMap<string, LocalPosition>
    readonly provenance: ReadonlyMap<string, Provenance>
  }
}

/** `count` trials; the n-th depends on the seed, n and the settings only. */
export function* trials(seed: number, count: number, settings: Partial<TrialSettings> = {}): Generator<Trial> {
  for (let n = 0; n < count; n++) yield drawTrial(new Random(seed).fork(n), settings)
}

/** Least step of power that a detector calls an onset, and the mean above it of sounds that are not shots, decibel. */
const leastSalience = 3
const falseSalience = 4.5
/** From the peak over the noise to the step of mean power within 50 ms, decibel. */
const peakToStep = 18

interface Ear {
  readonly id: string
  readonly position: LocalPosition
  readonly clockOffset: number
  readonly noiseLevel: number
  readonly array: boolean
  readonly heard: { readonly arrival: Omit<Arrival, 'id'>; readonly provenance: Provenance }[]
}

interface Network {
  readonly settings: TrialSettings
  readonly random: Random
  readonly speed: number
  readonly wind: Wind
}

/** Draws gateways, guns, weather and everything that is heard. */
export function drawTrial(random: Random, parts: Partial<TrialSettings> = {}): Trial {
  const settings = { ...usualSettings, ...parts }
  const start = 1_700_000_000 + random.integer(1_000_000)
  const positions = drawGateways(random, settings.gateways, settings.spacing)
  const air = { temperature: random.between(-5, 32), humidity: random.between(30, 90), pressure: 101.325 }
  const windSpeed = random.exponential(settings.windSpeed)
  const windFrom = random.between(0, 360)
  const network = { settings, random, speed: speedOfSound(air), wind: windVector(windSpeed, windFrom) }
  const ears = positions.map((position, index): Ear => {
    const fault = settings.faulty.find(({ gateway }) => gateway === index)
    return {
      id: `gateway-${index + 1}`,
      position,
      clockOffset: random.normal(0, settings.clockError) + (fault?.clock ?? 0),
      noiseLevel: random.normal(62, 4),
      array: random.chance(settings.arrays),
      heard: [],
    }
  })
  const shots: TrueShot[] = []
  for (let gun = 0; gun < settings.guns; gun++) {
    const position = drawSource(random, positions, settings.geometry)
    shots.push(
      ...fire(network, ears, gun, position, start + random.between(0, settings.guns > 1 ? 1 : 0.1), shots.length),
    )
  }
  const end =
    Math.max(start, ...shots.map(({ time }) => time)) + (2.5 * settings.spacing * Math.sqrt(settings.gateways)) / 330
  for (const ear of ears) {
    const count = random.poisson(settings.falseRate * (end - start + 2))
    for (let n = 0; n < count; n++) hearOther(network, ear, random.between(start - 2, end))
  }
  const arrivals: Arrival[] = []
  const provenance = new Map<string, Provenance>()
  for (const { id, heard } of ears) {
    heard.sort((a, b) => a.arrival.time - b.arrival.time)
    heard.forEach((sound, number) => {
      const arrival = { id: `${id}/trial/${number}`, ...sound.arrival }
      arrivals.push(arrival)
      provenance.set(arrival.id, sound.provenance)
    })
  }
  const temperature = air.temperature + random.normal(0, settings.temperatureError)
  return {
    places: new Map(ears.map((ear, index) => [ear.id, statedPlace(network, ear, index)])),
    arrivals: arrivals.sort((a, b) => a.time - b.time),
    heardUntil: new Map(ears.map(({ id }) => [id, end + 5])),
    weather: {
      temperature,
      humidity: air.humidity,
      windSpeed: settings.windKnown ? windSpeed : null,
      windFrom: settings.windKnown ? windFrom : null,
    },
    truth: { shots, positions: new Map(ears.map(({ id, position }) => [id, position])), provenance },
  }
}

function statedPlace({ settings, random }: Network, { id, position }: Ear, index: number): GatewayPlace {
  const off = settings.faulty.find(({ gateway }) => gateway === index)?.survey ?? 0
  const towards = random.between(0, 2 * Math.PI)
  return {
    gateway: id,
    position: {
      east: position.east + random.normal(0, settings.surveyError) + off * Math.sin(towards),
      north: position.north + random.normal(0, settings.surveyError) + off * Math.cos(towards),
      up: position.up,
    },
    positionError: settings.statedSurveyError,
  }
}

/** All rounds of one gun and what each gateway hears of them. */
function fire(
  network: Network,
  ears: readonly Ear[],
  gun: number,
  position: LocalPosition,
  first: number,
  firstIndex: number,
): TrueShot[] {
  const { settings, random, speed, wind } = network
  const level = random.normal(157, 3)
  const heading = random.between(0, 360)
  const times = [first]
  while (times.length < settings.rounds) times.push(times.at(-1)! + random.between(...settings.interval))
  const direct = times.map(() => 0)
  for (const ear of ears) {
    const distance = distanceBetween(position, ear.position)
    const travel = distance / effectiveSpeed(position, ear.position, speed, wind)
    const late = random.chance(settings.lateShare) ? random.exponential(settings.lateMean) : 0
    const delay = travel + random.normal(0, settings.pathError) + late
    const bearing = bearingOf(ear.position, position)
    const open =
      level +
      toDecibel(muzzleGain(((bearing + 180 - heading) * Math.PI) / 180)) -
      toDecibel(distance) -
      0.004 * distance
    const obstructed = open - random.exponential(7)
    const shadowed = random.chance(settings.shadowed)
    const echoes = Array.from({ length: random.poisson(settings.echoes) }, () => ({
      delay: 0.02 + random.exponential(settings.echoDelay),
      level: open - random.exponential(10),
      azimuth: random.between(0, 360),
    }))
    times.forEach((time, round) => {
      const shot = firstIndex + round
      const loudness = random.normal(0, 1)
      if (!shadowed && !random.chance(settings.missed)) {
        const sound = { time: time + delay, level: obstructed + loudness, azimuth: bearing, gun: 2 }
        if (hear(network, ear, sound, { shot, echo: false })) direct[round]!++
      }
      for (const echo of echoes) {
        const sound = { time: time + travel + echo.delay, level: echo.level + loudness, azimuth: echo.azimuth, gun: 1 }
        hear(network, ear, sound, { shot, echo: true })
      }
    })
  }
  return times.map((time, round) => ({ time, position, kind: 'gun', gun, heardDirectly: direct[round]! }))
}

/** An impulse at a gateway: true time, peak level, where it comes from, and how much like a gun it sounds (logit). */
interface Impulse {
  readonly time: number
  readonly level: number
  readonly azimuth: number
  readonly gun: number
}

function hear({ settings, random }: Network, ear: Ear, sound: Impulse, provenance: Provenance): boolean {
  const salience = sound.level - ear.noiseLevel - peakToStep + random.normal(0, 2)
  if (salience < leastSalience) return false
  ear.heard.push({
    arrival: {
      gateway: ear.id,
      time: sound.time + ear.clockOffset + random.normal(0, settings.pickError),
      timeError: Math.hypot(settings.statedClockError, settings.statedPickError),
      salience,
      soundLevel: sound.level,
      bearing: ear.array
        ? {
            azimuth: (sound.azimuth + random.normal(0, settings.bearingError) + 360) % 360,
            elevation: null,
            error: settings.bearingError,
          }
        : null,
      gunProbability: 1 / (1 + Math.exp(-random.normal(sound.gun, 1.2))),
    },
    provenance,
  })
  return true
}

function hearOther(network: Network, ear: Ear, time: number): void {
  const { random } = network
  const level = ear.noiseLevel + peakToStep + leastSalience + random.exponential(falseSalience)
  hear(network, ear, { time, level, azimuth: random.between(0, 360), gun: -2 }, { shot: null, echo: false })
}

/** Degrees clockwise from north. */
export function bearingOf(from: LocalPosition, to: LocalPosition): number {
  return ((Math.atan2(to.east - from.east, to.north - from.north) * 180) / Math.PI + 360) % 360
}
