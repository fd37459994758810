import { bark, engine, rotor, siren, thunder } from '../simulator/continuous.js'
import { firework, hammering, slam } from '../simulator/impulsive.js'
import type { Random } from '../simulator/random.js'
import { addAt, addMode, bandNoise, type Sound, scaledTo, silence } from '../simulator/waveform.js'
import { burst, synthesisRate, type Take } from './blasts.js'

type Maker = (random: Random) => Take

/** A tool that strikes 10 to 60 times a second: a pneumatic hammer, a hammer drill, a nailer left on. */
function jackhammer(random: Random): Sound {
  const sound = silence(synthesisRate, 2.4)
  const rate = random.between(10, 60)
  const modes = Array.from({ length: 4 + random.integer(3) }, () => ({
    frequency: 200 * 2 ** random.between(0, 4.3),
    decay: random.between(0.002, 0.012),
    gain: random.between(0.2, 1),
  }))
  const hiss = bandNoise(random, sound.samples.length, synthesisRate, 400, 5000)
  const air = random.between(0, 0.25)
  for (let time = 0; time < 2.3; time += random.between(0.97, 1.03) / rate) {
    const force = random.between(0.5, 1)
    for (const mode of modes)
      addMode(sound, time, { ...mode, gain: mode.gain * force * random.between(0.6, 1), rise: 0.0004 })
  }
  for (let i = 0; i < hiss.length; i++) sound.samples[i]! += air * hiss[i]!
  return gated(scaledTo(1, sound), random)
}

/** A motor under load: harmonics and rushing noise, switched on and off. */
function drill(random: Random): Sound {
  const sound = engine(1, synthesisRate, random, 2.4)
  const whine = random.between(300, 1500)
  const [wander, depth] = [random.between(0.5, 8), random.between(0, 0.2)]
  let phase = 0
  for (let i = 0; i < sound.samples.length; i++) {
    phase += (2 * Math.PI * whine * (1 + depth * Math.sin((2 * Math.PI * wander * i) / synthesisRate))) / synthesisRate
    sound.samples[i]! += 0.5 * Math.sin(phase) + 0.3 * Math.sin(2 * phase) + 0.2 * Math.sin(3 * phase)
  }
  return gated(sound, random)
}

/** Cuts a lasting sound into pieces with quick edges. */
function gated(sound: Sound, random: Random): Sound {
  if (random.chance(0.4)) return sound
  const edge = Math.round(random.between(0.002, 0.06) * synthesisRate)
  let [level, target, left] = [0, 0, 0]
  for (let i = 0; i < sound.samples.length; i++) {
    if (left-- <= 0) {
      target = target === 0 ? 1 : 0
      left = Math.round(random.between(0.15, 1.5) * synthesisRate)
    }
    level += (target - level) / edge
    sound.samples[i]! *= 0.02 + 0.98 * level
  }
  return sound
}

/** Speech and shouts: a buzzing or breathed source through three formants, in syllables. */
function voice(random: Random): Sound {
  const sound = silence(synthesisRate, 2.4)
  const pitch = random.between(90, 450)
  for (let start = 0; start < 2.1; ) {
    const length = random.between(0.06, 0.35)
    const count = Math.round(length * synthesisRate)
    const formants = [random.between(300, 900), random.between(900, 2200), random.between(2200, 3300)]
    const loudness = random.between(0.2, 1)
    const attack = random.between(0.004, 0.06)
    const [breath, bend] = [random.between(0.02, 0.4), random.between(-0.3, 0.3)]
    const noise = bandNoise(random, count, synthesisRate, 800, 6000)
    const voiced = random.chance(0.8)
    let phase = 0
    const syllable = Float64Array.from({ length: count }, (_, i) => {
      const share = i / count
      const now = pitch * (1 + bend * share)
      phase += (2 * Math.PI * now) / synthesisRate
      let value = (voiced ? breath : 1) * noise[i]!
      for (let h = 1; voiced && h * now < 5000; h++) {
        const gain = formants.reduce((sum, formant) => sum + 1 / (1 + ((h * now - formant) / 120) ** 2), 0.02)
        value += gain * Math.sin(h * phase)
      }
      return loudness * value * Math.min(1, (share * length) / attack) * Math.min(1, ((1 - share) * length) / 0.03)
    })
    addAt(sound.samples, syllable, sound.lead + Math.round(start * synthesisRate))
    start += length + (random.chance(0.3) ? random.between(0.05, 0.5) : 0.01)
  }
  return scaledTo(1, sound)
}

