import { join } from 'node:path'
import { Hotlist } from '../hotlist/hotlist.js'
import { plateReader } from './devices.js'
import { PlateDesk } from './plate-desk.js'
import { roleOfReader } from './reader-role.js'
import type { Role } from './role.js'
import { report } from './role-health.js'

/** Runs the plate readers that belong to the role until the signal aborts; returns at once where there are none. */
export async function readPlates(role: Role, policy: string, signal: AbortSignal): Promise<void> {
  const { configuration } = role
  const readers = configuration.plateReaders.filter(settings => roleOfReader(settings) === role.name)
  if (readers.length === 0) return
  const directory = join(configuration.paths.state, 'hotlist')
  const lists = configuration.hotlist.lists.map(({ name, staleAfterHours }) =>
    Hotlist.open(directory, name, { maximumAge: staleAfterHours * 3600, mayBeAbsent: true }),
  )
  const desk = new PlateDesk({
    gateway: configuration.gateway.id,
    exercise: configuration.exercise,
    policy,
    lists,
    confirmedConfidence: configuration.hotlist.confirmedConfidence,
    append: draft => role.append(draft),
    listState: (list, fault) => {
      if (fault === null) role.ready(`hotlist ${list}`)
      else role.raise(`hotlist ${list}`, 'faulty', `hotlist-${fault}`, listSentences[fault], null)
    },
  })
  await Promise.all(
    readers.map(async settings => {
      const reader = await plateReader(settings)
      const received = { received: 0, hashes: 0, discardedFrames: 0, discardedBytes: 0, droppedReads: 0 }
      for await (const reading of reader.readings(signal)) {
        if (reading.kind === 'state') {
          report(role, settings.name, reading)
          continue
        }
        received.received += 1
        received.discardedFrames += reading.discarded.frames
        received.discardedBytes += reading.discarded.bytes
        received.droppedReads += reading.discarded.reads
        // A hash is counted and goes no further: it says too little of a plate to alert.
        if (reading.kind === 'hashed-plate') received.hashes += 1
        // Logged by the role; the next reads must not wait for a disk that is full.
        else desk.take(reading, settings).catch(() => {})
        role.count(settings.name, { ...desk.counts, ...received })
      }
    }),
  )
  for (const list of lists) list.close()
}

const listSentences = {
  absent: 'No list has been imported, so nothing matches.',
  stale: 'The list is too old to act on, so nothing matches until it is imported anew.',
  'clock-behind': 'The clock says it is before the list was made, so nothing matches.',
  damaged: 'The list cannot be read, so nothing matches.',
}
