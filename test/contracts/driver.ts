import { getEventListeners } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Driver, StateReport } from '../../drivers/driver.js'

/** Collects what a driver yields until `enough` says so, then aborts it. */
export async function collect<Reading extends { readonly kind: string }>(
  driver: Driver<Reading>,
  enough: (items: readonly (Reading | StateReport)[]) => boolean,
): Promise<(Reading | StateReport)[]> {
  const controller = new AbortController()
  const items: (Reading | StateReport)[] = []
  for await (const item of driver.readings(controller.signal)) {
    items.push(item)
    if (enough(items)) controller.abort()
  }
  return items
}

/** State reports as `absent device-absent`, `ready`. */
export function states(items: readonly { readonly kind: string }[]): string[] {
  return items.filter(isState).map(({ state, fault }) => (fault === null ? state : `${state} ${fault}`))
}

export function isState(item: { readonly kind: string }): item is StateReport {
  return item.kind === 'state'
}

/** What every kind of driver promises about ending: the rest of its life is its own suite's. */
export function endingContract(t: Test, make: () => Driver<{ readonly kind: string }>, items: number): void {
  t.test('aborted before it begins, it yields nothing and returns', async t => {
    const yielded = []
    for await (const item of make().readings(AbortSignal.abort())) yielded.push(item)
    t.same(yielded, [])
  })

  t.test(
    'aborted after any item, or while the next is waited for, it returns without throwing and lets go of the signal',
    async t => {
      for (let after = 0; after <= items; after += 1) {
        for (const pending of [false, true]) {
          const controller = new AbortController()
          const iterator = make().readings(controller.signal)[Symbol.asyncIterator]()
          for (let taken = 0; taken < after; taken += 1) t.notOk((await iterator.next()).done)
          const next = pending ? iterator.next() : null
          if (pending) await turn()
          controller.abort()
          let last = await (next ?? iterator.next())
          for (let more = 0; !last.done && more < 2; more += 1) last = await iterator.next()
          t.ok(last.done, `ends after ${after} items${pending ? ' and a wait' : ''}`)
          t.equal(getEventListeners(controller.signal, 'abort').length, 0)
        }
      }
    },
  )

  t.test('after the receiver has broken off, the readings can be asked for again', async t => {
    const driver = make()
    const signal = new AbortController().signal
    for (let round = 0; round < 2; round += 1) {
      let yielded = 0
      for await (const _ of driver.readings(signal)) {
        yielded += 1
        break
      }
      t.equal(yielded, 1)
    }
    t.equal(getEventListeners(signal, 'abort').length, 0)
  })
}
