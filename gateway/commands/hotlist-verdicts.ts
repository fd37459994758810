import { messageOf } from '../errors.js'
import type { EntryVerdict, Verdicts } from '../hotlist/verdicts.js'
import type { Post } from '../journal/exchange.js'
import { parseTime } from '../messages/time.js'
import type { CommandAuthority } from '../uplink/command-authority.js'
import { type Role, systemTime } from './role.js'
import { followPosts, roleAuthority } from './uplink-posts.js'

/*
 * What people at the hub say of hits reaches the role that matches plates through uplink's exchange: posts of the kind
 * `verdict`, each the hub's signed event as it came. Signature, key and time are checked here again, so that uplink, which
 * reads the network, cannot silence an entry by itself.
 */

/** What a verdict does: it silences an entry, or nothing, or it is refused, in kebab case why. */
export type VerdictReading = { readonly silences: EntryVerdict | null } | { readonly refused: string }

/** Reads an event as the hub signed it; `now` is in seconds since 1970 UTC. Never throws. */
export function readVerdict(bytes: Uint8Array, authority: CommandAuthority, now: number): VerdictReading {
  const checked = authority.check('verdict', bytes, now)
  if ('error' in checked) return { refused: checked.why }
  if (checked.event.name !== 'verdict') return { refused: 'malformed' }
  const { hit, entry, verdict, by, time } = checked.event.data
  if (verdict !== 'misread' && verdict !== 'not-wanted') return { silences: null }
  if (entry === null) return { refused: 'names-no-entry' }
  const { list, generation, id, issue } = entry
  return { silences: { hit, list, generation, entry: id, issue, verdict, by, time: parseTime(time) } }
}

/** Takes the hub's verdicts until the signal aborts; each one that silences an entry is audited. */
export async function followVerdicts(role: Role, verdicts: Verdicts, signal: AbortSignal): Promise<void> {
  const authority = roleAuthority(role)
  if (authority === null) return
  const take = ({ body }: Post): void => {
    const verdict = readVerdict(body, authority, systemTime())
    if ('refused' in verdict) role.log.warn({ why: verdict.refused }, 'a verdict that uplink passed on is not obeyed')
    else if (verdict.silences !== null) silence(role, verdicts, verdict.silences)
  }
  await followPosts(role, ['verdict'], take, signal)
}

/** Uplink posts the verdicts of the last days again at each start, so most have been taken before. */
function silence(role: Role, verdicts: Verdicts, verdict: EntryVerdict): void {
  if (verdicts.silences(verdict.issue)) return
  try {
    verdicts.add(verdict)
  } catch (error) {
    role.log.error({ error: messageOf(error) }, 'a verdict could not be saved; it holds until the end of this process')
  }
  const { hit, list, generation, issue, by } = verdict
  role.journal
    .record({
      action: 'hotlist-entry-silenced',
      subject: list,
      detail: { hit, generation, issue, verdict: verdict.verdict, by },
    })
    .catch((error: unknown) => role.log.error(messageOf(error)))
}
