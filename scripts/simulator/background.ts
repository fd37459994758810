import type { LocalPosition } from '../../gateway/acoustics/arrival.js'
import { fourier } from './fourier.js'
import { fromDecibel, referenceSound } from './physics.js'
import { hash, Random } from './random.js'
import { addMode, bandLimit, guard, rootMeanSquare, shapedNoise } from './waveform.js'

/** A level over time, decibel re 20 µPa: constant, or straight lines between points in order of time; null is silence. */
export type Level = number | null | readonly { readonly time: number; readonly level: number }[]

/** What sounds all the time: root mean squares. */
export interface Background {
  /** The city's hum from all around, coherent over an array as a diffuse field is. */
  readonly ambience: Level
  /** Rain on the ground and drops on the housing. */
  readonly rain: Level
  /** Turbulence at each microphone: low and incoherent, in gusts. */
  readonly wind: Level
}

/** Level of wind noise at a microphone behind foam, decibel re 20 µPa; turbulent pressure grows with the square of the wind. */
export function windLevel(windSpeed: number): number | null {
  return windSpeed < 0.5 ? null : 45 + 40 * Math.log10(windSpeed)
}

export function levelAt(level: Level, time: number): number | null {
  if (level === null || typeof level === 'number') return level
  const next = level.findIndex(point => point.time > time)
  if (next === 0) return level[0]!.level
  if (next < 0) return level.at(-1)?.level ?? null
  const [a, b] = [level[next - 1]!, level[next]!]
  return a.level + ((b.level - a.level) * (time - a.time)) / (b.time - a.time)
}

/** Weaker noise is left out, pascal: 20 dB below the threshold of hearing. */
const hushed = referenceSound / 10

const bankLength = 2 ** 18
/** Plane waves that make up the diffuse field. */
const directions = 16

/**
 * Background noise of one gateway: pascal, a function of the sample's number alone, so that any window of it can be had at any
 * time. Grains of long noise loops follow each other with half their length in common and sine windows, whose squares add up to
 * one: the noise is stationary and never repeats as a whole.
 */
export class BackgroundNoise {
  readonly #seed: number
  readonly #sampleRate: number
  readonly #background: Background
  readonly #selfNoise: number
  readonly #hop: number
  readonly #window: Float32Array
  readonly #ambience: Float32Array[]
  readonly #rain: Float32Array | undefined
  readonly #wind: Float32Array | undefined
  readonly #white: Float32Array | undefined

  constructor(options: {
    readonly seed: number
    readonly sampleRate: number
    readonly background: Background
    /** Decibel re 20 µPa, root mean square over the whole band. */
    readonly selfNoise: number
    /** Metres from the array's middle. */
    readonly microphones: readonly LocalPosition[]
    readonly speed: number
  }) {
    const { seed, sampleRate, background, microphones, speed } = options
    this.#seed = seed
    this.#sampleRate = sampleRate
    this.#background = background
    this.#selfNoise = options.selfNoise
    this.#hop = Math.round(sampleRate / 10)
    this.#window = Float32Array.from({ length: 2 * this.#hop }, (_, i) =>
      Math.sin((Math.PI * (i + 0.5)) / (2 * this.#hop)),
    )
    const heard = (of: Level, name: string, make: (random: Random) => Float32Array[]): Float32Array[] =>
      of === null ? [] : known(`${name} ${sampleRate}`, make)
    const places = microphones.map(({ east, north, up }) => `${east} ${north} ${up}`).join(' ')
    this.#ambience = heard(
      background.ambience,
      microphones.length === 1 ? 'ambience' : `ambience ${places} ${speed}`,
      random => diffuse(random, sampleRate, microphones, speed),
    )
    this.#rain = heard(background.rain, 'rain', random => [rainLoop(random, sampleRate)])[0]
    this.#wind = heard(background.wind, 'wind', random => [loop(random, sampleRate, windShape)])[0]
    this.#white = heard(options.selfNoise, 'self', random => [loop(random, sampleRate, () => 1)])[0]
  }

