import { join } from 'node:path'
import type * as z from 'zod'
import type { PlateReaderSettings } from '../config/schema.js'
import { messageOf, PolewatchError } from '../errors.js'
import { keepGoing } from '../health/keep-going.js'
import { Hotlist } from '../hotlist/hotlist.js'
import { Verdicts } from '../hotlist/verdicts.js'
import { Tally, tallySchema } from '../plates/tally.js'
import { type Policy, permitsPurpose } from '../policy/policy.js'
import { type Cue, CueBoard, followCues, postReaderCue, ReaderCues } from './cues.js'
import { plateReader } from './devices.js'
import { followVerdicts } from './hotlist-verdicts.js'
import { KeptFile } from './kept-file.js'
import { type ListFault, PlateDesk } from './plate-desk.js'
import { QuietReaders } from './quiet-readers.js'
import { roleOfReader } from './reader-role.js'
import type { Role } from './role.js'
import { report } from './role-health.js'

/** The tally goes to flash this often, seconds: rarely, for the flash's sake. */
const saveEvery = 1800

/** And to the exchange this often, seconds, if anything was counted. */
const tellEvery = 5
/** A reader that says neither that it is open nor why it is not for so long hangs, seconds. */
const longestStart = 60

/** Key in the exchange: what was counted by hour and day, as JSON. */
export const tallyKey = 'plate-tally'

/**
 * Runs the plate readers and cameras that belong to the role until the signal aborts; returns at once where there are none.
 *
 * @param open makes the driver of a reader
 */
export async function readPlates(
  role: Role,
  policy: { readonly policy: Policy; readonly hash: string },
  signal: AbortSignal,
  open = plateReader,
): Promise<void> {
  const readers = role.configuration.plateReaders.filter(settings => roleOfReader(settings) === role.name)
  const sees = role.name === 'vision' && role.configuration.cameras.length > 0
  if (readers.length === 0 && !sees) return
  const tally = new Tally(keptTally(role).load())
  const { desk, verdicts, close } = openDesk(role, policy, tally)
  // Where sound is heard too, no reader ends that.
  const required = role.name === 'vision' || role.configuration.microphoneArrays.length === 0
  const keep = (name: string, run: (signal: AbortSignal) => Promise<void>, required = false): Promise<void> =>
    keepGoing(role, { name, required, run }, signal)
  const quiet = new QuietReaders(role, readers)
  const watching = Promise.all([
    keep('plate matching', signal => watchOver(role, desk, tally, signal), required),
    keep('verdicts', signal => followVerdicts(role, verdicts, signal)),
    keep('quiet readers', signal => quiet.watch(signal)),
  ])
  const board = new CueBoard()
  const { cameras } = role.configuration
  const give = role.name === 'vision' ? (cue: Cue) => board.give(cue) : (cue: Cue) => postReaderCue(role, cue)
  const cues = cameras.length > 0 ? new ReaderCues(give) : null
  const read = async (settings: PlateReaderSettings, signal: AbortSignal): Promise<void> => {
    const reader = await open(settings)
    // No car may pass for hours, but it is open or says why it is not.
    role.expect(settings.name, longestStart, { steady: false })
    const received = { received: 0, hashes: 0, discardedFrames: 0, discardedBytes: 0, droppedReads: 0 }
    for await (const reading of reader.readings(signal)) {
      if (reading.kind === 'state') {
        report(role, settings.name, reading)
        continue
      }
      quiet.heard(settings.name)
      received.received += 1
      received.discardedFrames += reading.discarded.frames
      received.discardedBytes += reading.discarded.bytes
      received.droppedReads += reading.discarded.reads
      if (reading.kind === 'hashed-plate') received.hashes += 1
      role.count(settings.name, received)
      const lane = settings.lane ?? (reading.kind === 'plate' ? reading.lane : null)
      cues?.read(lane, reading.systemTime)
      // Logged by the role; the next reads must not wait for a disk that is full.
      desk.take(reading, settings).catch(() => {})
    }
  }
  // Networks and picture library are loaded only where there is a camera.
  const seeing = sees
    ? Promise.all([
        import('./watch-camera.js').then(({ watchCameras }) => watchCameras(role, desk, policy.policy, board, signal)),
        keep('cues', signal => followCues(role, cue => board.give(cue), signal)),
      ])
    : undefined
  await Promise.all([
    seeing,
    ...readers.map(settings => keep(settings.name, signal => read(settings, signal), required)),
  ])
  await watching
  close()
}

