import { getEventListeners } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { test } from 'tap'
import { BoundedQueue } from '../../drivers/bounded-queue.js'
import type { StateReport } from '../../drivers/driver.js'
import { BackOff } from '../../drivers/retry.js'
import { systemClock } from '../../drivers/system-clock.js'

test('back-off doubles to its longest, is spread over its upper half, and starts anew after five seconds of work', async t => {
  const waits = (random: () => number) => {
    const backOff = new BackOff({ first: 0.5, longest: 4, random })
    const list = Array.from({ length: 6 }, () => backOff.next())
    backOff.worked(4.9)
    const afterMoment = backOff.next()
    backOff.worked(5)
    return [...list, afterMoment, backOff.next()]
  }
  t.same(
    waits(() => 1),
    [0.5, 1, 2, 4, 4, 4, 4, 0.5],
  )
  t.same(
    waits(() => 0),
    [0.25, 0.5, 1, 2, 2, 2, 2, 0.25],
  )
  const backOff = new BackOff()
  for (let failure = 0; failure < 5000; failure += 1) backOff.next()
  const wait = backOff.next()
  t.ok(wait >= 15 && wait <= 30)
})

interface Count {
  readonly kind: 'count'
  readonly number: number
}

/** Takes everything that is in the queue. */
async function drain(queue: BoundedQueue<Count>) {
  const controller = new AbortController()
  const items: (Count | StateReport)[] = []
  const taking = (async () => {
    for await (const item of queue.take(controller.signal)) items.push(item)
  })()
  for (let turns = 0; turns < 5; turns += 1) await turn()
  controller.abort()
  await taking
  return items.map(item =>
    item.kind === 'count' ? item.number : `${item.state}${item.fault === null ? '' : ` ${item.fault}`}`,
  )
}

test('a bounded queue', async t => {
  t.test('keeps readings and states in order', async t => {
    const queue = new BoundedQueue<Count>(10)
    queue.report('ready', null, '')
    queue.push({ kind: 'count', number: 1 })
    queue.report('absent', 'device-absent', '')
    queue.report('ready', null, '')
    queue.push({ kind: 'count', number: 2 })
    t.same(await drain(queue), ['ready', 1, 2], 'an absence that nobody saw is not told')
    queue.report('ready', null, '')
    t.same(await drain(queue), [], 'what was told is not told again')
    queue.report('faulty', 'line-noise', '')
    t.same(await drain(queue), ['faulty line-noise'])
  })

  t.test('drops the oldest readings, counts them, and never loses the latest state', async t => {
    await t.resolves(
      fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 5 }),
          fc.array(fc.constantFrom('push', 'ready', 'absent'), { maxLength: 40 }),
          async (capacity, steps) => {
            const queue = new BoundedQueue<Count>(capacity)
            let pushed = 0
            for (const step of steps) {
              if (step === 'push') queue.push({ kind: 'count', number: pushed++ })
              else if (step === 'ready') queue.report('ready', null, '')
              else queue.report('absent', 'device-absent', '')
            }
            const items = await drain(queue)
            const numbers = items.filter(item => typeof item === 'number')
            t.same(
              numbers,
              Array.from({ length: Math.min(capacity, pushed) }, (_, index) => Math.max(0, pushed - capacity) + index),
            )
            t.equal(queue.takeDropped(), pushed - numbers.length)
            t.equal(queue.takeDropped(), 0)
            const latest = steps.findLast(step => step !== 'push')
            const told = items.findLast(item => typeof item === 'string')
            t.equal(told?.split(' ')[0], latest)
            t.ok(items.length <= 2 * capacity + 1)
          },
        ),
        { numRuns: 60 },
      ),
    )
  })

  t.test('wakes a receiver that waits, and lets go of the signal', async t => {
    const queue = new BoundedQueue<Count>(2)
    const controller = new AbortController()
    const readings = queue.take(controller.signal)
    const first = readings.next()
    await turn()
    queue.push({ kind: 'count', number: 7 })
    t.same((await first).value, { kind: 'count', number: 7 })
    const second = readings.next()
    await turn()
    controller.abort()
    t.ok((await second).done)
    t.equal(getEventListeners(controller.signal, 'abort').length, 0)
  })
})

test("the machine's clocks", async t => {
  t.test('agree with the system and never step', async t => {
    let [system, monotonic] = [systemClock.system(), systemClock.monotonic()]
    for (let turns = 0; turns < 50; turns += 1) {
      await turn()
      const [nextSystem, nextMonotonic] = [systemClock.system(), systemClock.monotonic()]
      t.ok(nextMonotonic >= monotonic && nextSystem >= system - 0.002)
      const [before, now, after] = [Date.now() / 1000, systemClock.system(), Date.now() / 1000]
      t.ok(now >= before - 0.002 && now <= after + 0.002)
      ;[system, monotonic] = [nextSystem, nextMonotonic]
    }
  })

  t.test('sleep as long as asked, or until the signal aborts', async t => {
    const controller = new AbortController()
    const began = systemClock.monotonic()
    await systemClock.sleep(0.02, controller.signal)
    t.ok(systemClock.monotonic() - began >= 0.0199)
    t.equal(getEventListeners(controller.signal, 'abort').length, 0)
    const long = systemClock.sleep(1e9, controller.signal)
    controller.abort()
    await long
    await systemClock.sleep(1e9, controller.signal)
    t.pass('an aborted sleep returns')
  })
})
