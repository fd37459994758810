import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { NeighbourRefusals } from '../../gateway/commands/neighbour-refusals.js'
import { Exchange, ExchangeReader } from '../../gateway/journal/exchange.js'
import { createSigningKey, publicJwkOf, type SigningKey } from '../../gateway/messages/keys.js'
import { sealEvent } from '../../gateway/messages/seal.js'
import type { MessageData } from '../../gateway/messages/table.js'
import { formatTime } from '../../gateway/messages/time.js'
import { topicFor } from '../../gateway/messages/topics.js'
import { Acquaintances } from '../../gateway/uplink/acquaintances.js'
import { Announcements } from '../../gateway/uplink/announcements.js'
import { KeyPins } from '../../gateway/uplink/key-pins.js'
import { LiveStream } from '../../gateway/uplink/live-stream.js'
import { cellOf, cellsAround, NeighbourGuard } from '../../gateway/uplink/neighbour-guard.js'
import { type NeighbourNotice, Neighbours } from '../../gateway/uplink/neighbours.js'
import { MqttSession } from '../../gateway/uplink/session.js'
import { documented } from '../hub/documented.js'
import { brokerKinds, startableMosquitto } from './brokers.js'
import { capabilities, sensingKey, site, uplinkKey } from './events.js'
import { until } from './gateway.js'

const here = { latitude: 40.4412, longitude: -79.9931, altitude: null }
const far = { latitude: 41.4412, longitude: -79.9931, altitude: null }
const cell = cellOf(here)

function arrivalData(gateway: string, now: number, position: typeof here = here): MessageData<'arrival'> {
  const air = { temperature: null, humidity: null, windSpeed: null, windFrom: null }
  const heardUntil = formatTime(now)
  return {
    gateway,
    epoch: 'session1',
    position,
    positionError: 1,
    clockError: null,
    heardUntil,
    weather: air,
    arrivals: [],
  }
}

interface ArrivalOptions {
  readonly gateway?: string
  readonly time?: number
  readonly sequence?: number
  readonly epoch?: string
  readonly key?: SigningKey
  readonly position?: typeof here
}

function arrival(options: ArrivalOptions = {}): Uint8Array {
  const {
    gateway = 'pole-2',
    time = 1000,
    sequence = 1,
    epoch = 'session1',
    key = sensingKey,
    position = here,
  } = options
  const draft = { name: 'arrival', time, exercise: true, data: arrivalData(gateway, time, position) } as const
  return sealEvent(draft, { source: `/${site}/${gateway}/sensing/live`, epoch, sequence }, key).bytes
}

test('the guard lets a neighbour’s fresh, signed arrivals pass and names what it refuses', async t => {
  const keys = new KeyPins()
  for (const gateway of ['pole-2', 'pole-3'])
    keys.give({ site, gateway, role: 'sensing', jwk: publicJwkOf(sensingKey.publicKey) })
  const guard = new NeighbourGuard({ site, gateway: 'pole-1', keys })
  const topic = topicFor('arrival', { site, gateway: 'pole-2', cell })
  const check = (bytes: Uint8Array, where = topic, now = 1000) => guard.check(where, bytes, now, 0).fault
  t.equal(check(arrival()), null)
  t.equal(check(arrival()), 'replayed')
  t.equal(check(arrival({ sequence: 5 })), null)
  t.equal(check(arrival({ sequence: 3 })), null, 'a claim may be overtaken')
  t.equal(check(arrival({ sequence: 5000 })), null)
  t.equal(check(arrival({ sequence: 4 })), 'replayed', 'but not by that much')
  t.equal(check(arrival({ sequence: 5001, time: 939 })), 'stale')
  t.equal(check(arrival({ sequence: 5001, time: 1006 })), 'from-the-future')
  t.equal(check(arrival({ sequence: 5001, gateway: 'pole-3' })), 'other-gateway')
  t.equal(check(arrival({ sequence: 5001, position: far })), 'other-cell')
  t.equal(check(arrival({ sequence: 5001, key: createSigningKey() })), 'unknown-key')
  const forged = Buffer.from(
    Buffer.from(arrival({ sequence: 5001 }))
      .toString()
      .replace('"positionError":1,', '"positionError":9,'),
  )
  t.equal(check(forged), 'forged')
  t.equal(check(Buffer.from('{}')), 'malformed')
  t.equal(check(Buffer.alloc(70_000, 32)), 'too-large')
  t.equal(check(arrival({ sequence: 5001 }), 'polewatch/v1/elsewhere/arrivals/dppn5/pole-2'), 'other-topic')
  t.equal(check(arrival({ gateway: 'pole-1' }), topicFor('arrival', { site, gateway: 'pole-1', cell })), 'own-name')
  t.equal(check(arrival({ epoch: 'session2' })), null, 'it has started anew')
  t.equal(check(arrival({ sequence: 6000 })), 'former-epoch')
  t.equal(check(arrival({ sequence: 5001, epoch: 'session2' })), null, 'nothing refused used a number up')
})

