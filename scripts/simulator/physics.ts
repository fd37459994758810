import type { LocalPosition } from '../../gateway/acoustics/arrival.js'

/** Celsius, per cent relative humidity, kilopascal. */
export interface Air {
  readonly temperature: number
  readonly humidity: number
  readonly pressure: number
}

/** Air that moves: metres a second towards east and north. */
export interface Wind {
  readonly east: number
  readonly north: number
}

/** Gain and phase at one frequency, time dependence exp(+iωt). */
export interface Complex {
  readonly real: number
  readonly imaginary: number
}

const zeroCelsius = 273.15
const referenceTemperature = 293.15
const referencePressure = 101.325
const triplePoint = 273.16
const neper = 20 * Math.LOG10E

/** 20 µPa, the reference of sound pressure levels. */
export const referenceSound = 20e-6

export function toDecibel(ratio: number): number {
  return 20 * Math.log10(ratio)
}

export function fromDecibel(decibel: number): number {
  return 10 ** (decibel / 20)
}

/** Molar share of water vapour, per cent: ISO 9613-1:1993, annex B. */
export function waterVapour(air: Air): number {
  const kelvin = air.temperature + zeroCelsius
  const saturation = 10 ** (-6.8346 * (triplePoint / kelvin) ** 1.261 + 4.6151)
  return (air.humidity * saturation) / (air.pressure / referencePressure)
}

/**
 * Speed of sound, metres a second: that of dry air, raised by 0.16 times the molar share of water vapour. The share 0.16
 * follows from the molar mass and the heat ratio of the mixture, as in Cramer, JASA 93 (1993), to 0.1 % outdoors.
 */
export function speedOfSound(air: Air): number {
  return 331.3 * Math.sqrt(1 + air.temperature / zeroCelsius) * (1 + 0.0016 * waterVapour(air))
}

/** What absorbs in one state of the air: strengths in neper seconds a metre, relaxation frequencies in hertz. */
export interface Absorber {
  readonly classical: number
  readonly oxygen: number
  readonly oxygenFrequency: number
  readonly nitrogen: number
  readonly nitrogenFrequency: number
}

/** ISO 9613-1:1993, equations 3 to 5. */
export function absorber(air: Air): Absorber {
  const kelvin = air.temperature + zeroCelsius
  const warmth = kelvin / referenceTemperature
  const pressure = air.pressure / referencePressure
  const vapour = waterVapour(air)
  return {
    classical: (1.84e-11 * Math.sqrt(warmth)) / pressure,
    oxygen: 0.01275 * Math.exp(-2239.1 / kelvin) * warmth ** -2.5,
    oxygenFrequency: pressure * (24 + (4.04e4 * vapour * (0.02 + vapour)) / (0.391 + vapour)),
    nitrogen: 0.1068 * Math.exp(-3352 / kelvin) * warmth ** -2.5,
    nitrogenFrequency: (pressure * (9 + 280 * vapour * Math.exp(-4.17 * (warmth ** (-1 / 3) - 1)))) / Math.sqrt(warmth),
  }
}

/** Absorption of a pure tone, decibel a metre. ISO 9613-1:1993, equation 5. */
export function absorption(frequency: number, air: Air): number {
  return neper * lossAndLag(frequency, absorber(air)).loss
}

/**
 * What `distance` metres of air do to a tone: the gain of ISO 9613-1 with the phase that causality asks for. Each relaxation is
 * the causal response iωτ / (1 + iωτ); the phase is counted from the one at 1 kHz, where published speeds of sound hold.
 */
export function absorptionResponse(frequency: number, distance: number, air: Absorber): Complex {
  const { loss, lag } = lossAndLag(frequency, air)
  const gain = Math.exp(-distance * loss)
  const phase = -distance * (lag - frequency * (lossAndLag(1000, air).lag / 1000))
  return { real: gain * Math.cos(phase), imaginary: gain * Math.sin(phase) }
}

/** Neper a metre and radian a metre. */
function lossAndLag(frequency: number, air: Absorber): { loss: number; lag: number } {
  const { oxygen, oxygenFrequency, nitrogen, nitrogenFrequency } = air
  const overOxygen = (oxygen * oxygenFrequency * frequency) / (oxygenFrequency ** 2 + frequency ** 2)
  const overNitrogen = (nitrogen * nitrogenFrequency * frequency) / (nitrogenFrequency ** 2 + frequency ** 2)
  return {
    loss: air.classical * frequency ** 2 + frequency * (overOxygen + overNitrogen),
    lag: overOxygen * oxygenFrequency + overNitrogen * nitrogenFrequency,
  }
}

/** Pressure at `distance` relative to that at one metre: a sphere's surface grows with the square. Closer than 0.1 m counts as 0.1 m. */
export function spreading(distance: number): number {
  return 1 / Math.max(0.1, distance)
}

