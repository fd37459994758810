import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BandReader } from '../../gateway/acoustics/band.js'
import { impulseFeatures } from '../../gateway/acoustics/features.js'
import { Random } from '../simulator/random.js'
import { bandNoise } from '../simulator/waveform.js'
import { synthesisRate } from './blasts.js'
import { isQuiet, type LiveFireRecording, liveFire } from './live-fire.js'
import { carried, type Recorder, recorded, resampled } from './recorder.js'
import { makers } from './synthesis.js'
import { type Recording, readWave } from './wave.js'

export const exampleSeed = 20_181_218

export interface Example {
  readonly features: Float64Array
  readonly kind: string
  readonly blast: boolean
  /** What of it is real: recorded on the live-fire sensors, recorded elsewhere, or synthesised. */
  readonly origin: 'live-fire' | 'recorded' | 'synthesised'
  /** Examples of one group are never on both sides of a cross-validation: a firing position, a kind of noise, a third of the synthesised blasts. */
  readonly group: string
  /** What must not tell the class. */
  readonly recorder: Recorder
  readonly secondsHeard: number
  /** How far below the loudest 2 ms the noise of the recording lies, decibel. */
  readonly floor: number
}

/** Recordings whose licence lets what is trained on them ship: CC0, CC BY or public domain, by their files' names. */
const trainableSounds = [
  'ambience/max_applause.wav',
  'ambience/max_car_engine.wav',
  'ambience/max_crowd_cheering.wav',
  'ambience/max_rain.wav',
]

/** Steps of power in a recording, as a listener finds them: seconds. */
function steps({ samples, sampleRate }: Recording): number[] {
  const frame = sampleRate / 1000
  const count = Math.floor(samples.length / frame) - 1
  const power = Float64Array.from({ length: count }, (_, k) => {
    let sum = 0
    // The second difference of three steps keeps about what lies between 300 and 3,000 Hz.
    const lag = Math.max(1, Math.round(sampleRate / 6000))
    for (let i = Math.max(lag, Math.floor(k * frame)); i < (k + 1) * frame; i++)
      sum += (samples[i]! - samples[i - lag]!) ** 2
    return sum / frame
  })
  const sums = new Float64Array(count + 1)
  for (let k = 0; k < count; k++) sums[k + 1] = sums[k]! + power[k]!
  const score = new Float64Array(count)
  for (let k = 50; k + 50 < count; k++) {
    score[k] = 10 * Math.log10((sums[k + 50]! - sums[k]! + 1e-9) / (sums[k]! - sums[k - 50]! + 1e-9))
  }
  const found: number[] = []
  for (let k = 110; k + 110 < count; k++) {
    if (score[k]! < 3) continue
    let best = true
    for (let other = k - 60; other <= k + 60 && best; other++) best = score[other]! < score[k]! || other === k
    if (best) found.push(k / 1000)
  }
  return found
}

const readers = new Map<number, BandReader>()

function exampleAt(
  { samples, sampleRate }: Recording,
  seconds: number,
  random: Random,
  about: Omit<Example, 'features' | 'secondsHeard'>,
): Example[] {
  let reader = readers.get(sampleRate)
  if (reader === undefined) {
    reader = new BandReader(sampleRate)
    readers.set(sampleRate, reader)
  }
  const onset = (seconds + random.normal(0, 0.003)) * sampleRate
  // Streams begin and break, and a listener may not wait: some of the sound is missing at times.
  const before = random.chance(0.25) ? random.between(0.06, 0.4) : 0.42
  const after = random.chance(0.15) ? random.between(0.1, 0.25) : 0.27
  const from = Math.max(0, Math.floor(onset - before * sampleRate))
  const heard = samples.subarray(from, Math.ceil(onset + after * sampleRate))
  const features = impulseFeatures(reader.read(heard, onset - from))
  return features === null ? [] : [{ ...about, features, secondsHeard: heard.length / sampleRate }]
}

/** Seconds of sound around an onset that are handed to a recorder: before and after. */
const pieceBefore = 0.55
const pieceAfter = 0.6

