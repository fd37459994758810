import type { LocalPosition } from '../../gateway/acoustics/arrival.js'
import type { City } from './buildings.js'
import { fourier, powerOfTwo } from './fourier.js'
import { addResampled } from './interpolation.js'
import { findPaths, type Path, scatteredPaths } from './paths.js'
import {
  distanceBetween,
  type Flight,
  shockAt,
  shockWave,
  speedOfSound,
  spreading,
  travelTime,
  type Wind,
  windVector,
} from './physics.js'
import { filtered, pathResponse, reach, type Surroundings } from './propagate.js'
import type { Random } from './random.js'
import type { Scene } from './scene.js'
import { muzzleGain, pointing, type Source } from './source.js'
import { addAt, guard, nWaveSpectrum, type Sound, sampled } from './waveform.js'

/** Pressure (pascal) that one source makes at each microphone, from sample `first` of the recording on. */
export interface Contribution {
  readonly first: number
  readonly channels: readonly Float32Array[]
}

/** The microphones of one gateway and their sample clock. Seconds count from the scene's start. */
export interface Receiver {
  readonly middle: LocalPosition
  readonly microphones: readonly LocalPosition[]
  /** Samples that are taken in a true second, and when the first is taken. */
  readonly sampleRate: number
  readonly start: number
}

/** Sound that comes to each microphone after its own delay (seconds from the scene's start) and with its own gain. */
export interface Piece {
  readonly sound: Sound
  readonly delays: readonly number[]
  readonly gains: readonly number[]
}

/** Sounds that last longer go through an impulse response. */
const longest = 0.1

export interface Setting {
  readonly scene: Scene
  readonly city: City
  readonly surroundings: Surroundings
  readonly wind: Wind
}

/** What the wind and the air are in a scene, for all paths. */
export function airOf(scene: Scene): { readonly speed: number; readonly wind: Wind } {
  const { windSpeed, windFrom } = scene.weather
  return { speed: speedOfSound(scene.weather), wind: windVector(windSpeed, windFrom) }
}

/** What a source that stays where it is makes at a gateway; from one place the clutter always sounds the same for one `random`. */
export function standing(
  source: Source,
  sound: Sound,
  receiver: Receiver,
  setting: Setting,
  random: Random,
): Contribution {
  const paths = allPaths(source, receiver, setting, random)
  const time = source.time - setting.scene.start
  const shock = source.kind === 'gun' ? shockPieces(source, time, sound.sampleRate, receiver, setting) : []
  if (sound.samples.length <= longest * sound.sampleRate) {
    return placed([...pathPieces(source, sound, paths, time, receiver, setting), ...shock], receiver)
  }
  const impulse = { samples: new Float64Array([0, 1, 0]), sampleRate: sound.sampleRate, lead: 1 }
  const still: Receiver = { ...receiver, sampleRate: sound.sampleRate, start: 0 }
  const response = placed(pathPieces(source, impulse, paths, 0, still, setting), still)
  const pieces = response.channels.map((channel, index): Piece => {
    const samples = convolved(sound.samples, channel)
    const lead = sound.lead - response.first
    const gains = response.channels.map((_, other) => (other === index ? 1 : 0))
    return { sound: { samples, sampleRate: sound.sampleRate, lead }, delays: gains.map(() => time), gains }
  })
  return placed(pieces, receiver)
}

function allPaths(source: Source, receiver: Receiver, { scene, city, surroundings }: Setting, random: Random): Path[] {
  const farthest = scene.latestEcho * surroundings.speed
  const paths = findPaths(source.position, receiver.middle, city, { order: scene.reflectionOrder, farthest })
  if (scene.reverberation === null) return paths
  const { east, north, up } = source.position
  const here = random.fork([east, north, up].map(metres => metres.toFixed(1)).join(' '))
  return [...paths, ...scatteredPaths(source.position, receiver.middle, scene.reverberation, here, surroundings.speed)]
}

/** The sound as each path brings it. Scattered paths of about the same length share one filter. */
function pathPieces(
  source: Source,
  sound: Sound,
  paths: readonly Path[],
  time: number,
  { microphones }: Receiver,
  { surroundings, wind }: Setting,
): Piece[] {
  const shared = new Map<number, Sound>()
  return paths.map(path => {
    const bucket = path.kind === 'scattered' ? Math.ceil(4 * Math.log2(path.length)) : null
    let heard = bucket === null ? undefined : shared.get(bucket)
    if (heard === undefined) {
      heard = through(sound, path, surroundings)
      if (bucket !== null) shared.set(bucket, heard)
    }
    const speed =
      path.kind === 'scattered' ? surroundings.speed : path.length / pathTime(path, surroundings.speed, wind)
    const strength = path.reflection * directivity(source, path)
    const distances = microphones.map(microphone => distanceBetween(path.image, microphone))
    return {
      sound: heard,
      delays: distances.map(distance => time + distance / speed),
      gains: distances.map(distance => strength * spreading(distance)),
    }
  })
}

/** Seconds along a path; a bounce off the ground takes longer by as much as it is longer. */
function pathTime(path: Path, speed: number, wind: Wind): number {
  const time = travelTime(path.points, speed, wind)
  if (!path.ground) return time
  const above = path.points.reduce(
    (sum, point, i) => (i === 0 ? 0 : sum + distanceBetween(path.points[i - 1]!, point)),
    0,
  )
  return (time * path.length) / above
}

