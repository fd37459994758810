import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { connectHub } from '../../gateway/hub/index.js'
import { privateKeyPem } from '../../gateway/messages/keys.js'
import { Program } from '../../scripts/delivery/program.js'
import { brokerKinds, runningMosquitto } from './brokers.js'
import { faultDraft, hubKey, sensingKey, site, uplinkKey } from './events.js'
import { TestGateway, until } from './gateway.js'

const missing = brokerKinds.find(({ name }) => name.startsWith('Mosquitto'))?.missing ?? 'mosquitto is not installed'

/** Most alerts of a stream that are under way. */
const window = 200

test('hubs that share alerts of a broker that deals them out in turn record everything, also when one is killed', {
  skip: missing,
  timeout: 120_000,
}, async t => {
  const broker = await runningMosquitto(t)
  const member = (name: string) => {
    const folder = join(t.testdirName, name)
    mkdirSync(folder, { recursive: true })
    const settings = { folder, broker: broker.url, hubKey: privateKeyPem(hubKey), share: 'desks' }
    const received = (): number[] => {
      const file = join(folder, 'received')
      const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
      return lines.filter(line => line !== '').map(line => Number(line.split(' ')[2]))
    }
    const told = (): string => (existsSync(join(folder, 'told')) ? readFileSync(join(folder, 'told'), 'utf8') : '')
    return { run: () => new Program('crash-hub', settings), received, told }
  }
  t.testdir({})
  const [one, other] = [member('one'), member('other')]
  const first = one.run()
  let second = other.run()
  await until('both are there', () => first.lines.includes('ready') && second.lines.includes('ready'))
  const folder = join(t.testdirName, 'pole-1')
  mkdirSync(folder)
  const keys = { uplinkKey, sensingKey, hubKeys: [hubKey.publicKey] }
  const gateway = new TestGateway({ gateway: 'pole-1', folder, broker: broker.url, ...keys })
  t.teardown(async () => {
    await gateway.close()
    await Promise.all([first.kill(), second.kill()])
  })
  const append = async (count: number) => {
    await Promise.all(Array.from({ length: count }, () => gateway.append(faultDraft('one'))))
  }
  const union = () => new Set([...one.received(), ...other.received()])
  const ascending = (numbers: readonly number[]) =>
    numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0))

  await append(100)
  await until('all are acknowledged', () => gateway.delivered(), 30)
  t.equal(union().size, 100)
  t.ok(one.received().length > 20 && other.received().length > 20, 'both got their part')
  t.equal(one.received().length + other.received().length, 100, 'and nothing both')
  t.ok(ascending(one.received()) && ascending(other.received()))
  t.notMatch(one.told() + other.told(), /"gap"/)

  const during = append(100)
  await until('some have come', () => union().size > 110, 30)
  await second.kill()
  await during
  await append(50)
  await until('the one that is left has the rest', () => gateway.delivered(), 60)
  t.equal(union().size, 250)

  second = other.run()
  await until('it is back', () => second.lines.includes('ready'))
  await append(100)
  await until('all are acknowledged again', () => gateway.delivered(), 60)
  t.equal(union().size, 350)
  const twice = one.received().length + other.received().length - 350
  t.comment(`${twice} recorded by both`)
  t.ok(twice <= window, 'no more is recorded by both than was under way')
  for (const { received } of [one, other]) t.equal(new Set(received()).size, received().length, 'by neither twice')
  t.same(
    gateway.notices.filter(({ kind }) => kind === 'delivered-again'),
    [],
    'nothing that was recorded was asked for',
  )
})

test('a hub that shares alerts has to acknowledge', async t => {
  await t.rejects(connectHub({ url: 'mqtt://127.0.0.1:9', site, share: 'desks' }), { code: 'PW_USAGE' })
})

test('a hub whose application is slow still knows who a gateway is that connects meanwhile', {
  skip: missing,
  timeout: 60_000,
}, async t => {
  const broker = await runningMosquitto(t)
  const queueLimit = 20
  const hub = await connectHub({ url: broker.url, site, queueLimit })
  t.teardown(() => hub.close())
  await until('the hub is there', () => hub.session.online)
  t.testdir({})
  const unit = (name: string): TestGateway => {
    const folder = join(t.testdirName, name)
    mkdirSync(folder)
    const keys = { uplinkKey, sensingKey, hubKeys: [hubKey.publicKey] }
    const gateway = new TestGateway({ gateway: name, folder, broker: broker.url, ...keys })
    t.teardown(() => gateway.close())
    return gateway
  }
  const first = unit('pole-1')
  for (let alert = 0; alert < 2 * queueLimit; alert += 1) await first.append(faultDraft('too many'))
  await until('no more alerts are taken', () => hub.overflowed > 0)
  const second = unit('pole-2')
  await until('it is there', () => second.session.online)
  await second.append(faultDraft('from a gateway that came later'))
  for await (const output of hub) {
    if (output.kind === 'refused') t.fail(`${output.topic}: ${output.why}`)
    if (output.kind === 'event' && output.gateway === 'pole-2') break
  }
  t.pass('its alert is verified')
})
