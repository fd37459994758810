import { join } from 'node:path'
import { devicesFolder } from '../../drivers/device-files.js'
import { deviceNames, loadConfiguration } from '../config/load.js'
import { loadPolicy } from '../config/policy-file.js'
import type { Configuration, HotlistSettings } from '../config/schema.js'
import { PolewatchError } from '../errors.js'
import type { EntryRules } from '../hotlist/entries.js'
import { defaultRefused, permittedWords, purposeOf } from '../policy/policy.js'

export interface ListOptions {
  readonly config: string
  readonly list?: string
  readonly allowShrink?: boolean
  readonly json?: boolean
}

export function load(file: string): Configuration {
  return loadConfiguration(file, deviceNames(devicesFolder))
}

/** The folder of all lists. */
export function listsFolder({ paths }: Configuration): string {
  return join(paths.state, 'hotlist')
}

/** The list that is named, or the only one there is. Throws PW_USAGE. */
export function chooseList({ hotlist }: Configuration, name: string | undefined): HotlistSettings {
  const names = hotlist.lists.map(list => list.name).join(', ')
  const list =
    name === undefined && hotlist.lists.length === 1 ? hotlist.lists[0] : hotlist.lists.find(each => each.name === name)
  if (list === undefined) {
    const why = names === '' ? 'the configuration has no hotlist' : `name one of the lists with --list: ${names}`
    throw new PolewatchError('PW_USAGE', { why })
  }
  return list
}

/** What entries of the list may be like, by configuration and policy. Throws PW_HOTLIST_DEFAULT, and what a policy file throws. */
export function entryRules(
  configuration: Configuration,
  list: HotlistSettings,
): { defaults: EntryRules['defaults']; purposes: ReadonlyMap<string, string>; commonTexts: readonly string[] } {
  const { policy } = loadPolicy(configuration.policyFile)
  const { validForHours, purposeDefault, stateDefault, purposes: words } = list
  const why = defaultRefused(policy, purposeDefault, validForHours)
  if (why !== null) throw new PolewatchError('PW_HOTLIST_DEFAULT', { list: list.name, why })
  return {
    defaults: {
      ...(purposeDefault === null ? {} : { purpose: purposeDefault }),
      ...(stateDefault === null ? {} : { state: stateDefault }),
      ...(validForHours === null ? {} : { validFor: validForHours * 3600 }),
    },
    purposes: new Map(permittedWords(policy, words).map(word => [word, purposeOf(word, words)])),
    commonTexts: configuration.hotlist.commonTexts,
  }
}
