import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import type { Heard } from '../../drivers/gnss/gnss.js'
import { GpsdReceiver } from '../../drivers/gnss/gpsd.js'
import { GpsdParser } from '../../drivers/gnss/gpsd-parser.js'
import { NmeaReceiver } from '../../drivers/gnss/nmea.js'
import { NmeaParser } from '../../drivers/gnss/nmea-parser.js'
import { SimulatedReceiver } from '../../drivers/gnss/simulator.js'
import { systemClock } from '../../drivers/system-clock.js'
import { contractElsewhere } from '../contracts/contract.js'
import { collect, states } from '../contracts/driver.js'
import { gnssContract } from '../contracts/gnss.js'
import { type Daemon, gpsdMissing, startGpsd } from './daemons.js'
import { positionSentence, sentence } from './nmea.js'
import { PseudoTerminal } from './pseudo-terminal.js'

const usual = { name: 'sky', clock: systemClock, random: () => 0 }

/** A stand-in for gpsd that speaks its protocol, as fast as is asked and with what the real one never says. */
class StandIn {
  readonly port: number
  #server: Server | null = null
  #sockets: Socket[] = []
  #repeating: NodeJS.Timeout | undefined

  constructor(port: number) {
    this.port = port
  }

  async open(): Promise<void> {
    this.#server = createServer(socket => {
      this.#sockets.push(socket)
      socket.on('close', () => {
        this.#sockets = this.#sockets.filter(other => other !== socket)
      })
      socket.on('error', () => {})
      socket.resume()
    })
    this.#server.listen(this.port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  async tell(report: Record<string, unknown>): Promise<void> {
    clearInterval(this.#repeating)
    while (this.#sockets.length === 0) await systemClock.sleep(0.01, new AbortController().signal)
    for (const socket of this.#sockets.filter(({ destroyed }) => !destroyed))
      socket.write(`${JSON.stringify(report)}\r\n`)
  }

  /** Says it again and again, for whoever calls later. */
  repeat(report: Record<string, unknown>): void {
    clearInterval(this.#repeating)
    this.#repeating = setInterval(() => {
      for (const socket of this.#sockets) socket.write(`${JSON.stringify(report)}\r\n`)
    }, 5)
  }

  async close(): Promise<void> {
    clearInterval(this.#repeating)
    for (const socket of this.#sockets.splice(0)) socket.destroy()
    const server = this.#server
    this.#server = null
    if (server !== null) await new Promise<void>(resolve => server.close(() => resolve()))
  }
}

function instant(second: number): string {
  return new Date(second * 1000).toISOString()
}

/** Where a receiver appears: gpsd reads none whose path is longer than 128 bytes, which the test's own folder may be. */
function shortPath(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'gpsd-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return join(folder, 'receiver')
}

/** A receiver on a pseudo-terminal with a real gpsd that reads it. gpsd speaks once for each second of the receiver's clock. */
class ReceiverOfGpsd {
  readonly #path: string
  readonly #port: number
  #terminal: PseudoTerminal | null = null
  #daemon: Daemon | null = null
  #repeating: NodeJS.Timeout | undefined
  #second = 0

  constructor(path: string, port: number) {
    this.#path = path
    this.#port = port
  }

  async plug(): Promise<void> {
    this.#terminal = await PseudoTerminal.plug(this.#path)
    this.#daemon = await startGpsd(this.#port, this.#path)
  }

  async unplug(): Promise<void> {
    clearInterval(this.#repeating)
    await this.#daemon?.stop()
    await this.#terminal?.unplug()
    this.#daemon = null
    this.#terminal = null
  }

  async fix(latitude: number, longitude: number): Promise<void> {
    clearInterval(this.#repeating)
    await this.#terminal?.write(positionSentence(latitude, longitude, this.#time()))
  }

  lose(): void {
    clearInterval(this.#repeating)
    const say = async () => this.#terminal?.write(sentence(`GNGGA,${this.#time()},,,,,0,00,99.9,,,,,,`))
    this.#repeating = setInterval(say, 5)
  }

  async noise(): Promise<void> {
    await this.#terminal?.write('\u0000\u00ff$GNGGA,123519,4807.038,N*00\r\n$GPGGA')
  }

  #time(): string {
    this.#second += 1
    return `${instant(this.#second).slice(11, 19).replaceAll(':', '')}.00`
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise<void>(resolve => server.close(() => resolve()))
  return typeof address === 'object' && address !== null ? address.port : 0
}

test('receivers', async t => {
  contractElsewhere(t, 'gnss', 'NMEA, an adapter on USB', 'the kernel’s driver: ./scripts/test-machine')
  gnssContract(t, {
    title: 'simulator',
    excused: {
      renamed: 'it has no name on a bus',
      silent: 'a program moves it, and it never listens',
      wrong: 'it has no line on which anything else could come',
    },
    async make({ capacity }) {
      const receiver = new SimulatedReceiver({ ...usual, capacity })
      return {
        receiver,
        plug: async () => receiver.plug(true),
        unplug: async () => receiver.plug(false),
        fix: async (latitude, longitude) => receiver.fix(latitude, longitude),
        lose: async () => receiver.lose(),
        noise: null,
        rename: null,
        end: async () => {},
      }
    },
  })

  gnssContract(t, {
    title: 'NMEA on a pseudo-terminal',
    excused: {},
    async make({ capacity, silentSeconds }) {
      const path = join(t.testdir({}), 'receiver')
      let terminal: PseudoTerminal | null = null
      let repeating: NodeJS.Timeout | undefined
      return {
        receiver: new NmeaReceiver({ ...usual, path, capacity, silentSeconds }),
        async plug() {
          terminal = await PseudoTerminal.plug(path)
        },
        async unplug() {
          clearInterval(repeating)
          await terminal?.unplug()
          terminal = null
        },
        async fix(latitude, longitude) {
          clearInterval(repeating)
          await terminal?.write(positionSentence(latitude, longitude))
        },
        // What is said before the port is open is not heard, so it is said again and again, as receivers do.
        async lose() {
          clearInterval(repeating)
          const say = async () => terminal?.write(sentence('GNGGA,123519.00,,,,,0,00,99.9,,,,,,'))
          repeating = setInterval(say, 5)
        },
        noise: async () => terminal?.write('\u0000\u00ff$GNGGA,123519,4807.038,N*00\r\n$GPGGA'),
        rename: async () => {
          clearInterval(repeating)
          const second = await PseudoTerminal.plug(`${path}.second`)
          await terminal?.unplug()
          renameSync(`${path}.second`, path)
          terminal = second
        },
        end: async () => {
          clearInterval(repeating)
          await terminal?.unplug()
        },
      }
    },
  })

  const port = await freePort()
  gnssContract(t, {
    title: 'gpsd',
    excused: { renamed: 'it is asked at one port of this machine' },
    async make({ capacity, silentSeconds }) {
      const daemon = new StandIn(port)
      let second = 0
      return {
        receiver: new GpsdReceiver({ ...usual, port, capacity, silentSeconds }),
        plug: () => daemon.open(),
        unplug: () => daemon.close(),
        fix: (lat, lon) => daemon.tell({ class: 'TPV', mode: 3, time: instant(++second), lat, lon, eph: 4 }),
        lose: async () => daemon.repeat({ class: 'TPV', mode: 1 }),
        noise: () => daemon.tell({ class: 'TPV', mode: 'three', lat: 700 }),
        rename: null,
        end: () => daemon.close(),
      }
    },
  })

  if (gpsdMissing !== false) contractElsewhere(t, 'gnss', 'gpsd itself', gpsdMissing)
  else
    gnssContract(t, {
      title: 'gpsd itself',
      excused: { renamed: 'it is asked at one port of this machine' },
      reopenings: 200,
      async make({ capacity, silentSeconds }) {
        const port = await freePort()
        const receiver = new ReceiverOfGpsd(shortPath(t), port)
        return {
          receiver: new GpsdReceiver({ ...usual, port, capacity, silentSeconds }),
          plug: () => receiver.plug(),
          unplug: () => receiver.unplug(),
          fix: (latitude, longitude) => receiver.fix(latitude, longitude),
          lose: async () => receiver.lose(),
          noise: () => receiver.noise(),
          rename: null,
          end: () => receiver.unplug(),
        }
      },
    })
})

function fixOf(heard: readonly Heard[]) {
  const [first] = heard
  if (heard.length !== 1 || first?.kind !== 'fix') throw new Error(`a fix was expected: ${JSON.stringify(heard)}`)
  return first
}

test('NMEA', async t => {
  const hear = (parser: NmeaParser, ...lines: string[]) => parser.push(Buffer.from(lines.join('')))

  t.test('takes the date from RMC, across midnight too, and none while there is none', async t => {
    const parser = new NmeaParser()
    t.equal(fixOf(hear(parser, positionSentence(48, 11))).utc, null)
    t.same(hear(parser, sentence('GNRMC,235959.00,A,4807.038,N,01131.000,E,0.0,0.0,310326,,,A')), [])
    t.equal(fixOf(hear(parser, positionSentence(48, 11, '235959.00'))).utc, Date.UTC(2026, 2, 31, 23, 59, 59) / 1000)
    t.equal(fixOf(hear(parser, positionSentence(48, 11, '000000.50'))).utc, Date.UTC(2026, 3, 1, 0, 0, 0, 500) / 1000)
  })

  t.test('takes the error from GST of the same second, or else from the dilution of precision', async t => {
    const parser = new NmeaParser()
    t.equal(fixOf(hear(parser, positionSentence(48, 11))).horizontalError, 4.5)
    hear(parser, sentence('GNGST,123519.00,1.2,,,,0.3,0.4,0.9'))
    t.equal(fixOf(hear(parser, positionSentence(48, 11))).horizontalError, 0.5)
    t.equal(fixOf(hear(parser, positionSentence(48, 11, '123520.00'))).horizontalError, 4.5)
  })

  t.test('refuses a wrong checksum, a place that does not exist, and a position typed in by hand', async t => {
    const parser = new NmeaParser()
    t.same(hear(parser, positionSentence(48, 11).replace('4800', '4900')), [])
    t.same(hear(parser, sentence('GNGGA,123519,9907.0,N,01131.0,E,1,08,0.9,5,M,4,M,,')), [{ kind: 'no-fix' }])
    t.same(hear(parser, sentence('GNGGA,123519,4807.0,N,01131.0,E,7,08,0.9,5,M,4,M,,')), [{ kind: 'no-fix' }])
  })

  t.test('reads sentences that come in any pieces', async t => {
    const parser = new NmeaParser()
    const bytes = Buffer.from(positionSentence(48.5, -11.25).repeat(3))
    const heard = Array.from(bytes, byte => parser.push(Uint8Array.of(byte))).flat()
    t.equal(heard.length, 3)
    t.match(heard[2], { kind: 'fix', latitude: 48.5, longitude: -11.25 })
  })
})

test('gpsd tells of satellites in one report and of the place in another', async t => {
  const parser = new GpsdParser()
  const tell = (report: unknown) => parser.push(Buffer.from(`${JSON.stringify(report)}\n`))
  t.same(tell({ class: 'SKY', uSat: 9, hdop: 2 }), [])
  t.match(fixOf(tell({ class: 'TPV', mode: 2, lat: 1, lon: 2 })), { satellites: 9, horizontalError: 10, utc: null })
  t.same(parser.push(Buffer.from('{"class":"TPV","mo\n[]\nnull\n')), [])
})

test('a real gpsd tells place, time, error and satellites of a receiver, and its loss of the sky', {
  skip: gpsdMissing,
}, async t => {
  const port = await freePort()
  const path = shortPath(t)
  const terminal = await PseudoTerminal.plug(path)
  const daemon = await startGpsd(port, path)
  t.teardown(async () => {
    clearInterval(speaking)
    await daemon.stop()
    await terminal.unplug()
  })
  const place = '4026.472000,N,07959.586000,W'
  let sky = true
  const speaking = setInterval(() => {
    const now = new Date()
    const time = `${now.toISOString().slice(11, 19).replaceAll(':', '')}.00`
    const date = now.toISOString().slice(2, 10).split('-').reverse().join('')
    const words = sky
      ? [
          `GNRMC,${time},A,${place},0.0,0.0,${date},,,A`,
          `GNGGA,${time},${place},1,04,0.9,245.4,M,-33.9,M,,`,
          'GPGSV,1,1,04,01,40,083,46,02,17,308,41,12,07,344,39,14,22,228,45',
          'GNGSA,A,3,01,02,12,14,,,,,,,,,1.5,0.9,1.2',
        ]
      : [`GNRMC,${time},V,,,,,,,${date},,,N`, `GNGGA,${time},,,,,0,00,99.9,,,,,,`]
    void terminal.write(words.map(sentence).join(''))
  }, 1000)
  const items = await collect(new GpsdReceiver({ ...usual, port }), all => {
    if (all.filter(({ kind }) => kind === 'fix').length === 6) sky = false
    return all.at(-1)?.kind === 'state' && !sky
  })
  t.same(states(items).slice(-2), ['ready', 'faulty no-fix'])
  const fixes = items.filter(item => item.kind === 'fix')
  const last = fixes.at(-1)
  t.match(last, { satellites: 4, altitude: 245.4 })
  t.ok(Math.abs((last?.latitude ?? 0) - 40.4412) < 1e-6 && Math.abs((last?.longitude ?? 0) + 79.9931) < 1e-6)
  t.ok((last?.horizontalError ?? 0) > 1 && (last?.horizontalError ?? 99) < 20, `${last?.horizontalError} m`)
  for (const { utc, systemTime } of fixes) t.ok(utc !== null && systemTime - utc > -0.3 && systemTime - utc < 1.5)
  t.equal(new Set(fixes.map(({ utc }) => utc)).size, fixes.length, 'a second has one fix')
})

test('a receiver that says nothing, or has no antenna, is at fault', async t => {
  const path = join(t.testdir({}), 'receiver')
  const terminal = await PseudoTerminal.plug(path)
  const receiver = new NmeaReceiver({ ...usual, path, silentSeconds: 0.2 })
  const items = await collect(receiver, all => {
    if (all.length === 1) {
      const words = [sentence('GNTXT,01,01,01,ANTSTATUS=OPEN'), sentence('GNTXT,01,01,01,ANTSTATUS=OK')]
      const steps = [words[0], (words[1] ?? '') + positionSentence(1, 2)]
      void (async () => {
        for (const step of steps) {
          await terminal.write(step ?? '')
          await systemClock.sleep(0.05, new AbortController().signal)
        }
      })()
    }
    return all.some(item => item.kind === 'fix')
  })
  t.same(states(items), ['faulty silent', 'faulty antenna-open', 'ready'])
  await terminal.unplug()
})
