import { type Test, test } from 'tap'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { formatSequence } from '../../gateway/messages/stream.js'
import { LiveStream } from '../../gateway/uplink/live-stream.js'
import { MqttSession } from '../../gateway/uplink/session.js'
import { brokerKinds, runningMosquitto, type TestBroker } from './brokers.js'
import { collect, inOrder } from './collected.js'
import { faultDraft, gunfireDraft, hubKey, sensingKey, site, uplinkKey } from './events.js'
import { TestGateway, type TestGatewayOptions, until } from './gateway.js'

function gatewayOn(t: Test, broker: TestBroker, options: Partial<TestGatewayOptions> = {}): TestGateway {
  const gateway = new TestGateway({
    gateway: 'pole-1',
    folder: options.folder ?? t.testdir(),
    broker: broker.url,
    uplinkKey,
    sensingKey,
    hubKeys: [hubKey.publicKey],
    ...options,
  })
  t.teardown(() => gateway.close())
  return gateway
}

const faults = `/${site}/pole-1/sensing/fault`
const shots = `/${site}/pole-1/sensing/gunfire`
const mosquitto = { missing: brokerKinds.find(({ name }) => name.startsWith('Mosquitto'))?.missing ?? 'not installed' }

for (const kind of brokerKinds) {
  test(`with ${kind.name}`, { skip: kind.missing, timeout: 100_000 }, async t => {
    const broker = await kind.create()
    t.teardown(() => broker.remove())
    await broker.up()

    await t.test('alerts are delivered in order until the hub acknowledges', async t => {
      const hub = await collect(t, broker)
      const gateway = gatewayOn(t, broker)
      await Promise.all(Array.from({ length: 120 }, () => gateway.append(faultDraft('one'))))
      await gateway.append(gunfireDraft('incident-1'))
      await until('all acknowledged', () => gateway.delivered())
      t.equal(hub.events.length, 121)
      t.ok(inOrder(hub.events, faults) && inOrder(hub.events, shots))
      t.same(gateway.deliverer.counters().acknowledgementsRefused, {})
      const kinds = new Set(hub.outputs.map(output => (output.kind === 'refused' ? output.why : output.kind)))
      t.same([...kinds].sort(), ['event', 'key-pinned', 'live'])
    })

    await t.test('nothing is lost or out of order when the broker dies in the middle', async t => {
      // The hub may come back seconds after the gateway, and what it missed until then goes again a second later.
      const hub = await collect(t, broker, { hold: 10 })
      const gateway = gatewayOn(t, broker)
      const append = async (count: number) => {
        for (let number = 0; number < count; number += 1) await gateway.append(faultDraft('one'))
      }
      await append(60)
      await until('some arrived', () => hub.events.length > 20)
      const during = append(100)
      await broker.down()
      await during
      await append(20)
      await broker.up()
      await append(20)
      await until('all acknowledged', () => gateway.delivered())
      t.equal(new Set(hub.events).size, 200)
      t.equal(hub.events.length, 200, 'none twice')
      t.ok(inOrder(hub.events, faults))
    })

    await t.test('what no hub heard is sent again when one comes, and a hub that restarts keeps its place', async t => {
      const gateway = gatewayOn(t, broker)
      for (let number = 0; number < 30; number += 1) await gateway.append(faultDraft('one'))
      await until('sent to nobody', () => gateway.deliverer.counters().sent > 0)
      t.equal(gateway.deliverer.streams()[0]?.acknowledged, 0, 'a broker’s word is not the hub’s')
      const stateFile = `${t.testdirName}/hub.json`
      const first = await collect(t, broker, { stateFile })
      await until('acknowledged', () => gateway.delivered())
      t.equal(first.events.length, 30)
      await first.client.close()
      for (let number = 0; number < 30; number += 1) await gateway.append(faultDraft('one'))
      const second = await collect(t, broker, { stateFile })
      await until('acknowledged again', () => gateway.delivered())
      t.equal(second.events.length, 30)
      t.ok(inOrder([...first.events, ...second.events], faults))
      t.notOk(second.outputs.some(output => output.kind === 'begun' || output.kind === 'gap'))
    })

    await t.test('a hub that comes back empty gets all that is kept, and is told what is not', async t => {
      const gateway = gatewayOn(t, broker)
      const append = async (count: number) => {
        for (let number = 0; number < count; number += 1) await gateway.append(faultDraft('one'))
      }
      await append(20)
      const first = await collect(t, broker)
      await until('acknowledged', () => gateway.delivered())
      await gateway.journal.purge((source, epoch) => gateway.acknowledged(source, epoch))
      await append(10)
      await until('acknowledged too', () => gateway.delivered())
      t.equal(first.events.length, 30)
      await first.client.close()
      const second = await collect(t, broker)
      await append(1)
      await until('delivered again', () => new Set(second.events).size === 11)
      await until('acknowledged again', () => gateway.delivered())
      t.same(
        second.outputs.flatMap(output => (output.kind === 'begun' ? [output.first] : [])),
        [31, 21],
      )
      t.equal(second.events.length, 11, 'each once')
      t.match(
        gateway.notices.find(({ kind }) => kind === 'delivered-again'),
        {
          hub: 'hub',
          source: faults,
          after: 0,
          gone: [[1, 20]],
        },
      )
    })

    await t.test(
      'acknowledgements that are forged, foreign or beyond what exists change nothing and are named',
      async t => {
        const gateway = gatewayOn(t, broker)
        await gateway.append(faultDraft('one'))
        await until('known', () => gateway.deliverer.streams().length === 1 && gateway.session.online)
        const attacker = new MqttSession({ brokers: [broker.url], clientId: 'attacker' })
        t.teardown(() => attacker.stop())
        attacker.start()
        await until('attacker online', () => attacker.online)
        const { epoch = '' } = gateway.deliverer.streams()[0] ?? {}
        const send = async (stream: string, of: string, sequence: number, key = hubKey) => {
          const data = { stream, epoch: of, sequence: formatSequence(sequence), hub: 'hub' }
          const draft = { name: 'acknowledgement', time: Date.now() / 1000, exercise: false, data } as const
          const request = new LiveStream(site, 'hub', 'hub', key).request(draft, { site, gateway: 'pole-1' })
          await attacker.publish(request)
          return request
        }
        await send(faults, epoch, 1, createSigningKey())
        await send(faults, epoch, 2)
        await send(faults, 'otherepoch', 1)
        await send(`/${site}/pole-1/vision/hit`, epoch, 1)
        const { topic, payload } = await send(`/${site}/pole-2/sensing/fault`, epoch, 1)
        const forged = Buffer.from(Buffer.from(payload).toString().replaceAll('pole-2', 'pole-1'))
        await attacker.publish({ topic, payload: forged, qos: 1 })
        await attacker.publish({ topic, payload: Buffer.from('{}'), qos: 1 })
        const expected = {
          'unknown-key': 1,
          'beyond-what-exists': 1,
          'unknown-epoch': 1,
          'unknown-stream': 1,
          'other-gateway': 1,
          forged: 1,
          malformed: 1,
        }
        const refused = () => gateway.deliverer.counters().acknowledgementsRefused
        await until('all refused', () => Object.values(refused()).reduce((sum, count) => sum + count, 0) === 7)
        t.same(refused(), expected)
        t.equal(gateway.deliverer.streams()[0]?.acknowledged, 0)
        await send(faults, epoch, 1)
        await until('the true one counts', () => gateway.delivered())
      },
    )

    await t.test('a shot overtakes a backlog', async t => {
      const folder = t.testdir()
      const offline = gatewayOn(t, broker, { folder, broker: 'mqtt://127.0.0.1:1' })
      await Promise.all(Array.from({ length: 1500 }, () => offline.append(faultDraft('one'))))
      await offline.close()
      const hub = await collect(t, broker)
      const gateway = gatewayOn(t, broker, { folder })
      await until('the backlog flows', () => hub.events.length > 50)
      await gateway.append(gunfireDraft('incident-1'))
      await until('all acknowledged', () => gateway.delivered())
      const place = hub.events.indexOf(`${shots}#1`)
      t.ok(place >= 0 && place < 1000, `the shot came after ${place} of 1,500`)
      t.equal(hub.events.length, 1501)
      t.ok(inOrder(hub.events, faults))
    })

    await t.test('on the broker’s word alone, an alert that nobody listens to counts as undelivered', async t => {
      const gateway = gatewayOn(t, broker, { delivery: { acknowledge: 'broker' }, hubKeys: [] })
      await gateway.append(faultDraft('one'))
      if (kind.name.startsWith('aedes')) {
        await until('taken', () => gateway.delivered())
        t.pass('MQTT 3.1.1 cannot say that nobody listens')
        return
      }
      await until('refused', () => gateway.deliverer.counters().unheard > 0)
      t.notOk(gateway.delivered())
      const hub = await collect(t, broker, { acknowledge: false })
      await until('delivered to the broker', () => gateway.delivered())
      await until('and to the hub', () => hub.events.length === 1)
    })
  })
}

