import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { type Drive, opposite } from '../../drivers/digital-io/drive.js'
import { SimulatedIo } from '../../drivers/digital-io/simulator.js'
import { kernelClock } from '../../drivers/system-clock.js'
import { type Cue, followCues } from '../../gateway/commands/cues.js'
import { readPlates } from '../../gateway/commands/read-plates.js'
import { Relay, type RelaySettings } from '../../gateway/commands/relay.js'
import { Role } from '../../gateway/commands/role.js'
import { sayCondition } from '../../gateway/commands/role-health.js'
import { watchSwitches } from '../../gateway/commands/switches.js'
import { loadConfiguration } from '../../gateway/config/load.js'
import { loadPolicy } from '../../gateway/config/policy-file.js'
import { lampChanges, statusOf, statusPatterns, statusTable } from '../../gateway/health/status-lamp.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { openEvent } from '../../gateway/messages/seal.js'
import { parseTime } from '../../gateway/messages/time.js'
import { writeGateway } from '../uplink/attack.js'
import { polewatch, until } from './polewatch.js'

const [door, mains, loop, lamp, alarm, horn] = [1, 2, 3, 4, 5, 6]

const terminals = {
  name: 'terminals',
  driver: 'libgpiod',
  chip: 'gate box',
  inputs: [
    { name: 'door', use: 'enclosure', line: door },
    { name: 'mains', use: 'power-fail', line: mains },
    { name: 'loop', use: 'reader-trigger', line: loop, lane: '2', active: 'high' },
  ],
  outputs: [
    { name: 'lamp', use: 'status-led', line: lamp },
    { name: 'alarm', use: 'relay', line: alarm, follows: ['healthy'], active: 'low' },
    { name: 'horn', use: 'relay', line: horn, follows: ['enclosure-opened', 'power-failed', 'reader-trigger'] },
  ],
}

/** A chip that notes how its outputs are driven. */
class NotedIo extends SimulatedIo {
  readonly drives: (Drive & { readonly line: number })[] = []

  override set(line: number, drive: Drive): void {
    this.drives.push({ line, ...drive })
    super.set(line, drive)
  }

  lastOf(line: number): Drive | undefined {
    return this.drives.findLast(drive => drive.line === line)
  }
}

/** A pole with its switches, whose sensing role can be started again. */
class Pole {
  readonly folder: string
  readonly io: NotedIo
  readonly #t: Test
  #stop: (() => Promise<void>) | null = null

  constructor(t: Test, more: { path: string[]; value: unknown }[] = []) {
    this.#t = t
    this.folder = t.testdir()
    const keys = { hub: createSigningKey(), operator: createSigningKey() }
    writeGateway(this.folder, 'mqtt://127.0.0.1:1', keys, [
      { path: ['digitalIo'], value: [terminals] },
      { path: ['log'], value: { level: 'fatal' } },
      ...more,
    ])
    const outputs = [
      { line: lamp, released: 'low' },
      { line: alarm, released: 'high' },
      { line: horn, released: 'low' },
    ] as const
    this.io = new NotedIo({ name: 'terminals', inputs: [door, mains, loop], outputs, clock: kernelClock })
    this.io.plug(true)
  }

  get configuration() {
    return loadConfiguration(join(this.folder, 'gateway.yaml'))
  }

  start(also: (role: Role, signal: AbortSignal) => Promise<void> = async () => {}): Role {
    const role = new Role('sensing', this.configuration)
    const controller = new AbortController()
    const running = Promise.all([
      watchSwitches(role, controller.signal, async () => this.io),
      also(role, controller.signal),
    ])
    this.#stop = async () => {
      controller.abort()
      await running
      role.close()
    }
    this.#t.teardown(() => this.stop())
    return role
  }

  async stop(): Promise<void> {
    const stop = this.#stop
    this.#stop = null
    await stop?.()
  }

  /** Contacts bounce. */
  move(line: number, level: 'high' | 'low'): void {
    for (const one of [level, opposite(level), level]) this.io.move(line, one)
  }

  events() {
    const reader = new JournalReader(join(this.folder, 'state', 'sensing.journal.db'))
    const rows = reader.streams().flatMap(({ source, epoch }) => reader.read(source, epoch, 0, 100))
    reader.close()
    return rows.map(({ bytes }) => openEvent(bytes))
  }

  /** Alerts as `door enclosure-opened raised`. */
  alerts(): string[] {
    return this.events().map(event => {
      if (event.name === 'tamper') return `${event.data.part} ${event.data.tamper} ${event.data.state}`
      return event.name === 'fault' ? `${event.data.part} ${event.data.fault} ${event.data.state}` : event.name
    })
  }

  async told(count: number): Promise<string[]> {
    await until(() => this.alerts().length >= count, `${count} alerts`)
    return this.alerts()
  }
}

