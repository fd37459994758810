import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import net from 'node:net'
import { type Test, test } from 'tap'
import { longestWait } from '../../gateway/uplink/reconnection.js'
import { type CertificateFiles, clientTls, makeCertificates } from '../../scripts/delivery/certificates.js'
import { freePort, securedListener, startableMosquitto } from '../../scripts/delivery/mosquitto.js'
import { brokerKinds } from './brokers.js'
import { until } from './gateway.js'
import { connected5, sessionWith } from './running-session.js'

const [, mosquitto] = brokerKinds
const needsMosquitto = { skip: mosquitto?.missing ?? false }

/** A broker that takes connections and then says no more than what is given for each packet that comes. */
async function rawBroker(t: Test, answer: (packet: Buffer) => Buffer | null): Promise<string> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', packet => {
      const bytes = answer(packet)
      if (bytes !== null) socket.write(bytes)
    })
  })
  const port = await freePort()
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `mqtt://127.0.0.1:${port}`
}

test('a frame of WebSocket above the limit ends the connection before it is whole', async t => {
  const server = createServer()
  const sockets = new Set<net.Socket>()
  server.on('connection', socket => sockets.add(socket.on('error', () => undefined)))
  server.on('upgrade', ({ headers }, socket: net.Socket) => {
    const accept = createHash('sha1')
      .update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']
    socket.write([...lines, `Sec-WebSocket-Accept: ${accept}`, 'Sec-WebSocket-Protocol: mqtt', '', ''].join('\r\n'))
    const frame = (length: number) => {
      const header = Buffer.alloc(10)
      header[0] = 0x82
      header[1] = 127
      header.writeBigUInt64BE(BigInt(length), 2)
      return header
    }
    // The header of 90 MiB and not one byte of it: whoever assembles it waits for ever.
    socket.once('data', () => socket.write(Buffer.concat([frame(connected5.length), connected5, frame(90 << 20)])))
  })
  const port = await freePort()
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { changes } = sessionWith(t, { brokers: [`ws://127.0.0.1:${port}`] })
  await until('ended', () => changes.some(({ state }) => state === 'offline'))
  t.equal(changes.find(({ state }) => state === 'offline')?.reason, 'packet-too-large')
})

test(
  'a session works over WebSocket as it does over TCP, with what MQTT 5 adds for questions',
  needsMosquitto,
  async t => {
    const port = await freePort()
    const broker = await startableMosquitto({
      configuration: `listener ${port} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n`,
    })
    t.teardown(() => broker.remove())
    await broker.up()
    const there = sessionWith(t, { brokers: [broker.url], clientId: 'desk' })
    let heard = ''
    there.session.subscribe('question', 1, ({ payload, responseTopic, correlation }) => {
      heard = [payload, responseTopic ?? '', correlation ?? ''].map(each => Buffer.from(each).toString()).join(' ')
    })
    const { session } = sessionWith(t, { brokers: [`ws://127.0.0.1:${port}`] })
    await until('both online', () => session.online && there.session.online)
    const request = { topic: 'question', payload: Buffer.from('how'), qos: 1, responseTopic: 'answer' } as const
    t.equal(await session.publish({ ...request, correlation: Buffer.from('7') }), 0)
    await until('heard', () => heard !== '')
    t.equal(heard, 'how answer 7')
  },
)

test('a link that is dead though it looks alive is noticed by the keep-alive', async t => {
  const url = await rawBroker(t, packet => ((packet[0] ?? 0) >> 4 === 1 ? connected5 : null))
  const { changes } = sessionWith(t, { brokers: [url], keepalive: 1 })
  await until('noticed', () => changes.some(({ reason }) => reason === 'keepalive'))
  t.equal(changes.find(({ state }) => state === 'offline')?.reason, 'keepalive')
})

test('TLS is as strict over WebSocket as over TCP: both sides show a certificate that is checked', {
  skip: mosquitto?.missing ?? (spawnSync('openssl', ['version']).error && 'openssl is not installed') ?? false,
}, async t => {
  const folders = t.testdir({ good: {}, expired: {}, other: {} })
  const good = makeCertificates(`${folders}/good`)
  const expired = makeCertificates(`${folders}/expired`, -1)
  const other = makeCertificates(`${folders}/other`)
  const brokerWith = async (certificates: CertificateFiles) => {
    const port = await freePort()
    const configuration = `listener ${port} 127.0.0.1\nprotocol websockets\n${securedListener(certificates)}`
    const broker = await startableMosquitto({ certificates, configuration })
    t.teardown(() => broker.remove())
    await broker.up()
    return [`mqtts://127.0.0.1:${broker.port}`, `wss://127.0.0.1:${port}`]
  }
  const old = await brokerWith(expired)
  for (const [index, url] of (await brokerWith(good)).entries()) {
    const brokers = [url]
    const tls = clientTls(good)
    const { session } = sessionWith(t, { brokers, tls })
    await until('online', () => session.online)
    const refusals = [
      { brokers, tls: { ca: tls.ca }, reason: 'client-certificate' },
      { brokers, tls: { ...clientTls(other), ca: tls.ca }, reason: 'client-certificate' },
      { brokers, tls: { ...tls, ca: clientTls(other).ca }, reason: 'broker-certificate' },
      { brokers, tls: { ...tls, serverName: 'hub.example' }, reason: 'broker-certificate' },
      { brokers: old.slice(index, index + 1), tls: clientTls(expired), reason: 'broker-certificate' },
    ]
    for (const { reason, ...options } of refusals) {
      const refused = sessionWith(t, { ...options, clientId: 'refused' })
      await until(`${url} ${reason}`, () => refused.reasons().includes(reason))
      t.notOk(refused.changes.some(({ state }) => state === 'online'))
      await refused.session.stop()
    }
  }
})

test('waits are spread over the whole time from nothing to the longest, and grow with the outage', async t => {
  const absent = `mqtt://127.0.0.1:${await freePort()}`
  const waits: number[] = []
  for (const chance of [0, 0.3, 0.999]) {
    const { session, changes } = sessionWith(t, { brokers: [absent], random: () => chance })
    await until('a failure', () => changes.some(({ state }) => state === 'offline'))
    waits.push(changes.find(({ state }) => state === 'offline')?.retryIn ?? -1)
    await session.stop()
  }
  t.same(
    waits.map(wait => Math.round(wait * 10) / 10),
    [0, 1.5, 5],
  )
  t.same([0, 19, 60, 3600, 86_400].map(longestWait), [5, 5, 15, 60, 60])
})
