import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { HeldAlerts } from '../../gateway/commands/held-alerts.js'
import { Role } from '../../gateway/commands/role.js'
import { deliver } from '../../gateway/commands/uplink-delivery.js'
import { loadConfiguration } from '../../gateway/config/load.js'
import { PolewatchError } from '../../gateway/errors.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { openEvent } from '../../gateway/messages/seal.js'
import { formatSequence } from '../../gateway/messages/stream.js'
import type { EventDraft } from '../../gateway/messages/table.js'
import { spoilAudit } from '../journal/spoil.js'
import { writeGateway } from '../uplink/attack.js'
import { faultDraft, gunfireDraft } from '../uplink/events.js'
import { until } from '../uplink/gateway.js'
import { folderOf, RunningCommand } from './polewatch.js'

test('a read-only disk is named to the hub, and its return is noticed without a restart', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-disk-'))
  const state = join(folder, 'state')
  const opened: { close(): void }[] = []
  t.teardown(() => {
    for (const each of opened) each.close()
    spawnSync('umount', [state])
    rmSync(folder, { recursive: true })
  })
  writeGateway(folder, 'mqtt://127.0.0.1:1', { hub: createSigningKey(), operator: createSigningKey() }, [
    { path: ['log'], value: { level: 'fatal' } },
  ])
  mkdirSync(state, { recursive: true })
  const mount = (options: string) => spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', state])
  const mounted = mount('size=32m')
  if (mounted.status !== 0) {
    t.pass('a disk that cannot be written', { skip: `no disk can be mounted here: ${String(mounted.stderr).trim()}` })
    return
  }
  const configuration = loadConfiguration(join(folder, 'gateway.yaml'))
  new Role('sensing', configuration).close()
  t.equal(mount('remount,ro').status, 0)
  const role = new Role('sensing', configuration)
  opened.push(role)
  const disk = () => role.parts.find(({ part }) => part === 'disk')
  t.match(
    disk(),
    { state: 'faulty', fault: 'disk-read-only' },
    'the health message names it while no alert can be stored',
  )
  await t.rejects(role.append(gunfireDraft('shot-in-the-dark')), { code: 'PW_JOURNAL_READ_ONLY' })
  t.equal(mount('remount,rw').status, 0)
  await until('the disk is written again', () => disk()?.state === 'ready')
  const reader = new JournalReader(join(state, 'sensing.journal.db'))
  opened.push(reader)
  const told = () => toldBy(reader)
  await until('all is stored', () => told().length === 3)
  t.same(
    told().sort(),
    ['disk-read-only cleared', 'disk-read-only raised', 'gunfire'],
    'a shot that the disk refused, too',
  )
})

test('of more refused alerts than there is room for the least important goes first, and none is committed twice', async t => {
  const refusal = new PolewatchError('PW_JOURNAL_DISK_FULL', { file: 'journal.db' })
  const committed: EventDraft[] = []
  let refuses = true
  const held = new HeldAlerts(async draft => {
    if (refuses) throw refusal
    committed.push(draft)
  }, 3)
  t.teardown(() => held.close())
  const [first, second] = [gunfireDraft('first'), gunfireDraft('second')]
  const [sound, light] = [faultDraft('sound'), faultDraft('light')]
  t.equal(held.hold(first, new Error('no fault of the disk')), undefined)
  for (const draft of [sound, first, light]) t.equal(held.hold(draft, refusal), undefined)
  t.equal(held.hold(second, refusal), sound)
  await held.tryAgain()
  t.same(committed, [], 'as long as the disk refuses')
  refuses = false
  await Promise.all([held.tryAgain(), held.tryAgain()])
  await held.tryAgain()
  t.same(committed, [first, light, second])
})

test('a full journal tells what it gives up at once and then once a minute, and after a restart what nobody has told', async t => {
  const folder = folderOf(t)
  const file = writeGateway(folder, 'mqtt://127.0.0.1:1', { hub: createSigningKey(), operator: createSigningKey() }, [
    { path: ['log'], value: { level: 'fatal' } },
    { path: ['journal'], value: { byteLimit: '1 MiB' } },
  ])
  const configuration = loadConfiguration(file)
  const reader = new JournalReader(join(folder, 'state', 'sensing.journal.db'))
  const opened: { close(): void }[] = [reader]
  t.teardown(() => {
    for (const each of opened) each.close()
  })
  const role = new Role('sensing', configuration)
  opened.push(role)
  const append = (count: number) =>
    Promise.all(Array.from({ length: count }, () => role.append(faultDraft('x'.repeat(400)))))
  while (role.journal.pendingShed().length === 0) await append(20)
  const events = () =>
    reader
      .streams()
      .flatMap(({ source, epoch }) => reader.read(source, epoch, 0, 10_000))
      .map(({ bytes }) => openEvent(bytes))
  const told = () => events().flatMap(event => (event.name === 'shed' ? event.data.ranges : []))
  await until('the first are told of', () => told().length > 0)
  await append(1)
  await append(50)
  t.same(told(), [], 'the report itself makes room for faults, and none is made for each of them')
  role.close()
  opened.push(new Role('sensing', configuration))
  await until('all are told of', () => told().length > 0)
  const numbers = told().flatMap(({ stream, first, last }) =>
    Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => `${stream} ${Number(first) + index}`),
  )
  for (const { source, sequence } of events()) numbers.push(`${source} ${Number(sequence)}`)
  const all = reader
    .streams()
    .flatMap(({ source, lastSequence }) => Array.from({ length: lastSequence }, (_, index) => `${source} ${index + 1}`))
  t.same(numbers.sort(), all.sort(), 'every number is held or named, and none is both')
})

