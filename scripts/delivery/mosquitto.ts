import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import type { CertificateFiles } from './certificates.js'

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

export interface MosquittoOptions {
  /** Lines added after the listener's. */
  readonly configuration?: string
  /** Makes it listen with TLS 1.3 and ask every client for a certificate. */
  readonly certificates?: CertificateFiles
}

/** How Mosquitto is called here; undefined where it is not installed. */
export const mosquittoProgram = ['mosquitto', '/usr/sbin/mosquitto'].find(
  path => spawnSync(path, ['-h']).error === undefined,
)

// Also when the caller itself is stopped half-way.
const runningBrokers = new Set<ChildProcess>()
process.once('exit', () => {
  for (const broker of runningBrokers) broker.kill('SIGKILL')
})

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Lines of a listener that speaks TLS 1.3 and asks every client for a certificate. */
export function securedListener({ authority, server, serverKey }: CertificateFiles): string {
  return (
    `cafile ${authority}\ncertfile ${server}\nkeyfile ${serverKey}\n` +
    'require_certificate true\nuse_identity_as_username true\ntls_version tlsv1.3\n'
  )
}

/** A Mosquitto that keeps nothing on disk, with a port of its own. It is not up yet. */
export async function startableMosquitto({
  configuration = '',
  certificates,
}: MosquittoOptions = {}): Promise<TestBroker> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-broker-'))
  const file = join(folder, 'mosquitto.conf')
  const limits = 'max_inflight_messages 100\nmax_queued_messages 10000\n'
  // Started by root it would become another user, who cannot read the keys.
  const user = `user ${userInfo().username}\n`
  const security = certificates === undefined ? 'allow_anonymous true\n' : securedListener(certificates)
  writeFileSync(file, `${user}listener ${port} 127.0.0.1\n${security}persistence false\n${limits}${configuration}`)
  let running: ChildProcess | null = null
  const broker: TestBroker = {
    url: `${certificates === undefined ? 'mqtt' : 'mqtts'}://127.0.0.1:${port}`,
    port,
    async up() {
      const child = spawn(mosquittoProgram ?? 'mosquitto', ['-c', file], { stdio: 'ignore' })
      running = child
      runningBrokers.add(child)
      await reachable(port, () => child.exitCode === null)
    },
    async down() {
      const child = running
      running = null
      if (child === null) return
      runningBrokers.delete(child)
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

async function reachable(port: number, alive: () => boolean): Promise<void> {
  for (;;) {
    if (!alive()) throw new Error('Mosquitto has ended at its start')
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
