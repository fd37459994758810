import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Command } from 'commander'
import { devicesFolder } from '../../drivers/device-files.js'
import type { StateReport } from '../../drivers/driver.js'
import { systemClock } from '../../drivers/system-clock.js'
import { Hearing, usualLoneSalience } from '../acoustics/hearing.js'
import { locateShots } from '../acoustics/locate.js'
import type { DistrustChange } from '../acoustics/trust.js'
import { defaultConfigurationFile, deviceNames, loadConfiguration } from '../config/load.js'
import { loadPolicy } from '../config/policy-file.js'
import type { Configuration } from '../config/schema.js'
import { PolewatchError } from '../errors.js'
import { Hotlist } from '../hotlist/hotlist.js'
import { watchBells } from '../journal/bell.js'
import { type ExchangeCursor, ExchangeReader } from '../journal/exchange.js'
import { openEvent } from '../messages/seal.js'
import { arrayDirection } from './array-direction.js'
import { geometryOf, microphoneArray, plateReader } from './devices.js'
import { clearedSentence, distrustError, distrustedPart, distrustFault } from './distrust.js'
import { codeOfFault } from './driver-faults.js'
import { Ear } from './ear.js'
import { arrivalDraft, claimDraft, claimOf, gunfireDraft, neighbourReport } from './hearing-messages.js'
import { PlateDesk } from './plate-desk.js'
import { messageOf, Role, rolePaths, systemTime } from './role.js'
import { startAtOption } from './start-at.js'
import { stopSignal } from './terminal.js'

/** How often the hearing looks whether something is due, seconds. */
const tick = 0.1

export function define(command: Command): void {
  command
    .description(
      'Hears gunfire and reads plates, and commits every alert to its journal. It has no network: `polewatch uplink` delivers.',
    )
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--start-at <TIME>', 'when recordings begin to play (seconds since 1970 or RFC 3339)', startAtOption)
    .option('--json', 'accepted for uniformity: the log on standard error is NDJSON anyway')
    .action(async ({ config, startAt }: { config: string; startAt?: number }) => {
      const configuration = loadConfiguration(config, deviceNames(devicesFolder))
      await sense(configuration, startAt ?? null, stopSignal())
    })
}

/** Runs the role until the signal aborts. */
async function sense(configuration: Configuration, startAt: number | null, signal: AbortSignal): Promise<void> {
  const role = new Role('sensing', configuration)
  try {
    const policy = loadPolicy(configuration.policyFile).hash
    await Promise.all([
      tellHealth(role, signal),
      hear(role, policy, startAt, signal),
      ...(configuration.plateReaders.length > 0 ? [readPlates(role, policy, signal)] : []),
    ])
  } finally {
    role.close()
  }
}

/** Uplink passes this on with its own; it may be a few seconds old. */
async function tellHealth(role: Role, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    role.exchange.set('health', JSON.stringify(role.parts))
    await systemClock.sleep(5, signal)
  }
}

async function hear(role: Role, policy: string, startAt: number | null, signal: AbortSignal): Promise<void> {
  const { gateway, microphoneArrays, weather, exercise, neighbours } = role.configuration
  const epoch = randomBytes(4).toString('hex')
  const clock = { offset: 0, error: gateway.timeError ?? Number.POSITIVE_INFINITY }
  const { error: positionError, ...position } = gateway.position
  const hearing = new Hearing({
    gateway: gateway.id,
    epoch,
    position,
    positionError,
    weather,
    locate: locateShots,
    heartbeat: 10,
    loneSalience: usualLoneSalience,
  })
  const listen = async (index: number): Promise<void> => {
    const settings = microphoneArrays[index]
    if (settings === undefined) return
    const geometry = await geometryOf(settings.geometry)
    const ear = new Ear({
      gateway: gateway.id,
      part: settings.name,
      epoch: index === 0 ? epoch : `${epoch}${index}`,
      fullScaleLevel: geometry.soundLevelAtFullScale,
      clock,
      direction: await arrayDirection(geometry, settings.heading, weather),
    })
    const array = await microphoneArray(settings, startAt)
    for await (const reading of array.readings(signal)) {
      if (reading.kind === 'state') report(role, settings.name, reading)
      else {
        try {
          const { arrivals, heardUntil } = ear.take(reading)
          hearing.hear(arrivals, heardUntil, systemTime())
        } catch (error) {
          if (!(error instanceof PolewatchError)) throw error
          role.raise(settings.name, 'faulty', 'wrong-sample-rate', error.message, error.code)
        }
      }
    }
  }
  const decide = async (): Promise<void> => {
    while (!signal.aborted) {
      const now = systemTime()
      const { report: own, due, distrust } = hearing.advance(now)
      for (const change of distrust) tellDistrust(role, change)
      if (own !== null) role.post(arrivalDraft(own, { now, exercise, clockError: clock.error, weather }))
      for (const { revision, claim } of due) {
        role.post(claimDraft(claim, revision, { now, exercise }))
        // A revision that the disk refused is logged and counted there; the next one carries the same and more.
        role.append(gunfireDraft(revision, { now, exercise, policy })).catch(() => {})
      }
      await systemClock.sleep(tick, signal)
    }
  }
  const work = [...microphoneArrays.keys()].map(listen)
  if (microphoneArrays.length > 0) work.push(decide())
  if (neighbours.enabled) work.push(hearNeighbours(role, hearing, signal))
  await Promise.all(work)
}

function tellDistrust(role: Role, change: DistrustChange): void {
  const part = distrustedPart(change, role.configuration.gateway.id)
  const { code, message } = distrustError(change)
  if (change.state === 'raised') role.raise(part, 'faulty', distrustFault(change), message, code)
  else role.ready(part, clearedSentence(change))
}

/** Takes what uplink lets in from the neighbours. Uplink has checked signatures; the shape is checked again here. */
async function hearNeighbours(role: Role, hearing: Hearing, signal: AbortSignal): Promise<void> {
  const { paths } = role.configuration
  const reader = new ExchangeReader(rolePaths(paths, 'uplink').exchange)
  let cursor: ExchangeCursor | undefined
  const take = (): void => {
    const batch = reader.after(cursor, ['arrival', 'claim'])
    cursor = batch.cursor
    for (const { body } of batch.posts) {
      const event = openEvent(body)
      if (event.name === 'arrival') hearing.receive(neighbourReport(event.data), systemTime())
      if (event.name === 'claim') hearing.receiveClaim(claimOf(event.data), systemTime())
    }
  }
  await watchBells(
    paths.runtime,
    () => {
      try {
        take()
      } catch (error) {
        role.log.warn({ error: messageOf(error) }, 'a message from uplink cannot be used')
      }
    },
    { signal },
  )
  reader.close()
}

async function readPlates(role: Role, policy: string, signal: AbortSignal): Promise<void> {
  const { configuration } = role
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
    configuration.plateReaders.map(async settings => {
      const reader = await plateReader(settings)
      for await (const reading of reader.readings(signal)) {
        if (reading.kind === 'state') report(role, settings.name, reading)
        // Logged by the role; the next reads must not wait for a disk that is full.
        else {
          desk.take(reading, settings).catch(() => {})
          role.count(settings.name, { ...desk.counts })
        }
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

function report(role: Role, part: string, { state, fault, detail }: StateReport): void {
  if (state === 'ready' || fault === null) role.ready(part, detail)
  else if (fault === 'recording-ended') role.log.info({ part, fault }, detail)
  else role.raise(part, state, fault, detail, codeOfFault(fault))
}
