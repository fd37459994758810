import { test } from 'tap'
import { Role } from '../../gateway/commands/role.js'
import { meter } from '../../gateway/commands/uplink-traffic.js'
import { loadConfiguration } from '../../gateway/config/load.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { NotDelivered } from '../../gateway/uplink/connection.js'
import type { DeliverySession } from '../../gateway/uplink/delivery-contract.js'
import { MeteredSession, TrafficBudget } from '../../gateway/uplink/traffic-budget.js'
import { writeGateway } from './attack.js'
import { until } from './gateway.js'

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

test('a gateway on a metered link says that it holds back, sends gunfire, and goes on counting after a restart', async t => {
  const folder = t.testdir()
  const file = writeGateway(folder, 'mqtt://127.0.0.1:1', { hub: createSigningKey(), operator: createSigningKey() }, [
    { path: ['log'], value: { level: 'fatal' } },
    { path: ['uplink', 'budget'], value: { bytesPerDay: '1 MiB' } },
  ])
  const start = () => {
    const role = new Role('uplink', loadConfiguration(file))
    const over = new AbortController()
    const sent: string[] = []
    const metered = meter(role, {
      online: true,
      receiveMaximum: 20,
      publish: async request => {
        sent.push(request.topic)
        return 0
      },
      subscribe() {},
      unsubscribe() {},
      observe: () => () => undefined,
    })
    const following = metered.follow(over.signal)
    const stop = async () => {
      over.abort()
      await following
      role.close()
    }
    const state = () => role.parts.find(({ part }) => part === 'traffic')
    return { metered, sent, state, stop }
  }
  const first = start()
  while (
    await first.metered.session.publish({ ...message('alert/fault', 50_000), qos: 1 }).then(
      () => true,
      () => false,
    )
  );
  t.equal(first.sent.length, 19, 'a fault may spend 95 % of it')
  await until('it says so', () => first.state()?.fault === 'traffic-budget')
  await first.metered.session.publish({ ...message('alert/gunfire', 200_000), qos: 1 })
  t.equal(first.sent.at(-1), topic('alert/gunfire'))
  await first.stop()
  const second = start()
  await t.rejects(second.metered.session.publish({ ...message('alert/plate-hit'), qos: 1 }), /over-budget/)
  t.ok((second.metered.traffic()?.dayBytes ?? 0) > 2 ** 20)
  await second.stop()
})
