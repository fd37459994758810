import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { BandReader, bandRate, judgedAfter, judgedBefore } from '../../gateway/acoustics/band.js'
import { ImpulseJudge } from '../../gateway/acoustics/classifier.js'
import { classifierTraining, classifierWeights } from '../../gateway/acoustics/classifier-weights.js'
import { featureNames, impulseFeatures } from '../../gateway/acoustics/features.js'
import { probabilityOf, type QuadraticModel } from '../../gateway/acoustics/quadratic-model.js'
import { synthesisRate } from '../../scripts/classifier/blasts.js'
import { synthesisedExamples, synthesisedSampleHash } from '../../scripts/classifier/examples.js'
import { areaUnderCurve, fit } from '../../scripts/classifier/fit.js'
import { carried, resampled } from '../../scripts/classifier/recorder.js'
import { makers } from '../../scripts/classifier/synthesis.js'
import { balanced, nuisanceArea, rounded, train, trainingSet } from '../../scripts/classifier/training.js'
import { Random } from '../../scripts/simulator/random.js'

const second = synthesisRate

/** Examples from another seed than the training's. */
const fresh = synthesisedExamples(new Random(4711), 0.15)

/** One second of a synthesised sound over noise, its onset at half a second. */
function scene(kind: string, seed: number): Float64Array {
  const random = new Random(seed).fork(kind)
  const { sound } = makers[kind]!.make(random)
  const dry = new Float64Array(second)
  for (let i = 0; i + second / 2 < second && sound.lead + i < sound.samples.length; i++) {
    dry[second / 2 + i] = sound.samples[sound.lead + i]!
  }
  const wet = carried(dry, synthesisRate, random)
  for (let i = 0; i < wet.length; i++) wet[i]! += 0.002 * random.normal()
  return wet
}

const gunOf = (samples: ArrayLike<number>, sampleRate: number, onset = sampleRate / 2): number =>
  new ImpulseJudge(sampleRate).judge(samples, onset)?.gun ?? Number.NaN

test('a gunshot is told from hammers, dogs, voices and music that were never heard before', t => {
  const examples = fresh
  const scored = examples.map(({ features, blast }) => ({
    score: probabilityOf(classifierWeights.blast, features),
    positive: blast,
    weight: 1,
  }))
  t.ok(scored.length > 200, `${scored.length} examples`)
  t.ok(areaUnderCurve(scored) > 0.93, `area under the curve ${areaUnderCurve(scored)}`)
  const blasts = examples.filter(({ blast }) => blast)
  const guns = blasts.map(({ features, kind }) => ({
    score: probabilityOf(classifierWeights.gun, features),
    positive: kind === 'gun',
    weight: 1,
  }))
  t.ok(areaUnderCurve(guns) > 0.8, `of blasts, guns from fireworks: area under the curve ${areaUnderCurve(guns)}`)
  t.end()
})

test('sampling rate, level, polarity, a constant offset and the microphone’s upper limit change the judgement little', t => {
  for (const [kind, seed] of [
    ['gun', 3],
    ['gun', 8],
    ['bark', 3],
    ['taps', 5],
  ] as const) {
    const sound = scene(kind, seed)
    const plain = gunOf(sound, synthesisRate)
    t.ok(plain >= 0 && plain <= 1, `${kind} ${seed}: ${plain}`)
    for (const rate of [8000, 11_025, 22_050, 48_000, 96_000]) {
      const other = gunOf(resampled(sound, synthesisRate, rate), rate)
      t.ok(Math.abs(other - plain) < 0.12, `${kind} ${seed} at ${rate} Hz: ${plain} became ${other}`)
    }
    const changed = Float32Array.from(sound, value => -0.01 * value + 0.3)
    t.ok(Math.abs(gunOf(changed, synthesisRate) - plain) < 0.02, 'fainter, turned over and with an offset')
  }
  t.end()
})

