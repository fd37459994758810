import { silence } from '../acoustics/level-meter.js'
import type { Configuration, GnssSettings, PlateReaderSettings } from '../config/schema.js'
import { type ErrorCode, errorTable, PolewatchError } from '../errors.js'
import type { PartCondition } from '../health/parts.js'
import { formatTime } from '../messages/time.js'
import {
  type GatewayCondition,
  type ListCondition,
  type Surroundings,
  type WorkingRole,
  workingRoles,
} from './condition.js'

export const areas = [
  'gateway',
  'microphones',
  'plates',
  'cameras',
  'position and time',
  'hotlists',
  'delivery',
  'storage',
  'privacy',
  'other parts',
] as const

export type Area = (typeof areas)[number]

/** Whether one part works now. `unknown`: it cannot be told, which is no reason to leave the pole. */
export interface Finding {
  readonly area: Area
  readonly part: string
  readonly state: 'works' | 'fault' | 'unknown'
  readonly fault: string | null
  readonly code: string | null
  readonly detail: string
  /** What to do; null where nothing is to be done, or the detail says it. */
  readonly advice: string | null
}

export interface InspectionSubject {
  readonly configuration: Configuration
  readonly roleOfReader: (settings: PlateReaderSettings) => WorkingRole
  readonly roleOfReceiver: (settings: GnssSettings) => WorkingRole
  readonly needsVision: boolean
  /** Channels of an array's geometry, by the array's name. */
  readonly channels: ReadonlyMap<string, number>
  readonly condition: GatewayCondition
  readonly surroundings: Surroundings
}

/** An alert may be on its way for so long, seconds. */
const patience = 60
/** A unit's certificate is renewed when two thirds of its life are over; so close to its end that has failed, seconds. */
const certificateMargin = 14 * 86400
/** Less room than the reserve and a full write-ahead log of each journal, bytes. */
const leastRoom = 64 * 1024 * 1024

/** Says of every configured part whether it works. */
export function inspect(subject: InspectionSubject): Finding[] {
  const { configuration, condition, surroundings } = subject
  const said = workingRoles.flatMap(role => condition.roles[role]?.parts ?? [])
  // Where two roles have a part of one name, such as a journal, the one that does not work is told.
  const parts = new Map(
    [...said.filter(isReady), ...said.filter(part => !isReady(part))].map(part => [part.part, part]),
  )
  const told = new Set<string>()
  const partOf = (area: Area, name: string, role: WorkingRole): Finding => {
    told.add(name)
    const part = parts.get(name)
    if (part !== undefined) return ofPart(area, part)
    if (condition.roles[role] === null) return unknown(area, name, `${role} does not run.`)
    return unknown(area, name, 'It has said nothing yet.')
  }
  const roles = workingRoles
    .filter(role => role !== 'vision' || subject.needsVision)
    .map(role => (condition.roles[role] === null ? notRunning(role) : works('gateway', role, 'It runs.')))
  for (const role of workingRoles) told.add(role)
  const findings = [
    ...roles,
    ...configuration.microphoneArrays.flatMap(({ name, driver }) => {
      const said = partOf('microphones', name, 'sensing')
      const sounds = condition.sound?.find(({ array }) => array === name)?.levels?.length ?? 0
      const array = said.state === 'unknown' && sounds > 0 ? works('microphones', name, 'Sound arrives.') : said
      const channels = [...Array(subject.channels.get(name) ?? 0).keys()].map(channel => {
        const part = `${name} microphone ${channel + 1}`
        told.add(part)
        return microphone(part, parts.get(part), condition, name, channel)
      })
      // A recording that has ended is silent as it should be.
      return driver === 'recording' ? [array] : [array, ...channels]
    }),
    ...configuration.plateReaders.map(reader => partOf('plates', reader.name, subject.roleOfReader(reader))),
    ...configuration.cameras.map(({ name }) => camera(partOf('cameras', name, 'vision'), parts.get(`${name} picture`))),
    ...configuration.gnss.map(receiver => partOf('position and time', 'gnss', subject.roleOfReceiver(receiver))),
    clock(configuration, condition, parts.get('clock')),
    ...surroundings.lists.map(list => hotlist(list, condition.at, parts.get(`hotlist ${list.list}`))),
    broker(condition, parts.get('broker')),
    alerts(configuration, condition),
    ...certificate(surroundings, condition.at),
    disk(surroundings),
    ...journals(condition),
    policy(surroundings),
    ...workingRoles.flatMap(role => memory(role, subject)),
  ]
  for (const { part } of findings) told.add(part)
  for (const { name } of configuration.cameras) told.add(`${name} picture`)
  for (const { name } of configuration.hotlist.lists) told.add(`hotlist ${name}`)
  const others = [...parts.values()].filter(({ part }) => !told.has(part)).map(part => ofPart('other parts', part))
  return [...findings, ...others].sort((one, other) => areas.indexOf(one.area) - areas.indexOf(other.area))
}

