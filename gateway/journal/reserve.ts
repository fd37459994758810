import { closeSync, existsSync, openSync, renameSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** As much as the write-ahead log holds before it is moved into the database, which has to grow by that then. */
const reserveSize = 4 * 1024 * 1024

/**
 * A file of 4 MiB that is given up when the disk is full, so that the journal can still move its log into the database,
 * delete, and put the more important alert in the place of a lesser one.
 */
export class Reserve {
  readonly #path: string

  constructor(path: string) {
    this.#path = `${path}.reserve`
  }

  /** Bytes free on the disk; none when it cannot say. */
  free(): number {
    try {
      const { bavail, bsize } = statfsSync(dirname(this.#path))
      return bavail * bsize
    } catch {
      return 0
    }
  }

  /** Whether the room is held; it is taken when twice as much is free. */
  hold(): boolean {
    if (existsSync(this.#path)) return true
    if (this.free() < 2 * reserveSize) return false
    const draft = `${this.#path}.new`
    try {
      const file = openSync(draft, 'w', 0o600)
      try {
        const zeros = Buffer.alloc(reserveSize / 16)
        for (let part = 0; part < 16; part += 1) writeSync(file, zeros)
      } finally {
        closeSync(file)
      }
      renameSync(draft, this.#path)
      return true
    } catch {
      this.#remove(draft)
      return false
    }
  }

  release(): void {
    this.#remove(this.#path)
  }

  #remove(path: string): void {
    try {
      rmSync(path, { force: true })
    } catch {
      // A disk that cannot delete either has other faults, which the write that follows will name.
    }
  }
}