test('three probabilities add up to one, and none is claimed without ground', t => {
  for (const kind of Object.keys(makers)) {
    const judgement = new ImpulseJudge(synthesisRate).judge(scene(kind, 1), second / 2)
    t.ok(judgement, kind)
    const { gun, firework, other, decision } = judgement!
    t.ok(Math.abs(gun + firework + other - 1) < 1e-9, `${kind}: they add up`)
    t.ok(Math.max(gun, firework, other) < 0.999, `${kind}: one microphone is never certain`)
    const named = { gun, 'firework-like': firework, other }
    t.equal(
      decision === 'unsure',
      Math.max(...Object.values(named)) < 0.7,
      `${kind}: unsure only where no class stands out`,
    )
    if (decision !== 'unsure') t.ok(named[decision] >= 0.7, `${kind}: ${decision} ${named[decision]}`)
  }
  t.end()
})

test('silence, sound that ends at the onset and samples that are no numbers give no judgement and no exception', t => {
  const judge = new ImpulseJudge(synthesisRate)
  t.equal(judge.judge(new Float32Array(second), second / 2), null, 'silence')
  t.equal(judge.judge(new Float32Array(0), 0), null, 'no sound')
  const sound = scene('gun', 3)
  t.equal(judge.judge(sound.subarray(0, second / 2 + 100), second / 2), null, 'nothing after the onset')
  t.equal(judge.judge(sound.subarray(second / 2 - 100), 100), null, 'nothing before the onset')
  const broken = Float32Array.from(sound, (value, i) => (i % 997 === 0 ? Number.NaN : value))
  const judgement = judge.judge(broken, second / 2)
  t.ok(judgement !== null && Number.isFinite(judgement.gun), 'broken samples count as nothing')
  const short = judge.judge(sound.subarray(second / 2 - 1000, second / 2 + 1800), 1000)
  t.ok(short !== null && short.gun >= 0, 'a tenth of a second after the onset is enough to say something')
  t.throws(() => new ImpulseJudge(4000), RangeError)
  t.end()
})

test('the band keeps 300 to 3,000 Hz and the place of the onset, and nothing above', t => {
  for (const rate of [8000, 12_000, 44_100, 48_000]) {
    const level = (frequency: number): number => {
      const tone = Float32Array.from({ length: rate }, (_, i) => Math.sin((2 * Math.PI * frequency * i) / rate))
      const { samples, from, to } = new BandReader(rate).read(tone, rate / 2)
      const middle = samples.subarray(from + 800, to - 800)
      return 10 * Math.log10((2 * middle.reduce((sum, value) => sum + value * value, 0)) / middle.length)
    }
    t.ok(Math.abs(level(1000)) < 0.3, `${rate} Hz: 1,000 Hz passes: ${level(1000)} dB`)
    t.ok(level(50) < -40, `${rate} Hz: 50 Hz does not: ${level(50)} dB`)
    t.ok(level(3700) < -30, `${rate} Hz: 3,700 Hz does not: ${level(3700)} dB`)
    const click = new Float32Array(rate)
    click[Math.round(rate / 2)] = 1
    const { samples } = new BandReader(rate).read(click, Math.round(rate / 2))
    const loudest = samples.reduce((best, value, i) => (Math.abs(value) > Math.abs(samples[best]!) ? i : best), 0)
    t.equal(loudest, judgedBefore * bandRate, `${rate} Hz: the onset stays in its place`)
    t.equal(samples.length, (judgedBefore + judgedAfter) * bandRate)
  }
  t.end()
})

