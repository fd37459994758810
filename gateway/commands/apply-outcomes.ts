import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { writeWhole } from '../config/replace-file.js'
import type { Configuration } from '../config/schema.js'

const outcomeSchema = z.object({
  /** Counts from 1. */
  number: z.int(),
  request: z.string(),
  outcome: z.enum(['applied', 'refused', 'taken-back', 'interrupted', 'waiting']),
  code: z.string().nullable(),
  detail: z.string(),
  /** The hub's command, where it could be read and was signed as it must be. */
  command: z.object({ source: z.string(), id: z.string() }).nullable(),
  at: z.number(),
})

/** What became of a stored request. */
export type Outcome = z.output<typeof outcomeSchema>

/** A run carries out eight requests at most; uplink tells them within seconds. */
const kept = 32

/** Root's own folder below the state folder. The roles may read it. */
export function appliedFolder(paths: Configuration['paths']): string {
  return join(paths.state, 'applied')
}

/** What became of the latest requests, oldest first. */
export function outcomes(paths: Configuration['paths']): Outcome[] {
  try {
    return z.array(outcomeSchema).parse(JSON.parse(readFileSync(outcomesFile(paths), 'utf8')))
  } catch {
    return []
  }
}

/** Notes what became of a request, for uplink to tell. */
export function tell(paths: Configuration['paths'], said: Omit<Outcome, 'number'>): Outcome {
  const before = outcomes(paths)
  const outcome = { number: (before.at(-1)?.number ?? 0) + 1, ...said }
  mkdirSync(appliedFolder(paths), { recursive: true, mode: 0o750 })
  writeWhole(outcomesFile(paths), `${JSON.stringify([...before, outcome].slice(-kept))}\n`, 0o640)
  return outcome
}

function outcomesFile(paths: Configuration['paths']): string {
  return join(appliedFolder(paths), 'outcomes.json')
}
