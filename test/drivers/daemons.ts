import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { userInfo } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'

/** Runs a program until the shell's input ends, so that none outlives a test that was killed. */
const untilInputEnds = '"$0" "$@" & read -r line; kill $!; wait'

/** How a system program is called here; undefined where it is not installed. */
function programHere(name: string): string | undefined {
  return [name, `/usr/sbin/${name}`].find(path => spawnSync(path, ['--version']).error === undefined)
}

/** A program that runs until it is stopped. */
export class Daemon {
  readonly #shell: ChildProcess
  readonly #closed: Promise<unknown>
  #said = ''

  constructor(program: string, arguments_: readonly string[]) {
    const command = ['-c', untilInputEnds, program, ...arguments_]
    this.#shell = spawn('sh', command, { stdio: ['pipe', 'ignore', 'pipe'] })
    this.#shell.stderr?.on('data', (chunk: Buffer) => {
      this.#said += chunk.toString()
    })
    this.#closed = once(this.#shell, 'close')
  }

  /** What it has complained of. */
  get said(): string {
    return this.#said
  }

  async stop(): Promise<void> {
    this.#shell.stdin?.end()
    await this.#closed
  }
}

const chronyd = programHere('chronyd')
const chronyc = programHere('chronyc')
/** Why chrony cannot be tried here; false where it can. */
export const chronyMissing = chronyd === undefined || chronyc === undefined ? 'chrony is not installed' : false

/** A chronyd that leaves the clock, other chronyds and the system's folders alone; its commands come over loopback. */
export function startChronyd(folder: string, name: string, directives: readonly string[]): Daemon {
  const alone = ['bindcmdaddress /', `pidfile ${folder}/${name}.pid`]
  const options = ['-x', '-d', '-U', '-u', userInfo().username]
  return new Daemon(chronyd ?? 'chronyd', [...options, ...alone, ...directives])
}

/** The shell command that asks the chronyd whose commands come at this port. */
export function askingChronyd(port: number): string {
  return `exec ${chronyc} -h 127.0.0.1 -p ${port}`
}

const gpsd = programHere('gpsd')
/**
 * gpsd tells chronys of the machine what time it is through System V shared memory: in a namespace of its own no clock
 * follows the sentences of a test.
 */
const apart = process.getuid?.() === 0 ? ['--ipc'] : ['--user', '--ipc']
/** Why gpsd cannot be tried here; false where it can. */
export const gpsdMissing =
  gpsd === undefined
    ? 'gpsd is not installed'
    : spawnSync('unshare', [...apart, 'true']).status !== 0
      ? 'gpsd cannot be kept apart from the clock of this machine'
      : false

/** A gpsd that reads a receiver and answers at this port of loopback from now on. */
export async function startGpsd(port: number, receiver: string): Promise<Daemon> {
  const daemon = new Daemon('unshare', [...apart, gpsd ?? 'gpsd', '-N', '-n', '-S', String(port), receiver])
  for (let waited = 0; waited < 10_000; waited += 10) {
    if (await answers(port)) return daemon
    await pause(10)
  }
  await daemon.stop()
  throw new Error(`gpsd does not answer: ${daemon.said}`)
}

function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
