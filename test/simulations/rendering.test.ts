import { test } from 'tap'
import { fourier } from '../../scripts/simulator/fourier.js'
import { valueAt } from '../../scripts/simulator/interpolation.js'
import { absorption, shockAt, speedOfSound, toDecibel } from '../../scripts/simulator/physics.js'
import { plainScene, type SceneGateway, usualMicrophones } from '../../scripts/simulator/scene.js'
import { peakOf, rootMeanSquare } from '../../scripts/simulator/waveform.js'
import { at, gun, onGround, record, start } from './open-field.js'

const speed = speedOfSound({ temperature: 20, humidity: 50, pressure: 101.325 })

/** The spectrum of `size` samples from `first` on. */
function spectrum(samples: Float32Array, first: number, size: number) {
  const real = Float64Array.from(samples.subarray(first, first + size))
  const imaginary = new Float64Array(size)
  fourier(size).forward(real, imaginary)
  return { real, imaginary, level: (k: number) => toDecibel(Math.hypot(real[k]!, imaginary[k]!)) }
}

/**
 * How many samples `b` is later than `a`: the slope of the phase between them over the lower band, by least squares, once
 * the expected lag is taken out so that the phase does not wrap.
 */
function lag(a: Float32Array, b: Float32Array, size: number, expected: number): number {
  const [x, y] = [spectrum(a, 0, size), spectrum(b, 0, size)]
  let [numerator, denominator] = [0, 0]
  for (let k = 1; k < size / 8; k++) {
    const real = x.real[k]! * y.real[k]! + x.imaginary[k]! * y.imaginary[k]!
    const imaginary = y.imaginary[k]! * x.real[k]! - y.real[k]! * x.imaginary[k]!
    const step = (2 * Math.PI * k) / size
    const weight = Math.hypot(real, imaginary)
    const [cosine, sine] = [Math.cos(step * expected), Math.sin(step * expected)]
    numerator -= weight * step * Math.atan2(imaginary * cosine + real * sine, real * cosine - imaginary * sine)
    denominator += weight * step * step
  }
  return expected + numerator / denominator
}

test('between two samples a signal is read to a thousandth, up to four tenths of the sample rate', async t => {
  for (const share of [0.01, 0.1, 0.3, 0.4]) {
    const samples = Float64Array.from({ length: 400 }, (_, i) => Math.sin(2 * Math.PI * share * i + 1))
    for (let position = 100; position < 200; position += 0.37) {
      t.ok(Math.abs(valueAt(samples, position) - Math.sin(2 * Math.PI * share * position + 1)) < 2e-3, `${share}`)
    }
  }
})

test('sound reaches each microphone of an array when geometry says, to a fiftieth of a sample, at any rate', async t => {
  for (const sampleRate of [8000, 16_000, 48_000, 96_000]) {
    const geometry = [at(0, 0), at(0.1, 0), at(0.037, 0), at(-0.05, 0.0813), at(0, 0, 0.1)]
    const array = onGround('array', 60, { position: at(60, 0, 4000), geometry })
    const scene = plainScene({
      duration: 0.3,
      sampleRate,
      start,
      gateways: [array],
      sources: [gun(0.05, at(3, -20, 4000))],
    })
    const size = 2048
    const first = Math.round((0.05 + Math.hypot(57, 20) / speed) * sampleRate) - 400
    const channels = record({ ...scene, duration: 1 }, array, first, 800).map(channel => {
      const padded = new Float32Array(size)
      padded.set(channel)
      return padded
    })
    geometry.forEach((microphone, m) => {
      const distance = Math.hypot(57 + microphone.east, 20 + microphone.north, microphone.up)
      const expected = ((distance - Math.hypot(57, 20)) / speed) * sampleRate
      const found = lag(channels[0]!, channels[m]!, size, expected)
      t.ok(
        Math.abs(found - expected) < 1 / 50,
        `${sampleRate} Hz: ${found.toFixed(4)} for ${expected.toFixed(4)} samples`,
      )
    })
  }
})

test('a blast arrives after distance over speed, a standing wind included, and clocks tell their own time', async t => {
  const late = onGround('late', 340, { startDelay: 0.25 })
  const scene = plainScene({
    start,
    duration: 3,
    sources: [gun(0.5)],
    weather: { ...plainScene({}).weather, windSpeed: 8, windFrom: 90 },
  })
  const onset = (gateway: SceneGateway) => {
    const [samples] = record(scene, gateway)
    const limit = 0.3 * peakOf(samples!)
    return samples!.findIndex(value => value > limit) / scene.sampleRate
  }
  t.ok(Math.abs(onset(onGround('a', 340)) - (0.5 + 340 / (speed - 8))) < 1.5e-4, 'against the wind')
  t.ok(Math.abs(onset(onGround('b', -340)) - (0.5 + 340 / (speed + 8))) < 1.5e-4, 'with the wind')
  t.ok(Math.abs(onset(late) - (0.25 + 340 / (speed - 8))) < 1.5e-4, 'in a recording that begins later')
})

test('twice as far is 6 dB weaker, and the treble loses what the air takes besides', async t => {
  const scene = plainScene({ start, duration: 2, sources: [gun(0.1)] })
  const size = 4096
  const levels = [200, 400].map(distance => {
    const [samples] = record(scene, onGround('g', distance))
    const { level } = spectrum(samples!, Math.round((0.1 + distance / speed) * 48_000) - 500, size)
    return level
  })
  for (const k of [20, 43, 171, 341, 683]) {
    const frequency = (k * 48_000) / size
    const expected = 6.0206 + 200 * absorption(frequency, scene.weather)
    const found = levels[0]!(k) - levels[1]!(k)
    t.ok(
      Math.abs(found - expected) < 0.05,
      `${frequency.toFixed(0)} Hz: ${found.toFixed(2)} for ${expected.toFixed(2)} dB`,
    )
  }
})

