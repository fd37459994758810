// Made by scripts/probability/fit-probability.ts; not to be edited.

/** Natural logarithm of odds: a constant, and a weight for each kind of evidence that the model looks at. */
export interface Logistic {
  readonly constant: number
  readonly weights: Partial<Record<'blast' | 'gun' | 'crooked' | 'unexplained', number>>
}

/** Of a located sound: that it is a blast, and that a blast is a gun's. */
export const probabilityWeights: Readonly<Record<'blast' | 'gun', Logistic>> = {
  blast: {
    constant: 0.886,
    weights: {
      blast: 1.659,
      crooked: -4.372,
      unexplained: -2.963,
    },
  },
  gun: {
    constant: -2.011,
    weights: {
      gun: 1.895,
    },
  },
}
