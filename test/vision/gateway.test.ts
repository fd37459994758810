import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'tap'
import { connectHub } from '../../gateway/hub/index.js'
import { ExchangeReader } from '../../gateway/journal/exchange.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import type { MessageData } from '../../gateway/messages/table.js'
import { readPicture } from '../../gateway/vision/picture.js'
import { folderOf, polewatch, RunningCommand, until } from '../commands/polewatch.js'
import { PlateScan } from '../plates/byte-scan.js'
import { writeGateway } from '../uplink/attack.js'
import { brokerKinds, freePort, runningMosquitto } from '../uplink/brokers.js'

const [, mosquitto] = brokerKinds
const seen = { listed: 'KLM4827', notListed: ['HPS5196', 'HPS2947'] }

/** A reader on the network that waits for the gateway. */
async function networkReader(port: number): Promise<{ send(text: string, confidence: number): void; close(): void }> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => sockets.add(socket.on('error', () => {})))
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  return {
    send: (plate, confidence) => {
      for (const socket of sockets) socket.write(`${JSON.stringify({ plate, confidence })}\n`)
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(path => join(folder, path))
    .filter(path => statSync(path).isFile())
}

/** By role the programs that read and decode pictures and that it has in memory. */
function pictureProgramsOf(parent: number): Record<string, string[]> {
  const of = (pid: string, file: string) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'utf8')
    } catch {
      return ''
    }
  }
  const children = readdirSync('/proc').filter(pid => of(pid, 'stat').includes(`) S ${parent} `))
  return Object.fromEntries(
    children.map(pid => [
      /main\.js\0(\w+)/.exec(of(pid, 'cmdline'))?.[1] ?? pid,
      [...new Set(of(pid, 'maps').match(/onnxruntime|libvips|node-av/g))].sort(),
    ]),
  )
}

test('a plate before a camera is an alert at the hub with its passage and picture, a corrected read takes its alert back, and other cars leave nothing', {
  skip: mosquitto?.missing ?? false,
  timeout: 300_000,
}, async t => {
  const broker = await runningMosquitto(t)
  const folder = folderOf(t)
  const keys = { hub: createSigningKey(), operator: createSigningKey() }
  const port = await freePort()
  const reader = await networkReader(port)
  t.teardown(() => reader.close())
  const street = { name: 'street', driver: 'simulator', lane: '1', interval: 12 }
  const gate = { name: 'gate', driver: 'tcp', host: '127.0.0.1', tcpPort: port, layout: 'json-lines', lane: '2' }
  const file = writeGateway(folder, broker.url, keys, [
    { path: ['microphoneArrays'], value: [] },
    { path: ['cameras'], value: [{ ...street, plates: [seen.notListed[0], seen.listed, seen.notListed[1]] }] },
    { path: ['plateReaders'], value: [gate] },
    { path: ['log'], value: { level: 'trace' } },
  ])
  const list = join(folder, 'wanted.csv')
  writeFileSync(
    list,
    `plate,state,purpose,expires,id\n${seen.listed},PA,stolen-vehicle,2035-01-01,entry-1\nABO1234,PA,stolen-vehicle,2035-01-01,entry-2\n`,
  )
  t.equal(polewatch('hotlist', 'import', list, '--config', file, '--list', 'wanted').status, 0)

  const hub = await connectHub({ url: broker.url, site: 'test', signingKey: keys.hub })
  const hits: MessageData<'plate-hit'>[] = []
  const faults: string[] = []
  const following = (async () => {
    for await (const output of hub) {
      if (output.kind === 'event' && output.message?.name === 'plate-hit') hits.push(output.message.data)
      if (output.kind === 'event' && output.message?.name === 'fault') faults.push(output.message.data.detail)
    }
  })()
  t.teardown(async () => {
    await hub.close()
    await following
  })
  const gateway = new RunningCommand('run', '--config', file, '--json')
  t.teardown(() => gateway.stop())
  const told = (entry: string) => hits.filter(hit => hit.entry.id === entry)

  const last = await until(() => told('entry-1').find(({ passage }) => passage?.phase === 'final'), 'the end', 200)
  const passage = last.passage?.id
  const ofPassage = told('entry-1').filter(hit => hit.passage?.id === passage)
  const [first] = ofPassage
  t.match(first, { state: 'new', read: { reader: 'street', lane: '1' }, unverified: true })
  t.equal(new Set(ofPassage.map(({ hit }) => hit)).size, 1, 'one passage is one hit')
  t.ok(
    ofPassage.slice(1).every(({ state }) => state === 'updated'),
    'which is updated until it is over',
  )
  t.match(last, { plate: seen.listed, match: { kind: 'exact' }, tier: 'possible', read: { state: null } })
  // A busy machine may see it in one frame alone.
  t.not(last.read.direction, 'departing')
  const [picture = 'none'] = last.pictures ?? []
  const pictures = join(folder, 'state', 'pictures')
  const kept = readdirSync(pictures).find(name => name.includes(picture)) ?? ''
  const { width, height } = await readPicture(join(pictures, kept))
  t.ok(width > 30 && height > 15 && width < 960, 'the picture shows the plate and not the street')

  reader.send('AB01234', 0.6)
  const misread = await until(() => told('entry-2').at(0), 'the first read of the reader')
  t.match(misread, { state: 'new', match: { kind: 'look-alike' } })
  t.notOk(Object.hasOwn(misread, 'passage'), 'a reader follows no plate')
  reader.send('ABO1234', 0.95)
  await until(() => told('entry-2').length >= 3, 'the correction')
  const [, superseded, corrected] = told('entry-2')
  t.match(superseded, { hit: misread.hit, state: 'superseded', supersededBy: corrected?.hit })
  t.match(corrected, { state: 'new', match: { kind: 'exact' } })
  reader.send('ABX1234', 0.99)
  t.match(await until(() => told('entry-2').at(3), 'the withdrawal'), {
    hit: corrected?.hit,
    state: 'superseded',
    supersededBy: null,
  })

  const counters = () => {
    const exchange = new ExchangeReader(join(folder, 'run', 'vision.exchange.db'))
    const parts: { part: string; counters: Record<string, number> }[] = JSON.parse(
      exchange.get('health')?.body.toString() ?? '[]',
    )
    exchange.close()
    return parts.find(({ part }) => part === 'plate matching')?.counters ?? {}
  }
  await until(() => (counters().withoutMatch ?? 0) >= 2, 'the cars that are on no list', 200)
  const { sensing, uplink, vision } = await until(() => {
    const found = pictureProgramsOf(gateway.child.pid ?? 0)
    return Object.keys(found).length === 3 && found
  }, 'the three roles at rest')
  t.match(vision, ['libvips', 'onnxruntime'])
  t.same([sensing, uplink], [[], []], 'roles without a camera do not pay the memory for reading pictures')
  t.equal(await gateway.stop(), 0)
  t.same(faults, [])
  const scan = new PlateScan('HPS', seen.notListed)
  const written = ['state', 'run'].flatMap(name => filesBelow(join(folder, name)))
  for (const path of written) t.same(scan.find(readFileSync(path)), [], path.replace(folder, ''))
  t.same(scan.find(Buffer.from(gateway.output + gateway.errors)), [], 'nor in the log')
  const control = new PlateScan('KLM', [seen.listed])
  t.ok(
    written.some(path => path.includes('vision.journal.db') && control.find(readFileSync(path)).length > 0),
    'the scan finds the hit in the journal',
  )
})
