import type { ClassifierWeights } from './quadratic-model.js'

export const classifierTraining = { seed: 0, data: {} }

const nothing = { features: [], mean: [], deviation: [], weights: [0], shrink: 1 }
export const classifierWeights: ClassifierWeights = { blast: nothing, gun: nothing }