test('an opened enclosure is told once and once when it is closed, with the time of the first contact, over restarts', async t => {
  const pole = new Pole(t)
  pole.start()
  const before = Date.now() / 1000
  await until(() => pole.io.lastOf(lamp), 'the lamp')
  pole.move(door, 'high')
  t.same(await pole.told(1), ['door enclosure-opened raised'])
  await until(() => pole.io.lastOf(horn)?.level === 'high', 'the relay')
  t.same(pole.io.lastOf(lamp)?.changes, lampChanges('enclosure-open'))

  await pole.stop()
  t.same(
    [lamp, alarm, horn].map(line => pole.io.levelOf(line)),
    ['low', 'high', 'low'],
    'released',
  )
  pole.start()
  await until(() => pole.io.levelOf(horn) === 'high', 'the relay again')
  t.same(pole.alerts(), ['door enclosure-opened raised'], 'it is still the same opening')

  await pole.stop()
  pole.io.move(door, 'low')
  pole.start()
  t.same(await pole.told(2), ['door enclosure-opened raised', 'door enclosure-opened cleared'])
  const [raised, cleared] = pole.events()
  if (raised?.name !== 'tamper' || cleared?.name !== 'tamper') throw new Error('two tamper alerts')
  t.equal(raised.data.since, cleared.data.since)
  t.ok(parseTime(raised.data.since) >= before - 0.1)
  t.equal(pole.io.levelOf(horn), 'low')
})

test('failed mains is a fault until there is power, shows on the lamp and drops the contact that follows health', async t => {
  const pole = new Pole(t)
  const role = pole.start()
  await until(() => pole.io.levelOf(alarm) === 'low', 'the contact of a healthy unit')
  t.same(pole.io.lastOf(lamp)?.changes, lampChanges('offline'), 'nobody has said that there is a connection')
  pole.move(mains, 'high')
  t.same(await pole.told(1), ['mains power-failed raised'])
  await until(() => pole.io.levelOf(alarm) === 'high', 'the contact')
  t.same(pole.io.lastOf(lamp)?.changes, lampChanges('power-failed'))
  t.match(
    role.parts.find(({ part }) => part === 'mains'),
    { state: 'faulty', fault: 'power-failed' },
  )
  pole.move(mains, 'low')
  t.same(await pole.told(2), ['mains power-failed raised', 'mains power-failed cleared'])
  await until(() => pole.io.levelOf(alarm) === 'low', 'the contact')

  const uplink = new Role('uplink', pole.configuration)
  t.teardown(() => uplink.close())
  uplink.exchange.set('online', 'true')
  await until(
    () => pole.io.lastOf(lamp)?.changes.join() === lampChanges('good').join(),
    'the lamp of a unit that is well',
  )
})

test('a contact that does not come to rest is a fault, and silences nothing', async t => {
  const pole = new Pole(t)
  pole.start()
  await until(() => pole.io.lastOf(lamp), 'the lamp')
  pole.io.move(door, 'high')
  await pole.told(1)
  const now = kernelClock.monotonic()
  for (let index = 0; index < 300; index += 1) pole.io.move(door, index % 2 ? 'high' : 'low', now + index * 0.01)
  t.same(await pole.told(2), ['door enclosure-opened raised', 'door switch-restless raised'])
  t.equal(pole.io.levelOf(horn), 'high')
  pole.io.move(door, 'low', now + 10)
  t.same((await pole.told(4)).slice(2).sort(), ['door enclosure-opened cleared', 'door switch-restless cleared'])
})

test('a chip that goes away is a fault, and when it comes back its outputs are driven anew', async t => {
  const pole = new Pole(t)
  pole.start()
  await until(() => pole.io.levelOf(alarm) === 'low', 'the contact')
  pole.io.plug(false)
  t.same(await pole.told(1), ['terminals device-absent raised'])
  const driven = pole.io.drives.length
  pole.io.plug(true)
  t.same(await pole.told(2), ['terminals device-absent raised', 'terminals device-absent cleared'])
  await until(() => pole.io.drives.length > driven && pole.io.levelOf(alarm) === 'low', 'the contact')
})

