import { type QuadraticModel, standardised } from '../../gateway/acoustics/quadratic-model.js'

export interface Row {
  readonly features: ArrayLike<number>
  readonly positive: boolean
  readonly weight: number
}

/** The terms of a quadratic model, in the order of its weights. */
function terms(x: Float64Array): Float64Array {
  const count = x.length
  const out = new Float64Array(1 + count + (count * (count + 1)) / 2)
  out[0] = 1
  out.set(x, 1)
  let place = 1 + count
  for (let i = 0; i < count; i++) for (let j = 0; j <= i; j++) out[place++] = x[i]! * x[j]!
  return out
}

/**
 * Fits a logistic model by Newton's method with a ridge (le Cessie and van Houwelingen, 1992): `ridge` on the features'
 * own weights, `productRidge` on those of products, the constant free. With an infinite `productRidge` the model is linear.
 */
export function fit(
  rows: readonly Row[],
  features: readonly number[],
  ridge: number,
  productRidge: number,
): QuadraticModel {
  const scaling = scalingOf(rows, features)
  const linear = !Number.isFinite(productRidge)
  const inputs = rows.map(({ features: values }) => {
    const all = terms(standardised(scaling, values))
    return linear ? all.subarray(0, 1 + features.length) : all
  })
  const size = inputs[0]!.length
  const penalty = (term: number): number => (term === 0 ? 1e-6 : term <= features.length ? ridge : productRidge)
  const weights = new Float64Array(size)
  for (let round = 0; round < 12; round++) {
    const gradient = new Float64Array(size)
    const hessian = Array.from({ length: size }, (_, i) => new Float64Array(i + 1))
    for (let n = 0; n < rows.length; n++) {
      const [x, row] = [inputs[n]!, rows[n]!]
      const p = 1 / (1 + Math.exp(-dot(weights, x)))
      const slope = row.weight * ((row.positive ? 1 : 0) - p)
      const curve = row.weight * p * (1 - p)
      for (let i = 0; i < size; i++) {
        gradient[i]! += slope * x[i]!
        const scaled = curve * x[i]!
        const line = hessian[i]!
        for (let j = 0; j <= i; j++) line[j]! += scaled * x[j]!
      }
    }
    for (let i = 0; i < size; i++) {
      gradient[i]! -= penalty(i) * weights[i]!
      hessian[i]![i]! += penalty(i)
    }
    const step = solve(hessian, gradient)
    let largest = 0
    for (let i = 0; i < size; i++) {
      weights[i]! += step[i]!
      largest = Math.max(largest, Math.abs(step[i]!))
    }
    if (largest < 1e-5) break
  }
  const full = new Float64Array(1 + features.length + (features.length * (features.length + 1)) / 2)
  full.set(weights)
  return { ...scaling, weights: Array.from(full), shrink: 1 }
}

function scalingOf(
  rows: readonly Row[],
  features: readonly number[],
): Pick<QuadraticModel, 'features' | 'mean' | 'deviation'> {
  const total = rows.reduce((sum, { weight }) => sum + weight, 0)
  const mean = features.map(feature => rows.reduce((sum, row) => sum + row.weight * row.features[feature]!, 0) / total)
  const deviation = features.map((feature, i) => {
    const square = rows.reduce((sum, row) => sum + row.weight * (row.features[feature]! - mean[i]!) ** 2, 0)
    return Math.max(1e-3, Math.sqrt(square / total))
  })
  return { features, mean, deviation }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** Solves by Cholesky's decomposition; `matrix` is the lower triangle of a positive definite one and is overwritten. */
function solve(matrix: readonly Float64Array[], right: Float64Array): Float64Array {
  const size = right.length
  for (let i = 0; i < size; i++) {
    const line = matrix[i]!
    for (let j = 0; j <= i; j++) {
      const other = matrix[j]!
      let sum = line[j]!
      for (let k = 0; k < j; k++) sum -= line[k]! * other[k]!
      line[j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / other[j]!
    }
  }
  const out = Float64Array.from(right)
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++) out[i]! -= matrix[i]![k]! * out[k]!
    out[i]! /= matrix[i]![i]!
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) out[i]! -= matrix[k]![i]! * out[k]!
    out[i]! /= matrix[i]![i]!
  }
  return out
}

/** Area under the curve of hits against false alarms; 0.5 knows nothing. Weighted; ties count half. */
export function areaUnderCurve(
  scored: readonly { readonly score: number; readonly positive: boolean; readonly weight: number }[],
): number {
  const sorted = [...scored].sort((a, b) => a.score - b.score)
  let below = 0
  let area = 0
  let positives = 0
  for (let start = 0; start < sorted.length; ) {
    let end = start
    let [tiedPositive, tiedNegative] = [0, 0]
    while (end < sorted.length && sorted[end]!.score === sorted[start]!.score) {
      const { positive, weight } = sorted[end++]!
      if (positive) tiedPositive += weight
      else tiedNegative += weight
    }
    area += tiedPositive * (below + tiedNegative / 2)
    below += tiedNegative
    positives += tiedPositive
    start = end
  }
  return positives * below > 0 ? area / (positives * below) : 0.5
}

/** The factor on log odds at which held-out probabilities come true: a logistic model of one weight without a constant. */
export function shrinkage(
  heldOut: readonly { readonly odds: number; readonly positive: boolean; readonly weight: number }[],
): number {
  let factor = 1
  for (let round = 0; round < 30; round++) {
    let [gradient, curve] = [0, 1e-9]
    for (const { odds, positive, weight } of heldOut) {
      const p = 1 / (1 + Math.exp(-factor * odds))
      gradient += weight * odds * ((positive ? 1 : 0) - p)
      curve += weight * odds * odds * p * (1 - p)
    }
    factor = Math.max(0.05, Math.min(1, factor + gradient / curve))
  }
  return factor
}
