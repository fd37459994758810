import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A script of this folder as a process of its own, which gets its settings as JSON. It dies with this process. */
export class Program {
  /** What it has written to standard output, whole lines. */
  readonly lines: string[] = []
  readonly #child: ChildProcess
  readonly #gone: Promise<unknown>

  /** `nodeOptions` are given to Node.js before the script. */
  constructor(name: string, settings: object, nodeOptions: readonly string[] = []) {
    const file = fileURLToPath(new URL(`./${name}.js`, import.meta.url))
    this.#child = spawn(process.execPath, [...nodeOptions, file, JSON.stringify(settings)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    running.add(this.#child)
    this.#gone = new Promise(resolve => this.#child.once('close', resolve)).then(() => running.delete(this.#child))
    let rest = ''
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      const parts = (rest + chunk.toString()).split('\n')
      rest = parts.pop() ?? ''
      this.lines.push(...parts)
    })
  }

  /** Resolves when it has ended by itself. */
  async ended(): Promise<void> {
    await this.#gone
  }

  /** Kills it as a loss of its process does. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#gone
  }

  /** Asks it to end. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#gone
  }
}