test('numbers that went with a damaged journal are named to the hub once, also when the damage shows while the role runs', async t => {
  const folder = folderOf(t)
  const file = writeGateway(folder, 'mqtt://127.0.0.1:1', { hub: createSigningKey(), operator: createSigningKey() }, [
    { path: ['log'], value: { level: 'fatal' } },
  ])
  const configuration = loadConfiguration(file)
  const path = join(folder, 'state', 'sensing.journal.db')
  const reader = new JournalReader(path)
  t.teardown(() => reader.close())
  const told = () =>
    reader
      .streams()
      .flatMap(({ source, epoch }) => reader.read(source, epoch, 0, 100))
      .map(({ bytes }) => openEvent(bytes))
      .flatMap(event => (event.name === 'shed' ? [event.data] : []))
  const lost = (epoch: string | null, last: number) => {
    const range = {
      stream: '/test/pole-1/sensing/fault',
      epoch,
      first: formatSequence(1),
      last: formatSequence(last),
    }
    return { ranges: [range], count: last, reason: 'journal-damaged' }
  }
  const begun = new Role('sensing', configuration)
  const former = begun.journal.epoch
  for (const detail of ['one', 'two']) await begun.append(faultDraft(detail))
  begun.close()
  spoilAudit(path)
  const next = new Role('sensing', configuration)
  await until('it is told', () => told().length > 0)
  t.match(told(), [lost(former, 2)])
  next.close()
  const last = new Role('sensing', configuration)
  t.teardown(() => last.close())
  await last.append(faultDraft('three'))
  t.equal(told().length, 1, 'and not again')
  const { epoch } = last.journal
  const count = Number(reader.streams().find(({ source }) => source.endsWith('/fault'))?.lastSequence)
  spoilAudit(path)
  await last.append(faultDraft('four')).catch(() => {})
  await until('that is told', () => told().some(({ ranges }) => ranges.some(range => range.epoch === epoch)))
  t.match(
    told().map(({ ranges }) => ranges.filter(({ stream }) => stream.endsWith('/fault'))),
    [lost(epoch, count).ranges],
  )
})

/** Every alert of a journal: its name, or the fault that it tells and whether that began or is over. */
function toldBy(reader: JournalReader): string[] {
  return reader.streams().flatMap(({ source, epoch }) =>
    reader.read(source, epoch, 0, 100).map(({ bytes }) => {
      const event = openEvent(bytes)
      return event.name === 'fault' ? `${event.data.fault} ${event.data.state}` : event.name
    }),
  )
}

test('every damaged file is told to the hub by the role that owns it', async t => {
  const folder = folderOf(t)
  const file = writeGateway(folder, 'mqtt://127.0.0.1:1', { hub: createSigningKey(), operator: createSigningKey() })
  mkdirSync(join(folder, 'state'))
  for (const name of ['sensing.journal', 'uplink.delivery', 'uplink.requests'])
    writeFileSync(join(folder, 'state', `${name}.db`), 'garbage '.repeat(1000))
  const roles = ['sensing', 'uplink'].map(name => new RunningCommand(name, '--config', file))
  t.teardown(() => Promise.all(roles.map(role => role.stop())))
  const readers = ['sensing', 'uplink'].map(name => new JournalReader(join(folder, 'state', `${name}.journal.db`)))
  t.teardown(() =>
    readers.forEach(reader => {
      reader.close()
    }),
  )
  const told = () => {
    try {
      return readers.flatMap(toldBy)
    } catch {
      // Unreadable until its owner has set it aside.
      return []
    }
  }
  for (const fault of ['journal-damaged', 'progress-damaged', 'requests-damaged'])
    await until(fault, () => told().includes(`${fault} raised`))
})

test('a hub that is not there is told, and that it is there again', async t => {
  const folder = folderOf(t)
  const hub = createSigningKey()
  const file = writeGateway(folder, 'mqtt://127.0.0.1:1', { hub, operator: createSigningKey() }, [
    { path: ['log'], value: { level: 'fatal' } },
    { path: ['uplink', 'acknowledge'], value: 'broker' },
  ])
  const role = new Role('uplink', loadConfiguration(file))
  t.teardown(() => role.close())
  const journal = new JournalReader(join(folder, 'state', 'uplink.journal.db'))
  t.teardown(() => journal.close())
  const noSubscribers = 0x10
  let answer = noSubscribers
  const session = {
    online: true,
    receiveMaximum: 20,
    publish: async () => answer,
    subscribe() {},
    unsubscribe() {},
    observe: () => () => undefined,
  }
  const delivery = deliver(role, session, [journal], [hub.publicKey], 0.1)
  t.teardown(() => delivery.close())
  delivery.deliverer.start()
  await role.append(faultDraft('nobody listens'))
  const alerts = () => role.parts.find(({ part }) => part === 'alerts')
  await until('it is told', () => alerts()?.fault === 'alerts-wait')
  answer = 0
  // A hub is asked again when there is more, a second after it was asked last.
  await new Promise(resolve => setTimeout(resolve, 1100))
  await role.append(faultDraft('somebody listens'))
  await until('that is over', () => alerts()?.state === 'ready')
  await until('all of it is told', () => toldBy(journal).includes('alerts-wait cleared'))
})