/** Cuts the sound around a moment, adds noise at times, records it and takes the onset that is found there again. */
function piece(
  source: Recording,
  seconds: number,
  random: Random,
  about: Omit<Example, 'features' | 'recorder' | 'secondsHeard' | 'floor'>,
): Example[] {
  const { sampleRate } = source
  const from = Math.round((seconds - pieceBefore) * sampleRate)
  if (from < 0 || from + (pieceBefore + pieceAfter) * sampleRate > source.samples.length) return []
  const samples = Float64Array.from(
    source.samples.subarray(from, Math.round(from + (pieceBefore + pieceAfter) * sampleRate)),
  )
  if (random.chance(0.6)) addNoise(samples, sampleRate, random.between(4, 36), random)
  const { recording, recorder } = recorded({ samples, sampleRate }, random)
  return steps(recording)
    .filter(found => Math.abs(found - pieceBefore) < 0.03)
    .flatMap(found => exampleAt(recording, found, random, { ...about, recorder, floor: floorOf(samples, sampleRate) }))
}

/** Gunshots and city noise of the live-fire sensors. */
function liveFireExamples(sources: readonly LiveFireRecording[], random: Random): Example[] {
  return sources.flatMap(source =>
    steps(source).flatMap(seconds => {
      const near = source.blasts.some(time => Math.abs(time - seconds) < 0.04)
      if (!near && !isQuiet(source, seconds)) return []
      const about = { kind: near ? 'gun' : 'city', blast: near, origin: 'live-fire', group: source.position } as const
      return piece(source, seconds, random, about)
    }),
  )
}

/** Onsets in recordings of what is no gun. */
function recordedExamples(sounds: readonly (Recording & { readonly name: string })[], random: Random): Example[] {
  return sounds.flatMap(source => {
    const about = { kind: source.name, blast: false, origin: 'recorded', group: source.name } as const
    return steps(source).flatMap(seconds => piece(source, seconds, random, about))
  })
}

const lead = Math.round(pieceBefore * synthesisRate)

/** One synthesised sound on its way through air and streets, over noise, through a recorder. */
function synthesisedExample(
  kind: string,
  stream: number,
  random: Random,
  noise: (samples: Float64Array, floor: number) => void,
): Example[] {
  const { sound, blasts } = makers[kind]!.make(random)
  const blast = blasts[random.integer(Math.max(1, blasts.length))]
  const anywhere = -Math.round(random.uniform() * Math.max(0, sound.samples.length - synthesisRate))
  const start =
    blast === undefined ? (random.chance(0.4) ? lead : anywhere) : lead - sound.lead - Math.round(blast * synthesisRate)
  const dry = new Float64Array(Math.round(1.3 * synthesisRate))
  for (let i = Math.max(0, -start); i < sound.samples.length && i + start < dry.length; i++)
    dry[i + start] = sound.samples[i]!
  const wet = carried(dry, synthesisRate, random)
  const floor = random.between(4, 45)
  noise(wet, floor)
  const { recording, recorder } = recorded({ samples: wet, sampleRate: synthesisRate }, random)
  const found = steps(recording)
  // Where the piece holds all that is looked at, so that nothing tells where it was cut.
  const whole = found.filter(seconds => seconds > 0.43 && seconds < 1.02)
  const at = blast === undefined ? whole : whole.filter(seconds => Math.abs(seconds - pieceBefore - 0.003) < 0.03)
  const group = blast === undefined ? kind : `blasts ${stream % 3}`
  const about = { kind, blast: blast !== undefined, origin: 'synthesised', group, recorder, floor } as const
  return at.flatMap(seconds => exampleAt(recording, seconds, random, about))
}

/** Synthesised sounds over synthesised noise. Needs no files. */
export function synthesisedExamples(random: Random, share = 1): Example[] {
  return Object.entries(makers).flatMap(([kind, { streams }]) =>
    Array.from({ length: Math.ceil(share * streams) }, (_, stream) => {
      const chance = random.fork(kind).fork(stream)
      return synthesisedExample(kind, stream, chance, (samples, floor) =>
        addNoise(samples, synthesisRate, floor, chance),
      )
    }).flat(),
  )
}

/** A third as many over the noise of the live-fire sensors and of the other recordings, so that no noise belongs to a class. */
function mixedExamples(noises: readonly Float64Array[], random: Random): Example[] {
  return Object.entries(makers).flatMap(([kind, { streams }]) =>
    Array.from({ length: Math.ceil(streams / 3) }, (_, stream) => {
      const chance = random.fork(kind).fork(stream)
      const noise = noises[chance.integer(noises.length)]!
      return synthesisedExample(kind, stream, chance, (samples, floor) =>
        addAtLevel(samples, synthesisRate, noise, floor),
      )
    }).flat(),
  )
}