test('a vehicle at a trigger asks the cameras over its lane for a look, and works its relay', async t => {
  const camera = { name: 'street', driver: 'simulator', plates: ['POLE123'], interval: 60 }
  const pole = new Pole(t, [{ path: ['cameras'], value: [camera] }])
  pole.start()
  const vision = new Role('vision', pole.configuration)
  const controller = new AbortController()
  const cues: Cue[] = []
  const following = followCues(vision, cue => cues.push(cue), controller.signal)
  await until(() => {
    const now = kernelClock.monotonic()
    pole.io.move(loop, 'high', now - 1)
    pole.io.move(loop, 'low', now - 0.5)
    return cues.length > 0
  }, 'a cue')
  t.match(cues[0], { lane: '2', seconds: 3 })
  t.ok(pole.io.drives.some(({ line, level }) => line === horn && level === 'high'))
  controller.abort()
  await following
  vision.close()
})

test('a hit moves no relay', async t => {
  const reader = { name: 'lane', driver: 'simulator', plates: ['WATCH17'], interval: 0.2, lane: '2' }
  const pole = new Pole(t, [
    { path: ['plateReaders'], value: [reader] },
    { path: ['hotlist', 'lists'], value: [{ name: 'wanted' }] },
  ])
  const list = join(pole.folder, 'list.csv')
  const expires = new Date(Date.now() + 86_400_000).toISOString()
  writeFileSync(list, `plate,state,purpose,expires,id\nWATCH17,PA,stolen-vehicle,${expires},1\n`)
  const file = join(pole.folder, 'gateway.yaml')
  t.equal(polewatch('hotlist', 'import', '--config', file, list).status, 0)
  pole.start((role, signal) => readPlates(role, loadPolicy(null), signal))
  await until(() => pole.alerts().includes('plate-hit'), 'a hit')
  await until(() => pole.io.levelOf(alarm) === 'low', 'the contact of a healthy unit')
  await pole.stop()
  t.same(
    pole.io.drives.filter(({ line, level }) => line === horn && level === 'high'),
    [],
  )
  t.same(
    pole.io.drives.filter(({ line, level }) => line === alarm && level === 'high'),
    [],
  )
})

test('what is wrong with uplink shows on the lamp and drops the contact that follows health, but for the broker', async t => {
  const pole = new Pole(t)
  const uplink = new Role('uplink', pole.configuration)
  t.teardown(() => uplink.close())
  uplink.raise('broker', 'absent', 'broker-unreachable', 'There is no connection.', null)
  sayCondition(uplink)
  pole.start()
  await until(() => pole.io.levelOf(alarm) === 'low', 'the contact of a healthy unit')
  t.same(pole.io.lastOf(lamp)?.changes, lampChanges('offline'))
  uplink.raise('machine', 'faulty', 'machine-undervoltage', 'The voltage is low.', null)
  sayCondition(uplink)
  await until(() => pole.io.levelOf(alarm) === 'high', 'the contact')
  t.same(pole.io.lastOf(lamp)?.changes, lampChanges('fault'))
  uplink.ready('machine')
  sayCondition(uplink)
  await until(() => pole.io.levelOf(alarm) === 'low', 'the contact again')
})

test('a relay works while what it follows holds, not shorter and not longer than it is told', t => {
  const works = (limits: Partial<RelaySettings>, ...steps: readonly (readonly [number, boolean])[]) => {
    const relay = new Relay({
      ...{ name: 'horn', line: 6, use: 'relay', active: 'high', follows: ['power-failed'] },
      ...{ atLeastSeconds: 0, atMostSeconds: null, ...limits },
    })
    return steps.map(([now, failed]) => relay.works(failed ? ['healthy', 'power-failed'] : ['healthy'], now))
  }
  t.same(works({}, [0, false], [1, true], [500, true], [501, false]), [false, true, true, false])
  t.same(works({ atLeastSeconds: 5 }, [0, true], [1, false], [4.9, false], [5, false]), [true, true, true, false])
  t.same(works({ atMostSeconds: 5 }, [0, true], [4, true], [5, true], [6, false], [7, true]), [
    true,
    true,
    false,
    false,
    true,
  ])
  t.end()
})

test('the lamp shows the gravest of what holds, each by another number of flashes, as the page says', t => {
  const well = { enclosureOpen: false, powerFailed: false, faulty: false, online: true }
  t.same(
    [
      { ...well, enclosureOpen: true, powerFailed: true, faulty: true, online: false },
      { ...well, powerFailed: true, faulty: true, online: false },
      { ...well, faulty: true, online: false },
      { ...well, online: false },
      well,
    ].map(statusOf),
    ['enclosure-open', 'power-failed', 'fault', 'offline', 'good'],
  )
  const changes = statusPatterns.map(({ name }) => lampChanges(name).length)
  t.same(
    changes,
    statusPatterns.map(({ flashes }) => 2 * flashes),
  )
  t.equal(new Set(changes).size, statusPatterns.length)
  t.ok(readFileSync('docs/switches.md', 'utf8').includes(`\n${statusTable()}\n`), 'docs/switches.md has the table')
  t.end()
})
