import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type Test, test } from 'tap'
import * as z from 'zod'
import { openEvent } from '../../gateway/messages/seal.js'
import { priorities } from '../../gateway/messages/stream.js'
import { type MessageName, messageNames, messageTypes } from '../../gateway/messages/table.js'
import { topicFor } from '../../gateway/messages/topics.js'
import type { DelivererOptions } from '../../gateway/uplink/delivery-contract.js'
import { LiveStream } from '../../gateway/uplink/live-stream.js'
import { MqttSession, type SessionChange, type SessionOptions } from '../../gateway/uplink/session.js'
import { clientTls, makeCertificates } from '../../scripts/delivery/certificates.js'
import { faultDraft, gunfireDraft, hubKey, sensingKey, site, uplinkKey } from './events.js'
import { type BrokerFaults, type FaultBroker, startFaultBroker } from './fault-broker.js'
import { TestGateway, until } from './gateway.js'
import { sessionWith } from './running-session.js'

const faults = `/${site}/pole-1/sensing/fault`
const window = 20

async function delivering(
  t: Test,
  broken: BrokerFaults,
  session: Partial<SessionOptions> = {},
  delivery: Partial<DelivererOptions> = {},
) {
  const broker = await startFaultBroker(broken)
  t.teardown(() => broker.close())
  const changes: SessionChange[] = []
  const onChange = (change: SessionChange) => changes.push(change)
  const gateway = new TestGateway({
    gateway: 'pole-1',
    folder: t.testdir(),
    broker: broker.url,
    uplinkKey,
    sensingKey,
    hubKeys: [hubKey.publicKey],
    session: { onChange, ...session },
    delivery: { acknowledge: 'broker', ...delivery },
  })
  t.teardown(() => gateway.close())
  const append = (count: number) => Promise.all(Array.from({ length: count }, () => gateway.append(faultDraft('one'))))
  return { broker, gateway, append, reasons: () => new Set(changes.map(({ reason }) => reason)) }
}

/** The numbers of the alerts that came, each time they came. */
function numbers({ alerts }: FaultBroker): number[] {
  const shape = z.object({ sequence: z.string() })
  return alerts.map(alert => Number(shape.parse(JSON.parse(alert)).sequence))
}

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1)

test('a broker that accepts and never acknowledges is named and left, and nothing counts as delivered', async t => {
  const { broker, gateway, append, reasons } = await delivering(t, { acknowledge: 'never' }, { acknowledgeTimeout: 1 })
  await append(30)
  await until('left', () => reasons().has('no-acknowledgement'))
  t.equal(gateway.deliverer.streams()[0]?.acknowledged, 0)
  t.same(new Set(numbers(broker)), new Set(upTo(19)), 'no more than the window, less the place kept for gunfire')
  broker.faults.acknowledge = 'at-once'
  await until('delivered once it acknowledges', () => gateway.delivered())
  t.same([...new Set(numbers(broker))], upTo(30))
})

test('a broker that acknowledges out of order, twice and what was never sent holds nothing up', async t => {
  const { broker, gateway, append } = await delivering(t, { acknowledge: 'reversed', acknowledgeTooMuch: true })
  await append(120)
  await until('delivered', () => gateway.delivered())
  t.same(numbers(broker), upTo(120), 'each once and in order')
  t.equal(broker.connections(), 1)
})

test('no more is under way than the broker takes at once, of all kinds together, and gunfire goes first', async t => {
  const { broker, gateway, append } = await delivering(t, { receiveMaximum: 5 })
  await until('online', () => gateway.session.online)
  const others = Array.from({ length: 60 }, (_, index) =>
    gateway.session.publish({ topic: `chunk/${index}`, payload: Buffer.alloc(1000), qos: 1 }),
  )
  await append(30)
  await gateway.append(gunfireDraft('incident-1'))
  await until('delivered', () => gateway.delivered())
  t.same(await Promise.all(others), Array(60).fill(0))
  t.equal(broker.connections(), 1)
  const came = broker.alerts.findIndex(alert => alert.includes('incident-1'))
  t.ok(came < 20, `${came} of 30 alerts before it`)
})

test('what is more urgent goes first: gunfire, hits, faults, the rest', async t => {
  const { broker, gateway } = await delivering(t, { receiveMaximum: 1 })
  await until('online', () => gateway.session.online)
  const leastFirst = [...priorities].reverse()
  await Promise.all(
    leastFirst.flatMap(priority =>
      Array.from({ length: 20 }, () =>
        gateway.journal.append({
          priority,
          topic: `alert/${priority}`,
          kind: priority,
          exercise: true,
          audit: { action: priority, subject: priority },
          encode: ({ sequence }) => ({ id: `${priority} ${sequence}`, bytes: Buffer.from(priority) }),
        }),
      ),
    ),
  )
  await until('delivered', () => gateway.delivered() && broker.alerts.length === 80)
  // The first is committed alone, and is on its way before there is another.
  const shot = broker.alerts.indexOf('gunfire')
  t.ok(shot < 5, `${shot} before the first shot`)
  const after = broker.alerts.slice(shot)
  t.same(
    after,
    priorities.flatMap(priority => after.filter(each => each === priority)),
  )
})

