import { test } from 'tap'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { Announcements } from '../../gateway/uplink/announcements.js'
import { LiveStream } from '../../gateway/uplink/live-stream.js'
import { brokerKinds, runningMosquitto } from './brokers.js'
import { site, uplinkKey } from './events.js'
import { until } from './gateway.js'
import { sessionWith } from './running-session.js'

const [, mosquitto] = brokerKinds

/** Birth and will of one process of a gateway. */
function presenceOf(key = uplinkKey) {
  const stream = new LiveStream(site, 'pole-1', 'uplink', key)
  const clock = () => Date.now() / 1000
  return new Announcements({ site, gateway: 'pole-1', version: '0.1.0', exercise: true, stream, clock }).presence()
}

for (const protocol of ['5', '3.1.1'] as const) {
  test(`of two processes with one client id the one that came later has the session, with MQTT ${protocol}`, {
    skip: mosquitto?.missing ?? false,
  }, async t => {
    const broker = await mosquitto?.create()
    if (broker === undefined) throw new Error('no broker')
    t.teardown(() => broker.remove())
    await broker.up()
    const options = { brokers: [broker.url], protocol }
    const first = sessionWith(t, { ...options, presence: presenceOf() })
    await until('the first is online', () => first.session.online)
    const second = sessionWith(t, { ...options, presence: presenceOf() })
    await until('the first gives way', () => first.reasons().includes('taken-over'))
    await until('the second is online', () => second.session.online)
    const { retryIn } = first.session.change
    t.ok(retryIn !== null && retryIn >= 30, 'the first leaves it alone')
    t.notOk(second.reasons().includes('taken-over'))
    const before = second.changes.length
    await new Promise(resolve => setTimeout(resolve, 1500))
    t.equal(second.changes.length, before, 'and there is peace')
  })
}

test('a process that comes back after a loss takes its session again, whoever forged a status meanwhile', {
  skip: mosquitto?.missing ?? false,
}, async t => {
  const broker = await runningMosquitto(t)
  const presence = presenceOf()
  // With MQTT 5 a later Mosquitto says itself that a session was taken over.
  const pole = sessionWith(t, { brokers: [broker.url], protocol: '3.1.1', presence })
  await until('online', () => pole.session.online)
  const thief = sessionWith(t, { brokers: [broker.url], clientId: 'thief' })
  await until('the thief is online', () => thief.session.online)
  const payload = presenceOf(createSigningKey()).payload('online', 'forged0001')
  await thief.session.publish({ topic: presence.topic, payload, qos: 1, retain: true })
  const rival = sessionWith(t, { brokers: [broker.url], protocol: '3.1.1', clientId: 'pole-1', random: () => 0.999 })
  await until('lost', () => !pole.session.online)
  await rival.session.stop()
  await until('online again', () => pole.session.online)
  t.notOk(pole.reasons().includes('taken-over'))
})
