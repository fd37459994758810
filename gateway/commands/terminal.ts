import { setMaxListeners } from 'node:events'
import { PolewatchError } from '../errors.js'

/** Exit statuses of every command. */
export const exitStatus = { done: 0, fault: 1, usage: 2 } as const

/** One line of NDJSON on standard output. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

/** One line for a person on standard output. */
export function print(line = ''): void {
  process.stdout.write(`${line}\n`)
}

/**
 * Tells the user of an error on standard error, as a person reads it or as NDJSON, and gives the exit status for it.
 * Errors without a code are faults of polewatch itself and show where they come from.
 */
export function printError(error: unknown, json: boolean): number {
  if (error instanceof PolewatchError) {
    const { code, message, advice } = error
    process.stderr.write(
      json ? `${JSON.stringify({ error: { code, message, advice } })}\n` : `${bold(code)} ${message}\n${advice}\n`,
    )
    return code === 'PW_USAGE' ? exitStatus.usage : exitStatus.fault
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(json ? `${JSON.stringify({ error: { code: null, message: text } })}\n` : `${text}\n`)
  return exitStatus.fault
}

const colours = { red: 31, green: 32, yellow: 33, blue: 34, grey: 90 } as const

/** Colour only where a terminal shows it and the user has not refused it (no-color.org). */
export function colour(name: keyof typeof colours, text: string): string {
  return coloured() ? `\u001b[${colours[name]}m${text}\u001b[0m` : text
}

export function bold(text: string): string {
  return coloured() ? `\u001b[1m${text}\u001b[0m` : text
}

function coloured(): boolean {
  return process.stdout.isTTY === true && process.env.NO_COLOR === undefined
}

/** A signal that aborts on SIGINT or SIGTERM; a second one ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(exitStatus.fault)
    controller.abort()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  // A child of `polewatch run` ends with it.
  process.on('disconnect', stop)
  process.channel?.unref()
  return controller.signal
}

/** A role's signal, which aborts when it is to stop, or when the hub has it begin anew. */
export function restartable(stop: AbortSignal): { readonly until: AbortSignal; restart(): void } {
  const controller = new AbortController()
  const until = AbortSignal.any([stop, controller.signal])
  // Each part of the role listens; there is no leak to be warned of.
  setMaxListeners(0, until)
  return { until, restart: () => controller.abort() }
}

/** A progress bar on standard error, shown only on a terminal. */
export class ProgressBar {
  readonly #title: string
  #shown = 0

  constructor(title: string) {
    this.#title = title
  }

  /** @param share done so far, 0 to 1 */
  update(share: number): void {
    const now = performance.now()
    if (!process.stderr.isTTY || (now - this.#shown < 100 && share < 1)) return
    this.#shown = now
    const width = 30
    const filled = Math.round(share * width)
    process.stderr.write(
      `\r${this.#title} ${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${String(Math.round(share * 100)).padStart(3)} %`,
    )
  }

  /** For work whose end is not known: what has been done so far. */
  note(text: string): void {
    const now = performance.now()
    if (!process.stderr.isTTY || now - this.#shown < 100) return
    this.#shown = now
    process.stderr.write(`\r\u001b[K${this.#title}: ${text}`)
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
  }
}
