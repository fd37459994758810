import { BackgroundNoise, levelAt } from './background.js'
import { City } from './buildings.js'
import { airOf, type Contribution, type Receiver, type Setting, standing } from './contribution.js'
import { moving } from './moving.js'
import { absorber, absorption, distanceBetween, fromDecibel, referenceSound, toDecibel } from './physics.js'
import { hash, Random } from './random.js'
import { type Scene, type SceneGateway, turned } from './scene.js'
import { levelOf, type Source, soundingSpan, synthesise } from './source.js'
import { addAt, peakOf, rootMeanSquare, type Sound } from './waveform.js'

/** Sources whose peak arrives this many decibel below the noise are left out. */
const inaudible = 20

/** A source that is in hearing range of a gateway, and between which samples of the recording it can be heard. */
interface Audible {
  readonly source: Source
  readonly index: number
  readonly first: number
  readonly last: number
}

/**
 * What one gateway records of a scene. Any window of the recording can be had; the same samples come out whatever the windows,
 * and going forward needs little memory.
 */
export class GatewayRenderer {
  readonly gateway: SceneGateway
  /** Samples of the whole recording. */
  readonly sampleCount: number
  readonly #scene: Scene
  readonly #setting: Setting
  readonly #receiver: Receiver
  readonly #audible: readonly Audible[]
  readonly #random: Random
  readonly #gains: readonly number[]
  readonly #contributions = new Map<number, Contribution>()
  #background: BackgroundNoise | null = null
  #noiseGain: number | null = null

