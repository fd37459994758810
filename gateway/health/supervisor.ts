import type { ChildProcess } from 'node:child_process'

/** A process that has to run. `start` begins it anew each time; the supervisor owns what it returns. */
export interface Part {
  readonly name: string
  start(): ChildProcess
}

export type PartEvent =
  | { readonly part: string; readonly event: 'started'; readonly pid: number | undefined }
  | { readonly part: string; readonly event: 'ended'; readonly why: string; readonly startsAgainIn: number }

/** The first restart comes soon, a part that keeps failing is tried more and more rarely. Seconds. */
const firstWait = 0.5
const longestWait = 30
/** A part that ran so long is taken for sound, and its next failure for a first one. Seconds. */
const soundAfter = 60
/** Between asking a part to end and ending it. Seconds. */
const patience = 8

/**
 * Runs parts until the signal aborts, starts again what ends, with jittered back-off, and ends them all before it resolves.
 * One part's failure never touches another.
 */
export async function supervise(
  parts: readonly Part[],
  signal: AbortSignal,
  tell: (event: PartEvent) => void,
): Promise<void> {
  await Promise.all(parts.map(part => keepRunning(part, signal, tell)))
}

async function keepRunning(part: Part, signal: AbortSignal, tell: (event: PartEvent) => void): Promise<void> {
  let wait = firstWait
  while (!signal.aborted) {
    const began = performance.now()
    const child = part.start()
    tell({ part: part.name, event: 'started', pid: child.pid })
    const why = await ended(child, signal)
    if (signal.aborted) return
    if (performance.now() - began > soundAfter * 1000) wait = firstWait
    const startsAgainIn = wait * (0.5 + Math.random() / 2)
    tell({ part: part.name, event: 'ended', why, startsAgainIn })
    await pause(startsAgainIn, signal)
    wait = Math.min(wait * 2, longestWait)
  }
}

function ended(child: ChildProcess, signal: AbortSignal): Promise<string> {
  return new Promise(resolve => {
    let killer: NodeJS.Timeout | undefined
    const stop = (): void => {
      child.kill('SIGTERM')
      killer = setTimeout(() => child.kill('SIGKILL'), patience * 1000)
    }
    const done = (why: string): void => {
      clearTimeout(killer)
      signal.removeEventListener('abort', stop)
      resolve(why)
    }
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    child.once('error', error => done(error.message))
    child.once('exit', (code, by) => done(by === null ? `exit status ${code}` : by))
  })
}

function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(done, seconds * 1000)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
  })
}
