import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { signDelta } from '../../gateway/hotlist/delta-file.js'
import { CommandSender } from '../../gateway/hub/index.js'
import { verifyChain } from '../../gateway/journal/audit.js'
import { ExchangeReader } from '../../gateway/journal/exchange.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { openEvent, sealEvent } from '../../gateway/messages/seal.js'
import type { MessageEvent } from '../../gateway/messages/table.js'
import { formatTime } from '../../gateway/messages/time.js'
import { topicFor } from '../../gateway/messages/topics.js'
import type { PublishRequest } from '../../gateway/uplink/connection.js'
import { LiveStream } from '../../gateway/uplink/live-stream.js'
import { cellOf } from '../../gateway/uplink/neighbour-guard.js'
import { MqttSession } from '../../gateway/uplink/session.js'
import { folderOf, polewatch, RunningCommand } from '../commands/polewatch.js'
import { type CommandParts, commandBytes, place, writeGateway } from './attack.js'
import { brokerKinds, runningMosquitto } from './brokers.js'
import { capabilities } from './events.js'
import { until } from './gateway.js'

const [, mosquitto] = brokerKinds
const usual = topicFor('command-result', place)
const keys = { hub: createSigningKey(), operator: createSigningKey() }
const stranger = createSigningKey()
const position = { latitude: 40.4412, longitude: -79.9931, altitude: null }
const polesCell = cellOf(position)

/** Somebody on the broker who may publish whatever he likes and hears everything. */
async function attack(t: Test, url: string) {
  const heard: { topic: string; event: MessageEvent | null }[] = []
  const session = new MqttSession({ brokers: [url], clientId: 'attacker', random: () => 0.05 })
  session.subscribe('polewatch/#', 1, ({ topic, payload }) => heard.push({ topic, event: opened(payload) }))
  session.start()
  t.teardown(() => session.stop())
  await until('the attacker is there', () => session.online)
  const answers = () => heard.flatMap(({ event }) => (event?.name === 'command-result' ? [event.data] : []))
  /** Publishes, and gives the answer that comes. */
  const answerTo = async (name: string, payload: Buffer, more: Partial<PublishRequest> = {}) => {
    const before = answers().length
    await session.publish({ topic: `polewatch/v1/test/pole-1/command/${name}`, payload, qos: 1, ...more })
    await until('an answer', () => answers().length > before)
    return answers().at(-1)
  }
  return { session, heard, answerTo }
}

function opened(payload: Uint8Array): MessageEvent | null {
  try {
    return openEvent(payload)
  } catch {
    return null
  }
}

/** Announces the largest packet of MQTT and sends it whole. */
async function flood(port: number, topic: string): Promise<void> {
  const connect = Buffer.from([0x10, 15, 0, 4, 77, 81, 84, 84, 4, 2, 0, 60, 0, 3, 98, 105, 103])
  const head = Buffer.concat([
    Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f, topic.length >> 8, topic.length & 255]),
    Buffer.from(topic),
  ])
  const chunk = Buffer.alloc(1 << 20, 32)
  let left = 268_435_455 - topic.length - 2
  await new Promise<void>(resolve => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(connect))
    const pour = (): void => {
      while (left > 0) {
        const piece = left < chunk.length ? chunk.subarray(0, left) : chunk
        left -= piece.length
        if (!socket.write(piece)) {
          socket.once('drain', pour)
          return
        }
      }
      socket.end()
    }
    socket.once('data', () => {
      socket.write(head)
      pour()
    })
    socket.on('error', () => resolve())
    socket.on('close', () => resolve())
  })
}

