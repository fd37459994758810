import { test } from 'tap'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { topicFilter } from '../../gateway/messages/topics.js'
import { folderOf, RunningCommand } from '../commands/polewatch.js'
import { place, writeGateway } from './attack.js'
import { startFaultBroker } from './fault-broker.js'
import { until } from './gateway.js'

test('uplink raises a fault while the broker refuses it a subscription, and clears it in a session that has all', async t => {
  const commands = topicFilter('command', place)
  const broker = await startFaultBroker({ subscriptions: [commands] })
  t.teardown(() => broker.close())
  const file = writeGateway(folderOf(t), broker.url, { hub: createSigningKey(), operator: createSigningKey() })
  const uplink = new RunningCommand('uplink', '--config', file)
  t.teardown(() => uplink.stop())
  const told = (state: string) => {
    const faults = broker.alerts.map(alert => JSON.parse(alert).data)
    return faults.find(data => data.fault === 'subscription-refused' && data.state === state)
  }
  await until('raised', () => told('raised') !== undefined, 30)
  t.match(told('raised'), { part: 'broker-rights', code: 'PW_BROKER_REFUSES' })
  t.ok(told('raised').detail.includes(commands), 'it names what is refused')
  broker.faults.subscriptions = []
  broker.cut()
  await until('cleared', () => told('cleared') !== undefined, 30)
})

test('watch says what the broker does not let it read', async t => {
  const alerts = 'polewatch/v1/test/+/alert/#'
  const broker = await startFaultBroker({ subscriptions: [alerts] })
  t.teardown(() => broker.close())
  const watch = new RunningCommand('watch', '--broker', broker.url, '--site', 'test')
  t.teardown(() => watch.stop())
  await until('told', () => watch.errors.includes(alerts), 30)
  t.match(watch.errors, /does not allow all that is needed: subscription-refused/)
})
