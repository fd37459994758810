import {
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import type { Configuration, HotlistSettings } from '../config/schema.js'
import { messageOf, PolewatchError } from '../errors.js'
import { applyDelta } from '../hotlist/delta.js'
import { writeDurably } from '../hotlist/generations.js'
import { Hotlist } from '../hotlist/hotlist.js'
import { importHotlist } from '../hotlist/import.js'
import { publicKeyFromPem } from '../messages/keys.js'
import { entryRules, listsFolder } from './hotlist-settings.js'
import { systemTime } from './role.js'

/*
 * On a unit one user alone writes the lists, without a network: polewatch-hotlist.service. City IT drops whole lists in its inbox, and
 * uplink the changes that the hub sends. A whole list carries no signature, so it counts only as a file of root's or of the importer's
 * own: whoever has taken uplink over cannot plant a plate. What is refused is set aside, so that the inbox is always emptied.
 *
 *   {state}/inbox/{list}.csv              a whole list, whatever its ending
 *   {state}/inbox/{list}.{any}.delta.json a signed change
 *   {state}/hotlist/refused.d             what was refused, until the next of its name
 *   {state}/hotlist/outcomes.json         what became of the latest
 */

const outcomeSchema = z.object({
  file: z.string(),
  outcome: z.enum(['taken', 'refused']),
  code: z.string().nullable(),
  detail: z.string(),
  result: z.record(z.string(), z.unknown()),
  /** Seconds since 1970 UTC. */
  at: z.number(),
})
export type InboxOutcome = z.output<typeof outcomeSchema>

const kept = 32
const changeName = /^([a-z0-9][a-z0-9-]*)(\.[^/]*)?\.delta\.json$/
const listName = /^([a-z0-9][a-z0-9-]*)(\.[^/]*)?$/

export function inboxFolder(paths: Configuration['paths']): string {
  return join(paths.state, 'inbox')
}

/** What became of the latest files, oldest first. */
export function inboxOutcomes(configuration: Configuration): InboxOutcome[] {
  try {
    return z
      .array(outcomeSchema)
      .parse(JSON.parse(readFileSync(join(listsFolder(configuration), 'outcomes.json'), 'utf8')))
  } catch {
    return []
  }
}

/**
 * Takes what lies in the inbox, whole lists first, and the files that the configuration names where they are newer than their lists. Each ends as
 * an outcome, never as an error. @param still a whole list has to lie unchanged so long, seconds, as it may still be being copied
 * @throws what the file system says of the folders
 */
export async function refreshHotlists(configuration: Configuration, still: number): Promise<InboxOutcome[]> {
  const outcomes: InboxOutcome[] = []
  const said = (outcome: Omit<InboxOutcome, 'at'>): void => {
    outcomes.push({ ...outcome, detail: outcome.detail.slice(0, 1000), at: systemTime() })
    const all = [...inboxOutcomes(configuration), ...outcomes.slice(-1)].slice(-kept)
    writeDurably(listsFolder(configuration), 'outcomes.json', `${JSON.stringify(all)}\n`)
  }
  const attempt = async (file: string, work: () => Promise<Record<string, unknown>>): Promise<boolean> => {
    try {
      said({ file, outcome: 'taken', code: null, detail: `${file} was taken.`, result: await work() })
      return true
    } catch (error) {
      const code = error instanceof PolewatchError ? error.code : null
      said({ file, outcome: 'refused', code, detail: messageOf(error), result: {} })
      return false
    }
  }
  const inbox = inboxFolder(configuration.paths)
  mkdirSync(listsFolder(configuration), { recursive: true, mode: 0o750 })
  for (const file of filesOf(inbox)) {
    const path = join(inbox, file)
    const taken = await attempt(file, () => takeFile(configuration, path, file, still))
    if (taken) rmSync(path, { force: true })
    else setAside(path, join(listsFolder(configuration), 'refused.d'), file)
  }
  for (const list of configuration.hotlist.lists) {
    const { file } = list
    if (file !== null && newer(configuration, list, file))
      await attempt(file, () => takeList(configuration, list, file, still))
  }
  return outcomes
}

/** Whole lists before changes, which are made for them. */
function filesOf(inbox: string): string[] {
  const names = readdirSync(inbox, { withFileTypes: true })
    .filter(entry => !entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort()
  return [...names.filter(name => !changeName.test(name)), ...names.filter(name => changeName.test(name))]
}

function takeFile(
  configuration: Configuration,
  path: string,
  file: string,
  still: number,
): Promise<Record<string, unknown>> {
  const change = changeName.exec(file)
  const [, name = ''] = change ?? listName.exec(file) ?? []
  const list = configuration.hotlist.lists.find(each => each.name === name)
  if (list === undefined) throw new PolewatchError('PW_HOTLIST_ABSENT', { list: name === '' ? file : name })
  return change === null ? takeList(configuration, list, path, still) : takeChange(configuration, list, path)
}

async function takeChange(
  configuration: Configuration,
  list: HotlistSettings,
  path: string,
): Promise<Record<string, unknown>> {
  const { warnings, ...result } = await applyDelta({
    listName: list.name,
    directory: listsFolder(configuration),
    delta: readOnly(path),
    keys: list.deltaKeys.map(key => publicKeyFromPem(readFileSync(key))),
    ...entryRules(configuration, list),
    now: systemTime(),
  })
  return result
}

async function takeList(
  configuration: Configuration,
  list: HotlistSettings,
  path: string,
  still: number,
): Promise<Record<string, unknown>> {
  const source = openSource(path)
  try {
    if (source.owner !== 0 && source.owner !== process.getuid?.())
      throw new PolewatchError('PW_HOTLIST_SOURCE', {
        why: 'a whole list is not signed, so it has to be a file of root',
      })
    for (let changed = source.changed(); ; changed = source.changed()) {
      const rest = still - (systemTime() - changed)
      if (rest <= 0) break
      await pause(Math.min(rest, still) * 1000)
    }
    const { warnings, refused, ...result } = await importHotlist({
      listName: list.name,
      directory: listsFolder(configuration),
      source: createReadStream('', { fd: source.descriptor, autoClose: false, start: 0 }),
      mapping: list.mapping ?? list.preset,
      ...entryRules(configuration, list),
      now: systemTime(),
    })
    return result
  } finally {
    closeSync(source.descriptor)
  }
}

interface Source {
  readonly descriptor: number
  /** User number. */
  readonly owner: number
  /** Seconds since 1970 UTC. */
  readonly changed: () => number
}

/** Opens what is a file and no link or pipe: it looks at what it has opened rather than at a name. @throws PW_HOTLIST_SOURCE */
function openSource(path: string): Source {
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    throw new PolewatchError('PW_HOTLIST_SOURCE', { why: messageOf(error) }, error)
  }
  const found = fstatSync(descriptor)
  if (found.isFile()) return { descriptor, owner: found.uid, changed: () => fstatSync(descriptor).ctimeMs / 1000 }
  closeSync(descriptor)
  throw new PolewatchError('PW_HOTLIST_SOURCE', { why: 'it is no file' })
}

function readOnly(path: string): Buffer {
  const { descriptor } = openSource(path)
  try {
    return readFileSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Whether a file was written, replaced or put in place after its list was imported; no time that can be set back tells that. */
function newer(configuration: Configuration, list: HotlistSettings, file: string): boolean {
  try {
    const source = openSource(file)
    const changed = source.changed()
    closeSync(source.descriptor)
    const hotlist = Hotlist.open(listsFolder(configuration), list.name, { mayBeUnusable: true })
    const imported = hotlist.status(systemTime()).about?.imported ?? Number.NEGATIVE_INFINITY
    hotlist.close()
    return changed > imported
  } catch {
    // Told by the import.
    return true
  }
}

function setAside(path: string, folder: string, file: string): void {
  const aside = join(folder, file)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o750 })
    try {
      renameSync(path, aside)
    } catch {
      // In the unit's sandbox the inbox is another mount, from which nothing can be renamed.
      writeFileSync(aside, readOnly(path), { mode: 0o640 })
    }
  } catch {
    // What is no file is only removed.
  }
  rmSync(path, { recursive: true, force: true })
}
