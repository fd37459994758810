import { type ChildProcess, spawn } from 'node:child_process'
import { constants, existsSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'

/** Runs socat until the shell's input ends, so that no cable outlives a test that was killed. */
const untilInputEnds = 'socat "$0" "$1" & read -r line; kill $!; wait'

/** A serial cable made of two pseudo-terminals joined by socat: the gateway opens `path`, the test writes the other end. */
export class PseudoTerminal {
  readonly path: string
  readonly #socat: ChildProcess
  readonly #peer: FileHandle
  readonly #exited: Promise<void>

  private constructor(path: string, socat: ChildProcess, peer: FileHandle, exited: Promise<void>) {
    this.path = path
    this.#socat = socat
    this.#peer = peer
    this.#exited = exited
  }

  /** Plugs the cable in: `path` appears. */
  static async plug(path: string): Promise<PseudoTerminal> {
    const far = `${path}.far`
    const ends = [path, far].map(link => `pty,raw,echo=0,link=${link}`)
    const socat = spawn('sh', ['-c', untilInputEnds, ...ends], { stdio: ['pipe', 'ignore', 'ignore'] })
    let failure: Error | null = null
    socat.on('error', error => {
      failure = error
    })
    const exited = new Promise<void>(resolve => {
      socat.on('close', () => resolve())
    })
    while (!existsSync(path) || !existsSync(far)) {
      if (failure !== null || socat.exitCode !== null)
        throw new Error('socat is needed for this test', { cause: failure })
      await pause(5)
    }
    return new PseudoTerminal(path, socat, await open(far, constants.O_RDWR | constants.O_NOCTTY), exited)
  }

  async write(bytes: Uint8Array | string): Promise<void> {
    await this.#peer.writeFile(bytes)
  }

  /** Pulls the cable out: `path` disappears. */
  async unplug(): Promise<void> {
    await this.#peer.close()
    this.#socat.stdin?.end()
    await this.#exited
  }
}
