import { existsSync, readFileSync, renameSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { z } from 'zod'
import { writeDurably } from './generations.js'

/*
 * What people at the hub said of entries that raised an alert: those judged "misread" or "not wanted any more" raise none
 * until the agency issues them anew. An entry is named by the digest of what the agency issued, which every hit carries, so
 * that the same entry in tomorrow's list is still the same, and one with another expiry, purpose or id is not.
 *
 * One small file of its role beside its journal, replaced whole at each verdict. It holds no plate.
 */

const verdictSchema = z.strictObject({
  /** The hit that was judged; null where the entry was judged without one. */
  hit: z.string().max(192).nullable(),
  list: z.string().max(64),
  generation: z.int().min(0),
  /** The entry's id, as the hit gave it. */
  entry: z.string().max(128),
  /** Digest of the entry as issued, as the hit gave it. */
  issue: z.string().regex(/^[0-9a-f]{32}$/),
  verdict: z.enum(['misread', 'not-wanted']),
  /** The role of the person who judged, never a name. */
  by: z.string().max(64),
  /** Seconds since 1970 UTC. */
  time: z.number(),
})

/** A verdict that silences an entry. */
export type EntryVerdict = z.infer<typeof verdictSchema>

const fileSchema = z.strictObject({ version: z.literal(1), verdicts: z.array(verdictSchema) })

/** The oldest go first; a gateway does not see as many in years. */
const most = 10_000

export class Verdicts {
  readonly #path: string
  readonly #byIssue = new Map<string, EntryVerdict>()
  /** Whether a file was there that could not be read; it was set aside. */
  readonly setAside: boolean

  private constructor(path: string, verdicts: readonly EntryVerdict[], setAside: boolean) {
    this.#path = path
    this.setAside = setAside
    for (const verdict of verdicts) this.#byIssue.set(verdict.issue, verdict)
  }

  /** Reads the file, or begins without one. A damaged file is set aside: it must not keep a gateway from starting. */
  static open(path: string): Verdicts {
    if (!existsSync(path)) return new Verdicts(path, [], false)
    try {
      return new Verdicts(path, fileSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).verdicts, false)
    } catch {
      renameSync(path, `${path}.damaged`)
      return new Verdicts(path, [], true)
    }
  }

  /** How many entries are silent. */
  get count(): number {
    return this.#byIssue.size
  }

  /** Whether an entry, named by its issue, is not to raise alerts. */
  silences(issue: string): boolean {
    return this.#byIssue.has(issue)
  }

  /** Takes a verdict; it is on the disk when this returns. Throws what the file system says; then it holds until the end. */
  add(verdict: EntryVerdict): void {
    this.#byIssue.delete(verdict.issue)
    this.#byIssue.set(verdict.issue, verdict)
    for (const issue of this.#byIssue.keys()) {
      if (this.#byIssue.size <= most) break
      this.#byIssue.delete(issue)
    }
    const text = JSON.stringify({ version: 1, verdicts: [...this.#byIssue.values()] })
    writeDurably(dirname(this.#path), basename(this.#path), `${text}\n`)
  }
}