test('a broker that hangs up at every n-th packet gets everything in order all the same', async t => {
  const { broker, gateway, append, reasons } = await delivering(t, { hangUpAt: 14 })
  await append(40)
  await until('delivered', () => gateway.delivered())
  const came = numbers(broker)
  t.same([...new Set(came)], upTo(40), 'none is missing or overtakes another')
  t.ok(broker.connections() > 3, `${broker.connections()} connections`)
  t.ok(came.length - 40 <= (broker.connections() - 1) * window, `${came.length - 40} twice`)
  t.ok(reasons().has('connection-lost'))
})

test('each kind of message expires on the wire as its type says, and an alert never', async t => {
  const { broker, gateway } = await delivering(t, {})
  const place = { site, gateway: 'pole-1', cell: 'dppj1', id: 'sound-1', name: 'status' }
  const live = messageNames.filter(name => messageTypes[name].priority === 'live')
  const streams = {
    gateway: new LiveStream(site, 'pole-1', 'sensing', sensingKey),
    hub: new LiveStream(site, 'hub', 'hub', hubKey),
  }
  const example = (name: MessageName) => openEvent(readFileSync(`test/golden/messages/${name}.json`))
  for (const name of messageNames) if (!live.includes(name)) await gateway.append(example(name))
  await until('delivered', () => gateway.delivered())
  for (const name of live)
    await gateway.session.publish(streams[messageTypes[name].sender].request(example(name), place))
  const seen = (name: MessageName) => broker.expiries.get(topicFor(name, place))
  // An arrival and a claim share a topic, as a verdict is a command: the last one counts there.
  const last = new Map(messageNames.map(name => [topicFor(name, place), name]))
  for (const name of last.values()) t.equal(seen(name), messageTypes[name].expiresAfter, name)
  t.equal(seen('gunfire'), null)
  t.equal(seen('health'), 300)
})

test('a hub that is away is named, asked seldom, and gets everything when it is back', async t => {
  const { broker, gateway, append } = await delivering(t, {}, {}, { acknowledge: 'hub', hubWindow: 10 })
  await append(25)
  const notices = () => gateway.notices.map(({ kind }) => kind)
  await until('the silence is named', () => notices().includes('hub-silent'))
  t.same([...new Set(numbers(broker))], upTo(10), 'no more than its window')
  const acknowledge = acknowledgedBy(broker, gateway)
  acknowledge(10)
  await until('the rest is sent', () => new Set(numbers(broker)).size === 20)
  acknowledge(20)
  await until('all is sent', () => new Set(numbers(broker)).size === 25)
  acknowledge(25)
  await until('delivered', () => gateway.delivered())
  await until('the answer is named', () => notices().includes('hub-answers'))
})

test('a hub that acknowledges too much, or once more what it said before, is named and changes nothing', async t => {
  const { broker, gateway, append } = await delivering(t, {}, {}, { acknowledge: 'hub' })
  await append(5)
  await until('sent', () => numbers(broker).length >= 5)
  const acknowledge = acknowledgedBy(broker, gateway)
  acknowledge(6)
  await until('too much', () => gateway.notices.length > 0)
  acknowledge(5)
  await until('delivered', () => gateway.delivered())
  acknowledge(2)
  await until('behind', () => gateway.notices.length > 1)
  t.match(gateway.notices, [
    { kind: 'acknowledgement-refused', why: 'beyond-what-exists', source: faults },
    { kind: 'hub-behind', hub: 'hub', source: faults, sequence: 2, acknowledged: 5 },
  ])
  t.equal(gateway.deliverer.streams()[0]?.acknowledged, 5)
})

test('one alert that the broker refuses holds up none of its stream, is named, and tried again now and then', async t => {
  const options = { acknowledge: 'hub', longestRetry: 60 } as const
  const { broker, gateway, append } = await delivering(t, { refuse: { text: 'bad one', code: 0x99 } }, {}, options)
  await append(2)
  await gateway.append(faultDraft('the bad one'))
  await append(300)
  await until('known', () => gateway.deliverer.streams().length > 0 && broker.alerts.length > 2)
  const acknowledge = acknowledgedBy(broker, gateway)
  acknowledge(2)
  await until('all others came', () => new Set(numbers(broker)).size === 302)
  t.same(
    [...new Set(numbers(broker))],
    upTo(303).filter(number => number !== 3),
  )
  t.match(
    gateway.notices.find(({ kind }) => kind === 'refused-by-broker'),
    { why: 'payload-refused', source: faults },
  )
  t.equal(broker.refusals(), 1)
  t.match(gateway.deliverer.streams()[0], { acknowledged: 2 }, 'it is not delivered')
  delete broker.faults.refuse
  acknowledge(303)
  await until('the hub goes past it', () => gateway.delivered())
})

