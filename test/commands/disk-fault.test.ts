import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { HeldAlerts } from '../../gateway/commands/held-alerts.js'
import { Role } from '../../gateway/commands/role.js'
import { loadConfiguration } from '../../gateway/config/load.js'
import { PolewatchError } from '../../gateway/errors.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { openEvent } from '../../gateway/messages/seal.js'
import type { EventDraft } from '../../gateway/messages/table.js'
import { writeGateway } from '../uplink/attack.js'
import { faultDraft, gunfireDraft } from '../uplink/events.js'
import { until } from '../uplink/gateway.js'

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
  const told = () =>
    reader.streams().flatMap(({ source, epoch }) =>
      reader.read(source, epoch, 0, 100).map(({ bytes }) => {
        const event = openEvent(bytes)
        return event.name === 'fault' ? `${event.data.fault} ${event.data.state}` : event.name
      }),
    )
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
