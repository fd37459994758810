import { PolewatchError } from '../errors.js'
import { Hotlist, type HotlistStatus } from '../hotlist/hotlist.js'
import { stepBack } from '../hotlist/step-back.js'
import { formatTime } from '../messages/time.js'
import { type Match, matchRead, matchReasons } from '../plates/match.js'
import { normalisePlate, normaliseState } from '../plates/text.js'
import { counted } from './hotlist-import.js'
import { chooseList, type ListOptions, listsFolder, load } from './hotlist-settings.js'
import { recordAccess } from './local-access.js'
import { systemTime } from './role.js'
import { bold, exitStatus, print, printJson } from './terminal.js'

interface FindOptions {
  readonly config: string
  readonly state?: string
  readonly reason: string
  readonly json?: boolean
}

/** That somebody looks is recorded with the reason, and never what for: what is no hit is kept nowhere. */
export async function find(plate: string, options: FindOptions): Promise<void> {
  const configuration = load(options.config)
  const normalised = normalisePlate(plate)
  if ('fault' in normalised) throw new PolewatchError('PW_USAGE', { why: `the text is no plate (${normalised.fault})` })
  await recordAccess(configuration, 'hotlist-find', 'hotlist', options.reason)
  const now = systemTime()
  const read = {
    text: normalised.text,
    // As by a reader that is sure.
    confidence: 1,
    state: normaliseState(options.state ?? null),
    statesDiffer: false,
    agreeingReaders: 1,
    time: now,
  }
  let found = 0
  for (const { name, staleAfterHours } of configuration.hotlist.lists) {
    const list = Hotlist.open(listsFolder(configuration), name, { maximumAge: staleAfterHours * 3600 })
    const answer = list.find(read.text, now)
    if (answer.freshness !== 'fresh' && !options.json)
      print(`${name}: the list is ${answer.freshness} and matches nothing.`)
    const near = matchRead(read, answer).matches
    for (const match of near.length > 0 ? near : matchRead(read, list.findOneEdit(read.text, now)).matches) {
      found++
      // Nobody has read anything.
      const reasons = match.reasons.filter(reason => reason !== 'confidence-high')
      if (options.json) printJson({ list: name, freshness: answer.freshness, ...match, reasons })
      else printMatch({ ...match, reasons })
    }
    list.close()
  }
  if (found === 0 && !options.json) print('Nothing on any list matches.')
  if (found === 0) process.exitCode = exitStatus.fault
}

function printMatch({ entry, tier, differing, reasons }: Match): void {
  print(
    `${bold(tier)}: entry ${entry.id} of ${entry.list}, ${entry.purpose}, until ${formatTime(entry.expires)}, unverified`,
  )
  for (const { position, read, listed } of differing) print(`  character ${position}: read ${read}, listed ${listed}`)
  print(`  ${reasons.map(reason => matchReasons[reason]).join(' ')}`)
}

export function rollBack(options: ListOptions): void {
  const configuration = load(options.config)
  const { name } = chooseList(configuration, options.list)
  const { number, sha256 } = stepBack(listsFolder(configuration), name, systemTime())
  if (options.json) printJson({ list: name, generation: number, sha256 })
  else print(`${bold(name)}: generation ${number} is in use again.`)
}

export function showStatus(options: ListOptions): void {
  const configuration = load(options.config)
  const now = systemTime()
  for (const { name, staleAfterHours } of configuration.hotlist.lists) {
    const list = Hotlist.open(listsFolder(configuration), name, {
      maximumAge: staleAfterHours * 3600,
      mayBeUnusable: true,
    })
    const status = list.status(now)
    list.close()
    if (status.freshness !== 'fresh' || status.newerUnreadable) process.exitCode = exitStatus.fault
    if (options.json) printJson(status)
    else printStatus(status, now)
  }
}

function printStatus({ list, freshness, about, newerUnreadable }: HotlistStatus, now: number): void {
  if (about === null) {
    print(`${bold(list)}: ${freshness}; nothing matches.`)
    return
  }
  const hours = (now - about.imported) / 3600
  const age = hours < 1 ? counted(Math.round(hours * 60), 'minute', 'minutes') : `${hours.toFixed(1)} hours`
  const use = freshness === 'fresh' ? 'in use' : `${freshness}, nothing matches`
  print(
    `${bold(list)}: generation ${about.generation}, ${counted(about.entries, 'entry', 'entries')}, ${age} old, ${use}.`,
  )
  print(`  A change of it names ${about.sourceSha256} as its base.`)
  if (newerUnreadable) print('  A newer generation is there and cannot be read.')
}