/** Everything that is trained on, and the hash of each part. The same folders give the same examples. */
export function allExamples(
  liveFireFolder: string,
  soundsFolder: string,
): { examples: Example[]; data: Record<string, string> } {
  const random = new Random(exampleSeed)
  const sensors = [...liveFire(liveFireFolder)]
  const sounds = trainableSounds.map(name => ({
    ...readWave(join(soundsFolder, name)),
    name,
    file: join(soundsFolder, name),
  }))
  const noises = [
    ...sensors.flatMap(source =>
      source.quietUntil > 1.5
        ? [resampled(source.samples.subarray(0, 1.4 * source.sampleRate), source.sampleRate, synthesisRate)]
        : [],
    ),
    ...sounds.flatMap(({ samples, sampleRate }) =>
      [0.2, 0.4, 0.6].map(share => {
        const from = Math.round(share * samples.length)
        return resampled(samples.subarray(from, from + 1.4 * sampleRate), sampleRate, synthesisRate)
      }),
    ),
  ]
  const synthesised = synthesisedExamples(random.fork('synthesised'))
  return {
    examples: [
      ...liveFireExamples(sensors, random.fork('live fire')),
      ...recordedExamples(sounds, random.fork('recorded')),
      ...synthesised,
      ...mixedExamples(noises, random.fork('mixed')),
    ],
    data: {
      'live-fire': hashOfFiles(sensors.map(({ file }) => file)),
      sounds: hashOfFiles(sounds.map(({ file }) => file)),
      'synthesised sample': synthesisedSampleHash(),
    },
  }
}

/** SHA-256 of the files' contents one after another. */
function hashOfFiles(files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of files) hash.update(readFileSync(file))
  return hash.digest('hex')
}

/** SHA-256 of the features of a part of the synthesised examples, rounded to what does not depend on the machine. */
export function synthesisedSampleHash(): string {
  const hash = createHash('sha256')
  for (const { features } of synthesisedExamples(new Random(exampleSeed).fork('synthesised'), 0.04)) {
    hash.update(Array.from(features, value => value.toPrecision(4)).join())
  }
  return hash.digest('hex')
}

/** Adds noise of a drawn colour, unsteady at times, so many decibel below the loudest 2 ms. */
function addNoise(samples: Float64Array, sampleRate: number, below: number, random: Random): void {
  const noise = bandNoise(random, samples.length, sampleRate, random.between(50, 900), random.between(1200, 6000))
  const depth = random.chance(0.4) ? random.between(0, 0.7) : 0
  const [rate, phase] = [random.between(0.5, 6), random.between(0, 6.3)]
  for (let i = 0; i < noise.length; i++)
    noise[i]! *= 1 + depth * Math.sin(phase + (2 * Math.PI * rate * i) / sampleRate)
  addAtLevel(samples, sampleRate, noise, below)
}

/** Power of the sound's slope, which leaves out what lies below the band. */
function slopePower(sound: Float64Array, from: number, to: number): number {
  let sum = 0
  for (let i = from + 1; i < to; i++) sum += (sound[i]! - sound[i - 1]!) ** 2
  return sum / (to - from)
}

function addAtLevel(samples: Float64Array, sampleRate: number, noise: Float64Array, below: number): void {
  const powers = framePowers(samples, sampleRate)
  const gain = Math.sqrt((powers.at(-1)! / Math.max(1e-12, slopePower(noise, 0, noise.length))) * 10 ** (-below / 10))
  for (let i = 0; i < samples.length; i++) samples[i]! += gain * noise[i % noise.length]!
}

/** Powers of pieces of 2 ms, the least first. */
function framePowers(samples: Float64Array, sampleRate: number): Float64Array {
  const frame = Math.round(0.002 * sampleRate)
  const powers = new Float64Array(Math.floor(samples.length / frame))
  for (let i = 0; i < powers.length; i++) powers[i] = slopePower(samples, i * frame, (i + 1) * frame) + 1e-12
  return powers.sort()
}

function floorOf(samples: Float64Array, sampleRate: number): number {
  const powers = framePowers(samples, sampleRate)
  return Math.min(45, 10 * Math.log10(powers.at(-1)! / powers[Math.floor(powers.length / 4)]!))
}
