import type { Weather } from './arrival.js'

/** Assumed where no temperature is known, Celsius, and how far off that may be, one standard deviation. */
const assumedTemperature = 12
export const assumedTemperatureError = 9
/** A temperature that is known is a weather station's some way off, Celsius. */
export const measuredTemperatureError = 1.5
/** Damp air is up to 0.4 % faster than dry air, a share of the speed. */
const humidityError = 0.0015
/** How far the wind may be from what is taken, metres a second an axis: from the mean that is known, from none where it is not. */
const measuredWindError = 1.2
const unknownWindError = 2

/** How sound travels: its speed in still air and the wind, metres a second, east and north. */
export interface Air {
  readonly speed: number
  /** One standard deviation of `speed`, as a share of it. */
  readonly speedError: number
  readonly windEast: number
  readonly windNorth: number
  /** One standard deviation of either, metres a second. */
  readonly windError: number
}

/** Speed of sound in dry air, metres a second: 331.3 √(1 + T / 273.15) for T in Celsius; humidity adds at most 0.4 %. */
export function airOf(weather: Weather): Air {
  const temperature = weather.temperature ?? assumedTemperature
  const { temperatureError = measuredTemperatureError } = weather
  const error = weather.temperature === null ? assumedTemperatureError : temperatureError
  const wind = weather.windFrom === null ? 0 : (weather.windSpeed ?? 0)
  const from = ((weather.windFrom ?? 0) * Math.PI) / 180
  return {
    speed: 331.3 * Math.sqrt(1 + temperature / 273.15),
    speedError: Math.hypot(error / (2 * (273.15 + temperature)), humidityError),
    windEast: -wind * Math.sin(from),
    windNorth: -wind * Math.cos(from),
    windError: weather.windFrom === null || weather.windSpeed === null ? unknownWindError : measuredWindError,
  }
}

/** Seconds that sound takes over the vector (east, north, up) in metres; the wind counts with its part along the path. */
export function travelTime(air: Air, east: number, north: number, up: number): number {
  const distance = Math.sqrt(east * east + north * north + up * up)
  if (distance < 1e-9) return 0
  return distance / (air.speed + (air.windEast * east + air.windNorth * north) / distance)
}
