import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'tap'
import { PseudoTerminal } from '../drivers/pseudo-terminal.js'
import { polewatch, RunningCommand, until } from './polewatch.js'

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
    t.equal(polewatch('plates', 'detect-layout', file).status, 1)
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
    for (let sent = 0; sent < 200 && command.child.exitCode === null; sent += 1) {
      await cable.write('\x022018121900492801ABC1234\x03')
      await pause(100)
    }
    t.match(command.output, /auto-intellect at 9600 baud: (?:100|9[0-9]) % of frames/)
    await command.stop()
    await cable.unplug()
  })
})
