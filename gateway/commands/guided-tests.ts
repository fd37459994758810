import { setTimeout as pause } from 'node:timers/promises'
import type { Configuration } from '../config/schema.js'
import { type Clap, ClapTest } from '../console/clap.js'
import { PolewatchError } from '../errors.js'
import { formatTime } from '../messages/time.js'
import { exerciseAlert, withCheckExchange } from './exercise-alert.js'
import type { ConditionReader } from './gateway-condition.js'
import { bold, colour, exitStatus, print, printJson } from './terminal.js'

/** What a guided test works with. */
export interface GuidedTest {
  readonly configuration: Configuration
  readonly reader: ConditionReader
  /** Microphones by array. */
  readonly channels: ReadonlyMap<string, number>
  /** How long to wait, seconds. */
  readonly timeout: number
  readonly json: boolean
}

/** Seconds between two looks. */
const lookEvery = 0.25

/** Waits until every microphone has heard a clap, and says of each clap who heard it and from where. */
export async function clapTest({ reader, channels, timeout, json }: GuidedTest): Promise<void> {
  requireSensing(reader)
  if (channels.size === 0) throw new PolewatchError('PW_USAGE', { why: 'the configuration has no microphone array' })
  const test = new ClapTest(channels)
  if (!json) print('Clap your hands once, an arm above your head. Ctrl+C ends this.')
  const end = performance.now() + timeout * 1000
  while (test.missing.length > 0 && performance.now() < end) {
    for (const clap of test.take(reader.sound() ?? [])) {
      if (json) printJson(clap)
      else print(clapSentence(clap))
    }
    await pause(lookEvery * 1000)
  }
  const { missing } = test
  if (json) printJson({ done: missing.length === 0, missing })
  else if (missing.length === 0) print(colour('green', 'Every microphone has heard a clap.'))
  else print(`${colour('red', 'No clap was heard by')} ${missing.join(', ')}.`)
  if (missing.length > 0) process.exitCode = exitStatus.fault
}

function clapSentence({ array, time, heard, missed, bearing }: Clap): string {
  const from =
    bearing === null ? '' : `, from ${Math.round(bearing.azimuth)}° give or take ${Math.ceil(bearing.error)}°`
  const not = missed.length === 0 ? '' : colour('red', `, not by ${missed.join(', ')}`)
  return `${formatTime(time).slice(11, 23)} ${bold(array)}: heard by microphone ${heard.join(', ')}${not}${from}`
}

/** Waits until every reader and camera has read a plate. What it read is not shown: only that it did. */
export async function readTest({ configuration, reader, timeout, json }: GuidedTest): Promise<void> {
  const names = [...configuration.plateReaders, ...configuration.cameras].map(({ name }) => name)
  if (names.length === 0) throw new PolewatchError('PW_USAGE', { why: 'the configuration has no reader or camera' })
  const before = countsOf(reader)
  const missing = new Set(names)
  if (!json) print('Drive or hold a plate past each reader. Plates are counted, never shown. Ctrl+C ends this.')
  const end = performance.now() + timeout * 1000
  while (missing.size > 0 && performance.now() < end) {
    const now = countsOf(reader)
    for (const name of missing) {
      const read = (now.get(name) ?? 0) - (before.get(name) ?? 0)
      if (read <= 0) continue
      missing.delete(name)
      if (json) printJson({ reader: name, reads: read })
      else print(`${bold(name)}: ${read} read`)
    }
    await pause(lookEvery * 1000)
  }
  if (json) printJson({ done: missing.size === 0, missing: [...missing] })
  else if (missing.size === 0) print(colour('green', 'Every reader reads.'))
  else print(`${colour('red', 'Nothing was read by')} ${[...missing].join(', ')}.`)
  if (missing.size > 0) process.exitCode = exitStatus.fault
}

/** Reads since the role began, by reader and camera. */
function countsOf(reader: ConditionReader): Map<string, number> {
  const parts = Object.values(reader.read().roles).flatMap(role => role?.parts ?? [])
  return new Map(parts.map(({ part, counters }) => [part, counters.received ?? counters.passages ?? 0]))
}

/** Makes an alert that is marked as an exercise and waits until the hub has it. */
export async function alertTest({ configuration, reader, timeout, json }: GuidedTest): Promise<void> {
  requireSensing(reader)
  const outcome = await withCheckExchange(configuration.paths, post => exerciseAlert(reader, post, timeout))
  const { source, sequence, acknowledgedAfter } = outcome
  const whose = configuration.uplink.acknowledge === 'hub' ? 'the hub' : 'the broker'
  if (json) printJson(outcome)
  else if (acknowledgedAfter === null)
    print(
      `${colour('red', `Made, but ${whose} has not acknowledged it`)} within ${timeout} s: number ${sequence} of ${source}.`,
    )
  else
    print(
      `${colour('green', `Acknowledged by ${whose}`)} after ${acknowledgedAfter.toFixed(1)} s: number ${sequence} of ${source}.`,
    )
  if (acknowledgedAfter === null) process.exitCode = exitStatus.fault
}

function requireSensing(reader: ConditionReader): void {
  if (reader.read().roles.sensing === null) throw new PolewatchError('PW_NOT_RUNNING', { role: 'sensing' })
}
