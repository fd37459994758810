/** Inverse of a symmetric positive definite matrix of up to three rows, by its adjugate; null where it is not definite. */
export function invertSmall(matrix: readonly (readonly number[])[]): number[][] | null {
  const columns = choleskyColumns(matrix)
  if (columns.length < matrix.length) return null
  const size = matrix.length
  // Solved column by column through the triangular factor.
  const result = matrix.map(() => new Array<number>(size).fill(0))
  for (let unit = 0; unit < size; unit++) {
    const y = new Array<number>(size).fill(0)
    for (let i = 0; i < size; i++) {
      let sum = i === unit ? 1 : 0
      for (let k = 0; k < i; k++) sum -= columns[k]![i]! * y[k]!
      y[i] = sum / columns[i]![i]!
    }
    for (let i = size - 1; i >= 0; i--) {
      let sum = y[i]!
      for (let k = i + 1; k < size; k++) sum -= columns[i]![k]! * result[k]![unit]!
      result[i]![unit] = sum / columns[i]![i]!
    }
  }
  return result
}

/** Columns of the lower triangular Cholesky factor; fewer than there are rows where the matrix is not positive definite. */
export function choleskyColumns(matrix: readonly (readonly number[])[]): number[][] {
  const size = matrix.length
  const columns: number[][] = []
  for (let j = 0; j < size; j++) {
    let pivot = matrix[j]![j]!
    for (let k = 0; k < j; k++) pivot -= columns[k]![j]! ** 2
    if (!(pivot > 1e-14 * Math.abs(matrix[j]![j]!))) return columns
    const root = Math.sqrt(pivot)
    const column = new Array<number>(size).fill(0)
    column[j] = root
    for (let i = j + 1; i < size; i++) {
      let value = matrix[i]![j]!
      for (let k = 0; k < j; k++) value -= columns[k]![i]! * columns[k]![j]!
      column[i] = value / root
    }
    columns.push(column)
  }
  return columns
}