test('a unit that was replaced is refused until a person accepts its keys, and then what it held comes, each once', {
  skip: mosquitto.missing,
  timeout: 60_000,
}, async t => {
  const broker = await runningMosquitto(t)
  const hub = await collect(t, broker)
  const before = gatewayOn(t, broker, { folder: t.testdir({ former: {}, replaced: {} }).concat('/former') })
  await before.append(faultDraft('one'))
  await until('the former unit has delivered', () => before.delivered())
  await before.close()
  const [uplink, sensing] = [createSigningKey(), createSigningKey()]
  const folder = `${t.testdirName}/replaced`
  const replaced = gatewayOn(t, broker, { folder, uplinkKey: uplink, sensingKey: sensing })
  for (let number = 0; number < 5; number += 1) await replaced.append(faultDraft('one'))
  const refusal = () => hub.outputs.find(output => output.kind === 'key-refused')
  await until('its keys and its alerts are refused', () => {
    return (
      refusal() !== undefined &&
      hub.outputs.filter(output => output.kind === 'refused' && output.topic.endsWith('/alert/fault')).length >= 5
    )
  })
  t.equal(hub.events.length, 1)
  const refused = refusal()
  if (refused?.kind === 'key-refused') hub.client.receiver.keys.replace(refused.offered)
  await until('it has delivered', () => replaced.delivered(), 30)
  t.same(
    hub.events.slice(1),
    [1, 2, 3, 4, 5].map(number => `${faults}#${number}`),
  )
})
