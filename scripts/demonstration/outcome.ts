import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TangentPlane } from '../../gateway/acoustics/geodesy.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { openEvent } from '../../gateway/messages/seal.js'
import type { MessageEvent } from '../../gateway/messages/table.js'
import { parseTime } from '../../gateway/messages/time.js'
import { type DemoGateway, readDemo } from './recording.js'

export interface Outcome {
  /** Whether the expected alerts are at the hub and nothing committed is missing there. */
  readonly complete: boolean
  readonly nothingLost: boolean
  readonly lines: readonly string[]
}

const surveyGate = 25
const roundsFired = 3
const wanted = ['demo-1', 'demo-3']

/** Holds what the hub recorded against what the gateways' journals hold and what the recording is known to contain. */
export function compare(places: { folder: string; record: string; gateways: readonly DemoGateway[] }): Outcome {
  const received = recorded(places.record)
  const atHub = new Set(received.map(({ source, id }) => `${source} ${id}`))
  const committed = places.gateways.flatMap(({ id }) =>
    ['sensing', 'uplink'].flatMap(role => held(join(places.folder, id, `${role}.journal.db`))),
  )
  const missing = committed.filter(key => !atHub.has(key)).length
  const twice = received.length - atHub.size

  const gunfire = received.flatMap(event => (event.name === 'gunfire' ? [event] : []))
  const last = new Map(gunfire.map(event => [event.data.incident, event.data]))
  const incidents = [...last.values()].filter(({ state }) => state !== 'withdrawn')
  const truth = readDemo().truth[0]
  const errors = incidents.flatMap(({ shots }) =>
    shots.flatMap(({ position }) => {
      if (position === null || truth === undefined) return []
      const plane = new TangentPlane({ ...position, altitude: truth.altitude })
      const { east, north } = plane.toLocal(truth)
      return [Math.hypot(east, north)]
    }),
  )
  const located = errors.filter(error => error <= surveyGate).length
  const final = incidents.filter(({ state }) => state === 'final').length
  const first = gunfire[0]
  const blast = first?.data.shots[0]
  const hits = received.flatMap(event => (event.name === 'plate-hit' ? [event.data] : []))
  const found = wanted.filter(entry => hits.some(hit => hit.entry.id === entry))
  const exercises = received.every(({ exercise }) => exercise)
  const nothingLost = missing === 0 && committed.length > 0 && twice === 0 && exercises
  return {
    nothingLost,
    complete:
      nothingLost && located === roundsFired && incidents.length === 1 && final === 1 && found.length === wanted.length,
    lines: [
      `gunfire     ${located} of ${roundsFired} rounds located within ${surveyGate} m of the survey${errors.length > 0 ? ` (${errors.map(error => `${error.toFixed(1)} m`).join(', ')})` : ''}, ${incidents.length} incident, ${final} final`,
      ...(first !== undefined && blast !== undefined
        ? [`first alert ${(first.time - parseTime(blast.time)).toFixed(1)} s after the first muzzle blast`]
        : []),
      `plates      ${found.length} of ${wanted.length} listed plates found (one by look-alike characters)`,
      `delivery    ${committed.length} alerts committed by ${places.gateways.length} gateways, ${missing} missing at the hub, ${twice} twice, ${exercises ? 'all' : 'NOT all'} marked as exercise`,
    ],
  }
}

function recorded(file: string): MessageEvent[] {
  let text = ''
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return []
  }
  const events: MessageEvent[] = []
  for (const line of text.split('\n')) {
    if (line === '') continue
    try {
      events.push(openEvent(Buffer.from(line)))
    } catch {
      // The hub was killed while it wrote this line; it was not acknowledged and comes again.
    }
  }
  return events
}

/** Source and id of every alert that a journal holds; nothing is purged within the demo's time. */
function held(journal: string): string[] {
  const reader = new JournalReader(journal)
  try {
    return reader
      .streams()
      .flatMap(({ source, epoch }) => reader.read(source, epoch, 0, 10_000).map(({ id }) => `${source} ${id}`))
  } finally {
    reader.close()
  }
}
