import type { LocalPosition } from '../../gateway/acoustics/arrival.js'
import type { NamedGeometry } from './arrays.js'
import { windLevel } from './background.js'
import { type Building, City } from './buildings.js'
import { flowResistivity } from './ground.js'
import { drawGateways, drawSource, type GeometryClass, hullOf, planDistance, shoulderHeight } from './placements.js'
import { Random } from './random.js'
import { type Scene, type SceneGateway, usualMicrophones } from './scene.js'
import type { Source, SourceKind } from './source.js'

/** What a drawn city block is like; errors are one standard deviation. */
export interface CitySettings {
  readonly seed: number
  readonly gateways: number
  readonly geometry: GeometryClass
  /** Metres between gateways. */
  readonly spacing: number
  readonly guns: number
  /** Rounds that each gun fires, and about how many seconds apart. */
  readonly shots: number
  readonly interval: number
  /** Metres a second of the bullets, null for no shock wave. */
  readonly bulletSpeed: number | null
  /** Other sounds, each once, at drawn places and times. */
  readonly others: readonly SourceKind[]
  /** Seconds; null for as long as the last sound needs to reach all gateways. */
  readonly duration: number | null
  readonly sampleRate: number
  readonly array: NamedGeometry
  readonly buildings: boolean
  /** Celsius, per cent, metres a second, degrees. */
  readonly temperature: number
  readonly humidity: number
  readonly windSpeed: number
  readonly windFrom: number
  /** Decibel re 20 µPa; null for none. */
  readonly ambience: number | null
  readonly rain: number | null
  /** Decibel from the peak of the sounds down to the noise's root mean square; null leaves the noise at its own level. */
  readonly signalToNoise: number | null
  readonly clockError: number
  readonly surveyError: number
  /** Parts per million. */
  readonly drift: number
}

export const usualCity: CitySettings = {
  seed: 1,
  gateways: 6,
  geometry: 'inside',
  spacing: 250,
  guns: 1,
  shots: 3,
  interval: 0.5,
  bulletSpeed: null,
  others: [],
  duration: null,
  sampleRate: 48_000,
  array: { name: 'mono', geometry: [{ east: 0, north: 0, up: 0 }] },
  buildings: true,
  temperature: 15,
  humidity: 60,
  windSpeed: 2,
  windFrom: 250,
  ambience: 56,
  rain: null,
  signalToNoise: null,
  clockError: 0.0002,
  surveyError: 0.5,
  drift: 10,
}

/** Seconds before the first shot. */
const quiet = 2
const start = 1_700_000_000

/** Draws gateways on poles and roofs, houses along streets, guns and other sounds. The same settings give the same scene. */
export function drawCity(parts: Partial<CitySettings> = {}): Scene {
  const settings = { ...usualCity, ...parts }
  const random = new Random(settings.seed)
  const poles = drawGateways(random.fork('gateways'), settings.gateways, settings.spacing)
  const sources = [
    ...drawShots(random.fork('guns'), poles, settings),
    ...drawOthers(random.fork('others'), poles, settings),
  ].sort((a, b) => a.time - b.time)
  const buildings = settings.buildings ? drawBuildings(random.fork('buildings'), poles, sources) : []
  const city = new City(buildings)
  const guns = sources.filter(({ kind }) => kind === 'gun')
  const extent = Math.max(0, ...poles.flatMap(a => guns.map(({ position }) => planDistance(a, position))))
  const last = Math.max(start + quiet, ...guns.map(({ time }) => time))
  const { temperature, humidity, windSpeed, windFrom } = settings
  const errors = random.fork('errors')
  return {
    seed: settings.seed,
    origin: { latitude: 40.44, longitude: -79.99, altitude: 230 },
    start,
    duration: settings.duration ?? Math.ceil(last - start + extent / 320 + 2.5),
    sampleRate: settings.sampleRate,
    weather: { temperature, humidity, pressure: 101.325, windSpeed, windFrom },
    statedWeather: { temperature: Math.round(temperature + errors.normal(0, 1)), humidity, windSpeed, windFrom },
    buildings,
    groundResistivity: flowResistivity.asphalt,
    reflectionOrder: 2,
    latestEcho: 0.8,
    reverberation: settings.buildings ? { time: 1.2, level: -22, arrivalsPerSecond: 60 } : null,
    background: { ambience: settings.ambience, rain: settings.rain, wind: windLevel(windSpeed) },
    signalToNoise: settings.signalToNoise,
    gateways: poles.map((pole, index) => placeGateway(errors, pole, index, city, settings)),
    sources,
  }
}

/** On the pole, or on the roof where a house stands there; each with errors of its own. */
function placeGateway(
  random: Random,
  pole: LocalPosition,
  index: number,
  city: City,
  { array, clockError, surveyError, drift }: CitySettings,
): SceneGateway {
  const roof = city.buildings[city.buildingAt(pole, 0)]
  const position = roof === undefined ? pole : { ...pole, up: roof.height + 2.5 }
  return {
    id: `gateway-${index + 1}`,
    position,
    statedPosition: {
      east: position.east + random.normal(0, surveyError),
      north: position.north + random.normal(0, surveyError),
      up: position.up,
    },
    positionError: surveyError,
    clockOffset: random.normal(0, clockError),
    timeError: clockError,
    drift: random.normal(0, drift),
    startDelay: random.between(0, 0.5),
    array: array.name,
    geometry: array.geometry,
    heading: array.geometry.length > 1 ? Math.round(random.between(0, 360)) : 0,
    microphones: {
      ...usualMicrophones,
      fullScaleLevel: random.between(106, 120),
      mismatch: array.geometry.length > 1 ? 0.5 : 1,
    },
  }
}

