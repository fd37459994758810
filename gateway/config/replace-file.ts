import { chmodSync, chownSync, closeSync, fsyncSync, openSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** Replaces a file by the new text, whole or not at all, with its owner and its rights. */
export function replaceFile(file: string, text: string): void {
  const { uid, gid, mode } = statSync(file)
  writeWhole(file, text, mode & 0o777, { uid, gid })
}

/** Writes a file so that, whatever happens, it is the old one or the new one. */
export function writeWhole(file: string, text: string, mode: number, owner?: { uid: number; gid: number }): void {
  const draft = join(dirname(file), `.writing-${basename(file)}`)
  writeFileSync(draft, text, { mode: 0o600, flush: true })
  if (owner !== undefined) chownSync(draft, owner.uid, owner.gid)
  chmodSync(draft, mode)
  renameSync(draft, file)
  const folder = openSync(dirname(file), 'r')
  fsyncSync(folder)
  closeSync(folder)
}
