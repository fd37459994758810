import type { LocalPosition, Weather } from '../../gateway/acoustics/arrival.js'
import type { Background } from './background.js'
import type { Building } from './buildings.js'
import type { Reverberation } from './paths.js'
import type { Source } from './source.js'

/** What the microphones of a gateway are like. */
export interface Microphones {
  /** Decibel re 20 µPa of a sine whose peaks reach digital full scale. */
  readonly fullScaleLevel: number
  /** Root mean square of their own noise over the whole band, decibel re 20 µPa. */
  readonly selfNoise: number
  /** Share of full scale at which the analogue side clips, 0 to 1. */
  readonly clipping: number
  /** A constant added to every sample, full scale 1. */
  readonly offset: number
  /** One standard deviation of the channels' gains, decibel. */
  readonly mismatch: number
  /** Channels that give nothing but zeros. */
  readonly dead: readonly number[]
}

/** A gateway of the scene: what is true and what it believes. */
export interface SceneGateway {
  readonly id: string
  /** Where it is. */
  readonly position: LocalPosition
  /** Where it believes to be, and the standard deviation it states for each horizontal axis, metres. */
  readonly statedPosition: LocalPosition
  readonly positionError: number
  /** How many seconds its clock is fast, and the standard deviation it states. */
  readonly clockOffset: number
  readonly timeError: number
  /** How many parts per million more samples than stated it takes in a second. */
  readonly drift: number
  /** Seconds after the scene's start at which its recording begins. */
  readonly startDelay: number
  /** Name of the geometry, its microphones in metres from the middle at heading 0, and degrees it is turned clockwise. */
  readonly array: string
  readonly geometry: readonly LocalPosition[]
  readonly heading: number
  readonly microphones: Microphones
}

/** The air of the scene. */
export interface SceneWeather {
  /** Celsius, per cent, kilopascal, metres a second, degrees it comes from. */
  readonly temperature: number
  readonly humidity: number
  readonly pressure: number
  readonly windSpeed: number
  readonly windFrom: number
}

/** A piece of a city over a piece of time. Positions in metres from the origin, up counted from the ground, which is flat. */
export interface Scene {
  readonly seed: number
  readonly origin: { readonly latitude: number; readonly longitude: number; readonly altitude: number }
  /** Seconds since 1970 UTC, and how many seconds are recorded. */
  readonly start: number
  readonly duration: number
  readonly sampleRate: number
  readonly weather: SceneWeather
  /** What the recording set says of the weather. */
  readonly statedWeather: Weather
  readonly buildings: readonly Building[]
  /** Pascal seconds a square metre; see `flowResistivity`. */
  readonly groundResistivity: number
  /** Wall reflections up to this order, 0 to 2, and none later than so many seconds after the direct sound. */
  readonly reflectionOrder: number
  readonly latestEcho: number
  readonly reverberation: Reverberation | null
  readonly background: Background
  /**
   * Where given, all noise is scaled so that in each recording the first channel's noise (root mean square) lies this many decibel
   * below the peak of everything else there. Only for whole recordings.
   */
  readonly signalToNoise: number | null
  readonly gateways: readonly SceneGateway[]
  readonly sources: readonly Source[]
}

export const usualMicrophones: Microphones = {
  fullScaleLevel: 120,
  selfNoise: 33,
  clipping: 1,
  offset: 0,
  mismatch: 0,
  dead: [],
}

/** A gateway without faults: true place and clock, one microphone. */
export function plainGateway(id: string, position: LocalPosition): SceneGateway {
  return {
    id,
    position,
    statedPosition: position,
    positionError: 0.5,
    clockOffset: 0,
    timeError: 0.0001,
    drift: 0,
    startDelay: 0,
    array: 'mono',
    geometry: [{ east: 0, north: 0, up: 0 }],
    heading: 0,
    microphones: usualMicrophones,
  }
}

/** An open field, calm and 20 °C, with nothing in it; set what differs. */
export function plainScene(parts: Partial<Scene>): Scene {
  const weather = { temperature: 20, humidity: 50, pressure: 101.325, windSpeed: 0, windFrom: 0, ...parts.weather }
  const { temperature, humidity, windSpeed, windFrom } = weather
  return {
    seed: 1,
    origin: { latitude: 40.44, longitude: -79.99, altitude: 230 },
    start: 1_700_000_000,
    duration: 4,
    sampleRate: 48_000,
    statedWeather: { temperature, humidity, windSpeed, windFrom },
    buildings: [],
    groundResistivity: Number.POSITIVE_INFINITY,
    reflectionOrder: 0,
    latestEcho: 1,
    reverberation: null,
    background: { ambience: null, rain: null, wind: null },
    signalToNoise: null,
    gateways: [],
    sources: [],
    ...parts,
    weather,
  }
}

/** Turns a geometry clockwise by `heading` degrees. */
export function turned(geometry: readonly LocalPosition[], heading: number): LocalPosition[] {
  const angle = (heading * Math.PI) / 180
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)]
  return geometry.map(({ east, north, up }) => ({
    east: east * cosine + north * sine,
    north: -east * sine + north * cosine,
    up,
  }))
}
