import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'tap'
import { editConfiguration } from '../../gateway/config/edit.js'
import { ExchangeReader } from '../../gateway/journal/exchange.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { createSigningKey, publicKeyPem } from '../../gateway/messages/keys.js'
import { openEvent } from '../../gateway/messages/seal.js'
import { polewatch, RunningCommand, until } from '../commands/polewatch.js'
import { PseudoTerminal } from '../drivers/pseudo-terminal.js'

const reads = 20_000
/** Every so many-th read is of a plate on the list, each time of another. */
const wantedEvery = 500
/** Reads sent together, and how long until the next, milliseconds: a thousand a second. */
const [together, apart] = [25, 25]

const listed = (index: number) => `WNT${String(index).padStart(4, '0')}`
const frameOf = (text: string) => `\u00022026010203040501${text}\u0003`
const textAt = (index: number) =>
  index % wantedEvery === 0 ? listed(index / wantedEvery) : `X${String(index).padStart(5, '0')}K`

test('a reader that floods with a thousand reads a second has each counted, in bounded memory, over a stall, noise and an unplug', {
  timeout: 300_000,
}, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-flood-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const port = join(folder, 'line')
  const file = configuration(folder, port)
  let line = await PseudoTerminal.plug(port)
  t.teardown(() => line.unplug())
  const sensing = new RunningCommand('sensing', '--config', file)
  t.teardown(() => sensing.stop())
  const pid = sensing.child.pid ?? 0
  const counted = (part: string) => health(folder).find(each => each.part === part)?.counters ?? {}
  await until(() => counted('plate matching').reads === 0, 'the role')

  let memory = 0
  for (let sent = 0; sent < reads; sent += together) {
    const bytes = Array.from({ length: together }, (_, index) => frameOf(textAt(sent + index))).join('')
    const cut = 7 + (sent % 300)
    await line.write(bytes.slice(0, cut))
    if (sent === 10_000) {
      memory = residentMegabytes(pid)
      // As on a machine that has no time: what waits in the line meanwhile begins with the rest of a frame.
      await pause(500)
      process.kill(pid, 'SIGSTOP')
      await line.write(bytes.slice(cut))
      await pause(2500)
      process.kill(pid, 'SIGCONT')
    } else await line.write(bytes.slice(cut))
    await pause(apart)
  }
  await until(() => (counted('plate matching').reads ?? 0) >= reads, 'the last read', 100)
  t.match(counted('gate'), { received: reads, discardedFrames: 0, discardedBytes: 0, droppedReads: 0 })
  t.match(counted('plate matching'), { reads, repeats: 0, unusable: 0, hits: reads / wantedEvery })
  t.match(counted('plate matching'), { withoutMatch: reads - reads / wantedEvery })
  t.same(
    hitsIn(folder),
    Array.from({ length: reads / wantedEvery }, (_, index) => listed(index)),
    'each listed plate is one hit, in order',
  )
  const grown = residentMegabytes(pid) - memory
  t.ok(grown < 48, `as much again took ${grown.toFixed(0)} MB more`)

  const fault = () => health(folder).find(({ part }) => part === 'gate')?.fault
  await line.write('~'.repeat(3000))
  await until(() => fault() === 'line-noise', 'the noise')
  await line.unplug()
  await until(() => fault() === 'device-absent', 'the unplugging')
  line = await PseudoTerminal.plug(port)
  await until(() => fault() === null, 'the line that is back')
  await line.write(frameOf('B4CK'))
  await until(() => counted('plate matching').reads === reads + 1, 'a read of the line that is back')
  t.equal(counted('gate').discardedBytes, 3000, 'the noise was counted')
  t.equal(sensing.child.exitCode, null, 'by one and the same process')
  t.equal(await sensing.stop(), 0)
})

/** One reader on a pseudo-terminal over a list, and nothing else. */
function configuration(folder: string, port: string): string {
  mkdirSync(join(folder, 'run'))
  writeFileSync(join(folder, 'hub.pub'), publicKeyPem(createSigningKey().publicKey))
  const example = readFileSync(join(process.cwd(), 'firmware-config', 'polewatch.example.yaml'), 'utf8')
  const text = editConfiguration(example, [
    { path: ['paths'], value: { state: join(folder, 'state'), runtime: join(folder, 'run') } },
    { path: ['microphoneArrays'], value: [] },
    { path: ['plateReaders'], value: [{ name: 'gate', driver: 'serial', port, layout: 'auto-intellect', lane: '1' }] },
    { path: ['hotlist', 'lists'], value: [{ name: 'wanted' }] },
    { path: ['uplink', 'brokers'], value: ['mqtt://127.0.0.1:1'] },
    { path: ['uplink', 'tls'], value: undefined },
    { path: ['uplink', 'hubKey'], value: join(folder, 'hub.pub') },
  ])
  const file = join(folder, 'gateway.yaml')
  writeFileSync(file, text)
  const entries = Array.from(
    { length: reads / wantedEvery },
    (_, index) => `${listed(index)},PA,stolen-vehicle,2035-01-01,${index}`,
  )
  const list = join(folder, 'list.csv')
  writeFileSync(list, ['plate,state,purpose,expires,id', ...entries, ''].join('\n'))
  const imported = polewatch('hotlist', 'import', '--config', file, list)
  if (imported.status !== 0) throw new Error(imported.errors)
  return file
}

interface Part {
  readonly part: string
  readonly fault: string | null
  readonly counters: Readonly<Record<string, number>>
}

/** What the role says of its parts, at most five seconds old; nothing before it has said anything. */
function health(folder: string): Part[] {
  const reader = new ExchangeReader(join(folder, 'run', 'sensing.exchange.db'))
  try {
    return JSON.parse(reader.get('health')?.body.toString() ?? '[]')
  } finally {
    reader.close()
  }
}

/** Listed plates of the hits in the journal, in order. */
function hitsIn(folder: string): string[] {
  const reader = new JournalReader(join(folder, 'state', 'sensing.journal.db'))
  try {
    const stream = reader.streams().find(({ source }) => source.endsWith('/hit'))
    if (stream === undefined) return []
    return reader.read(stream.source, stream.epoch, 0, 1000).flatMap(({ bytes }) => {
      const event = openEvent(bytes)
      return event.name === 'plate-hit' ? [event.data.plate] : []
    })
  } finally {
    reader.close()
  }
}

function residentMegabytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}
