import { closeSync, existsSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import type { HeardStep } from './day-network.js'

/**
 * What gateways heard of a scene, kept in a file as NDJSON, since rendering and listening take nearly all of a simulated day's
 * time. The first line says what it was heard of; a file of something else is heard and written anew. It knows nothing of
 * changes of the simulator or of how gateways listen: remove it then.
 */
export function* keptSteps(
  file: string | undefined,
  of: Readonly<Record<string, unknown>>,
  hear: () => Iterable<HeardStep>,
): Generator<HeardStep> {
  if (file === undefined) {
    yield* hear()
    return
  }
  const title = JSON.stringify(of)
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []
  if (lines[0] === title) {
    for (const line of lines.slice(1)) yield JSON.parse(line)
    return
  }
  const unfinished = `${file}.part`
  const kept = openSync(unfinished, 'w')
  try {
    writeSync(kept, `${title}\n`)
    for (const each of hear()) {
      writeSync(kept, `${JSON.stringify(each)}\n`)
      yield each
    }
  } finally {
    closeSync(kept)
  }
  renameSync(unfinished, file)
}
