import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { currentGeneration, writeDurably } from './generations.js'
import { type ListAbout, ListFile } from './list-file.js'

/*
 * Which changes a list has taken. A change names the list that it was made for, so it fits once; but a list may come back,
 * by a step back or because the agency sends the same file again, and then an old change would fit anew. So those that were
 * applied are remembered until they may not be applied any more.
 */

const file = 'deltas.json'
const recordSchema = z.strictObject({
  applied: z.array(z.strictObject({ sha256: z.string(), expires: z.number() })),
})

/**
 * Writes down the change that made the current generation, unless that is done: also for one that was killed just before.
 * Only the holder of the lock may.
 */
export function settleDeltas(folder: string, now: number): void {
  const current = currentGeneration(folder)
  const about = current === null ? null : aboutOf(join(folder, current.file))
  if (about === null || about.deltaExpires === null) return
  const applied = readApplied(folder)
  if (applied.some(({ sha256 }) => sha256 === about.sourceSha256)) return
  const live = applied.filter(({ expires }) => expires > now)
  const text = JSON.stringify({ applied: [...live, { sha256: about.sourceSha256, expires: about.deltaExpires }] })
  writeDurably(folder, file, `${text}\n`)
}

/** Whether the list has taken that change before, be it that it was taken back since. The record is settled. */
export function wasApplied(folder: string, sha256: string): boolean {
  return readApplied(folder).some(applied => applied.sha256 === sha256)
}

/** Throws what the file system and the schema say of a record that cannot be read: then nothing is known to be new. */
function readApplied(folder: string): z.infer<typeof recordSchema>['applied'] {
  let text: string
  try {
    text = readFileSync(join(folder, file), 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
  return recordSchema.parse(JSON.parse(text)).applied
}

function aboutOf(path: string): ListAbout | null {
  try {
    const list = new ListFile(path)
    list.close()
    return list.about
  } catch {
    return null
  }
}
