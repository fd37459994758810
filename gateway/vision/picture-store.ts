import { createHash } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

/*
 * Pictures of hits, on flash: one file each in a folder of its own, `{UTC, milliseconds since 1970}-{id}.jpg`. The time is in the
 * name, so that what has to go is known without opening anything and after any step of the file system's clock.
 */

export interface PictureStoreOptions {
  readonly folder: string
  /** Seconds that a picture is kept; 0 keeps none. */
  readonly keepSeconds: number
  /** Most bytes of all pictures together; the oldest go first. 64 MiB unless given. */
  readonly byteLimit?: number
  /** Wall clock, seconds since 1970 UTC. */
  readonly clock: () => number
}

export interface KeptPicture {
  readonly id: string
  readonly sha256: string
  readonly bytes: number
}

const named = /^(\d{13})-([a-z0-9-]{1,80})\.jpg(\.new)?$/

/** Where the pictures of hits lie until their time is over. */
export class PictureStore {
  readonly #options: PictureStoreOptions

  constructor(options: PictureStoreOptions) {
    this.#options = options
  }

  /** Writes a picture and returns when it is on the disk; null where none may be kept. Throws what the file system says. */
  keep(id: string, jpeg: Uint8Array): KeptPicture | null {
    const { folder, keepSeconds, clock } = this.#options
    if (keepSeconds <= 0) return null
    mkdirSync(folder, { recursive: true, mode: 0o750 })
    const file = join(folder, `${Math.round(clock() * 1000)}-${id}.jpg`)
    writeFileSync(`${file}.new`, jpeg, { mode: 0o600, flush: true })
    renameSync(`${file}.new`, file)
    const directory = openSync(folder, 'r')
    try {
      fsyncSync(directory)
    } finally {
      closeSync(directory)
    }
    return { id, sha256: createHash('sha256').update(jpeg).digest('hex'), bytes: jpeg.length }
  }

  /** Deletes what is older than its time, or too much. Returns the ids of what went. Throws what the file system says. */
  purge(): string[] {
    const { folder, keepSeconds, byteLimit = 64 * 2 ** 20, clock } = this.#options
    const now = clock()
    const gone: string[] = []
    let bytes = 0
    for (const { file, id, time, unfinished } of this.#pictures()) {
      const path = join(folder, file)
      bytes += statSync(path).size
      if (!unfinished && now - time <= keepSeconds && bytes <= byteLimit) continue
      rmSync(path)
      if (!unfinished) gone.push(id)
    }
    return gone
  }

  /** Newest first. */
  #pictures(): { file: string; id: string; time: number; unfinished: boolean }[] {
    let files: string[] = []
    try {
      files = readdirSync(this.#options.folder)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
    return files
      .flatMap(file => {
        const [, time, id, unfinished] = named.exec(file) ?? []
        if (time === undefined || id === undefined) return []
        return [{ file, id, time: Number(time) / 1000, unfinished: unfinished !== undefined }]
      })
      .sort((one, other) => other.time - one.time)
  }
}
