// Made by scripts/probability/fit-probability.ts; not to be edited.

/** Natural logarithm of odds: a constant, and a weight for each kind of evidence that the model looks at. */
export interface Logistic {
  readonly constant: number
  readonly weights: Partial<Record<'blast' | 'gun' | 'crooked' | 'unexplained', number>>
}

/** Of a located sound: that it is a blast, and that a blast is a gun's. */
export const probabilityWeights: Readonly<Record<'blast' | 'gun', Logistic>> = {
  blast: {
    constant: 1.916,
    weights: {
      blast: 1.165,
      crooked: -8.698,
      unexplained: -3.463,
    },
  },
  gun: {
    constant: -2.13,
    weights: {
      gun: 1.992,
    },
  },
}
