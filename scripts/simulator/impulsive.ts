import type { Random } from './random.js'
import {
  addAt,
  addMode,
  addPulse,
  type Blast,
  bandNoise,
  friedlanderSpectrum,
  peakOf,
  type Sound,
  scaledTo,
  silence,
} from './waveform.js'

/** Seconds after which a blast of that shape has fallen below a thousandth of its peak. */
function lengthOf({ positive, decay }: Blast): number {
  return (12 * positive) / decay
}

/** A muzzle blast of 3 to 5 ms; peak in pascal. Maher, "Acoustical characterization of gunshots", SAFE 2007. */
export function gunBlast(peak: number, sampleRate: number, random: Random): Sound {
  const blast: Blast = { peak, positive: random.between(0.0004, 0.0007), decay: random.between(0.9, 1.1) }
  const sound = silence(sampleRate, lengthOf(blast))
  addPulse(sound, friedlanderSpectrum(blast), 0, lengthOf(blast))
  return sound
}

/**
 * A firework's report: a blast of a slower, more variable shape, then crackle and a hiss that dies away; one in three is
 * announced by a rising whistle. Peak in pascal.
 */
export function firework(peak: number, sampleRate: number, random: Random): Sound {
  const tail = random.between(0.15, 1.2)
  const whistle = random.chance(1 / 3) ? random.between(0.5, 1.5) : 0
  const sound = silence(sampleRate, tail + 0.1, whistle + 0.1)
  const report: Blast = { peak, positive: random.between(0.0007, 0.003), decay: random.between(0.6, 1.8) }
  addPulse(sound, friedlanderSpectrum(report), 0, Math.min(tail, lengthOf(report)))
  const crackles = random.poisson(random.chance(0.4) ? 12 : 1)
  for (let i = 0; i < crackles; i++) {
    const crackle = { peak: peak * random.between(0.01, 0.2), positive: random.between(0.0001, 0.0004), decay: 1 }
    addPulse(sound, friedlanderSpectrum(crackle), random.between(0.02, tail), lengthOf(crackle))
  }
  const hiss = bandNoise(random, Math.ceil(tail * sampleRate), sampleRate, 200, 3000)
  const [loudness, decay] = [peak * random.between(0.01, 0.05), random.between(0.05, 0.3)]
  addAt(
    sound.samples,
    hiss.map(
      (value, i) => value * loudness * Math.exp(-i / sampleRate / decay) * (1 - Math.exp(-i / sampleRate / 0.004)),
    ),
    sound.lead,
  )
  if (whistle > 0) addWhistle(sound, whistle, peak * 0.003, random)
  return scaledTo(peak, sound)
}

function addWhistle(sound: Sound, seconds: number, loudness: number, random: Random): void {
  const [from, to] = [random.between(1200, 2000), random.between(2500, 4500)]
  const count = Math.floor(seconds * sound.sampleRate)
  let phase = 0
  for (let i = 0; i < count; i++) {
    const share = i / count
    phase += (2 * Math.PI * (from + (to - from) * share)) / sound.sampleRate
    const at = sound.lead - count + i
    sound.samples[at] = sound.samples[at]! + loudness * Math.sin(phase) * Math.min(1, 20 * share, 20 * (1 - share))
  }
}

/** A door, a lid or a tailgate: a thump of a few panel modes that swells over a millisecond or more, and a latch. */
export function slam(peak: number, sampleRate: number, random: Random): Sound {
  const sound = silence(sampleRate, 0.6, 0.05)
  const modes = 3 + random.integer(4)
  for (let i = 0; i < modes; i++) {
    addMode(sound, random.between(0, 0.002), {
      frequency: random.between(60, 300) * (1 + 0.5 * i),
      decay: random.between(0.015, 0.08) / (1 + 0.3 * i),
      gain: random.between(0.3, 1) / (1 + 0.4 * i),
      rise: random.between(0.001, 0.004),
    })
  }
  const latch = bandNoise(random, Math.ceil(0.03 * sampleRate), sampleRate, 600, 4000)
  const decay = random.between(0.002, 0.006)
  const moment = random.between(-0.03, 0.02)
  addAt(
    sound.samples,
    latch.map((value, i) => 0.25 * value * Math.exp(-i / sampleRate / decay)),
    sound.lead + Math.round(moment * sampleRate),
  )
  return scaledTo(peak, sound)
}

/** Blows on wood or metal for so many seconds: one and a half to three a second, or up to twenty from a machine. */
export function hammering(peak: number, sampleRate: number, random: Random, seconds: number): Sound {
  const rate = random.chance(0.25) ? random.between(10, 20) : random.between(1.2, 3)
  const modes = Array.from({ length: 4 + random.integer(5) }, () => ({
    frequency: 300 * 2 ** random.between(0, 4),
    decay: random.between(0.004, 0.05),
    gain: random.between(0.2, 1),
  }))
  const contact = random.between(0.0002, 0.001)
  const sound = silence(sampleRate, seconds + 0.5)
  for (let time = 0; time < seconds; time += random.between(0.85, 1.15) / rate) {
    const force = random.between(0.6, 1)
    for (const mode of modes) {
      addMode(sound, time, { ...mode, gain: mode.gain * force * random.between(0.7, 1), rise: contact })
    }
  }
  return peakOf(sound.samples) === 0 ? sound : scaledTo(peak, sound)
}
