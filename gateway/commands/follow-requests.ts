import { messageOf } from '../errors.js'
import type { Post } from '../journal/exchange.js'
import { commandArguments } from '../messages/commands.js'
import { argumentsOf, type CommandAuthority } from '../uplink/command-authority.js'
import { type Role, systemTime } from './role.js'
import { followPosts, roleAuthority } from './uplink-posts.js'

/*
 * What the hub asks of sensing and vision reaches them through uplink's exchange: posts whose kind is the command's name and
 * whose body is the hub's signed event as it came. Each role checks signature, key, purpose and time again, so that uplink, which
 * reads the network, can command nothing by itself. What was posted before the role began is over.
 */

const kinds = ['restart', 'log-level'] as const

/** Obeys `restart`, by calling `end`, and `log-level`, until the signal aborts. */
export async function followRequests(role: Role, end: () => void, signal: AbortSignal): Promise<void> {
  const authority = roleAuthority(role)
  if (authority === null) return
  const take = ({ kind, body }: Post, earlier: boolean): void => {
    if (!earlier) obey(role, authority, kind, body, end)
  }
  await followPosts(role, kinds, take, signal)
}

function obey(role: Role, authority: CommandAuthority, kind: string, body: Uint8Array, end: () => void): void {
  const command = authority.check(kind, body, systemTime())
  if ('error' in command) {
    role.log.warn({ code: command.error.code, why: command.why }, 'a request that uplink passed on is not obeyed')
    return
  }
  const { role: meant } = argumentsOf(commandArguments.restart.pick({ role: true }).loose(), command)
  if (meant !== role.name && meant !== 'all') return
  const { name, key, event } = command
  role.journal
    .record({ action: 'command', subject: name, detail: { outcome: 'accepted', key, command: event.id } })
    .catch((error: unknown) => role.log.error(messageOf(error)))
  if (name === 'restart') end()
  else role.log.level = argumentsOf(commandArguments['log-level'], command).level
}
