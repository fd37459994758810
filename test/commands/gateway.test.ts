import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { editConfiguration } from '../../gateway/config/edit.js'
import { parsePinnedKeys } from '../../gateway/hub/pinned-keys.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { createSigningKey, privateKeyPem, publicJwkOf, publicKeyPem } from '../../gateway/messages/keys.js'
import { openEvent } from '../../gateway/messages/seal.js'
import type { MessageEvent } from '../../gateway/messages/table.js'
import { PseudoTerminal } from '../drivers/pseudo-terminal.js'
import { brokerKinds } from '../uplink/brokers.js'
import { polewatch, RunningCommand, until } from './polewatch.js'

const example = join(process.cwd(), 'firmware-config', 'polewatch.example.yaml')

function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-commands-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The example, made fit for a laptop: folders of its own, a made-up array, one reader, one list, a broker on loopback. */
function configuration(folder: string, edits: readonly { path: string[]; value: unknown }[]): string {
  const hub = createSigningKey()
  writeFileSync(join(folder, 'hub.key'), privateKeyPem(hub), { mode: 0o600 })
  writeFileSync(join(folder, 'hub.pub'), publicKeyPem(hub.publicKey))
  mkdirSync(join(folder, 'run'))
  const text = editConfiguration(readFileSync(example, 'utf8'), [
    { path: ['site'], value: 'test' },
    { path: ['exercise'], value: true },
    { path: ['gateway', 'id'], value: 'pole-1' },
    { path: ['paths'], value: { state: join(folder, 'state'), runtime: join(folder, 'run') } },
    { path: ['microphoneArrays'], value: [{ name: 'roof', driver: 'simulator', geometry: 'mono', sampleRate: 8000 }] },
    { path: ['plateReaders'], value: [] },
    { path: ['hotlist', 'lists'], value: [{ name: 'wanted' }] },
    { path: ['uplink', 'brokers'], value: ['mqtt://127.0.0.1:1'] },
    { path: ['uplink', 'tls'], value: undefined },
    { path: ['uplink', 'hubKey'], value: join(folder, 'hub.pub') },
    ...edits,
  ])
  const file = join(folder, 'gateway.yaml')
  writeFileSync(file, text)
  return file
}

const goodList = 'plate,state,purpose,expires,id\nPOLE 123,PA,stolen-vehicle,2035-01-01T00:00:00Z,entry-1\n'

test('every command explains itself, and wrong usage is exit status 2', async t => {
  for (const name of ['run', 'sensing', 'uplink', 'replay', 'watch', 'hotlist', 'config']) {
    const { status, output } = polewatch(name, '--help')
    t.equal(status, 0, name)
    t.match(output, /Usage: polewatch/)
    t.equal(polewatch(name, '--no-such-option').status, 2, name)
  }
  t.equal(polewatch('no-such-command').status, 2)
  t.equal(polewatch('watch', '--broker', 'mqtt://127.0.0.1:1', '--site', 'x', '--acknowledge').status, 2)
})

test('a unit prints the public keys of its roles as a hub takes them', async t => {
  const folder = temporaryFolder(t)
  const file = configuration(folder, [])
  t.match(polewatch('enroll', 'keys', '--config', file).errors, 'no role of this unit has been started')
  mkdirSync(join(folder, 'state', 'keys'), { recursive: true })
  const key = createSigningKey()
  for (const role of ['uplink', 'sensing'])
    writeFileSync(join(folder, 'state', 'keys', `${role}.pub`), publicKeyPem(key.publicKey))
  const { status, output } = polewatch('enroll', 'keys', '--config', file)
  t.equal(status, 0)
  const jwk = publicJwkOf(key.publicKey)
  t.same(
    parsePinnedKeys(output),
    ['sensing', 'uplink'].map(role => ({ site: 'test', gateway: 'pole-1', role, jwk })),
  )
})

test('config check names five faults at once, each with line, key, what was found and what is allowed', async t => {
  const folder = temporaryFolder(t)
  const file = configuration(folder, [
    { path: ['site'], value: 'Not A Name' },
    { path: ['exercise'], value: 'perhaps' },
    { path: ['gateway', 'position', 'latitude'], value: 1234 },
    { path: ['uplink', 'acknowledge'], value: 'nobody' },
    { path: ['brokers'], value: [] },
  ])
  const { status, errors } = polewatch('config', 'check', file)
  t.equal(status, 1)
  t.match(errors, /PW_CONFIG_INVALID/)
  for (const key of ['site', 'exercise', 'gateway.position.latitude', 'uplink.acknowledge', 'brokers'])
    t.match(errors, new RegExp(`line \\d+, column \\d+, ${key.replaceAll('.', '\\.')}: found .*; allowed: `), key)
  const lines = polewatch('config', 'check', '--json', file)
    .output.trim()
    .split('\n')
    .map(line => JSON.parse(line))
  t.equal(lines.length, 6)
  t.same(lines.at(-1), { file, valid: false })
  t.equal(polewatch('config', 'check', example).status, 0)
  t.match(polewatch('config', 'check', join(folder, 'absent.yaml')).errors, /PW_CONFIG_MISSING/)
})