/** Drums and plucked or blown tones in a beat. */
function music(random: Random): Sound {
  const sound = silence(synthesisRate, 2.4)
  const beat = random.between(0.18, 0.6)
  const drums = random.chance(0.75) ? random.between(0.3, 1) : 0
  const root = random.between(110, 440)
  for (let time = 0; time < 2.2; time += beat * (random.chance(0.3) ? 0.5 : 1)) {
    if (random.chance(0.7)) {
      const decay = random.between(0.06, 0.3)
      const rise = random.chance(0.5) ? 0.002 : random.between(0.005, 0.05)
      for (let voice = 0; voice < 1 + random.integer(2); voice++) {
        const tone = root * 2 ** ([0, 3, 4, 5, 7, 9, 12, 16, 19][random.integer(9)]! / 12)
        for (let h = 1; h < 6; h++)
          addMode(sound, time, {
            frequency: tone * h,
            decay: decay / h ** 0.5,
            gain: 1 / h ** random.between(0.7, 1.6),
            rise,
          })
      }
    }
    if (drums > 0 && random.chance(0.8)) {
      const noise = bandNoise(
        random,
        Math.round(0.25 * synthesisRate),
        synthesisRate,
        random.between(150, 1500),
        random.between(2500, 6000),
      )
      const decay = random.between(0.015, 0.08)
      addAt(
        sound.samples,
        noise.map((value, i) => drums * value * Math.exp(-i / synthesisRate / decay)),
        sound.lead + Math.round(time * synthesisRate),
      )
      addMode(sound, time, {
        frequency: random.between(80, 350),
        decay: random.between(0.04, 0.15),
        gain: 2 * drums,
        rise: 0.002,
      })
    }
  }
  return scaledTo(1, sound)
}

/** A horn or a reversing beeper: a few steady tones, on at once. */
function horn(random: Random): Sound {
  const sound = silence(synthesisRate, 2.4)
  const tones = random.chance(0.3) ? [random.between(900, 2600)] : [random.between(300, 450), random.between(380, 560)]
  const [attack, harmonics] = [random.between(0.003, 0.05), 2 + random.integer(12)]
  for (let start = 0.1; start < 1.9; ) {
    const length = random.between(0.08, 1.4)
    for (let i = 0; i < length * synthesisRate; i++) {
      const time = i / synthesisRate
      let value = 0
      for (const tone of tones)
        for (let h = 1; h <= harmonics && h * tone < 6400; h++)
          value += Math.sin(2 * Math.PI * h * tone * time) / h ** 0.6
      const at = sound.lead + Math.round(start * synthesisRate) + i
      if (at < sound.samples.length)
        sound.samples[at]! += value * Math.min(1, time / attack) * Math.min(1, (length - time) / 0.03)
    }
    start += length + random.between(0.08, 0.6)
  }
  return scaledTo(1, sound)
}

/** Hands, shoes, balls, rattling things: short noises, in a loose rhythm. */
function taps(random: Random): Sound {
  const sound = silence(synthesisRate, 2.4)
  const [low, high] = [random.between(300, 1500), random.between(1800, 6000)]
  const [decay, gap] = [random.between(0.001, 0.025), random.between(0.08, 0.9)]
  const ring = random.chance(0.5) ? random.between(0.1, 1) : 0
  const modes = Array.from({ length: 3 }, () => ({
    frequency: random.between(400, 4500),
    decay: random.between(0.003, 0.12),
  }))
  for (let time = 0.1; time < 2.2; time += gap * random.between(0.6, 1.4)) {
    const noise = bandNoise(random, Math.round(8 * decay * synthesisRate) + 64, synthesisRate, low, high)
    const [loudness, rise] = [random.between(0.4, 1), random.between(0.0003, 0.003)]
    addAt(
      sound.samples,
      noise.map(
        (value, i) =>
          loudness * value * Math.exp(-i / synthesisRate / decay) * (1 - Math.exp(-i / synthesisRate / rise)),
      ),
      sound.lead + Math.round(time * synthesisRate),
    )
    for (const mode of modes) addMode(sound, time, { ...mode, gain: loudness * ring, rise })
  }
  return scaledTo(1, sound)
}

