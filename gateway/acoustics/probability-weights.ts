// Made by scripts/probability/fit-probability.ts; not to be edited.

/** Natural logarithm of odds: a constant, and a weight for each kind of evidence that the model looks at. */
export interface Logistic {
  readonly constant: number
  readonly weights: Partial<Record<'blast' | 'gun' | 'crooked' | 'unexplained', number>>
}

/** Of a located sound: that it is a blast, and that a blast is a gun's. */
export const probabilityWeights: Readonly<Record<'blast' | 'gun', Logistic>> = {
  blast: {
    constant: 1.338,
    weights: {
      blast: 1.374,
      crooked: -4.474,
      unexplained: -3.516,
    },
  },
  gun: {
    constant: -2.339,
    weights: {
      gun: 2.068,
    },
  },
}
