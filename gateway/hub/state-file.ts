import { open, readFile, rename } from 'node:fs/promises'
import { PolewatchError } from '../errors.js'
import type { StreamState } from './incoming-stream.js'
import { RangeSet } from './ranges.js'
import { type HubState, readHubState } from './receiver.js'

/** The place of an event: `envelope.source`, `envelope.epoch` and `envelope.sequence`. */
export interface RecordedEvent {
  readonly source: string
  readonly epoch: string
  readonly sequence: number | bigint
}

/** The state kept there; undefined where there is no file yet. @throws PW_HUB_STATE_UNREADABLE */
export async function loadHubState(path: string): Promise<HubState | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw unreadable(path, error)
  }
  try {
    return readHubState(text)
  } catch (error) {
    throw unreadable(path, error)
  }
}

/** Replaces the file whole, synced, so that a crash leaves the old or the new one. Rejects with what the file system says. */
export async function saveHubState(path: string, text: string): Promise<void> {
  const draft = `${path}.new`
  const file = await open(draft, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
}

/** A state in which the events of an application's own record count as settled too. */
export function withRecorded(state: HubState | undefined, recorded: Iterable<RecordedEvent>): HubState | undefined {
  const streams = new Map(state?.streams.map(stream => [`${stream.epoch} ${stream.source}`, stream]))
  const found = new Map<string, { stream: StreamState; numbers: RangeSet }>()
  for (const { source, epoch, sequence } of recorded) {
    const key = `${epoch} ${source}`
    const known = found.get(key) ?? beginning(streams.get(key) ?? { source, epoch, base: null, settled: [], shed: [] })
    known.numbers.add(Number(sequence))
    found.set(key, known)
  }
  if (found.size === 0) return state
  for (const [key, { stream, numbers }] of found) {
    // Numbers begin at 1, so whoever has that has all from the beginning on.
    streams.set(key, { ...stream, base: stream.base ?? (numbers.has(1) ? 0 : null), settled: numbers.toJSON() })
  }
  return { version: 1, keys: [], ...state, streams: [...streams.values()] }
}

function beginning(stream: StreamState): { stream: StreamState; numbers: RangeSet } {
  return { stream, numbers: new RangeSet(stream.settled) }
}

function unreadable(file: string, error: unknown): PolewatchError {
  const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
  return new PolewatchError('PW_HUB_STATE_UNREADABLE', { file, why }, error)
}