test('a neighbour that floods is slowed down and others are not', async t => {
  const keys = new KeyPins()
  for (const gateway of ['pole-2', 'pole-3'])
    keys.give({ site, gateway, role: 'sensing', jwk: publicJwkOf(sensingKey.publicKey) })
  const guard = new NeighbourGuard({ site, gateway: 'pole-1', keys, rate: 2, burst: 4 })
  const pass = (gateway: string, sequence: number, at: number) =>
    guard.check(topicFor('arrival', { site, gateway, cell }), arrival({ gateway, sequence }), 1000, at).fault
  t.same(
    [1, 2, 3, 4, 5].map(sequence => pass('pole-2', sequence, 0)),
    [null, null, null, null, 'too-fast'],
  )
  t.equal(pass('pole-3', 1, 0), null)
  t.same(
    [6, 7, 8].map(sequence => pass('pole-2', sequence, 1)),
    [null, null, 'too-fast'],
  )
})

test('a refused neighbour is one fault until it is quiet, and a line and a record a minute', async t => {
  let now = 0
  const said: string[] = []
  const refusals = new NeighbourRefusals({
    raise: (part, _state, fault) => said.push(`${part} ${fault}`),
    ready: part => said.push(`${part} ready`),
    log: ({ gateway, why }, count) => said.push(`log ${gateway} ${why} ${count}`),
    record: ({ action, subject, detail }) => said.push(`${action} ${subject} ${detail?.why} ${detail?.count}`),
    clock: () => now,
  })
  const taken = (): string[] => said.splice(0)
  const refuse = (gateway: string, why: 'forged' | 'stale' | 'unknown-key', times: number): void => {
    for (let time = 0; time < times; time += 1) refusals.take({ kind: 'message-refused', gateway, why })
  }
  refuse('pole-2', 'forged', 1000)
  t.same(taken(), ['log pole-2 forged 1', 'neighbour-refused pole-2 forged 1', 'neighbour/pole-2 neighbour-refused'])
  now = 61
  refusals.look()
  t.same(taken(), ['log pole-2 forged 999', 'neighbour-refused pole-2 forged 999'])
  refusals.take({ kind: 'capabilities-refused', gateway: 'pole-2', why: 'key-changed' })
  t.equal(taken().at(-1), 'neighbour/pole-2 neighbour-key-changed', 'what explains the rest takes its place')
  refuse('pole-2', 'unknown-key', 50)
  t.equal(taken().length, 2, 'and keeps it')
  now = 660
  refusals.look()
  t.notOk(taken().includes('neighbour/pole-2 ready'))
  now = 661
  refusals.look()
  t.same(taken(), ['neighbour/pole-2 ready'])
  refuse('pole-3', 'stale', 9)
  t.notOk(
    taken().some(line => line.startsWith('neighbour/')),
    'a slow network is no fault',
  )
  refuse('pole-3', 'stale', 1)
  t.same(taken(), ['neighbour/pole-3 neighbour-refused'])
  for (let count = 0; count < 1000; count += 1) refuse(`made-up-${count}`, 'forged', 1)
  t.equal(taken().filter(line => line.startsWith('log')).length, 32, 'made-up names fill nothing either')
})