function drawShots(random: Random, poles: readonly LocalPosition[], settings: CitySettings): Source[] {
  const { guns, shots, interval, geometry, bulletSpeed } = settings
  return Array.from({ length: guns }, () => {
    const position = drawSource(random, poles, geometry)
    const heading = random.between(0, 360)
    const level = random.normal(159, 2)
    let time = start + quiet + random.between(0, guns > 1 ? 1.5 : 0.5)
    return Array.from({ length: shots }, (): Source => {
      const shot: Source = {
        kind: 'gun',
        time,
        position,
        heading: heading + random.normal(0, 4),
        elevation: random.normal(0, 3),
        level,
        ...(bulletSpeed === null ? {} : { bulletSpeed }),
      }
      time += interval * random.between(0.7, 1.3)
      return shot
    })
  }).flat()
}

function drawOthers(random: Random, poles: readonly LocalPosition[], settings: CitySettings): Source[] {
  const span = settings.duration ?? quiet + settings.shots * settings.interval + 3
  return settings.others.map(kind => drawOther(random, kind, start + random.between(0, span * 0.8), poles))
}

/** A sound of that kind at a drawn place: near a gateway half of the time, as it is those that disturb. */
export function drawOther(random: Random, kind: SourceKind, time: number, poles: readonly LocalPosition[]): Source {
  const hull = hullOf(poles)
  const reach = Math.max(100, ...hull.map(place => Math.hypot(place.east, place.north)))
  const near = poles[random.integer(poles.length)]!
  const [azimuth, distance] = [random.between(0, 2 * Math.PI), random.between(6, 60)]
  const place = random.chance(0.5)
    ? { east: near.east + distance * Math.sin(azimuth), north: near.north + distance * Math.cos(azimuth) }
    : { east: random.between(-reach, reach), north: random.between(-reach, reach) }
  const up = {
    firework: random.chance(0.5) ? random.between(30, 90) : 0.5,
    rotor: random.between(80, 300),
    thunder: 800,
  }
  const height = kind === 'firework' || kind === 'rotor' || kind === 'thunder' ? up[kind] : shoulderHeight
  const speed = { engine: random.between(6, 16), siren: random.between(0, 20), rotor: random.between(0, 50) }
  const course = random.between(0, 2 * Math.PI)
  const away = kind === 'thunder' ? random.between(1500, 6000) : 0
  const source: Source = {
    kind,
    time,
    position: { east: place.east + away * Math.sin(course), north: place.north + away * Math.cos(course), up: height },
  }
  if (kind !== 'engine' && kind !== 'siren' && kind !== 'rotor') return source
  const duration = random.between(8, 20)
  const velocity = { east: speed[kind] * Math.sin(course), north: speed[kind] * Math.cos(course), up: 0 }
  const half = duration / 2
  const { east, north } = source.position
  const position = { east: east - velocity.east * half, north: north - velocity.north * half, up: height }
  return { ...source, position, duration, velocity }
}

/** Blocks of houses between streets. Houses give way to guns and other sounds; gateways stand on those that stand in their way. */
function drawBuildings(random: Random, poles: readonly LocalPosition[], sources: readonly Source[]): Building[] {
  const places = [...poles, ...sources.filter(({ kind }) => kind !== 'thunder').map(({ position }) => position)]
  const low = (axis: 'east' | 'north') => Math.max(-900, Math.min(...places.map(place => place[axis]))) - 40
  const high = (axis: 'east' | 'north') => Math.min(900, Math.max(...places.map(place => place[axis]))) + 40
  const heading = random.between(-45, 45)
  const angle = (heading * Math.PI) / 180
  const [block, street] = [random.between(75, 120), random.between(18, 26)]
  const middle = { east: (low('east') + high('east')) / 2, north: (low('north') + high('north')) / 2 }
  const half = Math.ceil(Math.hypot(high('east') - low('east'), high('north') - low('north')) / 2 / block)
  const buildings: Building[] = []
  for (let row = -half; row <= half; row++) {
    for (let column = -half; column <= half; column++) {
      for (const side of [-1, 1]) {
        const along = (block - street) * random.between(0.3, 0.8)
        const across = ((block - street) / 2) * random.between(0.4, 0.8)
        const x = column * block + random.between(-0.5, 0.5) * (block - street - along)
        const y = row * block + side * ((block - street) / 2 - across / 2)
        const east = middle.east + x * Math.cos(angle) + y * Math.sin(angle)
        const north = middle.north - x * Math.sin(angle) + y * Math.cos(angle)
        const height = random.between(5, 13)
        const reflection = random.between(0.5, 0.9)
        if (east < low('east') || east > high('east') || north < low('north') || north > high('north')) continue
        if (random.chance(0.2)) continue
        buildings.push({ east, north, along, across, height, heading, reflection })
      }
    }
  }
  const standing = new City(buildings)
  const inTheWay = new Set(
    sources.filter(({ position }) => position.up < 18).map(({ position }) => standing.buildingAt(position, 3)),
  )
  return buildings.filter((_, index) => !inTheWay.has(index))
}