function isReady({ state }: PartCondition): boolean {
  return state === 'ready'
}

function ofPart(area: Area, { part, state, fault, code, detail, role }: PartCondition): Finding {
  if (state === 'ready') return works(area, part, detail)
  return { area, part, state: 'fault', fault: fault ?? state, code, detail, advice: adviceOf(code, detail, role) }
}

/** What to do about a fault of which only the code is known: sentences that need its details are in `detail` already. */
function adviceOf(code: string | null, detail: string, role: string): string | null {
  const known = Object.keys(errorTable).find((each): each is ErrorCode => each === code)
  if (known === undefined) return `Look at the log: journalctl -u polewatch-${role}`
  const { advice } = errorTable[known]
  return advice.includes('{') || detail.includes(advice) ? null : advice
}

function microphone(
  part: string,
  said: PartCondition | undefined,
  { sound, roles }: GatewayCondition,
  array: string,
  channel: number,
): Finding {
  const area = 'microphones'
  if (said !== undefined && said.state !== 'ready') return ofPart(area, said)
  const level = sound?.find(each => each.array === array)?.levels?.[channel]
  if (roles.sensing === null) return unknown(area, part, 'sensing does not run.')
  if (level === undefined) return unknown(area, part, 'No sound has come from it yet.')
  if (level.peak > silence) return works(area, part, `It hears: ${Math.round(level.level)} dB of full scale.`)
  return failed(area, part, 'microphone-dead', new PolewatchError('PW_CHANNEL_SILENT', { part }))
}

function camera(found: Finding, picture: PartCondition | undefined): Finding {
  return found.state === 'works' && picture !== undefined && picture.state !== 'ready'
    ? { ...ofPart('cameras', picture), part: found.part }
    : found
}

function clock(
  { gateway, clock: { chronyc } }: Configuration,
  { health, roles }: GatewayCondition,
  said: PartCondition | undefined,
): Finding {
  const area = 'position and time'
  if (gateway.timeError !== null)
    return works(area, 'clock', `Its error is set to ${milliseconds(gateway.timeError)} ms by the configuration.`)
  if (said !== undefined && said.state !== 'ready') return ofPart(area, said)
  if (chronyc === null) return unknown(area, 'clock', 'The configuration has nobody asked: clock.chronyc is empty.')
  if (roles.uplink === null) return unknown(area, 'clock', 'uplink, which asks chrony, does not run.')
  const known = health?.clock ?? null
  if (known === null) return unknown(area, 'clock', 'chrony has not been asked yet.')
  if (known.error === null) return failed(area, 'clock', 'clock-unknown', new PolewatchError('PW_CLOCK_UNKNOWN'))
  return works(area, 'clock', `It follows ${known.source}, give or take ${milliseconds(known.error)} ms.`)
}

function hotlist(
  { list, freshness, entries, imported }: ListCondition,
  now: number,
  said: PartCondition | undefined,
): Finding {
  const codes = {
    absent: 'PW_HOTLIST_ABSENT',
    stale: 'PW_HOTLIST_STALE',
    damaged: 'PW_HOTLIST_DAMAGED',
    'clock-behind': 'PW_HOTLIST_CLOCK_BEHIND',
  } as const
  if (freshness !== 'fresh')
    return failed('hotlists', list, `hotlist-${freshness}`, new PolewatchError(codes[freshness], { list }))
  // Such as a newer list that cannot be read.
  if (said !== undefined && !isReady(said)) return { ...ofPart('hotlists', said), part: list }
  const age = imported === null ? '' : `, imported ${duration(now - imported)} ago`
  return works('hotlists', list, `${entries === 1 ? 'one entry' : `${entries} entries`}${age}.`)
}

function broker({ online, roles }: GatewayCondition, said: PartCondition | undefined): Finding {
  const area = 'delivery'
  if (said !== undefined && said.state !== 'ready') return ofPart(area, said)
  if (roles.uplink === null || online === null) return unknown(area, 'broker', 'uplink does not run.')
  if (online) return works(area, 'broker', said?.detail ?? 'Connected.')
  const error = new PolewatchError('PW_BROKER_UNREACHABLE', {
    broker: 'of the configuration',
    why: 'it is being tried',
  })
  return failed(area, 'broker', 'broker-unreachable', error)
}

