import { BandReader } from './band.js'
import { classifierWeights } from './classifier-weights.js'
import { impulseFeatures } from './features.js'
import { type NamedSound, named, type SoundClasses } from './probability.js'
import { type ClassifierWeights, probabilityOf } from './quadratic-model.js'

/** For a sound of which a blast is as likely as not before it is heard. */
export interface SoundJudgement extends SoundClasses {
  readonly decision: NamedSound
}

/**
 * Judges by its sound whether an impulse is a gunshot. Wants one channel, best the loudest that does not clip, from 0.4 s
 * before to 0.25 s after the onset; does with less, down to 40 ms on either side, as far as that tells anything.
 */
export class ImpulseJudge {
  readonly #reader: BandReader
  readonly #weights: ClassifierWeights

  /** @param sampleRate hertz, 8,000 or more @throws RangeError */
  constructor(sampleRate: number, weights: ClassifierWeights = classifierWeights) {
    this.#reader = new BandReader(sampleRate)
    this.#weights = weights
  }

  /**
   * @param samples of any scale
   * @param onset where in them the onset is, samples; good to 10 ms
   * @returns null where there is nothing to judge: silence, or too little before or after the onset
   */
  judge(samples: ArrayLike<number>, onset: number): SoundJudgement | null {
    const features = impulseFeatures(this.#reader.read(samples, onset))
    if (features === null) return null
    const blast = probabilityOf(this.#weights.blast, features)
    const share = probabilityOf(this.#weights.gun, features)
    const [gun, firework, other] = [blast * share, blast * (1 - share), 1 - blast]
    return { gun, firework, other, decision: named({ gun, firework, other }) }
  }
}
