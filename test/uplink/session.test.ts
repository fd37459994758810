import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import tls from 'node:tls'
import { type Test, test } from 'tap'
import { NotDelivered } from '../../gateway/uplink/connection.js'
import { filterMatcher } from '../../gateway/uplink/filters.js'
import { brokerKinds, freePort, type TestBroker } from './brokers.js'
import { until } from './gateway.js'
import { connected5, sessionWith } from './running-session.js'

const [aedes, mosquitto] = brokerKinds

async function brokerOf(t: Test, kind: typeof aedes): Promise<TestBroker> {
  if (kind === undefined) throw new Error('no such broker')
  const broker = await kind.create()
  t.teardown(() => broker.remove())
  await broker.up()
  return broker
}

/** Listens on loopback and keeps what connects, to cut it. */
async function listen(t: Test, server: net.Server): Promise<{ port: number; cut: () => void }> {
  const sockets = new Set<net.Socket>()
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  const port = await freePort()
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  const cut = () => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
  }
  t.teardown(() => {
    cut()
    server.close()
  })
  return { port, cut }
}

/** Sends the bytes to whoever connects, after the first packet came, and nothing ever after. */
function rawBroker(answer: Buffer): net.Server {
  return net.createServer(socket => socket.once('data', () => socket.write(answer)))
}

test('a broker that refuses MQTT 5 gets 3.1.1, at once and from then on', async t => {
  const broker = await brokerOf(t, aedes)
  const { session, changes, reasons } = sessionWith(t, { brokers: [broker.url] })
  await until('online', () => session.online)
  t.same(reasons(), ['connecting', 'protocol-version', 'connecting', 'online'])
  t.same(
    changes.map(change => change.protocol),
    [5, 5, 4, 4],
  )
  await broker.down()
  await until('offline', () => !session.online)
  await broker.up()
  await until('online again', () => session.online)
  t.notOk(changes.slice(4).some(change => change.protocol === 5))
})

test('brokers are tried in order, and what is wrong with each is named', async t => {
  const broker = await brokerOf(t, aedes)
  const silent = await listen(t, net.createServer())
  const brokers = [
    'gopher://127.0.0.1:1',
    `mqtt://127.0.0.1:${await freePort()}`,
    `mqtt://user:secret@127.0.0.1:${silent.port}`,
  ]
  const { session, changes } = sessionWith(t, { brokers: [...brokers, broker.url], connectTimeout: 0.3 })
  await until('online', () => session.online)
  const failures = changes.filter(change => change.state === 'offline').map(change => change.reason)
  t.same(failures, ['broker-url', 'broker-absent', 'no-answer', 'protocol-version'])
  t.notMatch(JSON.stringify(changes), /secret/)
  t.ok(changes.every(change => change.retryIn === null || change.retryIn <= 5))
})

test('a publication is settled once: with the reason code, or with why it is not known to have arrived', async t => {
  const deaf = await listen(t, rawBroker(connected5))
  const { session, changes } = sessionWith(t, { brokers: [`mqtt://127.0.0.1:${deaf.port}`], acknowledgeTimeout: 1 })
  const payload = Buffer.from('x')
  const before = await session.publish({ topic: 'a', payload, qos: 1 }).catch((error: unknown) => error)
  t.ok(before instanceof NotDelivered && before.reason === 'offline', 'nothing is queued')
  await until('online', () => session.online)
  t.equal(await session.publish({ topic: 'a', payload, qos: 0 }), 0)
  const error = await session.publish({ topic: 'a', payload, qos: 1 }).catch((failure: unknown) => failure)
  t.ok(error instanceof NotDelivered && error.reason === 'no-acknowledgement')
  t.equal(changes.find(change => change.state === 'offline')?.reason, 'no-acknowledgement')
})

test('a packet announced as larger than allowed ends the connection before it is read', async t => {
  const huge = await listen(
    t,
    rawBroker(Buffer.concat([connected5, Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, 97])])),
  )
  const { changes } = sessionWith(t, { brokers: [`mqtt://127.0.0.1:${huge.port}`] })
  await until('refused', () => changes.some(change => change.reason === 'packet-too-large'))
  t.pass()
})

test('a session whose client id another one has claimed gives way for half a minute or more', async t => {
  const takenOver = Buffer.from([0xe0, 2, 0x8e, 0])
  const { port } = await listen(t, rawBroker(Buffer.concat([connected5, takenOver])))
  const { changes } = sessionWith(t, { brokers: [`mqtt://127.0.0.1:${port}`] })
  await until('taken over', () => changes.some(change => change.reason === 'taken-over'))
  t.equal(changes.find(change => change.reason === 'taken-over')?.retryIn, 31.5)
})

test('a broker’s limits are kept', async t => {
  // Receive maximum 7, maximum packet size 200.
  const limits = Buffer.from([0x20, 11, 0, 0, 8, 0x21, 0, 7, 0x27, 0, 0, 0, 200])
  const small = await listen(t, rawBroker(limits))
  const { session } = sessionWith(t, { brokers: [`mqtt://127.0.0.1:${small.port}`] })
  await until('online', () => session.online)
  t.equal(session.receiveMaximum, 7)
  const error = await session
    .publish({ topic: 'a', payload: Buffer.alloc(300), qos: 1 })
    .catch((failure: unknown) => failure)
  t.ok(error instanceof NotDelivered && error.reason === 'packet-too-large')
  t.ok(session.online, 'the broker never saw it')
})