test('the features are finite numbers whatever is heard', t => {
  const reader = new BandReader(8000)
  const random = new Random(5)
  const sounds = [
    Float64Array.from({ length: 8000 }, () => random.normal()),
    Float64Array.from({ length: 8000 }, (_, i) => (i < 4000 ? 0 : 1e-9)),
    Float64Array.from({ length: 8000 }, (_, i) => (i === 4000 ? 1e30 : 0)),
    Float64Array.from({ length: 8000 }, (_, i) => Math.sign(Math.sin(i))),
  ]
  for (const sound of sounds) {
    for (const part of [sound, sound.subarray(3500), sound.subarray(0, 4500)]) {
      const onset = part === sound || part.length === 4500 ? 4000 : 500
      const features = impulseFeatures(reader.read(part, onset))
      if (features === null) continue
      t.equal(features.length, featureNames.length)
      t.ok(features.every(value => Number.isFinite(value) && Math.abs(value) < 200))
    }
  }
  t.end()
})

test('a quadratic model learns what no line can separate', t => {
  const random = new Random(9)
  const rows = Array.from({ length: 400 }, () => {
    const [x, y] = [random.normal(), random.normal()]
    return { features: [x, y], positive: x * y > 0, weight: 1 }
  })
  const area = (model: QuadraticModel): number =>
    areaUnderCurve(rows.map(row => ({ ...row, score: probabilityOf(model, row.features) })))
  t.ok(area(fit(rows, [0, 1], 0.1, 0.1)) > 0.98, 'with products')
  t.ok(area(fit(rows, [0, 1], 0.1, Number.POSITIVE_INFINITY)) < 0.65, 'without')
  t.end()
})

test('the weights fit into 50 kB and the synthesised part of their data is made again, number for number', t => {
  const text = readFileSync('gateway/acoustics/classifier-weights.ts')
  t.ok(text.length < 50_000, `${text.length} bytes`)
  t.equal(synthesisedSampleHash(), classifierTraining.sha256['synthesised sample'])
  t.end()
})

test('rate, bandwidth, noise floor, encoding and length do not tell a gunshot from the rest', t => {
  const examples = balanced(fresh)
  const area = nuisanceArea(examples)
  t.ok(area > 0.35 && area < 0.62, `synthesised sounds: area under the curve ${area}`)
  const marked = examples.map(example => ({ ...example, secondsHeard: example.blast ? 0.6 : 0.5 }))
  t.ok(nuisanceArea(marked) > 0.95, 'a set whose lengths differ by class is found out')
  t.end()
})

test('training again on the same synthesised sounds gives the same weights, which tell blasts never heard before', t => {
  const learn = () =>
    rounded(train({ examples: balanced(synthesisedExamples(new Random(99), 0.03)), data: {} }).weights)
  const weights = learn()
  t.strictSame(learn(), weights)
  const scored = fresh.map(({ features, blast }) => ({
    score: probabilityOf(weights.blast, features),
    positive: blast,
    weight: 1,
  }))
  t.ok(areaUnderCurve(scored) > 0.85, `area under the curve ${areaUnderCurve(scored)}`)
  t.end()
})

// The recordings are not part of the project; where they lie is named by whoever has them: live-fire and sounds in one folder.
const folder = process.env.POLEWATCH_RECORDINGS
const skip = folder === undefined && 'POLEWATCH_RECORDINGS names no folder with live-fire and sounds'

test('training again on the same recordings gives the same weights', { skip, timeout: 1_200_000 }, t => {
  const set = trainingSet(join(folder ?? '', 'live-fire'), join(folder ?? '', 'sounds'))
  t.strictSame(set.data, classifierTraining.sha256, 'the data are the same')
  const weights = rounded(train(set).weights)
  for (const name of ['blast', 'gun'] as const) {
    const [again, shipped] = [weights[name], classifierWeights[name]]
    t.strictSame(again.features, shipped.features)
    const worst = Math.max(...again.weights.map((weight, i) => Math.abs(weight - shipped.weights[i]!)))
    t.ok(worst < 1e-3, `${name}: weights differ by at most ${worst}`)
    t.ok(Math.abs(again.shrink - shipped.shrink) < 1e-3)
  }
  const area = nuisanceArea(set.examples)
  t.ok(area > 0.4 && area < 0.6, `what must not tell the class: area under the curve ${area}`)
  t.end()
})
