import { test } from 'tap'
import { fromDecibel, toDecibel } from '../../scripts/simulator/physics.js'
import { GatewayRenderer } from '../../scripts/simulator/render.js'
import { plainGateway, plainScene, type Scene, usualMicrophones } from '../../scripts/simulator/scene.js'
import { peakOf, rootMeanSquare } from '../../scripts/simulator/waveform.js'
import { at, gun, onGround, record, start } from './open-field.js'

test('noise has its level, keeps it over time, and lies as far below the sound as asked', async t => {
  const calm = { ambience: null, rain: null, wind: null }
  const gateway = { ...onGround('g', 100), microphones: { ...usualMicrophones, selfNoise: 40, fullScaleLevel: 94 } }
  const pressure = (scene: Scene, from: number) =>
    new GatewayRenderer(scene, gateway).pressure(from * 48_000, 96_000)[0]!
  const level = (samples: Float32Array) => toDecibel(rootMeanSquare(samples) / 20e-6)
  const hiss = plainScene({ start, duration: 100, background: calm })
  for (const from of [0, 31, 77])
    t.ok(Math.abs(level(pressure(hiss, from)) - 40) < 0.3, `${level(pressure(hiss, from))} dB`)
  for (const kind of ['ambience', 'rain'] as const) {
    const scene = { ...hiss, background: { ...calm, [kind]: 70 } }
    t.ok(Math.abs(level(pressure(scene, 5)) - 70) < 1, kind)
  }
  const swelling = {
    ...hiss,
    background: {
      ...calm,
      ambience: [
        { time: start, level: 50 },
        { time: start + 100, level: 90 },
      ],
    },
  }
  t.ok(Math.abs(level(pressure(swelling, 74)) - 80) < 1, 'levels change along straight lines')
  const shot = {
    ...plainScene({ start, duration: 2, sources: [gun(0.3)], background: { ...calm, ambience: 50 } }),
    signalToNoise: 20,
  }
  const samples = pressure(shot, 0)
  const before = samples.subarray(0, 24_000)
  t.ok(Math.abs(toDecibel(peakOf(samples) / rootMeanSquare(before)) - 20) < 1.5)
})

test('the hum of the city is alike at near microphones, their own noise and the wind are not', async t => {
  const gateway = { ...plainGateway('g', at(0, 0, 5)), geometry: [at(0, 0), at(0.1, 0), at(5, 0)] }
  const correlation = (scene: Scene, other: number) => {
    const channels = record(scene, gateway)
    const [a, b] = [channels[0]!, channels[other]!]
    return a.reduce((sum, value, i) => sum + value * b[i]!, 0) / (a.length * rootMeanSquare(a) * rootMeanSquare(b))
  }
  const background = { ambience: 70, rain: null, wind: null }
  const scene = plainScene({ start, duration: 5, sampleRate: 8000, background })
  t.ok(correlation(scene, 1) > 0.7, `${correlation(scene, 1)}`)
  t.ok(correlation(scene, 2) < correlation(scene, 1))
  t.ok(Math.abs(correlation({ ...scene, background: { ambience: null, rain: null, wind: 80 } }, 1)) < 0.2)
  t.ok(Math.abs(correlation({ ...scene, background: { ambience: null, rain: null, wind: null } }, 1)) < 0.1)
})

test('the same samples come out whatever pieces a recording is taken in', async t => {
  const kinds = ['slam', 'bark', 'hammering', 'firework'] as const
  const sources = kinds.map((kind, n) => ({
    kind,
    time: start + 0.3 * n,
    position: at(20 * n, 30, 1),
    level: 115,
    duration: 1,
  }))
  const gateway = { ...onGround('g', 0), position: at(0, 0, 6), drift: 30 }
  const background = { ambience: 50, rain: 40, wind: 60 }
  const scene = plainScene({
    start,
    duration: 3,
    sampleRate: 12_000,
    sources,
    background,
    reverberation: { time: 0.5, level: -20, arrivalsPerSecond: 50 },
  })
  const whole = record(scene, gateway)[0]!
  t.ok(peakOf(whole) > 1e-3)
  const renderer = new GatewayRenderer(scene, gateway)
  for (const length of [12_000, 777]) {
    const joined = new Float32Array(whole.length)
    for (let first = 0; first < whole.length; first += length) {
      joined.set(renderer.samples(first, Math.min(length, whole.length - first))[0]!, first)
    }
    t.ok(
      joined.every((value, i) => value === whole[i]),
      `pieces of ${length}`,
    )
  }
})

test('microphones clip where they are told to, carry their offset, and may be dead or unlike', async t => {
  const geometry = [at(0, 0), at(0.01, 0), at(0.02, 0)]
  const microphones = { ...usualMicrophones, fullScaleLevel: 100, clipping: 0.7, offset: 0.05, mismatch: 1, dead: [2] }
  const gateway = { ...onGround('g', 20), geometry, microphones }
  const channels = record(plainScene({ start, duration: 0.5, sources: [gun(0.1)] }), gateway)
  t.ok(Math.abs(peakOf(channels[0]!) - 0.75) < 1e-6)
  t.ok(Math.abs(channels[0]!.subarray(0, 1000).reduce((a, b) => a + b) / 1000 - 0.05) < 1e-3)
  t.ok(channels[2]!.every(value => value === 0))
  const quiet = record(plainScene({ start, duration: 0.5, sources: [{ ...gun(0.1), level: 110 }] }), {
    ...gateway,
    microphones: { ...microphones, offset: 0, selfNoise: -100 },
  })
  const unlike = toDecibel(peakOf(quiet[0]!) / peakOf(quiet[1]!))
  t.ok(Math.abs(unlike) > 0.01 && Math.abs(unlike) < 5)
  t.ok(peakOf(quiet[0]!) < fromDecibel(-10))
})