test('of more gateways than can be listened to, the nearest are, and each other one is asked once', async t => {
  const listened = new Set<string>()
  const lost: string[] = []
  let asked = 0
  const acquaintances = new Acquaintances<string>({
    place: here,
    ask: gateway => {
      asked += 1
      listened.add(gateway)
    },
    leave: gateway => listened.delete(gateway),
    onSilent: (gateway, held) => lost.push(`${gateway} ${held.join()}`),
  })
  // Every seventh: neither from near to far nor the other way round.
  const order = Array.from({ length: 300 }, (_, index) => (index * 7) % 300)
  for (const round of [0, 1, 2]) {
    for (const index of order) {
      const gateway = `pole-${index}`
      if (acquaintances.heard(gateway, round) !== 'asked') continue
      acquaintances.hold(gateway, 'heard')
      acquaintances.answered(gateway, { ...here, latitude: here.latitude + index * 1e-4 }, round)
    }
  }
  const nearest = Array.from({ length: 200 }, (_, index) => `pole-${index}`).sort()
  t.same(acquaintances.names.sort(), nearest)
  t.same([...listened].sort(), nearest, 'and no subscription is left over')
  t.equal(asked, 300)

  for (const gateway of nearest) if (gateway !== 'pole-3') acquaintances.heard(gateway, 1000)
  acquaintances.heard('pole-new', 1000)
  acquaintances.answered('pole-new', { ...here, latitude: here.latitude + 1 }, 1000)
  t.notOk(acquaintances.names.includes('pole-3'), 'one that fell silent makes room first')
  for (let count = 0; count < 1000; count += 1) acquaintances.heard(`made-up-${count}`, 1001)
  t.ok(listened.size <= 232, 'made-up names take no place of the true ones')
  acquaintances.hold('made-up-1', 'kept')
  acquaintances.look(1032)
  t.ok(lost.includes('made-up-1 kept'), 'what is held is given up with whom it is of')
  t.equal(listened.size, 200)
})

test('a cell has eight around it', async t => {
  const cells = cellsAround(cell)
  t.equal(new Set(cells).size, 9)
  t.ok(cells.includes(cellOf({ latitude: here.latitude + 0.04, longitude: here.longitude + 0.04 })))
})

interface Pole {
  readonly sensing: Exchange
  readonly heard: () => { kind: string; body: Buffer }[]
  readonly neighbours: Neighbours<NonNullable<ReturnType<ExchangeReader['after']>['cursor']>>
  readonly notices: NeighbourNotice[]
  readonly live: LiveStream
  readonly session: MqttSession
}

function pole(
  t: Test,
  folder: string,
  gateway: string,
  broker: string,
  position: typeof here,
  keys: { uplink: SigningKey; sensing: SigningKey },
): Pole {
  const clock = () => Date.now() / 1000
  const paths = { sensing: join(folder, `${gateway}.sensing.db`), uplink: join(folder, `${gateway}.uplink.db`) }
  const sensing = Exchange.open({ path: paths.sensing, clock })
  const uplink = Exchange.open({ path: paths.uplink, clock })
  const outgoing = new ExchangeReader(paths.sensing)
  const incoming = new ExchangeReader(paths.uplink)
  const session = new MqttSession({ brokers: [broker], clientId: gateway, username: gateway, random: () => 0.05 })
  const stream = new LiveStream(site, gateway, 'uplink', keys.uplink)
  const announcements = new Announcements({ site, gateway, version: '0.1.0', exercise: true, stream, clock })
  announcements.setCapabilities(capabilities(gateway, keys))
  announcements.attach(session)
  const notices: NeighbourNotice[] = []
  const neighbours = new Neighbours({
    site,
    gateway,
    position,
    session,
    keys: new KeyPins(),
    outgoing,
    post: (kind, body) => uplink.post(kind, body),
    clock,
    onNotice: notice => notices.push(notice),
  })
  session.start()
  t.teardown(async () => {
    await session.stop()
    for (const each of [outgoing, incoming, sensing, uplink]) each.close()
  })
  const live = new LiveStream(site, gateway, 'sensing', keys.sensing)
  return { sensing, heard: () => [...incoming.after(undefined).posts], neighbours, notices, live, session }
}

test('with the access list of docs/hub.md neighbours learn each other’s keys and hear each other', {
  skip: brokerKinds.find(({ name }) => name.startsWith('Mosquitto'))?.missing ?? 'mosquitto is not installed',
}, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-neighbours-'))
  const list = join(folder, 'polewatch.acl')
  writeFileSync(list, documented('acl').replaceAll('/riverside/', `/${site}/`), { mode: 0o644 })
  const broker = await startableMosquitto({ configuration: `acl_file ${list}\n` })
  t.teardown(async () => {
    await broker.remove()
    rmSync(folder, { recursive: true })
  })
  await broker.up()
  const keysOf = () => ({ uplink: createSigningKey(), sensing: createSigningKey() })
  const [one, two] = ['pole-1', 'pole-2'].map(name => pole(t, folder, name, broker.url, here, keysOf()))
  if (one === undefined || two === undefined) throw new Error('no poles')
  await until('both online', () => one.session.online && two.session.online)
  const tell = (from: Pole, gateway: string): void => {
    const now = Date.now() / 1000
    const bytes = from.live.seal({ name: 'arrival', time: now, exercise: true, data: arrivalData(gateway, now) })
    from.sensing.post('arrival', bytes)
    from.neighbours.wake()
  }
  tell(one, 'pole-1')
  tell(two, 'pole-2')
  await until('each has heard the other', () => one.heard().length > 0 && two.heard().length > 0)
  t.same(
    [one.notices, two.notices],
    ['pole-2', 'pole-1'].map(gateway => [{ kind: 'neighbour-known', gateway }]),
  )
})

