import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeWhole } from '../config/replace-file.js'
import type { Configuration } from '../config/schema.js'
import { commandArguments } from '../messages/commands.js'
import { type AuthorisedCommand, argumentsOf } from '../uplink/command-authority.js'
import { appliedFolder } from './apply-outcomes.js'
import { commandAuthority } from './command-keys.js'

/*
 * What loosens the policy is asked for twice: by two keys, each in a command of its own with the same document. The first waits in
 * root's folder until the second comes or it expires; its signature, authority and time are checked again then.
 */

export type Change = 'policy' | 'configuration'

/** Loosening changes that wait, at most: the oldest give way. */
const most = 8

/** Whether a command of another key waits that asks for the same document and still holds. It waits no more then. */
export function takeSecond(
  name: Change,
  command: AuthorisedCommand,
  configuration: Configuration,
  now: number,
): boolean {
  const authority = commandAuthority(configuration)
  const { document } = argumentsOf(commandArguments[name], command)
  for (const file of waiting(name, configuration.paths)) {
    const other = authority.check(name, readFileSync(file), now)
    const over = 'error' in other
    const same =
      !over &&
      keyOf(other) !== keyOf(command) &&
      other.key !== command.key &&
      argumentsOf(commandArguments[name], other).document === document
    if (over || same) rmSync(file, { force: true })
    if (same) return true
  }
  return false
}

/** Keeps a command until a second one comes. */
export function awaitSecond(
  name: Change,
  request: string,
  command: AuthorisedCommand,
  paths: Configuration['paths'],
): void {
  const folder = waitingFolder(paths)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  for (const file of waiting(name, paths).slice(0, 1 - most)) rmSync(file, { force: true })
  writeWhole(join(folder, request), JSON.stringify(command.event.original), 0o600)
}

/** The key's own id: one key under two names is one key. */
function keyOf({ token }: AuthorisedCommand): string {
  return token.split(' ', 1)[0] ?? ''
}

function waitingFolder(paths: Configuration['paths']): string {
  return join(appliedFolder(paths), 'waiting')
}

/** Oldest first. */
function waiting(name: Change, paths: Configuration['paths']): string[] {
  const folder = waitingFolder(paths)
  try {
    return readdirSync(folder)
      .filter(file => file.startsWith(`${name}-`))
      .map(file => join(folder, file))
      .map(file => ({ file, at: lstatSync(file).mtimeMs }))
      .sort((one, other) => one.at - other.at)
      .map(({ file }) => file)
  } catch {
    return []
  }
}
