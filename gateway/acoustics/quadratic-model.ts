/** A logistic model of features, their squares and their products, each feature first clamped and brought to mean 0 and deviation 1. */
export interface QuadraticModel {
  /** Which features it looks at, by their number. */
  readonly features: readonly number[]
  readonly mean: readonly number[]
  readonly deviation: readonly number[]
  /** The constant, a weight for each feature, then one for each product (0,0), (0,1), (1,1), (0,2) … */
  readonly weights: readonly number[]
  /** Factor by which the model's sum is shrunk so that held-out probabilities come true. */
  readonly shrink: number
}

export interface ClassifierWeights {
  /** Blast (gun or firework) against everything else, trained on recordings and on synthesised sounds. */
  readonly blast: QuadraticModel
  /** Gun against firework given a blast, trained on synthesised sounds alone, for want of recordings. */
  readonly gun: QuadraticModel
}

/** A standardised feature beyond this says no more than this. */
const farthest = 3
/** No single microphone is surer than this, in natural-logarithmic odds. */
const surest = 6

/** Probability by the model, 0 to 1. */
export function probabilityOf(model: QuadraticModel, features: ArrayLike<number>): number {
  const sum = model.shrink * quadraticSum(model.weights, standardised(model, features))
  return 1 / (1 + Math.exp(-Math.max(-surest, Math.min(surest, sum))))
}

export function standardised(
  { features, mean, deviation }: Pick<QuadraticModel, 'features' | 'mean' | 'deviation'>,
  values: ArrayLike<number>,
): Float64Array {
  return Float64Array.from(features, (feature, i) =>
    Math.max(-farthest, Math.min(farthest, (values[feature]! - mean[i]!) / deviation[i]!)),
  )
}

function quadraticSum(weights: readonly number[], x: Float64Array): number {
  let sum = weights[0]!
  let place = 1
  for (const value of x) sum += weights[place++]! * value
  for (let i = 0; i < x.length; i++) for (let j = 0; j <= i; j++) sum += weights[place++]! * x[i]! * x[j]!
  return sum
}
