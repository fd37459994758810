import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { type Generation, generations, keepAsGeneration, keepOnly, makeCurrent } from './generations.js'
import { ListFile } from './list-file.js'

/**
 * What is done at the moment, in this order. naming: the file gets its name as a generation; switching: the generation becomes
 * the current one; tidying: what is older than the one before is deleted.
 */
export const importStages = [
  'reading',
  'indexing',
  'checking',
  'hashing',
  'naming',
  'switching',
  'tidying',
  'done',
] as const
export type ImportStage = (typeof importStages)[number]

/** The number that the next generation gets: never one that was given before. */
export function nextNumber(folder: string): number {
  return (generations(folder).at(-1)?.number ?? 0) + 1
}

/** How many entries a generation has; null where it cannot be read. */
export function countEntries(folder: string, generation: Generation): number | null {
  try {
    const file = new ListFile(join(folder, generation.file))
    file.close()
    return file.about.entries
  } catch {
    return null
  }
}

/**
 * Hashes, synchronises and names a finished file, makes it current and deletes all but it and the one before. `report` is
 * called before each step and may throw to stop.
 */
export async function publish(
  folder: string,
  built: string,
  number: number,
  previous: Generation | null,
  report: (stage: ImportStage) => void,
): Promise<Generation> {
  report('hashing')
  const sha256 = await hashFile(join(folder, built))
  report('naming')
  const generation = keepAsGeneration(folder, built, number, sha256)
  report('switching')
  makeCurrent(folder, generation)
  report('tidying')
  keepOnly(folder, previous === null ? [generation] : [generation, previous])
  return generation
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { highWaterMark: 1_048_576 })) hash.update(piece)
  return hash.digest('hex')
}

/** Why the system or SQLite failed. Only codes: their messages might repeat what they were given. */
export function whyFailed(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return /^(ENOSPC|EDQUOT|SQLITE_FULL)/.test(error.code) ? 'there is no room left' : error.code
  }
  return error instanceof Error ? error.name : 'unknown'
}