for (const kind of brokerKinds) {
  test(`neighbours hear each other's arrivals and claims, and nobody else's, with ${kind.name}`, {
    skip: kind.missing,
  }, async t => {
    const broker = await kind.create()
    t.teardown(() => broker.remove())
    await broker.up()
    const folder = t.testdir()
    const keysOf = () => ({ uplink: createSigningKey(), sensing: createSigningKey() })
    const second = keysOf()
    const one = pole(t, folder, 'pole-1', broker.url, here, { uplink: uplinkKey, sensing: sensingKey })
    const two = pole(t, folder, 'pole-2', broker.url, here, second)
    const away = pole(t, folder, 'pole-9', broker.url, far, keysOf())
    await until('all online', () => [one, two, away].every(each => each.session.online))
    const now = Date.now() / 1000
    const bytes = two.live.seal({ name: 'arrival', time: now, exercise: true, data: arrivalData('pole-2', now) })
    const id = 'pole-2/session1/1'
    const claim = two.live.seal({
      name: 'claim',
      time: now,
      exercise: true,
      data: {
        incident: 'pole-2-1',
        reporter: 'pole-2',
        earliest: { id, time: formatTime(now) },
        arrivals: [id],
        revision: 1,
        state: 'provisional',
        position: null,
        quality: 'heard',
        time: formatTime(now),
      },
    })
    two.sensing.post('arrival', bytes)
    two.sensing.post('claim', claim)
    two.sensing.post('cue', 'not for the network')
    two.neighbours.wake()
    await until('both heard', () => one.heard().length === 2)
    t.same(
      one
        .heard()
        .map(post => post.kind)
        .sort(),
      ['arrival', 'claim'],
    )
    t.same(one.heard().find(post => post.kind === 'arrival')?.body, Buffer.from(bytes), 'byte for byte')
    t.same([two.heard().length, away.heard().length], [0, 0])
    two.neighbours.wake()
    t.equal(two.neighbours.counters().published, 2, 'nothing is published twice')

    const liar = createSigningKey()
    const forged = new LiveStream(site, 'pole-2', 'sensing', liar)
    const draft = { name: 'arrival', time: now, exercise: true, data: arrivalData('pole-2', now) } as const
    await away.session.publish(forged.request(draft, { site, gateway: 'pole-2', cell }))
    const takeover = new LiveStream(site, 'pole-2', 'uplink', liar)
    const data = capabilities('pole-2', { uplink: liar, sensing: liar })
    await away.session.publish(
      takeover.request({ name: 'capabilities', time: now, exercise: true, data }, { site, gateway: 'pole-2' }),
    )
    await until('both refused', () => one.notices.length >= 3)
    t.same(one.notices, [
      { kind: 'neighbour-known', gateway: 'pole-2' },
      { kind: 'message-refused', gateway: 'pole-2', why: 'unknown-key' },
      { kind: 'capabilities-refused', gateway: 'pole-2', why: 'key-changed' },
    ])
    t.same(one.neighbours.counters().refused, { 'pole-2': { 'unknown-key': 1 } })
    t.equal(one.heard().length, 2)
  })
}

test('the access list of docs/hub.md lets neighbours learn each other’s keys and hear each other', {
  skip: brokerKinds.find(({ name }) => name.startsWith('Mosquitto'))?.missing ?? false,
}, async t => {
  const list = join(t.testdir({}), 'polewatch.acl')
  writeFileSync(list, documented('acl').replaceAll('/riverside/', `/${site}/`))
  const broker = await startableMosquitto({ configuration: `acl_file ${list}\n` })
  t.teardown(() => broker.remove())
  await broker.up()
  const folder = t.testdirName
  const keysOf = () => ({ uplink: createSigningKey(), sensing: createSigningKey() })
  const one = pole(t, folder, 'pole-1', broker.url, here, keysOf())
  const two = pole(t, folder, 'pole-2', broker.url, here, keysOf())
  await until('both online', () => one.session.online && two.session.online)
  const now = Date.now() / 1000
  const draft = { name: 'arrival', time: now, exercise: true, data: arrivalData('pole-2', now) } as const
  two.sensing.post('arrival', two.live.seal(draft))
  two.neighbours.wake()
  await until('heard', () => one.heard().length === 1)
  t.same(one.notices, [{ kind: 'neighbour-known', gateway: 'pole-2' }])
})
