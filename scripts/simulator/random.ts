/**
 * Seeded random numbers: Doty-Humphrey's small fast counter generator (sfc32), seeded through an avalanche of the seed and a
 * chain of labels. Streams with different labels are independent, so adding a source to a scene leaves the others as they were.
 */
export class Random {
  readonly #seed: number
  #a: number
  #b: number
  #c: number
  #counter = 1
  #spare: number | null = null

  constructor(seed: number) {
    this.#seed = seed >>> 0
    this.#a = mix(this.#seed)
    this.#b = mix(this.#a ^ 0x9e3779b9)
    this.#c = mix(this.#b ^ 0x7f4a7c15)
    for (let i = 0; i < 12; i++) this.#next()
  }

  /** Another stream that depends on this one's seed and the label only, not on what was drawn. */
  fork(label: string | number): Random {
    return new Random(hash(this.#seed, label))
  }

  /** 0 to 1, 1 excluded, 53 bits. */
  uniform(): number {
    return ((this.#next() >>> 5) * 67108864 + (this.#next() >>> 6)) / 9007199254740992
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.uniform()
  }

  /** A whole number from 0 to `count` - 1. */
  integer(count: number): number {
    return Math.floor(this.uniform() * count)
  }

  chance(probability: number): boolean {
    return this.uniform() < probability
  }

  /** Box and Muller (1958). */
  normal(mean = 0, deviation = 1): number {
    if (this.#spare !== null) {
      const spare = this.#spare
      this.#spare = null
      return mean + deviation * spare
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    const angle = 2 * Math.PI * this.uniform()
    this.#spare = radius * Math.sin(angle)
    return mean + deviation * radius * Math.cos(angle)
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.uniform())
  }

  /** A Poisson count, by multiplying uniforms (Knuth); for means up to a few hundred. */
  poisson(mean: number): number {
    const limit = Math.exp(-mean)
    let count = 0
    for (let product = this.uniform(); product > limit; product *= this.uniform()) count++
    return count
  }

  #next(): number {
    const result = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0
    return result >>> 0
  }
}

/** Avalanche of a 32-bit word (the finaliser of MurmurHash3); a bijection. */
export function mix(word: number): number {
  let value = word | 0
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}

/** A 32-bit hash of a seed and a label, for streams that are addressed rather than drawn in order. */
export function hash(seed: number, label: string | number): number {
  if (typeof label === 'number') return mix(mix(seed ^ 0x5bd1e995) + Math.imul(label | 0, 0x27d4eb2f))
  let value = mix(seed ^ label.length)
  for (let i = 0; i < label.length; i++) value = mix((value ^ label.charCodeAt(i)) + 0x165667b1)
  return value
}