function alerts({ uplink }: Configuration, { streams, waitingSince, roles, at }: GatewayCondition): Finding {
  const part = 'alerts'
  if (roles.uplink === null) return unknown('delivery', part, 'uplink does not run.')
  const waiting = streams.reduce((sum, { last, acknowledged }) => sum + Math.max(0, last - acknowledged), 0)
  const whose = uplink.acknowledge === 'hub' ? 'The hub' : 'The broker'
  if (waiting === 0 || waitingSince === null) return works('delivery', part, `${whose} has every alert.`)
  const age = at - waitingSince
  if (age <= patience) return works('delivery', part, `${waiting} on their way.`)
  const error = new PolewatchError('PW_ALERTS_WAIT', { count: waiting, age: duration(age), whose: whose.toLowerCase() })
  return failed('delivery', part, 'alerts-wait', error)
}

function certificate({ certificate }: Surroundings, now: number): Finding[] {
  if (certificate === null) return []
  const part = 'certificate'
  if ('unread' in certificate)
    return [unknown('delivery', part, `It cannot be read by this user: ${certificate.unread}.`)]
  const left = certificate.until - now
  const day = formatTime(certificate.until).slice(0, 10)
  if (left > certificateMargin) return [works('delivery', part, `It is good until ${day}.`)]
  const error = new PolewatchError('PW_CERTIFICATE_ENDS', { what: left > 0 ? 'ends' : 'ended', day })
  return [failed('delivery', part, left > 0 ? 'certificate-ends' : 'certificate-ended', error)]
}

function disk({ disk }: Surroundings): Finding {
  if ('unusable' in disk) {
    const error = new PolewatchError('PW_DISK_UNUSABLE', { why: disk.unusable })
    return failed('storage', 'disk', 'disk-unusable', error)
  }
  if (disk.free >= leastRoom) return works('storage', 'disk', `${size(disk.free)} are free.`)
  return failed('storage', 'disk', 'disk-low', new PolewatchError('PW_DISK_LOW', { free: size(disk.free) }))
}

function journals({ health }: GatewayCondition): Finding[] {
  return (health?.journals ?? []).map(({ role, bytes, limit, waiting }) =>
    works('storage', `journal of ${role}`, `${size(bytes)} of at most ${size(limit)}; ${waiting} alerts wait in it.`),
  )
}

function policy({ policy }: Surroundings): Finding {
  if ('hash' in policy) return works('privacy', 'policy', `In force: ${policy.hash.slice(0, 12)}…`)
  return {
    ...unknown('privacy', 'policy', policy.wrong),
    state: 'fault',
    fault: 'policy-invalid',
    code: 'PW_CONFIG_INVALID',
  }
}

function memory(role: WorkingRole, { condition, surroundings }: InspectionSubject): Finding[] {
  const rules = condition.roles[role]?.memory ?? null
  if (rules === null) return []
  const part = `memory of ${role}`
  if (rules.dumpable)
    return [failed('privacy', part, 'memory-dumped', new PolewatchError('PW_MEMORY_DUMPED', { role }))]
  // A machine whose swap cannot be seen, as from inside a unit, is taken to have some.
  if (rules.swapLimit !== 0 && surroundings.machineSwaps !== false)
    return [failed('privacy', part, 'memory-swapped', new PolewatchError('PW_MEMORY_SWAPPED', { role }))]
  return [works('privacy', part, 'It is never written to a disk: no swap, no core dump.')]
}

function notRunning(role: WorkingRole): Finding {
  return failed('gateway', role, 'not-running', new PolewatchError('PW_NOT_RUNNING', { role }))
}

function works(area: Area, part: string, detail: string): Finding {
  return { area, part, state: 'works', fault: null, code: null, detail, advice: null }
}

function unknown(area: Area, part: string, detail: string): Finding {
  return { area, part, state: 'unknown', fault: null, code: null, detail, advice: null }
}

function failed(area: Area, part: string, fault: string, { code, message, advice }: PolewatchError): Finding {
  return { area, part, state: 'fault', fault, code, detail: message, advice }
}

function milliseconds(seconds: number): string {
  return (seconds * 1000).toPrecision(2)
}

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`
}

function size(bytes: number): string {
  if (bytes < 1048576) return `${Math.round(bytes / 1024)} KiB`
  return bytes < 1073741824 ? `${(bytes / 1048576).toFixed(1)} MiB` : `${(bytes / 1073741824).toFixed(1)} GiB`
}