/** The desk of a role, with the lists, the verdicts and the counts that it works by. */
export function openDesk(
  role: Role,
  { policy, hash }: { readonly policy: Policy; readonly hash: string },
  tally: Tally,
): { desk: PlateDesk; verdicts: Verdicts; close: () => void } {
  const { configuration } = role
  const { paths, hotlist, gateway, exercise } = configuration
  const lists = hotlist.lists.map(({ name, staleAfterHours }) =>
    Hotlist.open(join(paths.state, 'hotlist'), name, { maximumAge: staleAfterHours * 3600, mayBeUnusable: true }),
  )
  const verdicts = Verdicts.open(join(paths.state, `${role.name}.verdicts.json`))
  if (verdicts.setAside) role.log.error('the file of verdicts was damaged and is set aside; none is in force')
  const desk = new PlateDesk({
    gateway: gateway.id,
    exercise,
    policy: hash,
    permits: purpose => permitsPurpose(policy, purpose),
    lists,
    verdicts,
    tally,
    confirmedConfidence: hotlist.confirmedConfidence,
    clock: () => role.clock.system(),
    append: async draft => {
      await role.append(draft)
    },
    listState: (list, fault) => {
      if (fault === null) role.ready(`hotlist ${list}`)
      else {
        const { code, message } = listError(list, fault)
        role.raise(`hotlist ${list}`, 'faulty', `hotlist-${fault}`, message, code)
      }
    },
    listChanged: (list, generation, sha256) => {
      role.journal
        .record({ action: 'hotlist-in-use', subject: list, detail: { generation, sha256 } })
        .catch((error: unknown) => role.log.error(messageOf(error)))
    },
  })
  const close = (): void => {
    for (const list of lists) list.close()
  }
  return { desk, verdicts, close }
}

function listError(list: string, fault: ListFault): PolewatchError {
  const codes = {
    absent: 'PW_HOTLIST_ABSENT',
    stale: 'PW_HOTLIST_STALE',
    damaged: 'PW_HOTLIST_DAMAGED',
    'clock-behind': 'PW_HOTLIST_CLOCK_BEHIND',
    'newer-damaged': 'PW_HOTLIST_NEWER_DAMAGED',
  } as const
  return new PolewatchError(codes[fault], { list })
}

/** Keeps the desk's clock going, tells what it counts, and keeps that over a restart. */
async function watchOver(role: Role, desk: PlateDesk, tally: Tally, signal: AbortSignal): Promise<void> {
  role.ready('plate matching')
  let saved = role.clock.system()
  let told = 0
  let toldReads = -1
  while (!signal.aborted) {
    desk.advance()
    const now = role.clock.system()
    const { hour, day } = tally.current(now)
    role.count('plate matching', { ...desk.counts })
    role.measure('plate matching', { ...named('Hour', hour), ...named('Day', day) })
    if (now - told > tellEvery && desk.counts.reads !== toldReads) {
      role.exchange.set(tallyKey, JSON.stringify(tally.record()))
      told = now
      toldReads = desk.counts.reads
    }
    if (now - saved > saveEvery) {
      keptTally(role).save(tally.record())
      saved = now
    }
    await role.clock.sleep(1, signal)
  }
  keptTally(role).save(tally.record())
}

function named(period: 'Hour' | 'Day', counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [`${name}This${period}`, count]))
}

function keptTally(role: Role): KeptFile<z.output<typeof tallySchema>> {
  const { state } = role.configuration.paths
  return new KeptFile(state, `${role.name}.plate-tally.json`, tallySchema, message => role.log.warn(message))
}
