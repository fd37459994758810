import type { Arrival, GatewayPlace, LocalPosition, Weather } from '../../gateway/acoustics/arrival.js'
import { distanceBetween, effectiveSpeed, speedOfSound, toDecibel, type Wind, windVector } from './physics.js'
import { drawGateways, drawSource } from './placements.js'
import { Random } from './random.js'
import { muzzleGain } from './source.js'
import { type TrialSettings, usualSettings } from './trial-settings.js'

export type { TrialSettings } from './trial-settings.js'

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
/** Of all impulses within this distance a detector gives only the one that stands out most, seconds. */
const separation = 0.06
/** What rings after an impulse raises the noise: how far below its peak at first, and how fast it dies, decibel a second. */
const ringingBelow = 18
const ringingDecay = 50

interface Ear {
  readonly id: string
  readonly position: LocalPosition
  readonly clockOffset: number
  readonly noiseLevel: number
  readonly array: boolean
  readonly impulses: Impulse[]
}

/** An impulse at a gateway: true time, peak level, where it comes from, and how much like a gun it sounds (logit). */
interface Impulse {
  readonly time: number
  readonly level: number
  readonly azimuth: number
  readonly gun: number
  readonly provenance: Provenance
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
      impulses: [],
    }
  })
  const rounds: Round[] = []
  for (let gun = 0; gun < settings.guns; gun++) {
    const position = drawSource(random, positions, settings.geometry)
    const first = start + random.between(0, settings.guns > 1 ? 1 : 0.1)
    rounds.push(...fire(network, ears, gun, position, first, rounds.length))
  }
  const crossing = (2.5 * settings.spacing * Math.sqrt(settings.gateways)) / 330
  const end = Math.max(start, ...rounds.map(({ time }) => time)) + crossing
  for (const ear of ears) {
    const count = random.poisson(settings.falseRate * (end - start + 2))
    for (let n = 0; n < count; n++) {
      const level = ear.noiseLevel + peakToStep + leastSalience + random.exponential(falseSalience)
      const time = random.between(start - 2, end)
      const provenance = { shot: null, echo: false }
      ear.impulses.push({ time, level, azimuth: random.between(0, 360), gun: -2, provenance })
    }
  }
  const arrivals: Arrival[] = []
  const provenance = new Map<string, Provenance>()
  const direct = rounds.map(() => 0)
  for (const ear of ears) {
    for (const sound of detect(network, ear)) {
      arrivals.push(sound.arrival)
      provenance.set(sound.arrival.id, sound.provenance)
      const { shot, echo } = sound.provenance
      if (shot !== null && !echo) direct[shot]!++
    }
  }
  const shots = rounds.map((round, index): TrueShot => ({ ...round, kind: 'gun', heardDirectly: direct[index]! }))
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

type Round = Omit<TrueShot, 'kind' | 'heardDirectly'>

/** All rounds of one gun, and what of them reaches each gateway. */
function fire(
  network: Network,
  ears: readonly Ear[],
  gun: number,
  position: LocalPosition,
  first: number,
  firstIndex: number,
): Round[] {
  const { settings, random, speed, wind } = network
  const level = random.normal(157, 3)
  const heading = random.between(0, 360)
  const times = [first]
  while (times.length < settings.rounds) times.push(times.at(-1)! + random.between(...settings.interval))
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
        const level = obstructed + loudness
        const provenance = { shot, echo: false }
        ear.impulses.push({ time: time + delay, level, azimuth: bearing, gun: 2, provenance })
      }
      for (const echo of echoes) {
        const level = echo.level + loudness
        const provenance = { shot, echo: true }
        ear.impulses.push({ time: time + travel + echo.delay, level, azimuth: echo.azimuth, gun: 1, provenance })
      }
    })
  }
  return times.map(time => ({ time, position, gun }))
}

/** What a detector makes of the impulses that reach a gateway: those that stand out from noise, ringing and their neighbours. */
function detect(
  { settings, random }: Network,
  { id, clockOffset, noiseLevel, array, impulses }: Ear,
): { readonly arrival: Arrival; readonly provenance: Provenance }[] {
  impulses.sort((a, b) => a.time - b.time)
  const steps = impulses.map(({ time, level }, index) => {
    let floor = noiseLevel
    for (let n = index - 1; n >= 0 && time - impulses[n]!.time < 1.5; n--) {
      floor = Math.max(floor, impulses[n]!.level - ringingBelow - ringingDecay * (time - impulses[n]!.time))
    }
    return { time, salience: level - floor - peakToStep + random.normal(0, 2) }
  })
  const outdone = (index: number): boolean => {
    const { time, salience } = steps[index]!
    return steps.some(other => other.salience > salience && Math.abs(other.time - time) < separation)
  }
  const heard = impulses.flatMap((impulse, index) => {
    const { salience } = steps[index]!
    if (salience < leastSalience || outdone(index)) return []
    const time = impulse.time + clockOffset + random.normal(0, settings.pickError)
    const azimuth = (impulse.azimuth + random.normal(0, settings.bearingError) + 360) % 360
    const gunProbability = 1 / (1 + Math.exp(-random.normal(impulse.gun, 1.2)))
    return [{ impulse, salience, time, azimuth, gunProbability }]
  })
  heard.sort((a, b) => a.time - b.time)
  return heard.map(({ impulse, salience, time, azimuth, gunProbability }, number) => ({
    arrival: {
      id: `${id}/trial/${number}`,
      gateway: id,
      time,
      timeError: Math.hypot(settings.statedClockError, settings.statedPickError),
      salience,
      soundLevel: impulse.level,
      bearing: array ? { azimuth, elevation: null, error: settings.bearingError } : null,
      gunProbability,
    },
    provenance: impulse.provenance,
  }))
}

/** Degrees clockwise from north. */
export function bearingOf(from: LocalPosition, to: LocalPosition): number {
  return ((Math.atan2(to.east - from.east, to.north - from.north) * 180) / Math.PI + 360) % 360
}
