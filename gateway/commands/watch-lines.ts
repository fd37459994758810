import type { MessageData, MessageEvent } from '../messages/table.js'
import { parseTime } from '../messages/time.js'
import type { TrueShot } from './recording-set.js'
import { distanceToTruth } from './replay-table.js'
import { bold, colour } from './terminal.js'

/** The lines that tell a person of a message; the first begins with when it came. */
export function linesOf(message: MessageEvent, now: number, truth: readonly TrueShot[]): string[] {
  const { gateway } = message.stream
  const exercise = message.exercise ? colour('blue', ' EXERCISE') : ''
  const head = (what: string): string => `${clock(now)}  ${what.padEnd(9)} ${gateway}${exercise}`
  switch (message.name) {
    case 'gunfire':
      return gunfire(message.data, head(bold(colour('red', 'GUNFIRE'))), now, truth)
    case 'plate-hit':
      return plateHit(message.data, head(bold(colour('yellow', 'PLATE HIT'))), now)
    case 'fault': {
      const { part, fault, state, detail, code } = message.data
      return [
        `${head(state === 'raised' ? colour('yellow', 'FAULT') : 'CLEARED')}  ${part}: ${fault}${code === null ? '' : ` (${code})`}. ${detail}`,
      ]
    }
    case 'tamper': {
      const { part, tamper, state, detail } = message.data
      return [`${head(state === 'raised' ? colour('red', 'TAMPER') : 'CLEARED')}  ${part}: ${tamper}. ${detail}`]
    }
    case 'status':
      return [`${head(message.data.state === 'online' ? colour('green', 'ONLINE') : colour('yellow', 'OFFLINE'))}`]
    case 'shed':
      return [`${head(colour('red', 'SHED'))}  ${message.data.count} alerts will never come: ${message.data.reason}`]
    case 'health':
    case 'capabilities':
      return []
    default:
      return [head(message.name)]
  }
}

function gunfire(data: MessageData<'gunfire'>, head: string, now: number, truth: readonly TrueShot[]): string[] {
  const { incident, revision, state, quality, shots, mergedInto } = data
  const count = `${shots.length} ${shots.length === 1 ? 'shot' : 'shots'}`
  const what =
    state === 'withdrawn' ? (mergedInto === null ? 'a mistake' : `part of ${mergedInto}`) : `${count}, ${quality}`
  const lines = [`${head}  ${bold(state)}: ${what}  (${incident}, revision ${revision})`]
  for (const group of byPlace(shots)) {
    const { position, uncertainty, bearing } = group[0]
    const where =
      position === null || uncertainty === null
        ? bearing === null
          ? 'heard, place unknown'
          : `from ${bearing.azimuth.toFixed(0)}° ± ${(2 * bearing.error).toFixed(0)}°`
        : `at ${position.latitude.toFixed(5)}, ${position.longitude.toFixed(5)}, 95 % within ${uncertainty.semiMajor.toFixed(1)} × ${uncertainty.semiMinor.toFixed(1)} m`
    const place =
      position === null ? null : { ...position, altitude: position.altitude ?? truth[0]?.position.altitude ?? 0 }
    const away = distanceToTruth({ position: place }, truth)
    lines.push(
      `    ${where}${away === null ? '' : `; ${colour('green', `${away.toFixed(1)} m from the surveyed place`)}`}`,
    )
    const times = group.map(({ time }) => clock(parseTime(time))).join(', ')
    const gateways = new Set(group.flatMap(({ arrivals }) => arrivals.map(({ gateway }) => gateway))).size
    const newest = now - Math.max(...group.map(({ time }) => parseTime(time)))
    const delay =
      state === 'final'
        ? ''
        : `; ${newest.toFixed(1)} s from the ${group.length > 1 ? 'last ' : ''}muzzle blast to the hub`
    lines.push(
      `    ${group.length > 1 ? 'shots' : 'shot'} at ${times}; ${gateways} gateways, probability ${Math.min(...group.map(({ probability }) => probability)).toFixed(2)}${soundsOf(group)}${delay}`,
    )
  }
  return lines
}

type Shot = MessageData<'gunfire'>['shots'][number]

function soundsOf(shots: readonly Shot[]): string {
  const sounds = [...new Set(shots.flatMap(({ sound }) => sound ?? []))]
  return sounds.length === 0 ? '' : `, sounds: ${sounds.join(', ')}`
}

/** Shots with one and the same position or bearing together; a gun that stays where it is fills one line, not ten. */
function byPlace(shots: readonly Shot[]): [Shot, ...Shot[]][] {
  const groups = new Map<string, [Shot, ...Shot[]]>()
  for (const shot of shots) {
    const key = JSON.stringify([shot.position, shot.bearing])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [shot])
    else group.push(shot)
  }
  return [...groups.values()]
}

function plateHit(data: MessageData<'plate-hit'>, head: string, now: number): string[] {
  const { plate, tier, match, entry, read, state, supersededBy, passage } = data
  const differences = match.differences.map(
    ({ position, read: seen, listed }) =>
      `character ${position} read ${seen || 'nothing'}, listed ${listed || 'nothing'}`,
  )
  const heir = state === 'superseded' ? ` by ${supersededBy ?? 'no other hit'}` : ''
  const seen = passage === undefined ? '' : `, passage ${passage.id} (${passage.phase})`
  return [
    `${head}  ${bold(tier)}${state === 'new' ? '' : ` (${state}${heir})`}: ${plate}${entry.state === null ? '' : ` of ${entry.state}`}, wanted for ${entry.purpose}`,
    `    read ${read.text} by ${read.reader}${read.lane === null ? '' : `, lane ${read.lane}`}${seen}; ${match.kind}${differences.length > 0 ? `: ${differences.join(', ')}` : ''}; ${match.reasons.join(', ')}`,
    `    entry ${entry.id} of ${entry.list}, generation ${entry.generation}; UNVERIFIED: check plate and state by eye; ${((now - parseTime(read.time)) * 1000).toFixed(0)} ms from reader to hub`,
  ]
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(11, 23)
}
