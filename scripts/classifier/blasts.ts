import { gunBlast } from '../simulator/impulsive.js'
import type { Random } from '../simulator/random.js'
import {
  addAt,
  addMode,
  addPulse,
  bandNoise,
  friedlanderSpectrum,
  nWaveSpectrum,
  type Sound,
  scaledTo,
  silence,
} from '../simulator/waveform.js'

/** Rate at which sources are made, hertz. */
export const synthesisRate = 16_000

/** A sound, and when in it the blasts are, seconds from its beginning proper; none in what is no blast. */
export interface Take {
  readonly sound: Sound
  readonly blasts: readonly number[]
}
/** Sounds of a gun, near and far: the blast, at times a shock wave before it, its reflection off the ground, rushing gas, the action's clicks. */
function gun(random: Random): Sound {
  const blast = gunBlast(1, synthesisRate, random)
  const sound = silence(synthesisRate, 0.25, 0.2)
  const long = random.chance(0.3) ? random.between(1, 3) : 1
  const shape = { peak: 1, positive: random.between(0.0003, 0.0009) * long, decay: random.between(0.7, 1.4) }
  if (random.chance(0.5)) addAt(sound.samples, blast.samples, sound.lead - blast.lead)
  else addPulse(sound, friedlanderSpectrum(shape), 0, 0.02)
  if (random.chance(0.7)) {
    const gain = random.between(-0.3, 0.8)
    addAt(
      sound.samples,
      blast.samples,
      sound.lead - blast.lead + Math.round(random.between(0.0004, 0.006) * synthesisRate),
      gain,
    )
  }
  if (random.chance(0.15))
    addPulse(sound, nWaveSpectrum(random.between(0.1, 1), 0.0003), -random.between(0.005, 0.15), 0.002)
  if (random.chance(0.5)) {
    const gas = bandNoise(
      random,
      Math.round(0.2 * synthesisRate),
      synthesisRate,
      random.between(150, 1000),
      random.between(2500, 6400),
    )
    const [loudness, fall, swell] = [
      0.02 * 25 ** random.uniform(),
      0.002 * 20 ** random.uniform(),
      random.between(0.0002, 0.003),
    ]
    const jet = gas.map(
      (value, i) => value * loudness * Math.exp(-i / synthesisRate / fall) * (1 - Math.exp(-i / synthesisRate / swell)),
    )
    addAt(sound.samples, jet, sound.lead)
  }
  if (random.chance(0.3))
    for (let click = 0; click < 3; click++) {
      addMode(sound, random.between(0.01, 0.09), {
        frequency: random.between(1200, 4500),
        decay: random.between(0.001, 0.006),
        gain: random.between(0.003, 0.08),
        rise: 0.0003,
      })
    }
  return scaledTo(1, sound)
}

/** One to six rounds in a row of one gun, from single shots to full automatic. */
export function burst(random: Random): Take {
  const one = gun(random)
  if (random.chance(0.5)) return { sound: one, blasts: [0] }
  const [rounds, interval] = [
    2 + random.integer(5),
    random.chance(0.25) ? random.between(0.07, 0.13) : random.between(0.16, 1),
  ]
  const sound = silence(synthesisRate, rounds * interval + 0.4, 0.2)
  const blasts: number[] = []
  for (let round = 0; round < rounds; round++) {
    const at = round * interval * (interval > 0.15 ? random.between(0.9, 1.1) : 1)
    addAt(sound.samples, one.samples, sound.lead - one.lead + Math.round(at * synthesisRate), random.between(0.8, 1))
    blasts.push(at)
  }
  return { sound, blasts }
}
