import type { LocalPosition } from '../../gateway/acoustics/arrival.js'
import type { Contribution, Receiver, Setting } from './contribution.js'
import { valueAt } from './interpolation.js'
import { findPaths } from './paths.js'
import { absorptionResponse, distanceBetween, edgeLoss, effectiveSpeed, fromDecibel, spreading } from './physics.js'
import { filtered, reach } from './propagate.js'
import type { Source } from './source.js'
import type { Sound } from './waveform.js'

/** Delay, distance and shadow are worked out this often and run straight between, seconds. */
const interval = 0.02
/** Distances from one absorption filter to the next grow by this factor. */
const ratio = 1.5

/** A sound behind the air of each distance, for all gateways of its scene. */
const filteredVersions = new WeakMap<Sound, Map<number, Float64Array>>()

/** Where a source is, `time` seconds from the scene's start. */
export function placeAt(source: Source, start: number, time: number): LocalPosition {
  const gone = time - (source.time - start)
  const { position, velocity } = source
  if (velocity === undefined) return position
  return {
    east: position.east + gone * velocity.east,
    north: position.north + gone * velocity.north,
    up: position.up + gone * velocity.up,
  }
}

/** When the sound that arrives at `time` left the moving source: the root of emission + travel = time. */
export function emissionTime(
  source: Source,
  place: LocalPosition,
  time: number,
  { scene, surroundings, wind }: Setting,
): number {
  let emitted = time
  for (let round = 0; round < 8; round++) {
    const from = placeAt(source, scene.start, emitted)
    emitted = time - distanceBetween(from, place) / effectiveSpeed(from, place, surroundings.speed, wind)
  }
  return emitted
}

/**
 * What a source that passes by makes at a gateway: straight or round one edge, with the Doppler shift that its changing delay
 * brings by itself. Absorption is mixed from the filters of the distances below and above.
 */
export function moving(source: Source, sound: Sound, receiver: Receiver, setting: Setting): Contribution {
  const { scene, surroundings } = setting
  const begin = source.time - scene.start - sound.lead / sound.sampleRate
  const end = begin + sound.samples.length / sound.sampleRate
  const arrival = (emitted: number): number =>
    emitted + distanceBetween(placeAt(source, scene.start, emitted), receiver.middle) / surroundings.speed
  const first = Math.floor((arrival(begin) - 0.05 - receiver.start) * receiver.sampleRate)
  const last = Math.ceil((arrival(end) + 0.05 - receiver.start) * receiver.sampleRate)
  const versions = filteredVersions.get(sound) ?? new Map<number, Float64Array>()
  filteredVersions.set(sound, versions)
  const version = (index: number): Float64Array => {
    let samples = versions.get(index)
    if (samples === undefined) {
      const response = (frequency: number) => absorptionResponse(frequency, ratio ** index, surroundings.absorber)
      samples = filtered(sound.samples, sound.sampleRate, response)
      versions.set(index, samples)
    }
    return samples
  }
  const shadow = shadowing(source, receiver, setting)
  const channels = receiver.microphones.map(place => {
    const channel = new Float32Array(last - first)
    const block = Math.round(interval * receiver.sampleRate)
    const state = (sample: number) => {
      const time = receiver.start + sample / receiver.sampleRate
      const emitted = emissionTime(source, place, time, setting)
      const distance = Math.max(1, distanceBetween(placeAt(source, scene.start, emitted), place))
      const position = (emitted - (source.time - scene.start)) * sound.sampleRate + sound.lead + reach
      return { position, distance, gain: spreading(distance) * shadow(emitted) }
    }
    let from = state(first)
    for (let start = 0; start < channel.length; start += block) {
      const to = state(first + start + block)
      const octave = Math.log((from.distance + to.distance) / 2) / Math.log(ratio)
      const lower = Math.floor(octave)
      const [near, far, share] = [version(lower), version(lower + 1), octave - lower]
      for (let i = 0; i < block && start + i < channel.length; i++) {
        const part = i / block
        const position = from.position + (to.position - from.position) * part
        if (position < 0 || position > near.length) continue
        const gain = from.gain + (to.gain - from.gain) * part
        channel[start + i] = gain * ((1 - share) * valueAt(near, position) + share * valueAt(far, position))
      }
      from = to
    }
    return channel
  })
  return { first, channels }
}

/** Gain behind edges, looked up twice a second along the way; taken at 500 Hz. */
function shadowing(
  source: Source,
  receiver: Receiver,
  { scene, city, surroundings }: Setting,
): (emitted: number) => number {
  const known = new Map<number, number>()
  const gainAt = (step: number): number => {
    let gain = known.get(step)
    if (gain === undefined) {
      const from = placeAt(source, scene.start, step / 2)
      const nearest = findPaths(from, receiver.middle, city, { order: 0, farthest: 0 })[0]
      const detour = nearest?.detour ?? null
      gain =
        nearest === undefined ? 0.03 : detour === null ? 1 : fromDecibel(-edgeLoss(500, detour, surroundings.speed))
      known.set(step, gain)
    }
    return gain
  }
  return emitted => {
    const step = Math.floor(2 * emitted)
    const part = 2 * emitted - step
    return gainAt(step) * (1 - part) + gainAt(step + 1) * part
  }
}