  constructor(scene: Scene, gateway: SceneGateway, city: City = new City(scene.buildings)) {
    this.#scene = scene
    this.gateway = gateway
    this.sampleCount = Math.round(scene.duration * scene.sampleRate)
    const { speed, wind } = airOf(scene)
    const surroundings = { absorber: absorber(scene.weather), speed, flowResistivity: scene.groundResistivity }
    this.#setting = { scene, city, surroundings, wind }
    this.#random = new Random(scene.seed).fork(gateway.id)
    this.#gains = gateway.geometry.map((_, channel) => {
      const { mismatch, fullScaleLevel } = gateway.microphones
      const fullScale = Math.SQRT2 * referenceSound * fromDecibel(fullScaleLevel)
      return fromDecibel(this.#random.fork(`gain ${channel}`).normal(0, mismatch)) / fullScale
    })
    const { position } = gateway
    this.#receiver = {
      middle: position,
      microphones: turned(gateway.geometry, gateway.heading).map(({ east, north, up }) => ({
        east: position.east + east,
        north: position.north + north,
        up: position.up + up,
      })),
      sampleRate: scene.sampleRate * (1 + 1e-6 * gateway.drift),
      start: gateway.startDelay,
    }
    this.#audible = scene.sources.flatMap((source, index) => this.#hears(source, index))
  }

  /** Samples as the gateway's converter gives them, full scale ±1, one array a channel. */
  samples(first: number, count: number): Float32Array[] {
    const channels = this.pressure(first, count)
    const { clipping, offset, dead } = this.gateway.microphones
    return channels.map((channel, index) => {
      if (dead.includes(index)) return channel.fill(0)
      const gain = this.#gains[index]!
      for (let i = 0; i < channel.length; i++) {
        channel[i] = offset + Math.max(-clipping, Math.min(clipping, gain * channel[i]!))
      }
      return channel
    })
  }

  /** Pressure at each microphone in pascal, noise included. */
  pressure(first: number, count: number): Float32Array[] {
    const channels = this.#clean(first, count)
    this.#noise().add(channels, first, this.#scene.start + this.#receiver.start, this.#gainOfNoise())
    return channels
  }

  /** Pressure without any noise. */
  #clean(first: number, count: number): Float32Array[] {
    const channels = this.gateway.geometry.map(() => new Float32Array(count))
    for (const audible of this.#audible) {
      if (audible.last < first) this.#contributions.delete(audible.index)
      if (audible.last < first || audible.first >= first + count) continue
      const { first: start, channels: sound } = this.#contribution(audible)
      channels.forEach((channel, m) => {
        const from = Math.max(0, first - start)
        const until = Math.max(from, first + count - start)
        addAt(channel, sound[m]!.subarray(from, until), start + from - first)
      })
    }
    return channels
  }

  #contribution({ source, index }: Audible): Contribution {
    let contribution = this.#contributions.get(index)
    if (contribution === undefined) {
      const sound = soundOf(this.#scene, source, index)
      contribution = source.velocity
        ? moving(source, sound, this.#receiver, this.#setting)
        : standing(source, sound, this.#receiver, this.#setting, this.#random.fork('clutter'))
      this.#contributions.set(index, contribution)
    }
    return contribution
  }

  /** Whether a source can be heard here, and about when; bounds are wide. */
  #hears(source: Source, index: number): Audible[] {
    const { scene, surroundings } = this.#setting
    const { before, after } = soundingSpan(source)
    const start = source.time - scene.start - this.#receiver.start
    const places = [source.position, ...(source.velocity ? [at(source, after / 2), at(source, after)] : [])]
    const distances = places.map(place => distanceBetween(place, this.#receiver.middle))
    const [nearest, farthest] = [Math.min(...distances), Math.max(...distances)]
    const floor = Math.max(this.gateway.microphones.selfNoise, levelAt(scene.background.ambience, source.time) ?? 0)
    const loudness = levelOf(source) - toDecibel(Math.max(1, nearest)) - nearest * absorption(250, scene.weather)
    if (loudness < floor - inaudible && source.bulletSpeed === undefined) return []
    const tail = scene.latestEcho + (scene.reverberation?.time ?? 0) + 0.5
    const [from, to] = [start - before, start + after + farthest / (surroundings.speed * 0.9) + tail]
    const rate = this.#receiver.sampleRate
    if (to < 0 || from * rate > this.sampleCount) return []
    return [{ source, index, first: Math.floor(from * rate), last: Math.ceil(to * rate) }]
  }

  #noise(): BackgroundNoise {
    if (this.#background === null) {
      const { middle, microphones } = this.#receiver
      this.#background = new BackgroundNoise({
        seed: hash(this.#scene.seed, this.gateway.id),
        sampleRate: this.#scene.sampleRate,
        background: this.#scene.background,
        selfNoise: this.gateway.microphones.selfNoise,
        microphones: microphones.map(({ east, north, up }) => ({
          east: east - middle.east,
          north: north - middle.north,
          up: up - middle.up,
        })),
        speed: this.#setting.surroundings.speed,
      })
    }
    return this.#background
  }

  #gainOfNoise(): number {
    if (this.#noiseGain !== null) return this.#noiseGain
    this.#noiseGain = 1
    const { signalToNoise, sampleRate } = this.#scene
    if (signalToNoise !== null) {
      const [clean] = this.#clean(0, this.sampleCount)
      const noise = new Float32Array(Math.min(this.sampleCount, 10 * sampleRate))
      this.#noise().add([noise], 0, this.#scene.start + this.#receiver.start, 1)
      const peak = peakOf(clean!)
      if (peak > 0) this.#noiseGain = (peak * fromDecibel(-signalToNoise)) / rootMeanSquare(noise)
    }
    return this.#noiseGain
  }
}

const remembered = new WeakMap<Scene, Map<number, Sound>>()

/** The sound of a source; the last few are kept for the other gateways of the scene. */
function soundOf(scene: Scene, source: Source, index: number): Sound {
  const sounds = remembered.get(scene) ?? new Map<number, Sound>()
  remembered.set(scene, sounds)
  let sound = sounds.get(index)
  if (sound === undefined) {
    sound = synthesise(source, scene.sampleRate, new Random(hash(scene.seed, 'source')).fork(index))
    sounds.set(index, sound)
    const [oldest] = sounds.keys()
    if (sounds.size > 16 && oldest !== undefined) sounds.delete(oldest)
  }
  return sound
}

function at({ position, velocity }: Source, seconds: number): Source['position'] {
  return {
    east: position.east + seconds * (velocity?.east ?? 0),
    north: position.north + seconds * (velocity?.north ?? 0),
    up: position.up + seconds * (velocity?.up ?? 0),
  }
}
