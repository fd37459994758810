import { test } from 'tap'
import { HubWindow } from '../../gateway/uplink/hub-window.js'

const most = 200

/**
 * A hub that takes `rate` alerts a second one after the other, and acknowledges when so many have come or so many seconds have passed.
 * Returns how long the alerts of the last of ten seconds stood in line, seconds, and how many there were.
 */
function driven(window: HubWindow, { rate, count, every }: { rate: number; count: number; every: number }) {
  const sentAt: number[] = []
  const waits: number[] = []
  let [acknowledged, taken, lastFlush] = [0, 0, 0]
  const tick = 0.001
  for (let now = 0; now < 10; now += tick) {
    while (sentAt.length - acknowledged < window.size) sentAt.push(now)
    const before = taken
    taken = Math.min(sentAt.length, taken + rate * tick)
    for (let number = Math.floor(before); number < Math.floor(taken); number += 1)
      if (now > 9) waits.push(now - (sentAt[number] ?? now))
    if (taken - acknowledged < count && now - lastFlush < every) continue
    lastFlush = now
    const through = Math.floor(taken)
    if (through === acknowledged) continue
    const newest = sentAt[through - 1] ?? now
    window.answered(now - newest, through - acknowledged, sentAt.length - through, now)
    acknowledged = through
  }
  return { longest: Math.max(...waits), number: waits.length }
}

test('a hub that verifies slowly has a short line before it and never runs dry', async t => {
  for (const rate of [300, 1000, 2000]) {
    const { longest, number } = driven(new HubWindow(most), { rate, count: 50, every: 0.01 })
    t.ok(longest < 0.08, `at ${rate} a second the line is at most ${longest} s long`)
    t.ok(number > 0.9 * rate, `and the hub takes ${number} of ${rate}`)
  }
  const { longest } = driven(new HubWindow(1e6), { rate: 1000, count: 50, every: 0.01 })
  t.ok(longest < 0.08, 'whatever the limit')
})

test('a fast hub, and one that acknowledges by a slow timer, get the whole window', async t => {
  const fast = new HubWindow(most)
  driven(fast, { rate: 20_000, count: 50, every: 0.01 })
  t.equal(fast.size, most)
  const timed = new HubWindow(most)
  driven(timed, { rate: 20_000, count: 1e9, every: 0.5 })
  t.equal(timed.size, most)
})

test('one long delay narrows nothing, a window that is not used does not grow, and another connection begins anew', async t => {
  const window = new HubWindow(most)
  const { size } = window
  window.answered(0.001, 10, 54, 1)
  t.ok(window.size > size)
  const grown = window.size
  window.answered(3, 10, 54, 1.02)
  window.answered(0.001, 10, 54, 1.2)
  t.ok(window.size > grown)
  const used = window.size
  for (let now = 2; now < 5; now += 0.2) window.answered(0.001, 1, 0, now)
  t.equal(window.size, used)
  window.reset()
  t.equal(window.size, size)
})
