import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { editConfiguration } from '../../gateway/config/edit.js'
import { ExchangeReader } from '../../gateway/journal/exchange.js'
import { createSigningKey, publicKeyPem } from '../../gateway/messages/keys.js'
import { packPlate } from '../../gateway/plates/look-alike.js'
import { polewatch, until } from '../commands/polewatch.js'
import { PseudoTerminal } from '../drivers/pseudo-terminal.js'
import { PlateScan } from './byte-scan.js'

const letters = 'QXJ'
const notListed = Array.from({ length: 10_000 }, (_, index) => `${letters}${String(index).padStart(4, '0')}`)
/** Listed, and as unusual as the others: the scan has to find it. */
const listed = 'QWJ5150'
const main = join(process.cwd(), 'dist', 'gateway', 'main.js')

test('the scan finds a plate in every form that it knows', async t => {
  const scan = new PlateScan(letters, notListed)
  const key = Buffer.alloc(8)
  key.writeBigInt64BE(packPlate('QXJ0042'))
  const little = Buffer.from(key).reverse()
  const digest = (name: string) => createHash(name).update('QXJ0042').digest()
  // Named by the form, so that the report of this test holds no plate either.
  const planted: [string, Buffer][] = [
    ['text', Buffer.from('..qxj-0042..')],
    ['text of two bytes', Buffer.from('..QXJ0042..', 'utf16le')],
    ['packed key', Buffer.concat([Buffer.from('...'), key, Buffer.from('.')])],
    ['packed key', Buffer.concat([Buffer.from('..'), little])],
    ...['md5', 'sha1', 'sha256'].flatMap((name): [string, Buffer][] => [
      [name, Buffer.concat([Buffer.from('.'), digest(name)])],
      [`${name} in hexadecimal`, Buffer.from(`x${digest(name).toString('hex')}`)],
    ]),
  ]
  for (const [form, bytes] of planted) t.match(scan.find(bytes), [{ plate: 'QXJ0042', form }], form)
  t.same(scan.find(Buffer.from('QXJ004 QXK0042 QXJ00')), [])
})

test('of ten thousand plates that are on no list nothing is left in anything that the gateway wrote', {
  timeout: 300_000,
}, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-forgotten-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const file = configuration(folder)
  const line = await PseudoTerminal.plug(join(folder, 'dev', 'line'))
  t.teardown(() => line.unplug())
  const began = Date.now()
  const gateway = startGateway(folder, file)
  t.teardown(() => stop(gateway))
  const counts = (): Record<string, number> => countsOf(folder)
  await until(() => counts().reads === 0, 'the gateway')

  const send = (text: string): Promise<void> => line.write(`\u00022026010203040501${text}\u0003`)
  for (const [index, plate] of notListed.entries()) {
    await send(plate)
    if (index === 5000) await send(listed)
    // A reader that floods is another test's affair.
    if (index % 20 === 19) await pause(25)
    if (index % 1000 === 999) sameFolder(t, folder, gateway)
  }
  await untilRead(() => counts().reads ?? 0, notListed.length + 1)
  t.match(counts(), { withoutMatch: notListed.length, hits: 1, repeats: 0, unusable: 0 })
  const sensing = tree(gateway).find(({ command }) => command.includes('sensing'))
  t.ok(sensing, 'the sensing process')
  const unlinked = tree(gateway).flatMap(({ pid }) => openFiles(pid).filter(({ gone }) => gone))
  // What a crash leaves behind counts as written too.
  process.kill(sensing?.pid ?? 0, 'SIGABRT')
  await until(() => counts().reads === 0, 'the next one')
  await stop(gateway)

  const written = [...filesBelow(folder), ...newFilesIn(began, '/dev/shm', '/var/tmp', '/tmp')]
  const bytes = [
    ...written.map(path => ({ path, content: readFileSync(path) })),
    ...unlinked.map(({ path, content }) => ({ path, content })),
  ]
  const scan = new PlateScan(letters, notListed)
  for (const { path, content } of bytes)
    t.same(scan.find(content).slice(0, 3), [], `nothing in ${path.replace(folder, '')}`)
  const control = new PlateScan('QWJ', [listed])
  const journal = bytes.filter(({ path }) => path.includes('sensing.journal.db'))
  t.ok(
    journal.some(({ content }) => control.find(content).length > 0),
    'the scan finds the hit in the journal',
  )
  for (const name of [
    'errors.log',
    'output.log',
    'uplink.journal.db',
    'sensing.exchange.db',
    'sensing.plate-tally.json',
  ])
    t.ok(
      written.some(path => path.endsWith(name)),
      `${name} was looked at`,
    )
  const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim()
  const cores = written.filter(path => /\/core[^/]*$/.test(path))
  if (/^core/.test(pattern)) t.ok(cores.length > 0, 'the core file was looked at')
  else t.comment(`core files go elsewhere here: ${pattern}`)
})

/** Waits for as long as reads arrive, however slow the machine; gives up when none came for a minute. */
async function untilRead(count: () => number, all: number): Promise<void> {
  for (let reads = count(); reads < all; ) {
    const before = reads
    await until(() => count() > before, `read ${before + 1} of ${all}`)
    reads = count()
  }
}