export function distanceBetween(a: LocalPosition, b: LocalPosition): number {
  return Math.hypot(a.east - b.east, a.north - b.north, a.up - b.up)
}

/** The air's motion for a wind of so many metres a second from that many degrees. */
export function windVector(speed: number, from: number): Wind {
  const towards = ((from + 180) * Math.PI) / 180
  return { east: speed * Math.sin(towards), north: speed * Math.cos(towards) }
}

/**
 * Speed over ground of sound that must keep to the line from `from` to `to` in uniform wind: the wavefront is carried sideways
 * and has to point into the wind. Metres a second.
 */
export function effectiveSpeed(from: LocalPosition, to: LocalPosition, speed: number, wind: Wind): number {
  const distance = distanceBetween(from, to)
  if (distance === 0) return speed
  const along = ((to.east - from.east) * wind.east + (to.north - from.north) * wind.north) / distance
  const across = wind.east ** 2 + wind.north ** 2 - along ** 2
  return along + Math.sqrt(speed ** 2 - across)
}

/** Seconds that sound needs along a chain of straight pieces. */
export function travelTime(points: readonly LocalPosition[], speed: number, wind: Wind): number {
  let time = 0
  for (let i = 1; i < points.length; i++) {
    const [from, to] = [points[i - 1]!, points[i]!]
    time += distanceBetween(from, to) / effectiveSpeed(from, to, speed, wind)
  }
  return time
}

/**
 * Decibel lost behind an edge by a path that is `detour` metres longer than the straight line: Kurze and Anderson, Applied
 * Acoustics 4 (1971), 5 dB at the shadow's border (`detour` 0), Maekawa's curve beyond; at most 30 dB, as walls leak.
 */
export function edgeLoss(frequency: number, detour: number, speed: number): number {
  const root = Math.sqrt((2 * Math.PI * 2 * Math.max(0, detour) * frequency) / speed)
  return Math.min(30, 5 + (root < 1e-6 ? 0 : toDecibel(root / Math.tanh(root))))
}

/** Half the opening angle of the cone behind a bullet, radian; the bullet must be faster than sound. */
export function machAngle(bulletSpeed: number, speed: number): number {
  return Math.asin(speed / bulletSpeed)
}

/** A straight flight at constant speed: direction a unit vector, metres and metres a second. */
export interface Flight {
  readonly muzzle: LocalPosition
  readonly direction: LocalPosition
  readonly bulletSpeed: number
  /** How far the bullet flies. */
  readonly range: number
}

/** When (seconds after the discharge), and from which point of the flight, a shock wave comes, and how far the flight misses. */
export interface Shock {
  readonly delay: number
  readonly origin: LocalPosition
  readonly missDistance: number
}

/**
 * The shock wave of a supersonic bullet at `place`, or null outside the zone that it reaches. The ray leaves the flight at
 * right angles to the cone: Maher, "Modeling and signal processing of acoustic gunshot recordings", IEEE DSP workshop 2006.
 */
export function shockAt(place: LocalPosition, flight: Flight, speed: number): Shock | null {
  if (flight.bulletSpeed <= speed) return null
  const { muzzle, direction } = flight
  const toPlace = { east: place.east - muzzle.east, north: place.north - muzzle.north, up: place.up - muzzle.up }
  const along = toPlace.east * direction.east + toPlace.north * direction.north + toPlace.up * direction.up
  const missDistance = Math.sqrt(Math.max(0, toPlace.east ** 2 + toPlace.north ** 2 + toPlace.up ** 2 - along ** 2))
  const angle = machAngle(flight.bulletSpeed, speed)
  const flown = along - missDistance * Math.tan(angle)
  if (flown < 0 || flown > flight.range) return null
  return {
    delay: along / flight.bulletSpeed + (missDistance * Math.cos(angle)) / speed,
    origin: {
      east: muzzle.east + flown * direction.east,
      north: muzzle.north + flown * direction.north,
      up: muzzle.up + flown * direction.up,
    },
    missDistance,
  }
}

/** A bullet's body: metres. */
export interface Bullet {
  readonly diameter: number
  readonly length: number
}

/** Peak pressure (pascal) and duration (seconds) of the N-wave: Whitham 1952, as given by Maher 2006; `pressure` in kilopascal. */
export function shockWave(
  missDistance: number,
  bulletSpeed: number,
  speed: number,
  bullet: Bullet,
  pressure: number,
): { readonly peak: number; readonly duration: number } {
  const mach = bulletSpeed / speed
  const miss = Math.max(0.5, missDistance)
  const excess = mach ** 2 - 1
  return {
    peak: (0.53 * pressure * 1000 * excess ** 0.125 * bullet.diameter) / (miss ** 0.75 * bullet.length ** 0.25),
    duration: (1.82 * mach * miss ** 0.25 * bullet.diameter) / (speed * excess ** 0.375 * bullet.length ** 0.25),
  }
}
