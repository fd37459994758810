import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { parseConfiguration } from '../../gateway/config/load.js'
import type { Configuration } from '../../gateway/config/schema.js'

const main = join(process.cwd(), 'dist', 'gateway', 'main.js')

/** Runs the built command to its end. */
export function polewatch(...arguments_: string[]): { status: number | null; output: string; errors: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...arguments_], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
  return { status, output: stdout, errors: stderr }
}

/**
 * The test's own folder, for processes that write in it: it is removed when all that is torn down has ended. Tap removes one that was made
 * before the first teardown is known while they still run.
 */
export function folderOf(t: Test): string {
  t.teardown(() => {})
  return t.testdir()
}

/** A command that goes on running, with what it has said so far. */
export class RunningCommand {
  readonly child: ChildProcess
  output = ''
  errors = ''

  constructor(...arguments_: string[]) {
    this.child = spawn(process.execPath, [main, ...arguments_], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.output += chunk.toString()
    })
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.errors += chunk.toString()
    })
  }

  /** Resolves with the exit status. */
  async stop(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGTERM')
      await new Promise(resolve => this.child.once('exit', resolve))
    }
    return this.child.exitCode
  }
}

/** Waits for something that has to come in the end; gives up after a generous while, so that a test fails and does not hang. */
export async function until<Value>(
  look: () => Value | undefined | false | null,
  what: string,
  seconds = 60,
): Promise<Value> {
  for (let waited = 0; waited < seconds; waited += 0.1) {
    const found = look()
    if (found) return found
    await pause(100)
  }
  throw new Error(`${what} did not come within ${seconds} s`)
}

/** The least that an uplink can be configured with; its folders are `state` and `runtime` in the one given. */
export function uplinkConfiguration(folder: string): Configuration {
  return parseConfiguration(
    `version: 1
site: example-city
gateway: { id: pole-17, position: { latitude: 41.88, longitude: -87.63, altitude: 5, error: 1 } }
paths: { state: ${folder}/state, runtime: ${folder}/runtime }
uplink: { brokers: ['mqtt://127.0.0.1:1883'], acknowledge: broker }
log: { level: fatal }
`,
    join(folder, 'polewatch.yaml'),
  )
}
