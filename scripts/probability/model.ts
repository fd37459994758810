import { modelled } from '../../gateway/acoustics/probability.js'
import type { Logistic } from '../../gateway/acoustics/probability-weights.js'
import { fit } from '../classifier/fit.js'
import type { LocatedRow } from './rows.js'

export type Models = Readonly<Record<'blast' | 'gun', Logistic>>

/** What each model looks at, and of which rows it is fitted: guns are told from fireworks where there was a blast. */
const looks = {
  blast: ['blast', 'crooked', 'unexplained'],
  gun: ['gun'],
} as const
const ridge = 1

/** Single rounds are fitted beside whole bursts: they differ more from each other, and what is no blast comes singly. */
export function fitModels(located: readonly LocatedRow[]): Models {
  const rows = located.flatMap(row => [row, { ...row, evidence: row.single }])
  const blasts = rows.filter(({ blast }) => blast)
  return {
    blast: logisticOf(rows, looks.blast, ({ blast }) => blast),
    gun: logisticOf(blasts, looks.gun, ({ gun }) => gun),
  }
}

/** A linear logistic model with a ridge on standardised evidence, told in the evidence's own units. */
function logisticOf(
  rows: readonly LocatedRow[],
  names: readonly (keyof Logistic['weights'])[],
  positive: (row: LocatedRow) => boolean,
): Logistic {
  const examples = rows.map(row => ({
    features: names.map(name => row.evidence[name]),
    positive: positive(row),
    weight: 1,
  }))
  const { mean, deviation, weights } = fit(examples, [...names.keys()], ridge, Number.POSITIVE_INFINITY)
  let constant = weights[0]!
  const own: Partial<Record<keyof Logistic['weights'], number>> = {}
  names.forEach((name, i) => {
    const weight = weights[1 + i]! / deviation[i]!
    own[name] = Number(weight.toPrecision(4))
    constant -= weight * mean[i]!
  })
  return { constant: Number(constant.toPrecision(4)), weights: own }
}

/** That a row is a gunshot where it was placed: stated by the models, and true. */
export function stated({ blast, gun }: Models, { evidence }: LocatedRow): number {
  return modelled(blast, evidence) * modelled(gun, evidence) * evidence.place
}

export function isTrue({ gun, placed }: LocatedRow): boolean {
  return gun && placed
}

/** Of the rows stated to be so probable, how probable on average, and how many were. */
export interface ReliabilityBin {
  readonly from: number
  readonly to: number
  readonly count: number
  readonly stated: number
  readonly observed: number
}

const edges = [0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 1]

/** Reliability table and Brier's score (Monthly Weather Review 78, 1950): mean square of stated less true. */
export function reliability(models: Models, rows: readonly LocatedRow[]) {
  const judged = rows.map(row => ({ probability: stated(models, row), positive: isTrue(row) }))
  const bins = edges.slice(1).map((to, i): ReliabilityBin => {
    const from = edges[i]!
    const own = judged.filter(({ probability }) => probability >= from && (probability < to || to === 1))
    const mean = (of: (row: (typeof judged)[number]) => number): number =>
      own.length === 0 ? Number.NaN : own.reduce((sum, row) => sum + of(row), 0) / own.length
    return {
      from,
      to,
      count: own.length,
      stated: mean(({ probability }) => probability),
      observed: mean(({ positive }) => Number(positive)),
    }
  })
  const brier =
    judged.reduce((sum, { probability, positive }) => sum + (probability - Number(positive)) ** 2, 0) / judged.length
  return { rows: rows.length, gunshots: judged.filter(({ positive }) => positive).length, brier, bins }
}