function directivity(source: Source, path: Path): number {
  if (source.kind !== 'gun' || source.heading === undefined) return 1
  if (path.kind === 'scattered') return muzzleGain(Math.PI / 2)
  const [from, to] = [path.points[0]!, path.points[1]!]
  const barrel = pointing(source.heading, source.elevation ?? 0)
  const along =
    (to.east - from.east) * barrel.east + (to.north - from.north) * barrel.north + (to.up - from.up) * barrel.up
  return muzzleGain(Math.acos(Math.max(-1, Math.min(1, along / distanceBetween(from, to)))))
}

function through(sound: Sound, path: Path, surroundings: Surroundings): Sound {
  const samples = filtered(sound.samples, sound.sampleRate, frequency => pathResponse(frequency, path, surroundings))
  return trimmed({ samples, sampleRate: sound.sampleRate, lead: sound.lead + reach })
}

/** Without what lies 100 dB below the peak at either end. */
function trimmed({ samples, sampleRate, lead }: Sound): Sound {
  let peak = 0
  for (let i = 0; i < samples.length; i++) peak = Math.max(peak, Math.abs(samples[i]!))
  let [from, to] = [0, samples.length]
  while (from < to && Math.abs(samples[from]!) <= 1e-5 * peak) from++
  while (to > from && Math.abs(samples[to - 1]!) <= 1e-5 * peak) to--
  return { samples: samples.subarray(from, to), sampleRate, lead: lead - from }
}

/** The shock wave where the bullet's cone passes the gateway: straight, and mirrored in the ground. */
function shockPieces(source: Source, time: number, sampleRate: number, receiver: Receiver, setting: Setting): Piece[] {
  const { speed } = setting.surroundings
  const { bulletSpeed } = source
  if (bulletSpeed === undefined) return []
  const flight: Flight = {
    muzzle: source.position,
    direction: pointing(source.heading ?? 0, source.elevation ?? 0),
    bulletSpeed,
    range: source.range ?? 600,
  }
  return [1, -1].flatMap(side => {
    const seen = (place: LocalPosition): LocalPosition => ({ ...place, up: side * place.up })
    const shock = shockAt(seen(receiver.middle), flight, speed)
    if (shock === null || !setting.city.sees(shock.origin, receiver.middle)) return []
    const bullet = source.bullet ?? { diameter: 0.009, length: 0.015 }
    const wave = shockWave(shock.missDistance, bulletSpeed, speed, bullet, setting.scene.weather.pressure)
    const samples = sampled(nWaveSpectrum(wave.peak, wave.duration), sampleRate, wave.duration)
    const image = shock.origin
    const points = [image, receiver.middle]
    const length = distanceBetween(image, seen(receiver.middle))
    const path: Path = { kind: 'direct', ground: false, points, length, image, reflection: 1, detour: null }
    const heard = through({ samples, sampleRate, lead: guard }, path, setting.surroundings)
    const delays = receiver.microphones.map(place => time + (shockAt(seen(place), flight, speed) ?? shock).delay)
    return [{ sound: heard, delays, gains: delays.map(() => 1) }]
  })
}

/** Lays pieces on the sample clock of a receiver. */
export function placed(pieces: readonly Piece[], { microphones, sampleRate, start }: Receiver): Contribution {
  const starts = pieces.map(({ sound, delays }) =>
    delays.map(delay => (delay - start - sound.lead / sound.sampleRate) * sampleRate),
  )
  const lengths = pieces.map(({ sound }) => (sound.samples.length / sound.sampleRate) * sampleRate)
  const margin = 20
  const heard = pieces.flatMap((piece, p) => piece.gains.flatMap((gain, m) => (gain === 0 ? [] : [{ p, m }])))
  const first = Math.floor(heard.reduce((least, { p, m }) => Math.min(least, starts[p]![m]!), Infinity)) - margin
  const last =
    Math.ceil(heard.reduce((most, { p, m }) => Math.max(most, starts[p]![m]! + lengths[p]!), -Infinity)) + margin
  if (heard.length === 0) return { first: 0, channels: microphones.map(() => new Float32Array(0)) }
  const channels = microphones.map(() => new Float32Array(last - first))
  for (const { p, m } of heard) {
    const { sound, gains } = pieces[p]!
    const from = Math.floor(starts[p]![m]!) - margin
    const to = Math.ceil(starts[p]![m]! + lengths[p]!) + margin
    const step = sound.sampleRate / sampleRate
    addResampled(channels[m]!, from - first, to - first, sound.samples, (from - starts[p]![m]!) * step, step, gains[m]!)
  }
  return { first, channels }
}

/** Linear convolution of two real signals: both in one transform, as its real and its imaginary part. */
export function convolved(a: Float64Array, b: Float32Array): Float64Array {
  const length = a.length + b.length - 1
  const size = powerOfTwo(length)
  const real = new Float64Array(size)
  const imaginary = new Float64Array(size)
  addAt(real, a, 0)
  addAt(imaginary, b, 0)
  const transform = fourier(size)
  transform.forward(real, imaginary)
  const productReal = new Float64Array(size)
  const productImaginary = new Float64Array(size)
  for (let k = 0; k < size; k++) {
    const other = (size - k) % size
    const [r, i, s, j] = [real[k]!, imaginary[k]!, real[other]!, imaginary[other]!]
    const [ofAReal, ofAImaginary] = [(r + s) / 2, (i - j) / 2]
    const [ofBReal, ofBImaginary] = [(i + j) / 2, (s - r) / 2]
    productReal[k] = ofAReal * ofBReal - ofAImaginary * ofBImaginary
    productImaginary[k] = ofAReal * ofBImaginary + ofAImaginary * ofBReal
  }
  transform.inverse(productReal, productImaginary)
  return productReal.subarray(0, length)
}