  /** Adds samples `first` … to one array a channel; `start` is the time of sample 0, `gain` a factor on all of it. */
  add(channels: readonly Float32Array[], first: number, start: number, gain: number): void {
    const count = channels[0]?.length ?? 0
    const lastGrain = Math.floor((first + count - 1) / this.#hop)
    for (let grain = Math.floor(first / this.#hop) - 1; grain <= lastGrain; grain++) {
      const time = start + ((grain + 1) * this.#hop) / this.#sampleRate
      const level = (of: Level): number => pressure(levelAt(of, time)) * gain
      const ambience = level(this.#background.ambience)
      const wind = level(this.#background.wind) * this.#gust(time)
      const rain = level(this.#background.rain)
      const self = pressure(this.#selfNoise) * gain
      channels.forEach((channel, c) => {
        this.#grain(channel, first, grain, this.#ambience[c], ambience, 'ambience')
        this.#grain(channel, first, grain, this.#wind, wind, `wind ${c}`)
        this.#grain(channel, first, grain, this.#rain, rain, `rain ${c}`)
        this.#grain(channel, first, grain, this.#white, self, `self ${c}`)
      })
    }
  }

  #grain(
    channel: Float32Array,
    first: number,
    grain: number,
    bank: Float32Array | undefined,
    gain: number,
    stream: string,
  ): void {
    if (bank === undefined || gain < hushed) return
    const window = this.#window
    const word = hash(this.#streamSeed(stream), grain)
    const signed = word & 1 ? gain : -gain
    const offset = (word >>> 1) % (bank.length - window.length)
    const at = grain * this.#hop - first
    const to = Math.min(window.length, channel.length - at)
    for (let i = Math.max(0, -at); i < to; i++) {
      channel[at + i] = channel[at + i]! + signed * window[i]! * bank[offset + i]!
    }
  }

  readonly #streams = new Map<string, number>()
  #streamSeed(stream: string): number {
    let seed = this.#streams.get(stream)
    if (seed === undefined) {
      seed = hash(this.#seed, stream)
      this.#streams.set(stream, seed)
    }
    return seed
  }

  /** A factor around one that swells and falls within seconds. */
  #gust(time: number): number {
    const slow = this.#wander(time / 4, 1)
    const fast = this.#wander(time / 0.7, 2)
    return fromDecibel(6 * slow + 3 * fast)
  }

  /** Smooth noise between -1 and 1 with one value a unit of time. */
  #wander(time: number, stream: number): number {
    const whole = Math.floor(time)
    const part = time - whole
    const value = (at: number): number => hash(hash(this.#seed, stream), at) / 2 ** 31 - 1
    const ease = part * part * (3 - 2 * part)
    return value(whole) * (1 - ease) + value(whole + 1) * ease
  }
}

function pressure(level: number | null): number {
  return level === null ? 0 : referenceSound * fromDecibel(level)
}

/** Amplitude of a city's hum: falls by 3 dB an octave from 50 Hz, by 8 beyond 1 kHz. */
function ambienceShape(frequency: number): number {
  const low = Math.min(1, (frequency / 40) ** 2)
  return (low * frequency ** -0.5) / Math.sqrt(1 + (frequency / 1000) ** 1.7)
}

/** Kolmogorov's five thirds, above what the housing lets through. */
function windShape(frequency: number): number {
  return (Math.min(1, (frequency / 15) ** 2) * frequency ** (-5 / 6)) / (1 + (frequency / 250) ** 2)
}

const loops = new Map<string, Float32Array[]>()

/** Noise loops of that name, made once; which grains of them are heard when is up to each gateway's seed. */
function known(name: string, make: (random: Random) => Float32Array[]): Float32Array[] {
  let found = loops.get(name)
  if (found === undefined) {
    found = make(new Random(hash(0, name)))
    if (loops.size >= 24) loops.clear()
    loops.set(name, found)
  }
  return found
}

function loop(random: Random, sampleRate: number, shape: (frequency: number) => number): Float32Array {
  return Float32Array.from(shapedNoise(random, bankLength, sampleRate, shape))
}

function rainLoop(random: Random, sampleRate: number): Float32Array {
  const hiss = shapedNoise(random, bankLength, sampleRate, f => Math.min(1, f / 2000) / (1 + (f / 8000) ** 2))
  const sound = { samples: hiss, sampleRate, lead: guard }
  const drops = Math.round((40 * bankLength) / sampleRate)
  for (let drop = 0; drop < drops; drop++) {
    addMode(sound, random.between(0, bankLength / sampleRate), {
      frequency: random.between(600, 3500),
      decay: random.between(0.002, 0.012),
      gain: random.exponential(2.5),
      rise: 0.0003,
    })
  }
  const level = rootMeanSquare(hiss)
  return Float32Array.from(hiss, value => value / level)
}

/** A diffuse field at each microphone: plane waves of independent noise from all around, each delayed as it passes the array. */
function diffuse(
  random: Random,
  sampleRate: number,
  microphones: readonly LocalPosition[],
  speed: number,
): Float32Array[] {
  if (microphones.length === 1) return [loop(random, sampleRate, ambienceShape)]
  const half = bankLength / 2
  const sums = microphones.map(() => ({ real: new Float64Array(bankLength), imaginary: new Float64Array(bankLength) }))
  for (let direction = 0; direction < directions; direction++) {
    const azimuth = (2 * Math.PI * (direction + random.uniform())) / directions
    const elevation = random.between(-0.2, 0.6)
    const east = Math.sin(azimuth) * Math.cos(elevation)
    const north = Math.cos(azimuth) * Math.cos(elevation)
    const steps = microphones.map(microphone => {
      const advance = (microphone.east * east + microphone.north * north + microphone.up * Math.sin(elevation)) / speed
      return (2 * Math.PI * sampleRate * advance) / bankLength
    })
    for (let k = 1; k < half; k++) {
      const frequency = (k * sampleRate) / bankLength
      const amplitude = ambienceShape(frequency) * bandLimit(frequency, sampleRate)
      const [a, b] = [amplitude * random.normal(), amplitude * random.normal()]
      for (let m = 0; m < steps.length; m++) {
        const [cosine, sine] = [Math.cos(k * steps[m]!), Math.sin(k * steps[m]!)]
        const { real, imaginary } = sums[m]!
        real[k] = real[k]! + a * cosine - b * sine
        imaginary[k] = imaginary[k]! + a * sine + b * cosine
      }
    }
  }
  const fields = sums.map(({ real, imaginary }) => {
    for (let k = 1; k < half; k++) {
      real[bankLength - k] = real[k]!
      imaginary[bankLength - k] = -imaginary[k]!
    }
    fourier(bankLength).inverse(real, imaginary)
    return real
  })
  const level = Math.sqrt(fields.reduce((sum, field) => sum + rootMeanSquare(field) ** 2, 0) / fields.length)
  return fields.map(field => Float32Array.from(field, value => value / level))
}
