/*
 * Kills imports and signed changes of a hotlist at every stage and at moments of chance, 50 times in all, and says which list
 * each left. `npm run prove:import [-- --json]`; exit status 1 at the first that left none, or half of one.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Hotlist } from '../../gateway/hotlist/hotlist.js'
import { everyStage, importAfter, type Kill, killOnce, prepare } from './kill-import.js'

const times = 50
const longestDelay = 2000

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
const directory = mkdtempSync(join(tmpdir(), 'polewatch-prove-'))
try {
  await prepare(directory)
  const reader = Hotlist.open(directory, 'city')
  const kills: Kill[] = [...everyStage, ...everyStage]
  while (kills.length < times) kills.push({ after: Math.random() * longestDelay })
  const left: Record<string, number> = {}
  for (const [index, kill] of kills.entries()) {
    const list = await killOnce(directory, reader, kill)
    left[list] = (left[list] ?? 0) + 1
    const at = 'stage' in kill ? `${kill.work}, ${kill.stage}` : `after ${kill.after.toFixed(0)} ms`
    if (!values.json) process.stdout.write(`${String(index + 1).padStart(2)} ${at.padEnd(20)} whole list: ${list}\n`)
  }
  const files = await importAfter(directory, reader)
  reader.close()
  const outcome = { kills: kills.length, whole: kills.length, left, files }
  process.stdout.write(
    values.json
      ? `${JSON.stringify(outcome)}\n`
      : `${kills.length} kills, each left one whole list, and no answer meanwhile was wrong or empty.\n`,
  )
} finally {
  rmSync(directory, { recursive: true, force: true })
}
