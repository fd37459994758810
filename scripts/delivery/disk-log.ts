import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const source = fileURLToPath(new URL('../../../scripts/delivery/disk-log.c', import.meta.url))
const headerLength = 24
/** What a disk writes whole or not at all, bytes. */
const sector = 512

/** Compiles the layer that records what a program does to a folder. Returns the library's path. @throws Error without a compiler */
export function compileDiskLog(folder: string): string {
  const library = join(folder, 'disk-log.so')
  const words = ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl', '-lpthread']
  const { status, stderr, error } = spawnSync('gcc', words, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`gcc failed: ${error?.message ?? stderr}`)
  return library
}

/** The environment that makes a program record what it does to `folder` in `file`. */
export function recordedBy(library: string, folder: string, file: string): NodeJS.ProcessEnv {
  return { ...process.env, LD_PRELOAD: library, DISK_LOG_FOLDER: folder, DISK_LOG_FILE: file, UV_USE_IO_URING: '0' }
}

const kinds = ['', 'opened', 'created', 'written', 'truncated', 'synced', 'renamed', 'unlinked'] as const

/** One thing that was done to the folder. */
export interface DiskRecord {
  readonly kind: (typeof kinds)[number]
  readonly inode: number
  readonly offset: number
  readonly bytes: Buffer
}

/** The records of a log file in order; one that was cut short at the end is left out. */
export function readDiskLog(file: string): DiskRecord[] {
  const log = readFileSync(file)
  const records: DiskRecord[] = []
  for (let at = 0; at + headerLength <= log.length; ) {
    const end = at + headerLength + Number(log.readBigUInt64LE(at + 16))
    if (end > log.length) break
    const kind = kinds[log.readUInt32LE(at)] ?? ''
    const offset = Number(log.readBigUInt64LE(at + 8))
    records.push({ kind, inode: log.readUInt32LE(at + 4), offset, bytes: log.subarray(at + headerLength, end) })
    at = end
  }
  return records
}

/** Bytes that grow as they are written to; a copy is its own. */
class Content {
  #bytes: Buffer
  #length: number

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#length = bytes.length
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  copy(): Content {
    return new Content(Buffer.from(this.bytes))
  }

  apply({ kind, offset, bytes }: DiskRecord): void {
    const end = kind === 'truncated' ? offset : Math.max(this.#length, offset + bytes.length)
    if (end > this.#bytes.length) {
      const larger = Buffer.alloc(2 * end)
      this.bytes.copy(larger)
      this.#bytes = larger
    }
    if (end > this.#length) this.#bytes.fill(0, this.#length, end)
    this.#length = end
    bytes.copy(this.#bytes, offset)
  }
}

/** A file's content as far as it was synced, and what came after. */
interface RecordedFile {
  readonly durable: Content
  pending: DiskRecord[]
}

/**
 * A folder as a disk without power protection holds it. After a sync of a file its content is safe, after one of the folder
 * its names are. Of what came later any part may be there: names up to some change in their order, contents sector by
 * sector in any order. (What a file system does is kinder: this is what POSIX promises.)
 */
export class RecordedDisk {
  readonly #folder: string
  readonly #honest: boolean
  readonly #files = new Map<number, RecordedFile>()
  #durableNames = new Map<string, RecordedFile>()
  #names = new Map<string, RecordedFile>()
  #renamings: (() => void)[] = []
  #folderInode = 0

  /** `start` is a folder with what was safe at the beginning. A disk that is not honest ignores every sync. */
  constructor(folder: string, start: string, honest = true) {
    this.#folder = folder
    this.#honest = honest
    for (const name of readdirSync(start)) {
      const file = { durable: new Content(readFileSync(join(start, name))), pending: [] }
      this.#names.set(name, file)
      this.#durableNames.set(name, file)
    }
  }

  apply(record: DiskRecord): void {
    const path = record.bytes.toString()
    if (record.kind === 'opened' && path === this.#folder) this.#folderInode = record.inode
    else if (record.kind === 'opened') this.#files.set(record.inode, this.#names.get(basename(path)) ?? emptyFile())
    else if (record.kind === 'created') {
      const file = emptyFile()
      this.#files.set(record.inode, file)
      this.#change(names => names.set(basename(path), file))
    } else if (record.kind === 'unlinked') this.#change(names => names.delete(basename(path)))
    else if (record.kind === 'renamed') {
      const [from = '', to = ''] = path.split('\0').map(each => basename(each))
      this.#change(names => {
        const file = names.get(from)
        names.delete(from)
        if (file !== undefined) names.set(to, file)
      })
    } else if (record.kind === 'synced') this.#sync(record.inode)
    else this.#files.get(record.inode)?.pending.push(record)
  }

  /** Writes what a power cut now leaves into an empty folder. `random` gives numbers from 0 to 1. */
  cut(into: string, random: () => number): void {
    const names = new Map(this.#durableNames)
    const kept = Math.floor(random() * (this.#renamings.length + 1))
    const saved = this.#durableNames
    this.#durableNames = names
    for (const change of this.#renamings.slice(0, kept)) change()
    this.#durableNames = saved
    for (const [name, file] of names) writeFileSync(join(into, name), remains(file, random))
  }

  #change(change: (names: Map<string, RecordedFile>) => void): void {
    change(this.#names)
    this.#renamings.push(() => change(this.#durableNames))
  }

  #sync(inode: number): void {
    if (!this.#honest) return
    if (inode === this.#folderInode) {
      this.#durableNames = new Map(this.#names)
      this.#renamings = []
      return
    }
    const file = this.#files.get(inode)
    if (file === undefined) return
    for (const record of file.pending) file.durable.apply(record)
    file.pending = []
  }
}

function emptyFile(): RecordedFile {
  return { durable: new Content(Buffer.alloc(0)), pending: [] }
}

/** What was safe, with all of what was pending, none, all up to some moment with a torn write there, or any part of it. */
function remains({ durable, pending }: RecordedFile, random: () => number): Buffer {
  const content = durable.copy()
  for (const record of chosen(pending, random)) content.apply(record)
  return content.bytes
}

function chosen(pending: readonly DiskRecord[], random: () => number): readonly DiskRecord[] {
  const mode = random()
  if (mode < 0.1) return []
  if (mode < 0.2) return pending
  if (mode < 0.6) {
    const whole = Math.floor(random() * (pending.length + 1))
    return [...pending.slice(0, whole), ...pending.slice(whole, whole + 1).flatMap(torn => sectorsOf(torn, random))]
  }
  const share = random()
  return pending
    .filter(() => random() < share)
    .flatMap(record => (random() < 0.5 ? [record] : sectorsOf(record, random)))
}

function sectorsOf(record: DiskRecord, random: () => number): DiskRecord[] {
  if (record.kind !== 'written') return random() < 0.5 ? [record] : []
  const parts: DiskRecord[] = []
  const share = random()
  for (let from = 0; from < record.bytes.length; ) {
    const to = Math.min(record.bytes.length, from + sector - ((record.offset + from) % sector))
    if (random() < share) {
      parts.push({ ...record, offset: record.offset + from, bytes: record.bytes.subarray(from, to) })
    }
    from = to
  }
  return parts
}
