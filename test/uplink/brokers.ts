import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Aedes } from 'aedes'

/** A broker on loopback that can be taken away and brought back on the same port. */
export interface TestBroker {
  readonly url: string
  readonly port: number
  up(): Promise<void>
  /** As when its machine loses power. */
  down(): Promise<void>
  /** Down for good. */
  remove(): Promise<void>
}

export interface BrokerKind {
  readonly name: string
  /** Why it cannot be had here; false when it can. */
  readonly missing: string | false
  create(): Promise<TestBroker>
}

const mosquitto = ['mosquitto', '/usr/sbin/mosquitto'].find(path => spawnSync(path, ['-h']).error === undefined)

export const brokerKinds: readonly BrokerKind[] = [
  { name: 'aedes (MQTT 3.1.1)', missing: false, create: createAedes },
  {
    name: 'Mosquitto (MQTT 5)',
    missing: mosquitto === undefined ? 'mosquitto is not installed' : false,
    create: () => createMosquitto(''),
  },
]

export async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function createAedes(): Promise<TestBroker> {
  const port = await freePort()
  let stop = async () => {}
  return {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    async up() {
      const aedes = await Aedes.createBroker()
      const sockets = new Set<net.Socket>()
      const server = net.createServer(socket => {
        sockets.add(socket)
        socket.on('close', () => sockets.delete(socket))
        socket.on('error', () => undefined)
        aedes.handle(socket)
      })
      await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
      stop = async () => {
        for (const socket of sockets) socket.destroy()
        await new Promise(resolve => server.close(resolve))
        await new Promise<void>(resolve => aedes.close(resolve))
      }
    },
    async down() {
      await stop()
      stop = async () => {}
    },
    remove: () => stop(),
  }
}

/** `listener` is added to the configuration, after the listener's line. */
export async function createMosquitto(listener: string): Promise<TestBroker> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-broker-'))
  const file = join(folder, 'mosquitto.conf')
  const limits = 'max_inflight_messages 100\nmax_queued_messages 10000\n'
  writeFileSync(file, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\n${limits}${listener}`)
  let running: ChildProcess | null = null
  // Also when the test itself is stopped half-way.
  process.once('exit', () => running?.kill('SIGKILL'))
  const broker: TestBroker = {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    async up() {
      running = spawn(mosquitto ?? 'mosquitto', ['-c', file], { stdio: 'ignore' })
      await reachable(port)
    },
    async down() {
      const child = running
      running = null
      if (child === null) return
      const gone = new Promise(resolve => child.once('exit', resolve))
      child.kill('SIGKILL')
      await gone
    },
    async remove() {
      await broker.down()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return broker
}

async function reachable(port: number): Promise<void> {
  for (;;) {
    const open = await new Promise<boolean>(resolve => {
      const socket = net.connect({ port, host: '127.0.0.1' }, () => {
        socket.destroy()
        resolve(true)
      })
      socket.on('error', () => resolve(false))
    })
    if (open) return
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
