import { sleep } from './waiting.js'

/** Calls `one` with each number, one an interval (milliseconds); what a late timer missed is made up for at once. */
export async function paced(
  first: number,
  last: number,
  interval: number,
  one: (number: number) => void,
): Promise<void> {
  const began = performance.now()
  for (let number = first; number <= last; number += 1) {
    const wait = began + (number - first) * interval - performance.now()
    if (wait > 0) await sleep(wait)
    one(number)
  }
}
