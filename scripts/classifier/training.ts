import { featureNames } from '../../gateway/acoustics/features.js'
import { type ClassifierWeights, probabilityOf } from '../../gateway/acoustics/quadratic-model.js'
import { allExamples, type Example } from './examples.js'
import { areaUnderCurve, fit, type Row, shrinkage } from './fit.js'

export interface WeightedExample extends Example {
  readonly weight: number
}

export interface TrainingSet {
  readonly examples: readonly WeightedExample[]
  /** SHA-256 of each part of the data. */
  readonly data: Readonly<Record<string, string>>
}

/** Reads and makes everything that is trained on. */
export function trainingSet(liveFireFolder: string, soundsFolder: string): TrainingSet {
  const { examples, data } = allExamples(liveFireFolder, soundsFolder)
  return { examples: balanced(examples), data }
}

/** Decibel from one class of noise floors to the next. */
const floorStep = 5
const mostWeight = 3

/**
 * Gives each example a weight so that for every noise floor blasts and others weigh the same: then the noise floor does not
 * tell the class. No example counts more than `mostWeight` times; live-fire city noise counts fourfold, being what there is
 * of the places that the guns were recorded in.
 */
export function balanced(examples: readonly Example[]): WeightedExample[] {
  const first = ({ kind }: Example): number => (kind === 'city' ? 4 : 1)
  const keyOf = ({ floor, blast }: Example, turned = false): string =>
    `${Math.round(floor / floorStep)} ${turned ? !blast : blast}`
  const sums = new Map<string, number>()
  for (const example of examples) sums.set(keyOf(example), (sums.get(keyOf(example)) ?? 0) + first(example))
  return examples.map(example => {
    const [own, other] = [sums.get(keyOf(example))!, sums.get(keyOf(example, true)) ?? 0]
    const shared = Math.min(mostWeight * Math.min(own, other), Math.sqrt(own * other))
    return { ...example, weight: (first(example) * shared) / own }
  })
}

const left = ['after 15 ms', 'before', 'just before', 'middle band', 'tail tone', 'crest']
const blastFeatures = featureNames.flatMap((name, i) => (left.includes(name) ? [] : [i]))

function featureNumber(name: string): number {
  const number = featureNames.findIndex(feature => name.localeCompare(feature) === 0)
  if (number < 0) throw new Error(`no feature is called ${name}`)
  return number
}

/** What physics says differs between a gun and a firework: how fast it rises, what follows, how high it sounds. */
const gunFeatures = [
  'rise',
  'abruptness',
  'after 30 ms',
  'after 60 ms',
  'after 150 ms',
  'loudest later',
  'roughness of decay',
  'before',
  'loudest before',
  'low band',
  'middle band',
  'tail centre',
  'tail tone',
].map(name => featureNumber(name))

interface Report {
  readonly examples: number
  readonly blastArea: number
  readonly gunArea: number
}

export function train(
  { examples }: TrainingSet,
  ridges = { own: 30, products: 300 },
): { weights: ClassifierWeights; report: Report } {
  const blastRows = examples.map(({ features, blast, weight, group }) => ({ features, positive: blast, weight, group }))
  const gunRows = examples
    .filter(({ blast, origin }) => blast && origin === 'synthesised')
    .map(({ features, kind, group }) => ({
      features,
      positive: kind === 'gun',
      weight: kind === 'gun' ? 0.5 : 1,
      group,
    }))
  const blast = calibrated(blastRows, blastFeatures, ridges.own, ridges.products)
  const gun = calibrated(gunRows, gunFeatures, 10, Number.POSITIVE_INFINITY)
  return {
    weights: { blast: blast.model, gun: gun.model },
    report: { examples: examples.length, blastArea: blast.area, gunArea: gun.area },
  }
}

type GroupedRow = Row & { readonly group: string }

/** Fits on all rows, and finds on groups that were left out by how much to shrink, and how well classes are told apart. */
function calibrated(rows: readonly GroupedRow[], features: readonly number[], ridge: number, productRidge: number) {
  const groups = [...new Set(rows.map(({ group }) => group))].sort()
  const folds = 3
  const foldOf = new Map(groups.map((group, i) => [group, i % folds]))
  const heldOut = Array.from({ length: folds }, (_, fold) => {
    const model = fit(
      rows.filter(({ group }) => foldOf.get(group) !== fold),
      features,
      ridge,
      productRidge,
    )
    return rows.flatMap(row => {
      if (foldOf.get(row.group) !== fold) return []
      const p = probabilityOf(model, row.features)
      return [{ ...row, odds: Math.log(p / (1 - p)), score: p }]
    })
  }).flat()
  const model = fit(rows, features, ridge, productRidge)
  return { model: { ...model, shrink: shrinkage(heldOut) }, area: areaUnderCurve(heldOut), heldOut }
}

/**
 * How well blasts are told from the rest by what must not tell: sampling rate, bandwidth, noise floor, encoding and length
 * alone, by the same kind of model, on examples left out. The area under the curve; 0.5 is chance.
 */
export function nuisanceArea(examples: readonly WeightedExample[]): number {
  const rows = examples.map(({ recorder, floor, secondsHeard, blast, weight }, i) => ({
    features: [
      ...[Math.log(recorder.sampleRate), recorder.bandwidth, floor, secondsHeard],
      ...['linear 10', 'linear 12', 'mu-law'].map(encoding => (recorder.encoding === encoding ? 1 : 0)),
    ],
    positive: blast,
    weight,
    group: `${i % 3}`,
  }))
  return calibrated(rows, [0, 1, 2, 3, 4, 5, 6], 1, 1).area
}

/** The weights as they are checked in: four significant digits. */
export function rounded(weights: ClassifierWeights): ClassifierWeights {
  const digits = (value: number): number => Number(value.toPrecision(4))
  const model = ({ features, mean, deviation, weights: all, shrink }: ClassifierWeights['blast']) => ({
    features,
    mean: mean.map(digits),
    deviation: deviation.map(digits),
    weights: all.map(digits),
    shrink: digits(shrink),
  })
  return { blast: model(weights.blast), gun: model(weights.gun) }
}
