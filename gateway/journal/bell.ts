import {
  closeSync,
  type FSWatcher,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  watch,
  writeSync,
} from 'node:fs'
import { basename, dirname } from 'node:path'
import { type BellNews, decodeNews, encodeNews } from './bell-news.js'

const suffix = '.bell'

/** What is said with a ring is of use for a moment, and is not kept for longer. Milliseconds. */
const keptFor = 1000

/**
 * A file in the runtime folder that is touched when there is news, and made when it is not there. A small commit is written on it, so
 * that whoever hears the ring need not look it up; it is empty again a second later. Never throws: a bell that cannot be rung costs its
 * readers a quarter of a second.
 */
export class Bell {
  readonly #path: string
  #emptying: NodeJS.Timeout | undefined

  constructor(path: string) {
    this.#path = path
    // Of a process that has crashed.
    this.#empty()
  }

  ring(news: BellNews | null = null): void {
    const written = news === null ? null : encodeNews(news)
    try {
      try {
        if (written === null) this.#touch()
        else this.#write(written)
      } catch {
        mkdirSync(dirname(this.#path), { recursive: true, mode: 0o750 })
        closeSync(openSync(this.#path, 'a', 0o640))
      }
    } catch {
      // Readers poll.
    }
  }

  /** Empties it. It can be rung again. */
  close(): void {
    if (this.#emptying === undefined) return
    clearTimeout(this.#emptying)
    this.#emptying = undefined
    this.#empty()
  }

  #empty(): void {
    try {
      if (statSync(this.#path).size > 0) truncateSync(this.#path)
    } catch {
      // There is none.
    }
  }

  #touch(): void {
    const now = new Date()
    utimesSync(this.#path, now, now)
  }

  #write(bytes: Buffer): void {
    const bell = openSync(this.#path, 'r+')
    try {
      // Not emptied first: that would be a ring of its own.
      writeSync(bell, bytes, 0, bytes.length, 0)
    } finally {
      closeSync(bell)
    }
    clearTimeout(this.#emptying)
    this.#emptying = setTimeout(() => this.close(), keptFor).unref()
  }
}

/**
 * What was rung last with a bell, for a reader of its owner's files; null where nothing is on it, or where somebody else than `owner` has
 * put it there.
 *
 * @param owner the user's number
 */
export function newsOf(path: string, owner: number): BellNews | null {
  try {
    const bell = openSync(path, 'r')
    try {
      const { uid, size } = fstatSync(bell)
      return uid === owner && size > 0 ? decodeNews(readFileSync(bell)) : null
    } finally {
      closeSync(bell)
    }
  } catch {
    return null
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
