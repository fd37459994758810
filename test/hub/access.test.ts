import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mqtt, { type MqttClient } from 'mqtt'
import { test } from 'tap'
import { brokerKinds, startableMosquitto } from '../uplink/brokers.js'
import { documented } from './documented.js'

const missing = brokerKinds.find(({ name }) => name.startsWith('Mosquitto'))?.missing ?? 'mosquitto is not installed'

/** Whether the hub gets what a user publishes on a topic. */
async function arrives(as: MqttClient, at: MqttClient, topic: string): Promise<boolean> {
  const marker = `${topic} ${Math.random()}`
  const arrived = new Promise<boolean>(resolve => {
    const take = (_: string, payload: Buffer) => {
      const text = payload.toString()
      if (text !== marker && text !== 'end') return
      at.off('message', take)
      resolve(text === marker)
    }
    at.on('message', take)
  })
  // Mosquitto says 0x87 to MQTT 5 for what the list forbids; the second message shows that nothing is still on its way.
  await as.publishAsync(topic, marker, { qos: 1 }).catch(() => undefined)
  await as.publishAsync(`polewatch/v1/riverside/${as.options.username}/health`, 'end', { qos: 1 })
  return arrived
}

test('with the access list of docs/hub.md a gateway speaks for itself alone', { skip: missing }, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-access-'))
  const list = join(folder, 'polewatch.acl')
  writeFileSync(list, documented('acl'), { mode: 0o644 })
  const broker = await startableMosquitto({ configuration: `acl_file ${list}\n` })
  await broker.up()
  const connect = (username: string) =>
    mqtt.connectAsync(broker.url, { protocolVersion: 5, username, clientId: username })
  const [hub, pole, thief] = await Promise.all([connect('crime-centre'), connect('pole-17'), connect('pole-99')])
  t.teardown(async () => {
    await Promise.all([hub, pole, thief].map(client => client.endAsync(true)))
    await broker.remove()
    rmSync(folder, { recursive: true })
  })
  await hub.subscribeAsync('polewatch/v1/riverside/#', { qos: 1 })
  t.ok(await arrives(pole, hub, 'polewatch/v1/riverside/pole-17/alert/gunfire'))
  t.ok(await arrives(pole, hub, 'polewatch/v1/riverside/arrivals/dppn5/pole-17'))
  for (const topic of [
    'pole-17/alert/gunfire',
    'pole-17/capabilities',
    'pole-17/ack',
    'arrivals/dppn5/pole-17',
    'pole-17/command/restart',
  ]) {
    t.notOk(await arrives(thief, hub, `polewatch/v1/riverside/${topic}`), `a thief may not write ${topic}`)
  }
  t.notOk(await arrives(pole, hub, 'polewatch/v1/lakeside/pole-17/status'), 'nor anybody at another site')

  await pole.subscribeAsync(['polewatch/v1/riverside/pole-17/ack', 'polewatch/v1/riverside/arrivals/dppn5/+'], {
    qos: 1,
  })
  const heard: string[] = []
  pole.on('message', topic => heard.push(topic))
  await thief.subscribeAsync('polewatch/v1/riverside/pole-17/#', { qos: 1 }).catch(() => undefined)
  thief.on('message', topic => heard.push(`thief: ${topic}`))
  await hub.publishAsync('polewatch/v1/riverside/pole-17/ack', 'x', { qos: 1 })
  await thief.publishAsync('polewatch/v1/riverside/arrivals/dppn5/pole-99', 'y', { qos: 1 })
  await pole.publishAsync('polewatch/v1/riverside/pole-17/alert/plate-hit', 'z', { qos: 1 })
  await new Promise(resolve => setTimeout(resolve, 200))
  t.same(heard.sort(), ['polewatch/v1/riverside/arrivals/dppn5/pole-99', 'polewatch/v1/riverside/pole-17/ack'])
})
