import { test } from 'tap'
import { NotDelivered } from '../../gateway/uplink/connection.js'
import type { DeliverySession } from '../../gateway/uplink/delivery.js'
import { MeteredSession, TrafficBudget } from '../../gateway/uplink/traffic-budget.js'

const day = 86_400
const topic = (end: string) => `polewatch/v1/riverside/pole-17/${end}`
const message = (end: string, bytes = 910) => ({ topic: topic(end), payload: Buffer.alloc(bytes) })

test('what is less urgent is held back first, and gunfire never', async t => {
  const budget = new TrafficBudget({ bytesPerDay: 100_000, bytesPerMonth: null }, () => 20 * day)
  const kinds = ['evidence/e1', 'health', 'report', 'alert/shed', 'alert/fault', 'alert/plate-hit']
  const held: string[] = []
  let sentAfterAll = 0
  for (let count = 0; count < 2000; count += 1) {
    for (const kind of kinds) {
      const withheld = held.includes(kind)
      const sent = budget.spend(message(kind))
      if (withheld && sent) sentAfterAll += 1
      if (!sent && !withheld) held.push(kind)
    }
  }
  t.same([held, sentAfterAll], [kinds, 0])
  t.ok(budget.spent <= 1, 'and nothing of it goes over the limit')
  t.ok(budget.spend(message('alert/gunfire', 200_000)))
  t.ok(budget.spend(message('status')) && budget.spend(message('command-result')))
  t.ok(budget.spent > 1)
  t.ok((budget.withheld['plate-hit'] ?? 0) > 1000, 'what was held back is counted by kind')
  t.end()
})

test('a new day and a new month begin a new budget, and a restart does not', t => {
  let now = Date.UTC(2026, 0, 31, 23) / 1000
  const limits = { bytesPerDay: 10_000, bytesPerMonth: 25_000 }
  const budget = new TrafficBudget(limits, () => now)
  const send = (each: TrafficBudget): number => {
    let sent = 0
    while (each.spend(message('alert/plate-hit'))) sent += 1
    return sent
  }
  t.equal(send(budget), 9)
  const again = new TrafficBudget(limits, () => now, JSON.parse(JSON.stringify(budget)))
  t.equal(send(again), 0)
  t.same(Object.keys(again.withheld), ['plate-hit'])
  now += 2 * 3600
  t.same([send(again), again.withheld], [9, { 'plate-hit': 1 }], 'February has come, and a day')
  now += day
  t.equal(send(again), 9)
  now += day
  t.equal(send(again), 5, 'the month is spent before the day')
  t.end()
})

test('a session that keeps to a budget names why, and passes on the rest', async t => {
  const sent: string[] = []
  const session: DeliverySession = {
    online: true,
    receiveMaximum: 20,
    publish: async request => {
      sent.push(request.topic)
      return 0
    },
    subscribe: () => undefined,
    unsubscribe: () => undefined,
    observe: () => () => undefined,
  }
  const metered = new MeteredSession(session, new TrafficBudget({ bytesPerDay: 1000, bytesPerMonth: null }, () => day))
  t.equal(await metered.publish({ ...message('alert/gunfire'), qos: 1 }), 0)
  const error = await metered.publish({ ...message('alert/fault'), qos: 1 }).catch((failure: unknown) => failure)
  t.ok(error instanceof NotDelivered && error.reason === 'over-budget')
  t.equal(await metered.publish({ ...message('alert/gunfire'), qos: 1 }), 0)
  t.same(sent, [topic('alert/gunfire'), topic('alert/gunfire')])
})
