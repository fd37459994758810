import { messageOf } from '../errors.js'
import { watchBells } from '../journal/bell.js'
import { type ExchangeCursor, ExchangeReader, type Post } from '../journal/exchange.js'
import type { GatewayRole } from '../messages/stream.js'
import type { CommandAuthority } from '../uplink/command-authority.js'
import { commandAuthority } from './command-keys.js'
import type { Role } from './role.js'
import { rolePaths } from './role-files.js'

/**
 * Calls `take` with each post of some kinds in another role's exchange, in order, until the signal aborts. `earlier` says of a post that
 * it was there when this began. A post that `take` throws at is logged, and the next one comes all the same.
 */
export async function followPosts(
  role: Role,
  kinds: readonly string[],
  take: (post: Post, earlier: boolean) => void,
  signal: AbortSignal,
  from: GatewayRole = 'uplink',
): Promise<void> {
  const { paths } = role.configuration
  const reader = new ExchangeReader(rolePaths(paths, from).exchange)
  let cursor: ExchangeCursor | undefined
  let begun = false
  const look = (): void => {
    try {
      const batch = reader.after(cursor, kinds)
      cursor = batch.cursor
      for (const post of batch.posts) attempt(role, from, post.kind, () => take(post, !begun))
    } catch (error) {
      role.log.warn({ error: messageOf(error) }, `the exchange of ${from} cannot be read`)
    }
    begun = true
  }
  await watchBells(paths.runtime, look, { signal })
  reader.close()
}

function attempt(role: Role, from: GatewayRole, kind: string, take: () => void): void {
  try {
    take()
  } catch (error) {
    role.log.warn({ kind, error: messageOf(error) }, `a message from ${from} cannot be used`)
  }
}

/** Whose commands this role obeys; null, and logged, where their keys cannot be read. */
export function roleAuthority(role: Role): CommandAuthority | null {
  try {
    return commandAuthority(role.configuration)
  } catch (error) {
    role.log.error(
      { error: messageOf(error) },
      'the keys of commands cannot be read; no command or verdict is obeyed here',
    )
    return null
  }
}
