import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A program that has ended although it was to stay; the message is what it said, or that it said nothing. */
export class ChildEnded extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ChildEnded'
  }
}

/**
 * Ends the program when its own standard input ends, which it does with the process at its other end. (The kernel could do that by
 * itself, but `setpriv --pdeathsig` is refused in the sandbox of sensing.)
 */
const keeperScript = `exec 3<&0
"$@" 3<&- </dev/null &
kept=$!
{ while read -r nothing <&3; do :; done; kill -KILL "$kept"; } >/dev/null 2>&1 &
exec 3<&-
wait "$kept"`

/** A program that runs until it is stopped, and no longer than this process, however that ends. */
export class KeptChild {
  readonly #child: ChildProcessWithoutNullStreams
  /** Rejects with ChildEnded when the program has ended, whether or not it was stopped. */
  readonly ended: Promise<never>

  /** @param hear is called with each line of its standard output */
  constructor(program: string, given: readonly string[], hear: (line: string) => void) {
    this.#child = spawn('sh', ['-c', keeperScript, 'sh', program, ...given])
    this.ended = ending(this.#child, program)
    createInterface({ input: this.#child.stdout }).on('line', hear)
  }

  /** Ends the program and resolves when it has ended. */
  async stop(): Promise<void> {
    this.#child.stdin.end()
    await this.ended.catch(() => {})
  }
}

/** SIGTERM is for the whole service and comes before the end of whoever is watched. A line may be held for a moment after that. */
const guardScript = `trap '' TERM INT HUP
while read -r nothing; do :; done
for attempt in 1 2 3 4 5 6 7 8 9 10; do "$@" && exit; sleep 0.1; done`

/** Runs a command when it is told to, and also when this process ends in any other way than by a power cut. */
export class ReleaseGuard {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #ended: Promise<never>

  constructor(command: readonly string[]) {
    this.#child = spawn('sh', ['-c', guardScript, 'sh', ...command])
    this.#child.stdout.resume()
    this.#ended = ending(this.#child, 'sh')
  }

  /** Resolves when the command was run. */
  async release(): Promise<void> {
    this.#child.stdin.end()
    await this.#ended.catch(() => {})
  }
}

function ending(child: ChildProcessWithoutNullStreams, program: string): Promise<never> {
  let complaint = ''
  // Told by the end.
  child.stdin.on('error', () => {})
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = `${complaint}${chunk.toString()}`.slice(-200)
  })
  const ended = new Promise<never>((_, reject) => {
    child.once('error', error => reject(new ChildEnded(error.message)))
    child.once('close', () => reject(new ChildEnded(complaint.trim() || `${program} has ended.`)))
  })
  // Who waits for it hears it all the same.
  ended.catch(() => {})
  return ended
}
