import { createHash } from 'node:crypto'
import { readdirSync, readlinkSync, renameSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { loadPlateReaderLayout } from '../../drivers/device-files.js'
import { SimulatedIo } from '../../drivers/digital-io/simulator.js'
import type { StateReport } from '../../drivers/driver.js'
import { LineError, type LineListener } from '../../drivers/plate-reader/line.js'
import type { PlateRead } from '../../drivers/plate-reader/plate-reader.js'
import { SerialPlateReader, type SerialPlateReaderOptions } from '../../drivers/plate-reader/serial.js'
import { SimulatedPlateReader } from '../../drivers/plate-reader/simulator.js'
import { TcpPlateReader, TcpServerPlateReader } from '../../drivers/plate-reader/tcp.js'
import { WiegandPlateReader } from '../../drivers/plate-reader/wiegand.js'
import { decodeWiegand } from '../../drivers/plate-reader/wiegand-code.js'
import { systemClock } from '../../drivers/system-clock.js'
import { contractElsewhere } from '../contracts/contract.js'
import { collect, states } from '../contracts/driver.js'
import { plateReaderContract, plateReaderScene } from '../contracts/plate-reader.js'
import { VirtualClock } from '../contracts/virtual-clock.js'
import { PseudoTerminal } from './pseudo-terminal.js'

const devices = join(process.cwd(), 'firmware-config/devices')
const lines = await loadPlateReaderLayout('nedap-anpr-raw', devices)
const framed = await loadPlateReaderLayout('auto-intellect', devices)
const line = (text: string) => `${text};97;USA;IN\r\n`
const frame = (text: string) => `\x022018121900492801${text}\x03`

function serial(path: string, options: Partial<SerialPlateReaderOptions> = {}): SerialPlateReader {
  return new SerialPlateReader({ name: 'lane-1', path, layout: lines, clock: systemClock, random: () => 0, ...options })
}

function readsOf(items: readonly { readonly kind: string }[]): PlateRead[] {
  return items.filter((item): item is PlateRead => item.kind === 'plate')
}

/** A plugged-in cable and a reader's iterator that has said `ready`. */
async function connected(t: Test, options: Partial<SerialPlateReaderOptions> = {}) {
  const cable = await PseudoTerminal.plug(join(t.testdir({}), 'tty'))
  const controller = new AbortController()
  const readings = serial(cable.path, options).readings(controller.signal)[Symbol.asyncIterator]()
  const next = async (): Promise<PlateRead | StateReport> => {
    const { value } = await readings.next()
    if (value === undefined) throw new Error('the readings have ended')
    return value
  }
  t.match(await next(), { state: 'ready' })
  t.teardown(async () => {
    controller.abort()
    await readings.return?.()
    await cable.unplug().catch(() => {})
  })
  return { cable, next, readings, controller }
}

/** Pseudo-terminals that this process holds open. */
function openTerminals(): number {
  return readdirSync('/proc/self/fd').filter(descriptor => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith('/dev/pts/')
    } catch {
      return false
    }
  }).length
}

/** A reader at the other end of a TCP connection. */
class FakeTcpReader {
  #port = 0
  #server: Server | null = null
  #socket: Socket | null = null
  #calling = false

  /** A port that nobody has. */
  async reserve(): Promise<number> {
    const server = createServer()
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    this.#port = typeof address === 'object' && address !== null ? address.port : 0
    await new Promise(resolve => server.close(resolve))
    return this.#port
  }