test('an acknowledgement from before a hub lost what it had is refused as replayed', async t => {
  const { broker, gateway, append } = await delivering(t, {}, {}, { acknowledge: 'hub' })
  await append(5)
  await until('sent', () => numbers(broker).length >= 5)
  const acknowledge = acknowledgedBy(broker, gateway)
  const before = Date.now() / 1000 - 50
  acknowledge(5, before)
  await until('delivered', () => gateway.delivered())
  acknowledge(0)
  await until('delivered again', () => gateway.notices.some(({ kind }) => kind === 'delivered-again'))
  acknowledge(5, before)
  const refused = () => gateway.deliverer.counters().acknowledgementsRefused
  await until('refused', () => Object.keys(refused()).length > 0)
  t.same(refused(), { replayed: 1 })
  t.equal(gateway.deliverer.streams()[0]?.acknowledged, 0)
  acknowledge(5)
  await until('delivered in the end', () => gateway.delivered())
})

test('a broker that never answers a subscription is named and left for the next one', async t => {
  const deaf = await startFaultBroker({ subscriptions: 'never' })
  const good = await startFaultBroker({})
  t.teardown(() => Promise.all([deaf.close(), good.close()]))
  const { session, reasons } = sessionWith(t, { brokers: [deaf.url, good.url], acknowledgeTimeout: 1 })
  session.subscribe('a', 1, () => undefined)
  await until('online elsewhere', () => session.online)
  t.same(reasons(), ['connecting', 'no-acknowledgement', 'connecting', 'online'])
})

test('a broker that refuses a subscription hears the birth all the same, and its session is one session', async t => {
  const { broker, gateway, append } = await delivering(t, { subscriptions: ['b', 'd'] }, {}, { acknowledge: 'hub' })
  const changes: SessionChange[] = []
  gateway.session.observe(change => changes.push(change))
  for (const filter of ['a', 'b']) gateway.session.subscribe(filter, 1, () => undefined)
  await until('online', () => gateway.session.online)
  t.ok(broker.expiries.has(topicFor('status', { site, gateway: 'pole-1' })), 'born')
  t.match(changes.at(-1), { begins: true, reason: 'subscription-refused', detail: 'b' })
  await append(5)
  await until('sent', () => numbers(broker).length === 5)
  for (const filter of ['c', 'd']) gateway.session.subscribe(filter, 1, () => undefined)
  await until('told', () => gateway.session.change.detail === 'd')
  t.match(changes.at(-1), { state: 'online', begins: false, reason: 'subscription-refused' })
  await append(1)
  await until('sent too', () => numbers(broker).includes(6))
  t.same(numbers(broker), upTo(6), 'nothing again')
  t.equal(changes.filter(({ begins }) => begins).length, 1)
})

/** Acknowledges as a hub does, through the broker; `time`: when it was signed, by default now. */
function acknowledgedBy(broker: FaultBroker, gateway: TestGateway): (sequence: number, time?: number) => void {
  const hub = new LiveStream(site, 'hub', 'hub', hubKey)
  return (sequence, time = Date.now() / 1000) => {
    const { epoch = '' } = gateway.deliverer.streams()[0] ?? {}
    const data = { stream: faults, epoch, sequence: String(sequence).padStart(20, '0'), hub: 'hub' }
    const draft = { name: 'acknowledgement', time, exercise: true, data } as const
    const { topic, payload } = hub.request(draft, { site, gateway: 'pole-1' })
    broker.send(topic, payload)
  }
}

const openssl = spawnSync('openssl', ['version']).error === undefined ? false : 'openssl is not installed'

test('a broker whose certificate has expired, names another host or is of another authority is refused by name', {
  skip: openssl,
}, async t => {
  const folders = t.testdir({ good: {}, expired: {}, other: {} })
  const good = makeCertificates(`${folders}/good`)
  const expired = makeCertificates(`${folders}/expired`, -1)
  const other = makeCertificates(`${folders}/other`)
  const cases = [
    { server: expired, tls: clientTls(expired), detail: /expired/ },
    { server: good, tls: { ...clientTls(good), serverName: 'hub.example' }, detail: /altnames|does not match/i },
    { server: good, tls: clientTls(other), detail: /self.signed|unable to|signature/i },
  ]
  for (const { server, tls, detail } of cases) {
    const broker = await startFaultBroker(
      {},
      { cert: readFileSync(server.server), key: readFileSync(server.serverKey) },
    )
    t.teardown(() => broker.close())
    const changes: SessionChange[] = []
    const session = new MqttSession({
      brokers: [broker.url],
      clientId: 'pole-1',
      tls,
      onChange: change => changes.push(change),
    })
    t.teardown(() => session.stop())
    session.start()
    await until('refused', () => changes.some(({ state }) => state === 'offline'))
    t.match(
      changes.find(({ state }) => state === 'offline'),
      { reason: 'broker-certificate', detail },
    )
    t.notOk(session.online)
  }
})
