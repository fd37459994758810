import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'tap'
import { BoundedQueue } from '../../drivers/bounded-queue.js'
import type { PlateRead, PlateReader } from '../../drivers/plate-reader/plate-reader.js'
import { readPlates } from '../../gateway/commands/read-plates.js'
import { Role } from '../../gateway/commands/role.js'
import { loadConfiguration } from '../../gateway/config/load.js'
import { loadPolicy } from '../../gateway/config/policy-file.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { PseudoTerminal } from '../drivers/pseudo-terminal.js'
import { EventTime } from '../simulations/fault-day/event-time.js'
import { writeGateway } from '../uplink/attack.js'
import { folderOf, polewatch, RunningCommand, until } from './polewatch.js'

const line = '46HVR9;97;NLD;APPROACHING\r\n'

test('listen shows bytes and reads side by side', async t => {
  t.test('from a serial line, for a person', async t => {
    const cable = await PseudoTerminal.plug(join(t.testdir({}), 'tty'))
    const command = new RunningCommand('plates', 'listen', '--port', cable.path, '--layout', 'nedap-anpr-raw')
    const hear = async () => {
      await cable.write(line)
      await pause(200)
      return command.output.includes('46HVR9 confidence 0.97')
    }
    let heard = false
    for (let attempt = 0; attempt < 100 && !heard; attempt += 1) heard = await hear()
    t.ok(heard)
    t.match(command.output, /34 36 48 56 52 39 3b 39/)
    t.match(command.output, 'NG\\r\\n')
    t.equal(await command.stop(), 0)
    await cable.unplug()
  })

  t.test('from TCP, as NDJSON', async t => {
    const server = createServer(socket => socket.end(line))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const command = new RunningCommand('plates', 'listen', '--tcp', `127.0.0.1:${port}`, '--json')
    await until(() => command.output.includes('\n'), 'a line')
    const [first] = command.output.split('\n')
    const heard: unknown = JSON.parse(first ?? '')
    t.match(heard, { hex: Buffer.from(line).toString('hex'), text: line.replace('\r\n', '\\r\\n') })
    t.match(heard, { reads: [{ layout: 'nedap-anpr-raw', read: { text: '46HVR9', country: 'NLD' } }] })
    await command.stop()
    server.close()
  })

  t.test('and says what is wrong when there is no line', async t => {
    const { status, errors } = polewatch('plates', 'listen', '--port', join(t.testdir({}), 'nothing'))
    t.equal(status, 1)
    t.match(errors, 'PW_DEVICE_ABSENT')
    t.equal(polewatch('plates', 'listen').status, 2)
  })
})

/** A reader that says what it is told to. */
class ToldReader implements PlateReader {
  readonly name = 'lane-1'
  readonly #queue = new BoundedQueue<PlateRead>(8)

  state(state: 'ready' | 'absent'): void {
    this.#queue.report(state, state === 'ready' ? null : 'device-absent', 'As it is.')
  }

  read(systemTime: number): void {
    const nothing = { country: null, state: null, lane: null, direction: null, readerTime: null }
    const discarded = { frames: 0, bytes: 0, reads: 0 }
    this.#queue.push({ kind: 'plate', text: '46HVR9', confidence: 1, ...nothing, systemTime, discarded })
  }

  readings(signal: AbortSignal) {
    return this.#queue.take(signal)
  }
}