test('whatever somebody on the broker sends is refused, recorded and changes nothing', {
  skip: mosquitto?.missing ?? false,
  timeout: 150_000,
}, async t => {
  const broker = await runningMosquitto(t)
  const folder = folderOf(t)
  const file = writeGateway(folder, broker.url, keys)
  const configuration = readFileSync(file, 'utf8')
  const list = join(folder, 'wanted.csv')
  writeFileSync(list, 'plate,state,purpose,expires,id\nPOLE 123,PA,stolen-vehicle,2035-01-01T00:00:00Z,entry-1\n')
  t.equal(polewatch('hotlist', 'import', list, '--config', file, '--list', 'wanted').status, 0)
  const listStatus = () => polewatch('hotlist', 'status', '--config', file, '--json').output
  const generation = /"generation":\d+,.*?"sha256":"\w+"/.exec(listStatus())?.[0]
  t.ok(generation)

  let uplink = new RunningCommand('uplink', '--config', file)
  t.teardown(() => uplink.stop())
  const connected = () => until('the gateway is there', () => uplink.errors.includes('"msg":"connected"'))
  await connected()
  const { heard, session, answerTo } = await attack(t, broker.url)
  const send = (parts: CommandParts = {}, name = 'log-level', more: Partial<PublishRequest> = {}) =>
    answerTo(name, commandBytes(keys.operator, parts), more)

  const accepted = commandBytes(keys.operator)
  t.match(await answerTo('log-level', accepted), { outcome: 'done', code: null }, 'the true operator is obeyed')

  t.match(await send({ key: null }), { outcome: 'refused', code: 'PW_COMMAND_UNAUTHORISED', detail: /not signed/ })
  t.match(await send({ key: stranger }), { outcome: 'refused', code: 'PW_COMMAND_UNAUTHORISED', detail: /not known/ })
  const changed = Buffer.from(commandBytes(keys.operator).toString().replace('"debug"', '"fatal"'))
  t.match(await answerTo('log-level', changed), { code: 'PW_COMMAND_UNAUTHORISED', detail: /does not hold/ })
  t.match(await answerTo('log-level', accepted), { outcome: 'refused', code: 'PW_COMMAND_REPLAYED' })
  t.match(await send({ life: -1 }), { outcome: 'refused', code: 'PW_COMMAND_EXPIRED' })
  t.match(await send({ life: 9e5 }), { code: 'PW_COMMAND_EXPIRED', detail: /too late/ })
  t.match(await send({ issued: Date.now() / 1000 + 900, life: 1000 }), { code: 'PW_COMMAND_EXPIRED' })
  t.match(await send({ purpose: 'curiosity' }), { code: 'PW_COMMAND_UNAUTHORISED', detail: /purpose curiosity/ })
  t.match(await send({ key: keys.hub }), { code: 'PW_COMMAND_UNAUTHORISED', detail: /hub may not ask for log-level/ })
  t.match(await send({ gateway: 'pole-2' }), { code: 'PW_COMMAND_MISDIRECTED' })
  t.match(await send({}, 'status'), { code: 'PW_COMMAND_MISDIRECTED', detail: /topic/ })
  t.match(await send({ arguments: { level: 'debug', more: 1 } }), { outcome: 'refused', code: 'PW_COMMAND_MALFORMED' })
  t.match(await send({ name: 'evidence', arguments: { id: '+/#' } }, 'evidence'), { code: 'PW_COMMAND_MALFORMED' })
  t.match(await send({ name: 'format-disk' }, 'format-disk'), { code: 'PW_COMMAND_MISDIRECTED' })
  const elsewhere = topicFor('gunfire', place)
  t.match(await send({ name: 'status', arguments: {} }, 'status', { responseTopic: elsewhere }), { outcome: 'done' })

  await t.test('a change of a hotlist needs the signature of the list, fits once and expires', async t => {
    const base = /"sourceSha256":"(\w+)"/.exec(listStatus())?.[1] ?? ''
    const delta = (expires: number) => ({
      format: 'polewatch-hotlist-delta-1',
      list: 'wanted',
      base: { sha256: base },
      expires: formatTime(expires),
      remove: [],
      add: [{ plate: 'EVIL 1', purpose: 'stolen-vehicle', expires: '2035-01-01T00:00:00Z', id: 'entry-2' }],
    })
    const now = Date.now() / 1000
    const change = (document: unknown) =>
      send({ name: 'hotlist', arguments: { list: 'wanted', delta: document } }, 'hotlist')
    const signed = (expires: number, key = keys.operator): unknown =>
      JSON.parse(Buffer.from(signDelta(Buffer.from(JSON.stringify(delta(expires))), key).bytes).toString())
    const untrusted = { outcome: 'refused', code: 'PW_HOTLIST_DELTA_UNTRUSTED' }
    t.match(await change(delta(now + 60)), untrusted)
    t.match(await change(signed(now + 60, stranger)), untrusted)
    t.match(await change({ ...delta(now + 60), plates: [] }), untrusted)
    t.match(await change(signed(now - 60)), { outcome: 'failed', detail: /PW_HOTLIST_DELTA_LATE/ })
    t.equal(/"generation":\d+,.*?"sha256":"\w+"/.exec(listStatus())?.[0], generation, 'the list is what it was')
  })

  const topic = topicFor('command', { ...place, name: 'status' })
  await session.publish({ topic, payload: Buffer.from('{"specversion":'), qos: 1 })
  await session.publish({ topic, payload: Buffer.alloc(270_000, 32), qos: 1 }).catch(() => undefined)
  await flood(broker.port, topic)
  await until('what is no message is refused', () => uplink.errors.includes('"why":"malformed"'))

  await t.test('a forged neighbour reaches no other role', async t => {
    const sensing = createSigningKey()
    const other = { site: 'test', gateway: 'pole-2', cell: polesCell }
    const own = createSigningKey()
    const stream = new LiveStream('test', 'pole-2', 'uplink', own)
    const told = { ...capabilities('pole-2', { uplink: own, sensing }), site: 'test' }
    const time = Date.now() / 1000
    await session.publish(stream.request({ name: 'capabilities', time, exercise: true, data: told }, other))
    const air = { temperature: null, humidity: null, windSpeed: null, windFrom: null }
    const data = { gateway: 'pole-2', epoch: 'forged', position, positionError: 1, clockError: null, weather: air }
    const draft = {
      name: 'arrival',
      time,
      exercise: true,
      data: { ...data, heardUntil: formatTime(time), arrivals: [] },
    }
    const source = '/test/pole-2/sensing/live'
    const topic = topicFor('arrival', other)
    for (let sequence = 1; sequence <= 1000; sequence += 1) {
      const forged = sealEvent({ ...draft, name: 'arrival' }, { source, epoch: 'forged', sequence }, stranger)
      await session.publish({ topic, payload: forged.bytes, qos: 1 })
    }
    await until('the forgery is named', () => /"gateway":"pole-2","why":"unknown-key"/.test(uplink.errors))
    const faults = () => {
      const events = heard.flatMap(({ event }) => (event?.name === 'fault' ? [event] : []))
      const ofNeighbours = events.filter(({ data: { part } }) => part.startsWith('neighbour/'))
      return [...new Map(ofNeighbours.map(event => [event.id, event.data])).values()]
    }
    await until('the hub is told', () => faults().length > 0)
    const status = await answerTo('status', commandBytes(keys.operator, { name: 'status', arguments: {} }))
    const refused = status?.result?.neighbours
    t.match(refused, { refused: { 'pole-2': { 'unknown-key': Number } } })
    t.match(
      faults(),
      [{ part: 'neighbour/pole-2', fault: 'neighbour-refused', code: 'PW_NEIGHBOUR_REFUSED', state: 'raised' }],
      'one fault for all',
    )
    const lines = uplink.errors.split('\n').filter(line => line.includes('message-refused'))
    t.ok(lines.length >= 1 && lines.length <= 6, `${lines.length} lines for a thousand forgeries`)
    const listed = polewatch('audit', 'list', '--config', file, '--action', 'neighbour-refused', '--json').output
    t.match(listed, /"subject":"pole-2"/)
    t.ok(listed.trim().split('\n').length <= 6, 'and as few audit records')
    const exchange = new ExchangeReader(join(folder, 'run', 'uplink.exchange.db'))
    t.same(exchange.after(undefined, ['arrival', 'claim']).posts, [])
    exchange.close()
  })

  t.equal(await uplink.stop(), 0)
  t.notOk(
    heard.some(({ topic: where }) => where.startsWith('polewatch/v1/test/pole-1/alert/gunfire')),
    'nobody made it speak on another topic',
  )
  t.ok(heard.filter(({ event }) => event?.name === 'command-result').every(({ topic: where }) => where === usual))
  t.equal(readFileSync(file, 'utf8'), configuration)
  t.notOk(existsSync(join(folder, 'state', 'requests')))
  const exchange = new ExchangeReader(join(folder, 'run', 'uplink.exchange.db'))
  t.same(
    exchange.after(undefined).posts.map(({ kind }) => kind),
    ['log-level'],
    'only the true operator reached others',
  )
  exchange.close()
  const chain = verifyChain(join(folder, 'state', 'uplink.journal.db'))
  // Twice for each of the 8 that were authorised, once for each refusal.
  t.ok(chain.valid && chain.records >= 8 * 2 + 13, 'all is in the audit chain')

  const pole2 = { site: 'test', gateway: 'pole-2' }
  const imposter = new LiveStream('test', 'pole-2', 'uplink', stranger)
  const claimed = { ...capabilities('pole-2', { uplink: stranger, sensing: stranger }), site: 'test' }
  const claim = { name: 'capabilities', time: Date.now() / 1000, exercise: true, data: claimed } as const
  await session.publish(imposter.request(claim, pole2))
  uplink = new RunningCommand('uplink', '--config', file)
  await connected()
  await session.publish({
    topic: topicFor('arrival', { ...pole2, cell: polesCell }),
    payload: Buffer.from('{}'),
    qos: 1,
  })
  await until('keys that changed while it was away are noticed', () =>
    uplink.errors.includes('PW_NEIGHBOUR_KEY_CHANGED'),
  )
  t.match(await answerTo('log-level', accepted), { code: 'PW_COMMAND_REPLAYED' }, 'a restart forgets nothing')
  const sender = new CommandSender({ url: broker.url, ...place, signingKey: keys.hub, timeout: 20 })
  const status = await sender.send({ name: 'status', purpose: 'operation', requestedBy: 'technician' })
  await sender.close()
  t.equal(status.data.outcome, 'done')
})