test('a muzzle blast has its level along the barrel and 15 dB less behind', async t => {
  const level = (heading: number) => {
    const scene = plainScene({
      start,
      duration: 0.3,
      sampleRate: 96_000,
      sources: [{ ...gun(0.02, at(0, 0, 50)), heading, level: 150 }],
    })
    const overhead = onGround('g', 0, {
      position: at(10, 0, 50),
      microphones: { ...usualMicrophones, selfNoise: -100, fullScaleLevel: 150 },
    })
    return toDecibel(peakOf(record(scene, overhead)[0]!)) + 150 + toDecibel(Math.SQRT2)
  }
  t.ok(Math.abs(level(90) - 130) < 1.5, `${level(90)} dB at 10 m in front`)
  t.ok(Math.abs(level(90) - level(270) - 15) < 0.01)
})

test('a supersonic round is heard as its shock wave, then its blast', async t => {
  const source = { ...gun(0.1, at(0, 0, 1.5)), heading: 0, bulletSpeed: 800, range: 500 }
  const place = at(20, 200, 3)
  const scene = plainScene({ start, duration: 1.5, sources: [source] })
  const gateway = {
    ...onGround('g', 0),
    position: place,
    microphones: { ...usualMicrophones, selfNoise: -100, fullScaleLevel: 150 },
  }
  const [samples] = record(scene, gateway)
  const { delay } = shockAt(
    place,
    { muzzle: source.position, direction: at(0, 1), bulletSpeed: 800, range: 500 },
    speed,
  )!
  const blast = 0.1 + Math.hypot(20, 200, 1.5) / speed
  const loudest = samples!.findIndex(value => Math.abs(value) > 0.5 * peakOf(samples!)) / 48_000
  t.ok(Math.abs(loudest - (0.1 + delay)) < 1e-4, `${loudest} for ${0.1 + delay}`)
  const between = samples!.subarray(Math.round((loudest + 0.05) * 48_000), Math.round((blast - 0.005) * 48_000))
  const after = samples!.subarray(Math.round((blast - 0.001) * 48_000), Math.round((blast + 0.002) * 48_000))
  t.ok(peakOf(after) > 100 * peakOf(between))
  const slow = record({ ...scene, sources: [{ ...source, bulletSpeed: 300 }] }, gateway)[0]!
  t.ok(peakOf(slow.subarray(0, Math.round((blast - 0.005) * 48_000))) < 1e-6, 'a slow one has no shock wave')
})

test('a sample clock that drifts takes that many more samples between two shots', async t => {
  const scene = plainScene({ start, duration: 21, sampleRate: 12_000, sources: [gun(0.2), gun(20.2)] })
  const pieces = (drift: number) => {
    const gateway = onGround('g', 100, { drift })
    const first = Math.round((0.2 + 100 / speed) * 12_000) - 100
    return [0, 240_000].map(later => {
      const padded = new Float32Array(1024)
      padded.set(record(scene, gateway, first + later, 400)[0]!)
      return padded
    })
  }
  const [still, drifting] = [pieces(0), pieces(40)]
  const gained = lag(still[1]!, drifting[1]!, 1024, 9.6) - lag(still[0]!, drifting[0]!, 1024, 0)
  t.ok(Math.abs(gained - 40e-6 * 240_000) < 0.02, `${gained.toFixed(3)} for 9.6 samples`)
})

test('a sound that moves at no speed is the same as one that stands, and longer sounds as short ones', async t => {
  const engine = { kind: 'engine' as const, time: start + 0.5, position: at(0, 30, 5), duration: 3, level: 120 }
  const gateway = onGround('g', 0, { position: at(0, 0, 5) })
  // So high up there is no twin from the ground worth the name.
  const scene = plainScene({ start, duration: 4, sampleRate: 16_000 })
  const high = { ...gateway, position: at(0, 0, 4000) }
  const standing = record({ ...scene, sources: [{ ...engine, position: at(0, 30, 4000) }] }, high)[0]!
  const moving = record({ ...scene, sources: [{ ...engine, position: at(0, 30, 4000), velocity: at(0, 0) }] }, high)[0]!
  const difference = standing.map((value, i) => value - moving[i]!)
  t.ok(rootMeanSquare(standing) > 0)
  t.ok(toDecibel(rootMeanSquare(difference) / rootMeanSquare(standing)) < -40)
})

test('an approaching sound is raised and a leaving one lowered by what Doppler says', async t => {
  const velocity = at(34, 0)
  const source = { kind: 'rotor' as const, time: start, position: at(-340, 0, 4000), duration: 20, velocity }
  const gateway = onGround('g', 0, { position: at(0, 5, 4000) })
  const scene = plainScene({ start, duration: 20, sampleRate: 8000, sources: [source] })
  const [samples] = record(scene, gateway)
  const size = 16_384
  const strongest = (seconds: number) => {
    const { level } = spectrum(samples!, seconds * 8000, size)
    let best = Math.ceil((50 * size) / 8000)
    for (let k = best; k < (140 * size) / 8000; k++) if (level(k) > level(best)) best = k
    return (best * 8000) / size
  }
  const [coming, going] = [strongest(5), strongest(15)]
  const expected = (speed + 34) / (speed - 34)
  t.ok(Math.abs(coming / going - expected) < 0.02, `${coming} Hz, ${going} Hz: ${coming / going} for ${expected}`)
})
