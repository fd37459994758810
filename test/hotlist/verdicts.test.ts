import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { commandAuthority } from '../../gateway/commands/command-keys.js'
import { followVerdicts, readVerdict } from '../../gateway/commands/hotlist-verdicts.js'
import { Role, systemTime } from '../../gateway/commands/role.js'
import { rolePaths } from '../../gateway/commands/role-files.js'
import { editConfiguration } from '../../gateway/config/edit.js'
import { parseConfiguration } from '../../gateway/config/load.js'
import { Verdicts } from '../../gateway/hotlist/verdicts.js'
import { Bell } from '../../gateway/journal/bell.js'
import { Exchange } from '../../gateway/journal/exchange.js'
import { createSigningKey, publicKeyPem, type SigningKey } from '../../gateway/messages/keys.js'
import { sealEvent } from '../../gateway/messages/seal.js'
import type { MessageData } from '../../gateway/messages/table.js'
import { formatTime } from '../../gateway/messages/time.js'
import { until } from '../commands/polewatch.js'

const now = systemTime()
const entry = { list: 'city', generation: 7, id: 'C-1', issue: '9f0c6e1d5b7a42388e2f61c0d4b93a57' }
const judged: MessageData<'verdict'> = {
  alert: { source: '/riverside/pole-17/sensing/hit', id: '5c2e0a7b91d4-203' },
  incident: null,
  hit: 'pole-17-5c2e0a7b91d4',
  entry,
  verdict: 'misread',
  by: 'dispatcher',
  reason: null,
  time: formatTime(now),
}

/** A verdict as a hub sends it. */
function signed(key: SigningKey | null, said: Partial<MessageData<'verdict'>> = {}, time = now): Uint8Array {
  return sealEvent(
    { name: 'verdict', time, exercise: true, data: { ...judged, ...said } },
    { source: '/riverside/centre/hub/live', epoch: '0123456789abcdef', sequence: 1 },
    key,
  ).bytes
}

/** A gateway's configuration with the hub's key, in a folder of the test. */
function gatewayOf(t: Test) {
  const folder = t.testdir({ run: {} })
  const hub = createSigningKey()
  writeFileSync(join(folder, 'hub.pub'), publicKeyPem(hub.publicKey))
  const example = readFileSync(join(process.cwd(), 'firmware-config', 'polewatch.example.yaml'), 'utf8')
  const text = editConfiguration(example, [
    { path: ['site'], value: 'riverside' },
    { path: ['gateway', 'id'], value: 'pole-17' },
    { path: ['paths'], value: { state: join(folder, 'state'), runtime: join(folder, 'run') } },
    { path: ['uplink', 'hubKey'], value: join(folder, 'hub.pub') },
    { path: ['log'], value: { level: 'fatal' } },
  ])
  mkdirSync(join(folder, 'state'))
  return { hub, folder, configuration: parseConfiguration(text, 'gateway.yaml') }
}

test('only a verdict that the hub signed for this gateway, and that names its entry, silences it', async t => {
  const { hub, configuration } = gatewayOf(t)
  const authority = commandAuthority(configuration)
  const read = (bytes: Uint8Array) => readVerdict(bytes, authority, now)
  const { list, generation, id, issue } = entry
  const silences = { hit: judged.hit, list, generation, entry: id, issue, by: 'dispatcher' }
  t.match(read(signed(hub)), { silences: { ...silences, verdict: 'misread' } })
  t.match(read(signed(hub, { verdict: 'not-wanted' })), { silences: { ...silences, verdict: 'not-wanted' } })
  t.same(read(signed(hub, { verdict: 'confirmed' })), { silences: null })
  t.same(read(signed(hub, { verdict: 'false' })), { silences: null })
  t.same(read(signed(hub, { entry: null })), { refused: 'names-no-entry' })
  t.same(read(signed(null)), { refused: 'unsigned' })
  t.same(read(signed(createSigningKey())), { refused: 'unknown-key' })
  const changed = Buffer.from(signed(hub)).toString().replace(issue, issue.replaceAll('9', '8'))
  t.same(read(Buffer.from(changed)), { refused: 'forged' })
  t.same(read(signed(hub, { alert: { source: '/riverside/pole-18/sensing/hit', id: 'other' } })), {
    refused: 'other-gateway',
  })
  t.same(read(signed(hub, {}, now - 8 * 86_400)), { refused: 'expired' })
  t.same(read(Buffer.from('no verdict')), { refused: 'malformed' })
})

test('a verdict that uplink passes on silences its entry, is audited once, and outlives restarts of either role', async t => {
  const { hub, folder, configuration } = gatewayOf(t)
  const paths = rolePaths(configuration.paths, 'uplink')
  const openUplink = () =>
    Exchange.open({ path: paths.exchange, clock: systemTime, onBell: () => new Bell(paths.bell).ring() })
  let uplink = openUplink()
  const file = join(folder, 'state', 'sensing.verdicts.json')
  /** One life of the role that matches plates; `during` happens in it. Returns how many audit records there are then. */
  const live = async (during: (verdicts: Verdicts) => Promise<void>): Promise<number> => {
    const role = new Role('sensing', configuration)
    const stop = new AbortController()
    const verdicts = Verdicts.open(file)
    const following = followVerdicts(role, verdicts, stop.signal)
    await during(verdicts)
    stop.abort()
    await following
    const { number } = role.journal.auditHead()
    role.close()
    return number
  }
  const other = 'f'.repeat(32)
  const before = await live(async verdicts => {
    uplink.post('verdict', signed(createSigningKey()))
    uplink.post('verdict', signed(hub, { entry: { ...entry, issue: other } }))
    await until(() => verdicts.silences(other), 'the verdict that is good')
    t.notOk(verdicts.silences(entry.issue), 'not by a key that is not the hub’s')
  })
  uplink.post('verdict', signed(hub))
  const after = await live(async verdicts => {
    t.ok(verdicts.silences(other), 'kept on the disk')
    await until(() => verdicts.silences(entry.issue), 'the verdict that came meanwhile')
  })
  t.equal(after, before + 1)
  uplink.close()
  uplink = openUplink()
  const again = await live(async verdicts => {
    uplink.post('verdict', signed(hub))
    uplink.post('verdict', signed(hub, { entry: { ...entry, issue: 'e'.repeat(32) } }))
    await until(() => verdicts.silences('e'.repeat(32)), 'the verdict after one that is known')
  })
  t.equal(again, after + 1, 'the same verdict again is not another record')
  uplink.close()
})