  async answer(): Promise<void> {
    const server = createServer(socket => {
      this.#socket = socket
      socket.on('error', () => {})
    })
    this.#server = server
    await new Promise<void>(resolve => server.listen(this.#port, '127.0.0.1', resolve))
  }

  /** Calls until the gateway answers. */
  async call(): Promise<void> {
    this.#calling = true
    void (async () => {
      while (this.#calling && this.#socket === null) {
        const socket = connect(this.#port, '127.0.0.1')
        const connected = await new Promise<boolean>(resolve => {
          socket.once('connect', () => resolve(true))
          socket.once('error', () => resolve(false))
        })
        socket.on('error', () => {})
        if (connected && this.#calling) this.#socket = socket
        else if (connected) socket.destroy()
        else await pause(20)
      }
    })()
  }

  async send(text: string | Uint8Array): Promise<void> {
    while (this.#socket === null) await pause(5)
    this.#socket.write(text)
  }

  async vanish(): Promise<void> {
    this.#calling = false
    this.#socket?.destroy()
    this.#socket = null
    await new Promise<unknown>(resolve => (this.#server === null ? resolve(null) : this.#server.close(resolve)))
    this.#server = null
  }
}

/** Pulses of 50 µs, 1 ms apart, as Nedap's readers send them. */
function sendBits(inputs: SimulatedIo, bits: readonly number[], start = systemClock.monotonic()): void {
  for (const [index, bit] of bits.entries()) {
    inputs.move(bit === 1 ? 6 : 5, 'low', start + index * 0.001)
    inputs.move(bit === 1 ? 6 : 5, 'high', start + index * 0.001 + 50e-6)
  }
}

function wiegand64(text: string): number[] {
  const codes = [...text].map(character => 16 + '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'.indexOf(character))
  const groups = [...Array.from({ length: 10 - text.length }, () => 0), ...codes]
  return ['0110', ...groups.map(code => code.toString(2).padStart(6, '0'))].flatMap(part => [...part].map(Number))
}

test('plate-reader contract', async t => {
  const folder = t.testdir({})
  let scenes = 0
  const noise = Uint8Array.from({ length: 700 }, (_, index) => 128 + ((index * 37) % 128))
  contractElsewhere(t, 'plate-reader', 'serial line, an adapter on USB', 'the kernel’s driver: ./scripts/test-machine')
  plateReaderContract(t, {
    title: 'serial line',
    excused: {},
    noiseIsFault: true,
    countsReads: true,
    reopenings: 200,
    make: async ({ capacity }) => {
      scenes += 1
      const path = join(folder, `tty${scenes}`)
      let cable: PseudoTerminal | null = null
      return {
        reader: serial(path, { capacity, layout: framed }),
        plug: async () => {
          cable = await PseudoTerminal.plug(path)
        },
        unplug: async () => cable?.unplug(),
        send: async text => cable?.write(frame(text)),
        noise: async () => cable?.write(noise),
        rename: async () => {
          const second = await PseudoTerminal.plug(`${path}.second`)
          await cable?.unplug()
          renameSync(`${path}.second`, path)
          cable = second
        },
        end: async () => cable?.unplug(),
      }
    },
  })
  const tcpOptions = { name: 'lane-1', layout: framed, clock: systemClock, random: () => 0 }
  const tcpScene = (reader: FakeTcpReader, plug: () => Promise<void>) => ({
    plug,
    unplug: () => reader.vanish(),
    send: async (text: string) => reader.send(frame(text)),
    noise: () => reader.send(noise),
    rename: null,
    end: () => reader.vanish(),
  })
  const addressed = { renamed: 'it is known by its address' }
  plateReaderContract(t, {
    title: 'TCP client',
    excused: addressed,
    noiseIsFault: true,
    countsReads: true,
    reopenings: 1000,
    make: async ({ capacity }) => {
      const reader = new FakeTcpReader()
      const port = await reader.reserve()
      return {
        ...tcpScene(reader, () => reader.answer()),
        reader: new TcpPlateReader({ ...tcpOptions, host: '127.0.0.1', port, capacity }),
      }
    },
  })
  plateReaderContract(t, {
    title: 'TCP server',
    excused: addressed,
    noiseIsFault: true,
    countsReads: true,
    reopenings: 1000,
    make: async ({ capacity }) => {
      const reader = new FakeTcpReader()
      const port = await reader.reserve()
      return {
        ...tcpScene(reader, () => reader.call()),
        reader: new TcpServerPlateReader({ ...tcpOptions, address: '127.0.0.1', port, capacity }),
      }
    },
  })
  plateReaderContract(t, {
    title: 'Wiegand of 64 bits',
    excused: { renamed: 'two wires have no name; their chip has, in the contract of digital-io' },
    noiseIsFault: false,
    countsReads: false,
    reopenings: 1000,
    make: async ({ capacity }) => {
      const lines = { inputs: [5, 6], outputs: [], clock: systemClock }
      // An edge of a pulse each, of 64 pulses a frame.
      const inputs = new SimulatedIo({ name: 'lane-1', ...lines, capacity: capacity * 128 })
      let at = 0
      const sendFrame = (bits: readonly number[]) => {
        at = Math.max(at + 0.2, systemClock.monotonic())
        sendBits(inputs, bits, at)
      }
      return {
        reader: new WiegandPlateReader({ name: 'lane-1', inputs, data0: 5, data1: 6, bits: 64, clock: systemClock }),
        plug: async () => inputs.plug(true),
        unplug: async () => inputs.plug(false),
        send: async text => sendFrame(wiegand64(text)),
        noise: async () => sendFrame([1, 0, 1, 1, 0]),
        rename: null,
        end: async () => {},
      }
    },
  })
  plateReaderContract(t, {
    title: 'simulator',
    excused: {
      renamed: 'it has no name on a bus',
      silent: 'it says what it was told to, when it was told to',
      flooding: 'it gives each read when it is asked for',
      wrong: 'it has no line on which anything else could come',
      queue: 'nothing waits: its reads are known beforehand',
    },
    noiseIsFault: false,
    countsReads: false,
    reopenings: 1000,
    make: async () => {
      const plugs = plateReaderScene.flatMap((step, index) => (step.do === 'plug' ? [index] : []))
      const unplug = plateReaderScene.findIndex(step => step.do === 'unplug')
      const reader = new SimulatedPlateReader({
        name: 'lane-1',
        clock: new VirtualClock(),
        reads: plateReaderScene.flatMap((step, at) => (step.do === 'send' ? [{ at: at + 1, text: step.text }] : [])),
        absences: [
          { from: 0, until: plugs[0]! + 1 },
          { from: unplug + 1, until: plugs[1]! + 1 },
        ],
      })
      const nothing = async () => {}
      return { reader, plug: nothing, unplug: nothing, send: nothing, noise: null, rename: null, end: nothing }
    },
  })
})

test('a serial line', async t => {
  t.test('gives the fields that the layout finds, stamped when the frame was complete', async t => {
    const { cable, next } = await connected(t)
    const before = systemClock.system()
    await cable.write('46HVR9;97;NLD;GOAWAY\r\n')
    const read = await next()
    t.match(read, {
      kind: 'plate',
      text: '46HVR9',
      confidence: 0.97,
      country: 'NLD',
      direction: 'departing',
      lane: null,
    })
    t.ok(read.kind === 'plate' && read.systemTime >= before - 0.002 && read.systemTime <= systemClock.system())
  })

  t.test('may split frames anywhere', async t => {
    const { cable, next } = await connected(t, { layout: framed })
    for (const cut of [1, 9, 17, 23]) {
      const whole = frame('ABC1234')
      await cable.write(whole.slice(0, cut))
      await pause(15)
      await cable.write(whole.slice(cut))
      t.match(await next(), { text: 'ABC1234', discarded: { frames: 0, bytes: 0, reads: 0 } })
    }
  })

  t.test('that gives bytes but no frames is noise until the next good frame, and everything is counted', async t => {
    const { cable, next } = await connected(t, { layout: framed, noiseBytes: 300 })
    const noise = Uint8Array.from({ length: 400 }, (_, index) => 128 + ((index * 37) % 128))
    await cable.write(noise)
    t.match(await next(), { state: 'faulty', fault: 'line-noise' })
    await cable.write(frame('ABC1234'))
    t.match(await next(), { state: 'ready', fault: null })
    t.match(await next(), { text: 'ABC1234', discarded: { frames: 0, bytes: 400, reads: 0 } })
    await cable.write(`\x02half${frame('46HVR9')}`)
    t.match(await next(), { text: '46HVR9', discarded: { frames: 1, bytes: 5, reads: 0 } })
    await cable.write(frame('XYZ987'))
    t.match(await next(), { text: 'XYZ987', discarded: { frames: 0, bytes: 0, reads: 0 } })
  })

  t.test(
    'set to another parity than the reader makes noise and no reads, and the next frame in the right one is read',
    async t => {
      const { cable, next } = await connected(t, { layout: framed })
      // Seven bits with an odd one on top, as eight without parity take them.
      const ones = (byte: number) => byte.toString(2).replaceAll('0', '').length
      const sent = Buffer.from(frame('ABC1234').repeat(30))
      await cable.write(sent.map(byte => (ones(byte) % 2 === 0 ? byte | 0x80 : byte)))
      t.match(await next(), { state: 'faulty', fault: 'line-noise' })
      await cable.write(frame('46HVR9'))
      t.match(await next(), { state: 'ready', fault: null })
      const read = await next()
      t.match(read, { text: '46HVR9', discarded: { reads: 0 } })
      const whole = sent.length
      t.ok(read.kind === 'plate' && read.discarded.bytes === whole, 'every byte of them is counted')
    },
  )

  t.test('that floods a receiver who does not keep up drops the oldest reads and counts them', async t => {
    const { cable, next } = await connected(t, { capacity: 16 })
    const total = 3000
    const flood = Array.from({ length: total }, (_, index) => line(`N${index}`)).join('')
    await cable.write(flood)
    let [received, dropped, last] = [0, 0, '']
    while (last !== `N${total - 1}`) {
      const item = await next()
      if (item.kind !== 'plate') throw new Error('only reads were expected')
      received += 1
      dropped += item.discarded.reads
      last = item.text
    }
    t.equal(received + dropped, total)
    t.ok(dropped > 0)
  })

  t.test('pulled out and put back at once, as another device file, is opened afresh', async t => {
    const { cable, next } = await connected(t)
    const absent = next()
    await cable.unplug()
    const again = await PseudoTerminal.plug(cable.path)
    t.match(await absent, { state: 'absent', fault: 'device-absent' })
    t.match(await next(), { state: 'ready' })
    await again.write(line('ABC1234'))
    t.match(await next(), { text: 'ABC1234' })
    await again.unplug()
  })

  t.test('pulled out in the middle of a frame does not spoil the first frame after it', async t => {
    const { cable, next } = await connected(t, { layout: framed })
    await cable.write('\x02201812')
    await pause(50)
    await cable.unplug()
    t.match(await next(), { state: 'absent' })
    const again = await PseudoTerminal.plug(cable.path)
    t.match(await next(), { state: 'ready' })
    await again.write(frame('ABC1234'))
    t.match(await next(), { text: 'ABC1234', discarded: { frames: 1, bytes: 7, reads: 0 } })
    await again.unplug()
  })

  t.test('belongs to one program: another finds it busy, and gets it when it is free', async t => {
    const { cable, controller, readings } = await connected(t)
    const second = new AbortController()
    const other = serial(cable.path).readings(second.signal)[Symbol.asyncIterator]()
    t.match((await other.next()).value, { state: 'faulty', fault: 'device-busy' })
    controller.abort()
    t.ok((await readings.next()).done)
    t.match((await other.next()).value, { state: 'ready' })
    second.abort()
    t.ok((await other.next()).done)
  })

  t.test('that is no serial line is refused', async t => {
    const path = join(t.testdir({}), 'file')
    writeFileSync(path, '')
    t.same(states(await collect(serial(path), all => all.length === 1)), ['faulty device-refused'])
  })

  t.test('can be given up at any moment of an unruly life, and leaves nothing open', async t => {
    const path = join(t.testdir({}), 'tty')
    const before = openTerminals()
    for (let round = 0; round < 12; round += 1) {
      const controller = new AbortController()
      const consumed = (async () => {
        let items = 0
        for await (const _ of serial(path, { layout: framed, capacity: 4 }).readings(controller.signal)) items += 1
        return items
      })()
      const cable = await PseudoTerminal.plug(path)
      const life = (async () => {
        await cable.write(frame('ABC1234').repeat(50)).catch(() => {})
        if (round % 3 === 0) await cable.unplug()
      })()
      await pause(round * 7)
      controller.abort()
      t.type(await consumed, 'number')
      await life
      if (round % 3 !== 0) await cable.unplug()
    }
    t.equal(openTerminals(), before)
  })
})

/** A serial line in memory, on a virtual clock. */
class FakeLine {
  readonly clock = new VirtualClock()
  openings = 0
  closings = 0
  plugged = true
  listener: LineListener | null = null

  reader(options: Partial<SerialPlateReaderOptions> = {}): SerialPlateReader {
    return serial('/dev/ttyUSB7', {
      clock: this.clock,
      openLine: async (_path, _settings, listener) => {
        if (!this.plugged) throw new LineError('device-absent', 'There is no serial line.')
        this.openings += 1
        this.listener = listener
        return {
          present: () => this.plugged,
          write: () => {},
          close: async () => {
            this.closings += 1
          },
        }
      },
      ...options,
    })
  }

  send(text: string): void {
    this.listener?.bytes(new TextEncoder().encode(text))
  }
}

test('a line in memory', async t => {
  t.test('half a frame before a long silence does not spoil the frame after it', async t => {
    const fake = new FakeLine()
    const items = await collect(fake.reader(), all => {
      if (all.length === 1) {
        fake.send('x\x1bY')
        const quiet = fake.clock.monotonic()
        void (async () => {
          while (fake.clock.monotonic() < quiet + 2) await turn()
          fake.send(line('ABC1234'))
        })()
      }
      return all.length === 2
    })
    t.match(readsOf(items), [{ text: 'ABC1234', discarded: { frames: 1, bytes: 3, reads: 0 } }])
  })

  t.test('whose device file vanishes without a word is noticed', async t => {
    const fake = new FakeLine()
    const items = await collect(fake.reader(), all => {
      fake.plugged = all.length !== 1
      return all.length === 3
    })
    t.same(states(items), ['ready', 'absent device-absent', 'ready'])
  })

  t.test('settings of the layout hold unless they are overridden', async t => {
    const seen: unknown[] = []
    const openLine: SerialPlateReaderOptions['openLine'] = async (path, settings) => {
      seen.push({ path, ...settings })
      throw new LineError('device-absent', 'There is no serial line.')
    }
    await collect(serial('/dev/ttyS0', { openLine, clock: new VirtualClock() }), all => all.length === 1)
    await collect(
      serial('/dev/ttyS0', { openLine, clock: new VirtualClock(), line: { baudRate: 115200, parity: 'even' } }),
      all => all.length === 1,
    )
    const usual = { path: '/dev/ttyS0', baudRate: 9600, dataBits: 8, parity: 'none', stopBits: 1, flowControl: 'none' }
    t.same(seen, [usual, { ...usual, baudRate: 115200, parity: 'even' }])
  })

  t.test('a thousand reopenings leave nothing open', async t => {
    const fake = new FakeLine()
    const items = await collect(fake.reader(), all => {
      fake.listener?.lost('unplugged')
      return all.length >= 2000
    })
    t.equal(items.length, 2000)
    t.ok(fake.openings >= 1000)
    t.equal(fake.openings, fake.closings)
  })

  t.test('a failure of the program, not of the line, ends the readings with it', async t => {
    const openLine = async () => Promise.reject(new TypeError('no such method'))
    await t.rejects(
      collect(serial('/dev/ttyS0', { openLine, clock: new VirtualClock() }), () => false),
      TypeError,
    )
  })
})

test('Wiegand frames', async t => {
  const bits = (text: string) => [...text.replace(/ /g, '')].map(Number)
  const nedap64 = bits('0110 000000 000000 000000 100001 100100 010101 010101 011110 101111 011011')

  t.test("are read as in Nedap's own examples", async t => {
    t.same(decodeWiegand(nedap64), { bits: 64, text: 'HK55EVB' })
    t.same(decodeWiegand(bits('0110 000000 000000 000000 000000 101111 101011 010100 010110 111111 101101')), {
      bits: 64,
      text: 'VR46?T',
    })
    const hash = createHash('sha1').update('HK55EVB').digest().readUIntBE(17, 3)
    const data = hash.toString(2).padStart(24, '0')
    const ones = (half: string) => [...half].filter(bit => bit === '1').length
    const whole = `${ones(data.slice(0, 12)) % 2}${data}${1 - (ones(data.slice(12)) % 2)}`
    t.same(decodeWiegand(bits(whole)), { bits: 26, hash: 0x80cf15 })
    for (const at of whole.split('').keys()) {
      const wrong = bits(whole).map((bit, index) => (index === at ? 1 - bit : bit))
      t.equal(decodeWiegand(wrong), null, 'wrong parity')
    }
  })

  t.test('that are short, spoilt or of another length are counted, and the next is read', async t => {
    const clock = systemClock
    const inputs = new SimulatedIo({ name: 'lane-1', inputs: [5, 6], outputs: [], clock })
    const reader = new WiegandPlateReader({ name: 'lane-1', inputs, data0: 5, data1: 6, bits: 64, clock })
    const start = clock.monotonic()
    const items = await collect(reader, all => {
      if (all.length === 1) {
        inputs.plug(true)
        return false
      }
      if (all.length > 2) return true
      sendBits(inputs, nedap64.slice(0, 40), start)
      sendBits(inputs, bits('01101'), start + 1)
      inputs.move(5, 'low', start + 2)
      inputs.move(6, 'low', start + 2.0001)
      sendBits(inputs, nedap64, start + 3)
      return false
    })
    t.match(readsOf(items), [{ text: 'HK55EVB', discarded: { frames: 3 } }])
  })

  t.test('are read by the stamps of the kernel, however the edges of one line overtake those of the other', async t => {
    const clock = systemClock
    const inputs = new SimulatedIo({ name: 'lane-1', inputs: [5, 6], outputs: [], clock })
    const reader = new WiegandPlateReader({ name: 'lane-1', inputs, data0: 5, data1: 6, bits: 64, clock })
    const start = clock.monotonic()
    const delays = [0, 40e-6, 0.0007, 0.0025, 0.01, 0.025]
    const items = await collect(reader, all => {
      if (all.length === 1) {
        inputs.plug(true)
        return false
      }
      if (all.length > 2) return readsOf(all).length === 2 * delays.length
      for (const [frame, delay] of delays.entries()) {
        for (const late of [5, 6]) {
          const at = start + frame + late / 10
          const edges = nedap64.flatMap((bit, index) =>
            (['low', 'high'] as const).map((level, half) => ({
              ...{ line: bit === 1 ? 6 : 5, level, stamp: at + index * 0.001 + half * 50e-6 },
            })),
          )
          const arrival = ({ line, stamp }: { line: number; stamp: number }) => stamp + (line === late ? delay : 0)
          edges.sort((one, other) => arrival(one) - arrival(other))
          for (const { line, level, stamp } of edges) inputs.move(line, level, stamp)
        }
      }
      return false
    })
    t.same(
      readsOf(items).map(({ text, discarded }) => [text, discarded.frames]),
      delays.flatMap(() => [0, 0]).map(frames => ['HK55EVB', frames]),
    )
  })

  t.test('whose second half comes late, because the process was held up, are one frame by their stamps', async t => {
    const clock = systemClock
    const inputs = new SimulatedIo({ name: 'lane-1', inputs: [5, 6], outputs: [], clock })
    const reader = new WiegandPlateReader({ name: 'lane-1', inputs, data0: 5, data1: 6, bits: 64, clock })
    inputs.plug(true)
    const start = clock.monotonic()
    const items = await collect(reader, all => {
      if (all.length > 1) return true
      sendBits(inputs, nedap64.slice(0, 30), start)
      setTimeout(() => sendBits(inputs, nedap64.slice(30), start + 0.03), 100)
      return false
    })
    t.match(readsOf(items), [{ text: 'HK55EVB', discarded: { frames: 0 } }])
  })
})

test('an acknowledgement goes back over the line for an intact frame, and for no other', async t => {
  const layout = await loadPlateReaderLayout('nedap-anpr-protocolled', devices)
  const [example] = layout.examples
  const server = createServer()
  const answers: Buffer[] = []
  server.on('connection', socket => {
    socket.on('error', () => {})
    socket.on('data', chunk => answers.push(chunk))
    socket.write(example!.hex.map((byte, index) => (index === 14 ? byte ^ 1 : byte)))
    socket.write(example!.hex)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const reader = new TcpPlateReader({ name: 'lane-1', layout, host: '127.0.0.1', port, clock: systemClock })
  const controller = new AbortController()
  for await (const item of reader.readings(controller.signal)) {
    if (item.kind !== 'plate') continue
    t.match(item, { text: '46HVR9', discarded: { frames: 1 } })
    while (Buffer.concat(answers).length < example!.acknowledged!.length) await pause(5)
    controller.abort()
  }
  t.same([...Buffer.concat(answers)], [...example!.acknowledged!])
  server.close()
})

test('a reader that calls is heard on the one address that it was given, and on no other of this machine', async t => {
  const fake = new FakeTcpReader()
  const port = await fake.reserve()
  const options = { name: 'lane-1', layout: framed, clock: systemClock, random: () => 0 }
  const server = new TcpServerPlateReader({ ...options, address: '127.0.0.2', port })
  const controller = new AbortController()
  const texts: string[] = []
  const hearing = (async () => {
    for await (const item of server.readings(controller.signal)) if (item.kind === 'plate') texts.push(item.text)
  })()
  const call = async (address: string) => {
    const socket = connect(port, address)
    const answered = await new Promise<boolean>(resolve => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    return answered ? socket : null
  }
  let socket = await call('127.0.0.2')
  for (let tried = 0; socket === null && tried < 200; tried += 1) {
    await pause(20)
    socket = await call('127.0.0.2')
  }
  t.equal(await call('127.0.0.1'), null, 'another address')
  socket?.write(frame('ABC1234'))
  for (let waited = 0; texts.length === 0 && waited < 200; waited += 1) await pause(20)
  t.same(texts, ['ABC1234'])
  controller.abort()
  await hearing
  socket?.destroy()
  t.equal(await call('127.0.0.2'), null, 'nobody listens once it is given up')
})
