import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'

/** A child of the demo that is started again when it ends although nobody asked it to. */
export class Keeper {
  readonly name: string
  readonly #start: () => ChildProcess
  #child: ChildProcess
  #stopping = false
  restarts = 0

  constructor(name: string, start: () => ChildProcess) {
    this.name = name
    this.#start = start
    this.#child = this.#watch(start())
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get child(): ChildProcess {
    return this.#child
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#stopping = true
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    const killer = setTimeout(() => child.kill('SIGKILL'), 10_000)
    await once(child, 'exit')
    clearTimeout(killer)
  }

  #watch(child: ChildProcess): ChildProcess {
    child.on('error', error => process.stderr.write(`${this.name} cannot be started: ${error.message}\n`))
    child.on('exit', () => {
      if (this.#stopping) return
      setTimeout(() => {
        if (this.#stopping) return
        this.restarts++
        this.#child = this.#watch(this.#start())
      }, 500)
    })
    return child
  }
}

/** Runs a command to its end; rejects with what it said when its exit status is not 0. */
export async function run(command: string, arguments_: readonly string[], options: SpawnOptions = {}): Promise<string> {
  const child = spawn(command, arguments_, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (status !== 0) throw new Error(`${command} ${arguments_.join(' ')} ended with status ${status}:\n${output}`)
  return output
}

/** Direct children of a process, by the kernel's word. */
export async function childrenOf(pid: number): Promise<number[]> {
  const { readFile } = await import('node:fs/promises')
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  return text.split(' ').filter(Boolean).map(Number)
}

export function sleep(seconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, seconds * 1000))
}