/** A gateway with a reader on a pseudo-terminal, a list of one plate, no microphones, and a broker that is not there. */
function configuration(folder: string): string {
  for (const name of ['run', 'dev', 'home', 'work', 'temporary']) mkdirSync(join(folder, name))
  writeFileSync(join(folder, 'hub.pub'), publicKeyPem(createSigningKey().publicKey))
  const example = readFileSync(join(process.cwd(), 'firmware-config', 'polewatch.example.yaml'), 'utf8')
  const reader = {
    name: 'gate',
    driver: 'serial',
    port: join(folder, 'dev', 'line'),
    layout: 'auto-intellect',
    lane: '1',
  }
  const text = editConfiguration(example, [
    { path: ['exercise'], value: true },
    { path: ['paths'], value: { state: join(folder, 'state'), runtime: join(folder, 'run') } },
    { path: ['microphoneArrays'], value: [] },
    { path: ['plateReaders'], value: [reader] },
    { path: ['hotlist', 'lists'], value: [{ name: 'wanted' }] },
    { path: ['uplink', 'brokers'], value: ['mqtt://127.0.0.1:1'] },
    { path: ['uplink', 'tls'], value: undefined },
    { path: ['uplink', 'hubKey'], value: join(folder, 'hub.pub') },
    { path: ['log'], value: { level: 'trace' } },
  ])
  const file = join(folder, 'gateway.yaml')
  writeFileSync(file, text)
  const list = join(folder, 'list.csv')
  writeFileSync(list, `plate,state,purpose,expires,id\n${listed},PA,stolen-vehicle,2035-01-01,entry-1\n`)
  const imported = polewatch('hotlist', 'import', '--config', file, list)
  if (imported.status !== 0) throw new Error(imported.errors)
  rmSync(list)
  return file
}

/** As from a shell that allows core files, with every folder that a program might write to inside one folder. */
function startGateway(folder: string, file: string): ChildProcess {
  const run = 'ulimit -c unlimited 2>/dev/null; exec "$0" "$@" >../output.log 2>../errors.log'
  return spawn('sh', ['-c', run, process.execPath, main, 'run', '--config', file, '--json'], {
    cwd: join(folder, 'work'),
    env: { PATH: process.env.PATH, HOME: join(folder, 'home'), TMPDIR: join(folder, 'temporary') },
    stdio: 'ignore',
  })
}

async function stop(gateway: ChildProcess): Promise<void> {
  if (gateway.exitCode !== null || gateway.signalCode !== null) return
  gateway.kill('SIGTERM')
  await new Promise(resolve => gateway.once('exit', resolve))
}

/** The counters of the plate desk; nothing before it has told any. */
function countsOf(folder: string): Record<string, number> {
  const path = join(folder, 'run', 'sensing.exchange.db')
  if (!existsSync(path)) return {}
  const reader = new ExchangeReader(path)
  try {
    const health = reader.get('health')
    const parts: { part: string; counters: Record<string, number> }[] = JSON.parse(
      Buffer.from(health?.body ?? []).toString() || '[]',
    )
    return parts.find(({ part }) => part === 'plate matching')?.counters ?? {}
  } finally {
    reader.close()
  }
}

/** The gateway and every process that it started. */
function tree(gateway: ChildProcess): { pid: number; command: string }[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const status = Number.isInteger(pid) ? readOf(`/proc/${name}/stat`) : ''
    const parent = /\) \S (\d+)/.exec(status)?.[1]
    if (parent !== undefined) parents.set(pid, Number(parent))
  }
  const found = new Set([gateway.pid ?? 0])
  for (let before = 0; before !== found.size; ) {
    before = found.size
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid)
  }
  return [...found].map(pid => ({ pid, command: readOf(`/proc/${pid}/cmdline`) }))
}

/** Files that a process has open for writing: those that have no name any more with their content. */
function openFiles(pid: number): { path: string; gone: boolean; content: Buffer }[] {
  const handles = existsSync(`/proc/${pid}/fd`) ? readdirSync(`/proc/${pid}/fd`) : []
  return handles.flatMap(handle => {
    const link = `/proc/${pid}/fd/${handle}`
    try {
      const path = readlinkSync(link)
      const mode = Number.parseInt(/flags:\s+(\d+)/.exec(readOf(`/proc/${pid}/fdinfo/${handle}`))?.[1] ?? '0', 8)
      const gone = path.endsWith(' (deleted)')
      if ((mode & 3) === 0 || !statSync(link).isFile()) return []
      return [{ path, gone, content: gone ? readFileSync(link) : Buffer.alloc(0) }]
    } catch {
      return []
    }
  })
}

/** Whatever the processes have open for writing lies where the scan will look. */
function sameFolder(t: Test, folder: string, gateway: ChildProcess): void {
  const elsewhere = tree(gateway)
    .flatMap(({ pid }) => openFiles(pid))
    .filter(({ path, gone }) => !gone && !path.startsWith(folder))
  t.same(
    elsewhere.map(({ path }) => path),
    [],
    'no file elsewhere is open for writing',
  )
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
}

/** Files right in these folders that were written since. */
function newFilesIn(since: number, ...folders: string[]): string[] {
  return folders
    .flatMap(folder => (existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : []))
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .filter(path => {
      const status = statSync(path, { throwIfNoEntry: false })
      return status !== undefined && status.mtimeMs >= since && status.size < 2 ** 28
    })
}

function readOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