test('a broken line in a hotlist is named and costs no other line; a useless file leaves the list as it was', async t => {
  const folder = temporaryFolder(t)
  const file = configuration(folder, [])
  const list = join(folder, 'list.csv')
  writeFileSync(
    list,
    `${goodList}NEVER777,PA,stolen-vehicle,not a date,entry-2\nWATCH17,PA,stolen-vehicle,2035-01-01T00:00:00Z,entry-3\n`,
  )
  const imported = polewatch('hotlist', 'import', '--config', file, list)
  t.equal(imported.status, 1)
  t.match(imported.output, /2 entries imported .* 1 line refused/)
  t.match(imported.output, /Line 3: /)
  t.notMatch(imported.output + imported.errors, 'NEVER777')
  const found = polewatch('hotlist', 'find', '--config', file, '--json', 'watch-17')
  t.equal(found.status, 0)
  t.match(JSON.parse(found.output), { list: 'wanted', tier: 'possible', entry: { id: 'entry-3' } })
  t.notMatch(found.output, 'confidence', 'nothing is said of a reader, as none has read')
  const inState = polewatch('hotlist', 'find', '--config', file, '--json', 'watch-17', '--state', 'PA')
  t.match(JSON.parse(inState.output), { tier: 'confirmed-candidate' })
  const looks = polewatch('audit', 'list', '--config', file, '--action', 'access', '--json').output
  t.match(looks, '"what":"hotlist-find"')
  t.notMatch(looks, /watch-?17/i, 'who looks is recorded, and not for which plate')

  writeFileSync(list, 'this,is,no,list\n1,2,3,4\n')
  const refused = polewatch('hotlist', 'import', '--config', file, list)
  t.equal(refused.status, 1)
  t.match(refused.errors, /PW_HOTLIST_/)
  t.equal(polewatch('hotlist', 'find', '--config', file, 'POLE123').status, 0, 'the list before still answers')
  t.equal(polewatch('hotlist', 'find', '--config', file, 'NOWHERE').status, 1)
})

test('without its broker a gateway keeps its alerts; noise is a fault; killed roles come back; nothing committed is lost', {
  timeout: 300_000,
}, async t => {
  const folder = temporaryFolder(t)
  const broker = await brokerKinds[0]!.create()
  t.teardown(() => broker.remove())
  const port = join(folder, 'line')
  const file = configuration(folder, [
    { path: ['uplink', 'brokers'], value: [broker.url] },
    { path: ['plateReaders'], value: [{ name: 'gate', driver: 'serial', port, layout: 'auto-intellect', lane: '1' }] },
  ])
  writeFileSync(join(folder, 'list.csv'), goodList)
  t.equal(polewatch('hotlist', 'import', '--config', file, join(folder, 'list.csv')).status, 0)
  const line = await PseudoTerminal.plug(port)
  t.teardown(() => line.unplug())

  const gateway = new RunningCommand('run', '--config', file, '--json')
  t.teardown(() => gateway.stop())
  const journal = join(folder, 'state', 'sensing.journal.db')
  await until(() => existsSync(journal), 'the journal')
  const kinds = (): string[] => held(journal).map(({ kind }) => kind)
  await until(() => {
    void line.write(Buffer.alloc(600, 0x55))
    return kinds().includes('fault')
  }, 'the alert of the noise')
  t.match(gateway.errors, 'PW_LINE_NOISE')
  const send = (text: string): Promise<void> => line.write(`\u00022026010203040501${text}\u0003`)
  await send('UNL1STED')
  await send('POLE123')
  await until(() => kinds().includes('plate-hit'), 'the hit')
  await until(() => gateway.errors.includes('PW_BROKER_UNREACHABLE'), 'the word that the broker is not there')

  await broker.up()
  const record = join(folder, 'hub.ndjson')
  const hub = new RunningCommand(
    'watch',
    '--broker',
    broker.url,
    '--site',
    'test',
    '--acknowledge',
    '--key',
    join(folder, 'hub.key'),
    '--record',
    record,
    '--json',
  )
  t.teardown(() => hub.stop())
  await until(() => recorded(record).some(({ name }) => name === 'plate-hit'), 'the hit at the hub')

  for (const name of ['sensing', 'uplink']) {
    const before = started(gateway.output, name)
    process.kill(before.at(-1)!, 'SIGKILL')
    await until(() => started(gateway.output, name).length > before.length, `the next ${name}`)
  }
  const hits = (): number => kinds().filter(kind => kind === 'plate-hit').length
  const committed = hits()
  // A plate seen less than ten seconds ago is the same passage, but the new process remembers none.
  await until(() => {
    void send('POLE123')
    return hits() > committed
  }, 'a hit of the new process')
  const keys = (): Set<string> => new Set(recorded(record).map(({ source, id }) => `${source} ${id}`))
  await until(
    () => held(journal).every(({ source, id }) => keys().has(`${source} ${id}`)),
    'every committed alert at the hub',
  )
  t.equal(recorded(record).length, keys().size, 'none of them twice')
  t.ok(
    recorded(record).every(({ exercise }) => exercise),
    'each is marked as an exercise',
  )
  t.equal(await gateway.stop(), 0)
  t.equal(await hub.stop(), 0)

  t.equal(statSync(join(folder, 'state', 'keys', 'sensing.key')).mode & 0o777, 0o600)
  for (const written of filesBelow(join(folder, 'state')))
    t.notOk(readFileSync(written).includes('UNL1STED'), `a plate on no list is not in ${written.slice(folder.length)}`)
  t.notMatch(gateway.errors + gateway.output, /UNL1STED|POLE123/, 'no plate is logged')
})

function held(journal: string): { source: string; id: string; kind: string }[] {
  const reader = new JournalReader(journal)
  const rows = reader.streams().flatMap(({ source, epoch }) => reader.read(source, epoch, 0, 1000))
  reader.close()
  return rows
}

function recorded(file: string): MessageEvent[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map(line => openEvent(Buffer.from(line)))
}

/** Process ids of a part, in the order of its starts. */
function started(output: string, name: string): number[] {
  return output
    .split('\n')
    .filter(Boolean)
    .map((line): { part: string; event: string; pid: number } => JSON.parse(line))
    .filter(({ part, event }) => part === name && event === 'started')
    .map(({ pid }) => pid)
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
}
