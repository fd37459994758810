import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { PolewatchError } from '../errors.js'

/*
 * Where a list lives:
 *
 *   {directory}/{list}/generation-00000012-{SHA-256 of the file}.db   whole and finished; never written again
 *   {directory}/{list}/generation-00000011-….db                      the one before, for one step back
 *   {directory}/{list}/current -> generation-00000012-….db           replaced by rename, so it always names a whole list
 *   {directory}/{list}/building-….db                                 of an import under way, or left by one that was killed
 *   {directory}/{list}/deltas.json                               changes that were applied, so that none is applied twice
 *   {directory}/{list}/lock                                          held by the importer; the kernel frees it at its death
 *
 * Every name reaches the disk only after what it names: file fsync, rename, folder fsync, then the link likewise.
 */

const generationName = /^generation-(\d{8})-([0-9a-f]{64})\.db$/

export interface Generation {
  readonly number: number
  readonly sha256: string
  /** The file's name in the list's folder. */
  readonly file: string
}

/** The folder of a list. Throws PW_HOTLIST_NAME for a name that cannot be one. */
export function listFolder(directory: string, listName: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(listName)) throw new PolewatchError('PW_HOTLIST_NAME')
  return join(directory, listName)
}

/** The generation that is current; null where there is none. */
export function currentGeneration(folder: string): Generation | null {
  let target: string
  try {
    target = readlinkSync(join(folder, 'current'))
  } catch {
    return null
  }
  return parseGeneration(target)
}

/** All finished generations, oldest first. */
export function generations(folder: string): Generation[] {
  return readdirSync(folder)
    .map(parseGeneration)
    .filter(generation => generation !== null)
    .sort((one, other) => one.number - other.number)
}

/** Makes a list's folder, readable by owner and group only. */
export function createFolder(directory: string, folder: string): void {
  const made = mkdirSync(folder, { recursive: true, mode: 0o750 }) !== undefined
  const mode = statSync(folder).mode & 0o7777
  // Root may import under a mask that keeps the roles out. Else nothing is touched: the sandbox forbids to set the bit of the group that the folder has.
  if (made && (mode & 0o050) !== 0o050) chmodSync(folder, mode | 0o050)
  giveOwner(folder, directory)
}

/**
 * Takes the list's folder for one importer; the result gives it back. It is a lock of the kernel on the file `lock`, so one
 * that is killed holds nothing. Throws PW_HOTLIST_BUSY.
 */
export function lockFolder(folder: string, listName: string): () => void {
  const lock = new Database(join(folder, 'lock'), { timeout: 0 })
  giveOwner(join(folder, 'lock'), folder)
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    throw new PolewatchError('PW_HOTLIST_BUSY', { list: listName }, error)
  }
  return () => lock.close()
}

/** Removes what killed imports left. Only the holder of the lock may. */
export function removeLeftovers(folder: string): void {
  for (const file of readdirSync(folder)) {
    if (/^(building|link|\.?writing)-/.test(file)) rmSync(join(folder, file), { force: true })
  }
}

/** Gives a finished, hashed file its name as the next generation. The file is synchronised; it is not current yet. */
export function keepAsGeneration(folder: string, built: string, number: number, sha256: string): Generation {
  const file = `generation-${String(number).padStart(8, '0')}-${sha256}.db`
  giveOwner(join(folder, built), folder)
  synchronise(join(folder, built))
  renameSync(join(folder, built), join(folder, file))
  synchronise(folder)
  return { number, sha256, file }
}

/** Makes a generation current, in one step for every reader. */
export function makeCurrent(folder: string, generation: Generation): void {
  const link = `link-${process.pid}`
  rmSync(join(folder, link), { force: true })
  symlinkSync(generation.file, join(folder, link))
  renameSync(join(folder, link), join(folder, 'current'))
  synchronise(folder)
}

/** Deletes all generations but these. Readers that still have one open keep it until they close it. */
export function keepOnly(folder: string, kept: readonly Generation[]): void {
  const names = new Set(kept.map(generation => generation.file))
  for (const generation of generations(folder)) {
    if (!names.has(generation.file)) rmSync(join(folder, generation.file), { force: true })
  }
  synchronise(folder)
}

function parseGeneration(file: string): Generation | null {
  const parts = generationName.exec(file)
  if (parts === null) return null
  return { number: Number(parts[1]), sha256: parts[2] ?? '', file }
}

/** Hidden: who waits for files in the folder (polewatch-apply.path) must not take a draft for one. */
export const draftPrefix = '.writing-'

/** Writes a small file whole, for owner and group whatever the mask: after a crash there is the old one or the new one. */
export function writeDurably(folder: string, file: string, text: string): void {
  const draft = join(folder, `${draftPrefix}${file}`)
  try {
    writeFileSync(draft, text, { mode: 0o640, flush: true })
    chmodSync(draft, 0o640)
    giveOwner(draft, folder)
    renameSync(draft, join(folder, file))
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
  synchronise(folder)
}

// Where root imports, the roles that read the list must still be able to.
function giveOwner(path: string, folder: string): void {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = statSync(folder)
  chownSync(path, uid, gid)
}

/** What was renamed into or removed from the folder is on the disk afterwards. */
export function synchronise(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
