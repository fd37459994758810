import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { applyDelta } from '../../gateway/hotlist/delta.js'
import { signDelta } from '../../gateway/hotlist/delta-file.js'
import { Hotlist } from '../../gateway/hotlist/hotlist.js'
import { importHotlist } from '../../gateway/hotlist/import.js'
import { type ImportStage, importStages } from '../../gateway/hotlist/publish.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { formatTime } from '../../gateway/messages/time.js'
import { checkWhole, csv, entries, now, plateOf } from './purposeful-list.js'

/*
 * kill -9 in the middle of imports and of signed changes, while a reader goes on asking. All lists hold the same plates, each
 * list under a purpose of its own, so that a mixture of two lists, a gap or an empty answer would show.
 */

/** When to kill: at a stage of an import or of a change, or at any moment, milliseconds after the first import has begun. */
export type Kill = { readonly work: 'import' | 'delta'; readonly stage: ImportStage } | { readonly after: number }

/** Every stage of both kinds of work; a change has no index to build. */
export const everyStage: readonly Kill[] = [
  ...importStages.map(stage => ({ work: 'import' as const, stage })),
  ...importStages.filter(stage => stage !== 'indexing').map(stage => ({ work: 'delta' as const, stage })),
]

const listName = 'city'

/** Makes the folder ready: the first list is in place, and the files of the next ones lie beside it. */
export async function prepare(directory: string): Promise<void> {
  for (const round of ['first', 'odd', 'even']) writeFileSync(join(directory, `${round}.csv`), csv(round))
  await importHotlist({ listName, directory, source: join(directory, 'first.csv'), mapping: 'plain', now })
}

/** Imports and changes lists in turn, for ever; to be killed. */
export async function importForEver(directory: string, kill: Kill): Promise<void> {
  const key = createSigningKey()
  const die = (work: 'import' | 'delta', at: ImportStage) => {
    if ('stage' in kill && kill.work === work && kill.stage === at) process.kill(process.pid, 'SIGKILL')
  }
  const list = Hotlist.open(directory, listName)
  // Never the list that is there already, so that the old and the new one can be told apart.
  const begin = list.find(plateOf(0), now).candidates[0]?.purpose === 'even' ? 1 : 0
  list.close()
  process.stdout.write('begun')
  for (let round = begin; ; round++) {
    const { sourceSha256 } = await importHotlist({
      ...{ listName, directory, mapping: 'plain' as const, now },
      source: join(directory, round % 2 === 0 ? 'even.csv' : 'odd.csv'),
      onProgress: ({ stage }) => die('import', stage),
    })
    const plates = Array.from({ length: entries }, (_, index) => plateOf(index))
    const unsigned = {
      format: 'polewatch-hotlist-delta-1',
      list: listName,
      base: { sha256: sourceSha256 },
      // Another one each time, for a change is taken once.
      expires: formatTime(now + 1000 + (Date.now() % 1e9) / 1e3 + round),
      remove: plates.map(plate => ({ plate })),
      add: plates.map((plate, index) => ({
        ...{ plate, state: 'PA', purpose: 'changed', expires: '2026-12-31', id: `E-${index}` },
      })),
    }
    const { bytes } = signDelta(Buffer.from(JSON.stringify(unsigned)), key)
    await applyDelta({
      ...{ listName, directory, delta: bytes, keys: [key.publicKey], now },
      onProgress: stage => die('delta', stage),
    })
  }
}

/**
 * Kills one such process while the reader goes on asking, and then looks at what lies there with fresh eyes. Returns which list
 * that is; throws where it is not a whole one.
 */
export async function killOnce(directory: string, reader: Hotlist, kill: Kill): Promise<string> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), directory, JSON.stringify(kill)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let ended: unknown[] | null = null
  child.once('exit', (...outcome) => {
    ended = outcome
  })
  if ('after' in kill) {
    await once(child.stdout, 'data')
    setTimeout(() => child.kill('SIGKILL'), kill.after)
  }
  while (ended === null) {
    checkWhole(reader, 500)
    await sleep(5)
  }
  assert.equal(ended[1], 'SIGKILL', 'it was killed, and did not end by itself')
  const fresh = Hotlist.open(directory, listName)
  const purpose = checkWhole(fresh, 7)
  fresh.close()
  const file = readlinkSync(join(directory, listName, 'current'))
  const sha256 = createHash('sha256')
    .update(readFileSync(join(directory, listName, file)))
    .digest('hex')
  assert.ok(file.includes(sha256), 'the file is the one that was hashed')
  return purpose
}

/** After all kills: an import goes through and nothing of the killed ones is left. Returns what lies in the folder. */
export async function importAfter(directory: string, reader: Hotlist): Promise<string[]> {
  const source = join(directory, 'first.csv')
  await importHotlist({ listName, directory, source, mapping: 'plain', now, allowShrink: false })
  assert.equal(checkWhole(reader, 1), 'first')
  return readdirSync(join(directory, listName)).map(name => name.replace(/-.*/, ''))
}

const [, script, directory, kill] = process.argv
if (script === fileURLToPath(import.meta.url) && directory !== undefined && kill !== undefined) {
  await importForEver(directory, JSON.parse(kill))
}
