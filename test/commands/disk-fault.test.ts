import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { Role } from '../../gateway/commands/role.js'
import { loadConfiguration } from '../../gateway/config/load.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { openEvent } from '../../gateway/messages/seal.js'
import { writeGateway } from '../uplink/attack.js'
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
  await until('both are stored', () => told().length === 2)
  t.same(told(), ['disk-read-only raised', 'disk-read-only cleared'])
})
