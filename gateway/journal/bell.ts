import { closeSync, type FSWatcher, mkdirSync, openSync, statSync, utimesSync, watch } from 'node:fs'
import { basename, dirname } from 'node:path'

const suffix = '.bell'

/**
 * Touches the bell, an empty file in the runtime folder, made when it is not there. Never throws: a bell that cannot be rung
 * costs its readers a quarter of a second.
 */
export function ringBell(path: string): void {
  try {
    try {
      const now = new Date()
      utimesSync(path, now, now)
    } catch {
      mkdirSync(dirname(path), { recursive: true, mode: 0o750 })
      closeSync(openSync(path, 'a', 0o640))
    }
  } catch {
    // Readers poll.
  }
}

export interface WatchOptions {
  readonly signal: AbortSignal
  /** Seconds between calls without a ring; default 0.25. */
  readonly poll?: number
}

/**
 * Calls `onRing` once at the start, when a bell in the folder rings, and every quarter of a second in case a notice was lost or
 * the folder is not there yet. `bells` names those that rang (`sensing` for `sensing.bell`), none at a poll. Rings that come
 * while `onRing` still runs are one further call. Resolves when the signal aborts and the last call is done; rejects with
 * what `onRing` throws.
 */
export async function watchBells(
  directory: string,
  onRing: (bells: ReadonlySet<string>) => void | Promise<void>,
  { signal, poll = 0.25 }: WatchOptions,
): Promise<void> {
  let rung = new Set<string>()
  let wake = () => {}
  const watched = new FolderWatch(directory, name => {
    if (!name.endsWith(suffix)) return
    rung.add(basename(name, suffix))
    wake()
  })
  const stop = () => wake()
  signal.addEventListener('abort', stop)
  try {
    while (!signal.aborted) {
      const bells = rung
      if (bells.size === 0) watched.renew()
      rung = new Set()
      await onRing(bells)
      if (signal.aborted || rung.size > 0) continue
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, poll * 1000)
        wake = () => {
          clearTimeout(timer)
          // The turn's other notices belong to the same ring.
          setImmediate(resolve)
        }
      })
    }
  } finally {
    signal.removeEventListener('abort', stop)
    watched.close()
  }
}

/** Watches a folder that may not be there yet, and may be made again. */
class FolderWatch {
  readonly #directory: string
  readonly #onName: (name: string) => void
  #watcher: FSWatcher | undefined
  #inode: number | undefined

  constructor(directory: string, onName: (name: string) => void) {
    this.#directory = directory
    this.#onName = onName
  }

  renew(): void {
    const inode = statSync(this.#directory, { throwIfNoEntry: false })?.ino
    if (this.#watcher !== undefined && inode === this.#inode) return
    this.close()
    if (inode === undefined) return
    try {
      this.#watcher = watch(this.#directory, (_event, name) => {
        if (name !== null) this.#onName(name)
      })
      this.#watcher.on('error', () => this.close())
      this.#inode = inode
    } catch {
      this.close()
    }
  }

  close(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }
}
