/** When what fails, by the number of the alert that was accepted last. */
export interface CrashPlan {
  readonly seed: number
  readonly alerts: number
  /** Milliseconds between two alerts. */
  readonly interval: number
  readonly senderKills: readonly number[]
  readonly outages: readonly { readonly at: number /** Milliseconds. */; readonly length: number }[]
  readonly hubKills: readonly number[]
}

/** A plan drawn from a seed: the sender killed 20 times, the broker away five times for half a second to three, the hub killed three times. */
export function planOf(seed: number, alerts: number, rate: number): CrashPlan {
  const random = randomFrom(seed)
  const moments = (count: number) =>
    Array.from({ length: count }, () => 1 + Math.floor(random() * (alerts - 1))).sort((left, right) => left - right)
  return {
    seed,
    alerts,
    interval: 1000 / rate,
    senderKills: moments(20),
    outages: moments(5).map(at => ({ at, length: 500 + random() * 2500 })),
    hubKills: moments(3),
  }
}

/** A small generator with a seed (mulberry32), so that a failing seed fails again: numbers from 0 to 1. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