/** Chirps and screeches that glide. */
function birds(random: Random): Sound {
  const sound = silence(synthesisRate, 2.4)
  for (let time = 0.1; time < 2.1; time += random.between(0.08, 0.6)) {
    const length = random.between(0.03, 0.25)
    const [from, to, attack] = [random.between(700, 4000), random.between(700, 4000), random.between(0.003, 0.03)]
    let phase = 0
    for (let i = 0; i < length * synthesisRate; i++) {
      const share = i / (length * synthesisRate)
      phase += (2 * Math.PI * (from + (to - from) * share)) / synthesisRate
      const at = sound.lead + Math.round(time * synthesisRate) + i
      if (at < sound.samples.length)
        sound.samples[at]! +=
          (Math.sin(phase) + 0.4 * Math.sin(2 * phase)) * Math.min(1, (share * length) / attack) * (1 - share)
    }
  }
  return scaledTo(1, sound)
}

/** Faults of the electronics: clicks of a few samples, dropped pieces, bursts of hum. */
function faults(random: Random): Sound {
  const sound = silence(synthesisRate, 2.4)
  const hum = random.between(0.001, 0.05)
  const noise = bandNoise(random, sound.samples.length, synthesisRate, 200, 6000)
  for (let i = 0; i < noise.length; i++) sound.samples[i] = hum * noise[i]!
  for (let time = 0.2; time < 2.2; time += random.between(0.15, 1)) {
    const [at, width] = [Math.round(time * synthesisRate), 1 + random.integer(random.chance(0.7) ? 4 : 1600)]
    const height = random.chance(0.5) ? 1 : -random.between(0.2, 1)
    for (let i = 0; i < width && at + i < sound.samples.length; i++) sound.samples[at + i] = height
  }
  return sound
}

function noBlast(make: (random: Random) => Sound): Maker {
  return random => ({ sound: make(random), blasts: [] })
}

/** Every kind of source that is synthesised, and how many streams of it a training set has. */
export const makers: Readonly<Record<string, { readonly make: Maker; readonly streams: number }>> = {
  gun: { make: burst, streams: 640 },
  firework: { make: random => ({ sound: firework(1, synthesisRate, random), blasts: [0] }), streams: 260 },
  slam: { make: noBlast(random => slam(1, synthesisRate, random)), streams: 150 },
  hammering: { make: noBlast(random => hammering(1, synthesisRate, random, 2)), streams: 90 },
  siren: { make: noBlast(random => siren(1, synthesisRate, random, 2.4)), streams: 40 },
  bark: { make: noBlast(random => bark(1, synthesisRate, random)), streams: 100 },
  engine: { make: noBlast(random => gated(engine(1, synthesisRate, random, 2.4), random)), streams: 40 },
  rotor: { make: noBlast(random => rotor(1, synthesisRate, random, 2.4)), streams: 50 },
  thunder: { make: noBlast(random => thunder(1, synthesisRate, random)), streams: 50 },
  jackhammer: { make: noBlast(jackhammer), streams: 70 },
  drill: { make: noBlast(drill), streams: 40 },
  voice: { make: noBlast(voice), streams: 110 },
  music: { make: noBlast(music), streams: 110 },
  horn: { make: noBlast(horn), streams: 60 },
  taps: { make: noBlast(taps), streams: 140 },
  birds: { make: noBlast(birds), streams: 40 },
  faults: { make: noBlast(faults), streams: 50 },
}