test('a broker that hangs up without a word is asked for 3.1.1 in the end', async t => {
  const old = net.createServer(socket => {
    socket.once('data', packet => {
      // Protocol level: the byte after the name.
      if (packet[8] === 4) socket.write(Buffer.from([0x20, 2, 0, 0]))
      else socket.destroy()
    })
  })
  const { port } = await listen(t, old)
  const { session, changes } = sessionWith(t, { brokers: [`mqtt://127.0.0.1:${port}`] })
  await until('online', () => session.online)
  t.same(
    changes.filter(change => change.state === 'connecting').map(change => change.protocol),
    [5, 5, 4],
  )
})

test('birth and will are retained on one topic with one session id, and a short loss brings no will', {
  skip: mosquitto?.missing ?? false,
}, async t => {
  const broker = await brokerOf(t, mosquitto)
  const proxy = await listen(
    t,
    net.createServer(socket => {
      const upstream = net.connect(broker.port, '127.0.0.1')
      socket.pipe(upstream).pipe(socket)
      upstream.on('error', () => undefined)
      // What the broker said last must get through before the end.
      upstream.on('close', () => socket.end())
      socket.on('close', () => upstream.destroy())
    }),
  )
  const seen: string[] = []
  const watcher = sessionWith(t, { brokers: [broker.url], clientId: 'watcher' })
  watcher.session.subscribe('pole/status', 1, message => seen.push(Buffer.from(message.payload).toString()))
  await until('watching', () => watcher.session.online)
  const presence = { topic: 'pole/status', payload: (state: string, id: string) => Buffer.from(`${state} ${id}`) }
  const { session } = sessionWith(t, { brokers: [`mqtt://127.0.0.1:${proxy.port}`], presence, willDelay: 1 })
  await until('birth', () => seen.length === 1)
  const first = session.change.session
  t.equal(seen[0], `online ${first}`)
  proxy.cut()
  await until('born again', () => seen.length === 2)
  const second = session.change.session
  t.not(second, first)
  t.equal(seen[1], `online ${second}`, 'no will of the first session came between')
  await session.stop()
  const third = sessionWith(t, { brokers: [broker.url], presence })
  await until('third birth', () => third.session.online)
  const { session: id } = third.session.change
  await third.session.stop()
  await until('farewell', () => seen.at(-1) === `offline ${id}`)
  let retained = ''
  const late = sessionWith(t, { brokers: [broker.url], clientId: 'late' })
  late.session.subscribe('pole/status', 1, message => {
    retained = Buffer.from(message.payload).toString()
  })
  await until('retained', () => retained !== '')
  t.equal(retained, `offline ${id}`)
})

const openssl = spawnSync('openssl', ['version']).error === undefined ? false : 'openssl is not installed'

test('TLS: a broker with a certificate of the wrong authority is refused, and a client certificate is shown', {
  skip: openssl,
}, async t => {
  const folder = t.testdir()
  const run = (...words: string[]) => spawnSync('openssl', words, { cwd: folder })
  const self = (name: string) =>
    run(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-addext',
      'subjectAltName=IP:127.0.0.1',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.crt`,
    )
  for (const name of ['broker', 'client', 'other']) self(name)
  const pem = (name: string) => readFileSync(join(folder, name), 'utf8')
  let shown = ''
  const server = tls.createServer(
    {
      key: pem('broker.key'),
      cert: pem('broker.crt'),
      ca: pem('client.crt'),
      requestCert: true,
      rejectUnauthorized: true,
    },
    socket => {
      shown = `${socket.getPeerCertificate().subject.CN} ${socket.getProtocol()}`
      socket.on('error', () => undefined)
      socket.once('data', () => socket.write(connected5))
    },
  )
  const { port } = await listen(t, server)
  const brokers = [`mqtts://127.0.0.1:${port}`]
  const client = { cert: pem('client.crt'), key: pem('client.key') }
  const good = sessionWith(t, { brokers, tls: { ...client, ca: pem('broker.crt') } })
  await until('online', () => good.session.online)
  t.equal(shown, 'client TLSv1.3')
  const wrong = sessionWith(t, { brokers, tls: { ...client, ca: pem('other.crt') } })
  await until('refused', () => wrong.changes.some(change => change.reason === 'broker-certificate'))
  const anonymous = sessionWith(t, { brokers, tls: { ca: pem('broker.crt') } })
  await until('refused by the broker', () => anonymous.changes.some(change => change.reason === 'client-certificate'))
  t.notOk(wrong.session.online || anonymous.session.online)
})

test('filters match as MQTT says', async t => {
  const matches = (filter: string, topic: string) => filterMatcher(filter)(topic)
  t.ok(matches('a/+/c', 'a/b/c') && matches('a/#', 'a/b/c') && matches('a/#', 'a') && matches('$share/g/a/+', 'a/b'))
  t.notOk(matches('a/+', 'a/b/c') || matches('a/b', 'a') || matches('a/+/c', 'a/b/d'))
})