test('a reader that is there and reads nothing for hours is a fault, told once, until it reads again', async t => {
  const keys = { hub: createSigningKey(), operator: createSigningKey() }
  const settings = { name: 'lane-1', driver: 'serial', port: '/dev/lane-1', layout: 'vaxtor', quietHours: 6 }
  const file = writeGateway(folderOf(t), 'mqtt://127.0.0.1:1', keys, [
    { path: ['plateReaders'], value: [settings] },
    { path: ['hotlist'], value: undefined },
    { path: ['log'], value: { level: 'fatal' } },
  ])
  const time = new EventTime(1_772_340_000)
  const role = new Role('sensing', loadConfiguration(file), time)
  const reader = new ToldReader()
  const controller = new AbortController()
  const reading = readPlates(role, loadPolicy(null), controller.signal, async () => reader)
  const after = async (hours: number): Promise<string | null | undefined> => {
    await time.runUntil(time.monotonic() + hours * 3600)
    return role.parts.find(({ part }) => part === 'lane-1')?.fault
  }
  reader.state('ready')
  t.equal(await after(5.9), null)
  reader.read(time.system())
  t.equal(await after(5.9), null, 'its time runs from the last read')
  t.equal(await after(0.2), 'reader-quiet')
  t.equal(await after(30), 'reader-quiet')
  reader.read(time.system())
  t.equal(await after(0.1), null)
  reader.state('absent')
  t.equal(await after(24), 'device-absent', 'it is not quiet but gone')
  reader.state('ready')
  t.equal(await after(5.8), null, 'and has its time again from its return')
  t.equal(await after(0.3), 'reader-quiet')
  controller.abort()
  await reading
  role.close()
})

test('detect-layout names the layouts that fit, with the share of frames that parse', async t => {
  t.test('in a capture', async t => {
    const file = join(t.testdir({}), 'capture')
    writeFileSync(file, `${line}${line}not a plate; at all;\r\n${line}`)
    const { status, output } = polewatch('plates', 'detect-layout', file, '--json')
    t.equal(status, 0)
    t.match(JSON.parse(output.split('\n')[0] ?? ''), {
      layout: 'nedap-anpr-raw',
      goodFrames: 3,
      frames: 4,
      share: 0.75,
    })
    writeFileSync(
      file,
      Uint8Array.from({ length: 500 }, (_, index) => (index * 7) % 256),
    )
    const noise = polewatch('plates', 'detect-layout', file)
    t.equal(noise.status, 1)
    t.match(noise.output, /500 bytes were heard, but no layout fits them/)
    writeFileSync(file, '')
    t.match(polewatch('plates', 'detect-layout', file).output, /Nothing was heard/)
    t.match(polewatch('plates', 'detect-layout', file, '--parity', 'some'), { status: 2, errors: /none, even or odd/ })
  })

  t.test('on a line', async t => {
    const cable = await PseudoTerminal.plug(join(t.testdir({}), 'tty'))
    const command = new RunningCommand(
      'plates',
      'detect-layout',
      '--port',
      cable.path,
      '--baud',
      'auto',
      '--seconds',
      '3',
    )
    for (let sent = 0; sent < 900 && command.child.exitCode === null; sent += 1) {
      await cable.write('\x022018121900492801ABC1234\x03')
      await pause(100)
    }
    t.match(command.output, /^Listening at 9600 baud for 3 s/)
    t.match(command.output, /auto-intellect at 9600 baud: (?:100|9[0-9]) % of frames/)
    await command.stop()
    await cable.unplug()
  })

  t.test('of all speeds the one that fits best, also where none fits well', async t => {
    const cable = await PseudoTerminal.plug(join(t.testdir({}), 'tty'))
    const command = new RunningCommand(
      'plates',
      'detect-layout',
      '--port',
      cable.path,
      '--baud',
      'auto',
      '--seconds',
      '1',
    )
    // Heard at the first speed alone: two frames of three make no read.
    await until(() => command.output.includes('9600 baud for'), 'the first speed')
    for (let sent = 0; sent < 8 && !command.output.includes('115200 baud for'); sent += 1) {
      await cable.write('\x022018121900492801ABC1234\x03\x02noise\x03\x02noise\x03')
      await pause(100)
    }
    await until(() => command.child.exitCode !== null, 'the answer', 180)
    t.match(command.output, /auto-intellect at 9600 baud: 3\d % of frames/)
    t.equal(command.child.exitCode, 0)
    await cable.unplug()
  })
})
