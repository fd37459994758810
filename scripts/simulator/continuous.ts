import type { Random } from './random.js'
import { addAt, addPulse, bandNoise, nWaveSpectrum, type Sound, scaledTo, silence } from './waveform.js'

/** Seconds over which a sound that goes on comes and goes. */
const fade = 0.5

/** Multiplies by a ramp at either end. */
function faded(sound: Sound, seconds: number): Sound {
  const { samples, sampleRate, lead } = sound
  for (let i = 0; i < samples.length; i++) {
    const time = (i - lead) / sampleRate
    samples[i] = samples[i]! * Math.max(0, Math.min(1, time / fade, (seconds - time) / fade))
  }
  return sound
}

/** A wailing siren: a rich tone that climbs and falls between two pitches. */
export function siren(peak: number, sampleRate: number, random: Random, seconds: number): Sound {
  const sound = silence(sampleRate, seconds)
  const period = random.chance(0.3) ? random.between(0.25, 0.4) : random.between(3.5, 6)
  const [low, high] = [random.between(500, 700), random.between(1300, 1700)]
  let phase = random.between(0, 2 * Math.PI)
  for (let i = sound.lead; i < sound.samples.length; i++) {
    const turn = ((i - sound.lead) / sampleRate / period) % 1
    const pitch = low + (high - low) * (1 - Math.abs(2 * turn - 1))
    phase += (2 * Math.PI * pitch) / sampleRate
    for (let harmonic = 1; harmonic <= 5 && harmonic * pitch < 0.4 * sampleRate; harmonic++) {
      sound.samples[i] = sound.samples[i]! + Math.sin(harmonic * phase) / harmonic
    }
  }
  return scaledTo(peak, faded(sound, seconds))
}

/** A dog: two to six barks, each a falling voice with breath in it. */
export function bark(peak: number, sampleRate: number, random: Random): Sound {
  const sound = silence(sampleRate, 3.5)
  const [pitch, formant] = [random.between(250, 700), random.between(700, 1500)]
  const barks = 2 + random.integer(5)
  for (let b = 0, start = 0; b < barks && start < 3; b++, start += random.between(0.3, 0.7)) {
    const length = random.between(0.1, 0.25)
    const count = Math.floor(length * sampleRate)
    const breath = bandNoise(random, count, sampleRate, formant / 2, formant * 2)
    const loudness = random.between(0.6, 1)
    let phase = 0
    const voice = Float64Array.from({ length: count }, (_, i) => {
      const share = i / count
      const now = pitch * (1.2 - 0.5 * share)
      phase += (2 * Math.PI * now) / sampleRate
      let value = 0.3 * breath[i]!
      for (let harmonic = 1; harmonic <= 12 && harmonic * now < 0.4 * sampleRate; harmonic++) {
        value += Math.sin(harmonic * phase) / (1 + ((harmonic * now - formant) / 400) ** 2)
      }
      return loudness * value * Math.min(1, (share * length) / 0.012) * (1 - share) ** 0.7
    })
    addAt(sound.samples, voice, sound.lead + Math.round(start * sampleRate))
  }
  return scaledTo(peak, sound)
}

/** An engine and its tyres: harmonics of the firing rate whose speed wanders, over band noise. */
export function engine(peak: number, sampleRate: number, random: Random, seconds: number): Sound {
  const sound = silence(sampleRate, seconds)
  const firing = random.between(25, 90)
  const partials = Array.from({ length: 16 }, (_, i) => random.between(0.3, 1) / (i + 1) ** 0.7)
  const wander = Array.from({ length: 3 }, () => ({
    rate: random.between(0.05, 0.5),
    depth: random.between(0, 0.05),
    phase: random.between(0, 2 * Math.PI),
  }))
  const tyres = bandNoise(random, sound.samples.length, sampleRate, 300, 1800)
  let phase = 0
  for (let i = 0; i < sound.samples.length; i++) {
    const time = (i - sound.lead) / sampleRate
    const speed = wander.reduce((sum, w) => sum + w.depth * Math.sin(2 * Math.PI * w.rate * time + w.phase), 1)
    phase += (2 * Math.PI * firing * speed) / sampleRate
    let value = 0.8 * tyres[i]!
    for (let k = 0; k < partials.length && (k + 1) * firing * 1.2 < 0.4 * sampleRate; k++) {
      value += partials[k]! * Math.sin((k + 1) * phase)
    }
    sound.samples[i] = value
  }
  return scaledTo(peak, faded(sound, seconds))
}

/** A helicopter: slapping blades, the tail rotor's tone and air rushing in their rhythm. */
export function rotor(peak: number, sampleRate: number, random: Random, seconds: number): Sound {
  const sound = silence(sampleRate, seconds)
  const { samples, lead } = sound
  const [blades, tail, width] = [random.between(11, 24), random.between(60, 110), random.between(0.0015, 0.004)]
  const slapStrength = random.between(0.3, 1)
  for (let time = 0; time < seconds; time += random.between(0.995, 1.005) / blades) {
    const strength = slapStrength * random.between(0.7, 1)
    const [from, to] = [time - 5 * width, time + 5 * width].map(t => Math.round(t * sampleRate) + lead)
    for (let i = Math.max(0, from!); i < Math.min(samples.length, to!); i++) {
      const x = ((i - lead) / sampleRate - time) / width
      samples[i] = samples[i]! + 2 * strength * x * Math.exp(-x * x)
    }
  }
  const rush = bandNoise(random, samples.length, sampleRate, 150, 1500)
  for (let i = 0; i < samples.length; i++) {
    const time = (i - lead) / sampleRate
    samples[i] =
      samples[i]! +
      0.15 * rush[i]! * (1 + 0.6 * Math.cos(2 * Math.PI * blades * time)) +
      0.2 * Math.sin(2 * Math.PI * tail * time) +
      0.1 * Math.sin(4 * Math.PI * tail * time)
  }
  return scaledTo(peak, faded(sound, seconds))
}

/**
 * Thunder: N-waves from the pieces of a crooked channel, in claps that overlap into a rumble; Few, J. Geophys. Res. 74 (1969).
 * Give its place as that of the nearest part of the channel.
 */
export function thunder(peak: number, sampleRate: number, random: Random): Sound {
  const sound = silence(sampleRate, 8)
  const claps = 3 + random.integer(5)
  for (let clap = 0; clap < claps; clap++) {
    const start = clap === 0 ? 0 : random.exponential(1.8)
    const spread = random.between(0.05, 0.5)
    const loudness = random.between(0.4, 1) / (1 + 0.6 * start)
    const pieces = 15 + random.integer(30)
    for (let i = 0; i < pieces; i++) {
      const duration = random.between(0.006, 0.03)
      const gain = loudness * random.normal() * Math.sqrt(duration / 0.015)
      addPulse(sound, nWaveSpectrum(1, duration), Math.min(7.5, start + random.exponential(spread)), 2 * duration, gain)
    }
  }
  return scaledTo(peak, sound)
}
