import type { Weather } from '../acoustics/arrival.js'
import { assumedTemperatureError, measuredTemperatureError } from '../acoustics/propagation.js'

/** One standard deviation of a temperature that was measured here just now, Celsius: a box in the sun is warmer than the air. */
const freshError = 1
/** The weather may change by so much meanwhile, one standard deviation, Celsius an hour. */
const drift = 4
/** Wind and humidity are no longer those after so long, seconds. */
const longestStale = 600
/** Wind comes in gusts: what counts is the mean over about so long, seconds. */
const windSeconds = 60

interface Known {
  readonly value: number
  /** Seconds of a clock that never steps. */
  readonly at: number
}

/** The air as the boards measure it, and as the configuration has it where they do not. */
export class MeasuredAir {
  readonly #configured: Weather
  #temperature: Known | null = null
  #humidity: Known | null = null
  #speed: Known | null = null
  /** East and north, a unit vector's mean, for the direction that the wind comes from. */
  #from: { readonly east: Known; readonly north: Known } | null = null

  constructor(configured: Weather) {
    this.#configured = configured
  }

  /** Celsius. @param now seconds of a clock that never steps, as everywhere here */
  temperature(value: number, now: number): void {
    this.#temperature = { value, at: now }
  }

  /** Relative, per cent. */
  humidity(value: number, now: number): void {
    this.#humidity = { value, at: now }
  }

  /** Metres a second. */
  windSpeed(value: number, now: number): void {
    this.#speed = smoothed(this.#speed, value, now)
  }

  /** Degrees clockwise from true north that the wind comes from. */
  windFrom(value: number, now: number): void {
    const angle = (value * Math.PI) / 180
    this.#from = {
      east: smoothed(this.#from?.east ?? null, Math.sin(angle), now),
      north: smoothed(this.#from?.north ?? null, Math.cos(angle), now),
    }
  }

  /**
   * The best that is known. The error of a measured temperature grows with its age until the configured one, or none at all,
   * is the better guess.
   */
  weather(now: number): Weather {
    const configured = this.#configured
    const speed = fresh(this.#speed, now)
    const east = fresh(this.#from?.east ?? null, now)
    const north = fresh(this.#from?.north ?? null, now)
    const measured = speed !== null && east !== null && north !== null
    const wind = measured
      ? { windSpeed: speed, windFrom: ((Math.atan2(east, north) * 180) / Math.PI + 360) % 360 }
      : { windSpeed: configured.windSpeed, windFrom: configured.windFrom }
    const humidity = fresh(this.#humidity, now) ?? configured.humidity
    const usual = configured.temperature === null ? assumedTemperatureError : measuredTemperatureError
    if (this.#temperature !== null) {
      const temperatureError = Math.hypot(freshError, (drift * (now - this.#temperature.at)) / 3600)
      if (temperatureError < usual) return { temperature: this.#temperature.value, temperatureError, humidity, ...wind }
    }
    return { temperature: configured.temperature, humidity, ...wind }
  }
}

function fresh(known: Known | null, now: number): number | null {
  return known !== null && now - known.at <= longestStale ? known.value : null
}

function smoothed(known: Known | null, value: number, now: number): Known {
  if (known === null || now - known.at > longestStale) return { value, at: now }
  const share = 1 - Math.exp(-(now - known.at) / windSeconds)
  return { value: known.value + share * (value - known.value), at: now }
}
