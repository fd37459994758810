import type { KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { PolewatchError } from '../errors.js'
import type { EntryVerdict, Verdicts } from '../hotlist/verdicts.js'
import { watchBells } from '../journal/bell.js'
import { type ExchangeCursor, ExchangeReader } from '../journal/exchange.js'
import { keyId, publicKeyFromPem } from '../messages/keys.js'
import { openEvent, verifyEvent } from '../messages/seal.js'
import { parseTime } from '../messages/time.js'
import { messageOf, type Role, rolePaths } from './role.js'

/*
 * What people at the hub say of hits reaches the role that matches plates through uplink's exchange: posts of the kind
 * `verdict`, each the hub's signed event as it came. The signature is checked here again, so that uplink, which reads the
 * network, cannot silence an entry by itself.
 */

/** Largest verdict that is read, bytes. */
const limit = 16_384

/** Why a verdict silences nothing; null is a verdict that silences its entry. */
export type VerdictFault =
  | 'malformed'
  | 'unsigned'
  | 'unknown-key'
  | 'forged'
  | 'other-site'
  | 'other-gateway'
  | 'silences-nothing'
  | 'names-no-entry'

/** Whose verdicts are taken, and about whose alerts. */
export interface VerdictScope {
  readonly site: string
  readonly gateway: string
  readonly hubKey: KeyObject
}

/** Reads the hub's signed event: the entry that it silences, or why it silences none. */
export function readVerdict(bytes: Uint8Array, { site, gateway, hubKey }: VerdictScope): EntryVerdict | VerdictFault {
  const event = open(bytes)
  if (event === null) return 'malformed'
  if (event.stream.role !== 'hub' || event.stream.site !== site) return 'other-site'
  const verification = verifyEvent(event, kid => (kid === keyId(hubKey) ? hubKey : undefined))
  if (verification !== 'valid') return verification
  const { alert, hit, entry, verdict, by, time } = event.data
  if (!alert.source.startsWith(`/${site}/${gateway}/`)) return 'other-gateway'
  if (verdict !== 'misread' && verdict !== 'not-wanted') return 'silences-nothing'
  if (entry === null) return 'names-no-entry'
  const { list, generation, id, issue } = entry
  return { hit, list, generation, entry: id, issue, verdict, by, time: parseTime(time) }
}

function open(bytes: Uint8Array) {
  try {
    const event = openEvent(bytes, limit)
    return event.name === 'verdict' ? event : null
  } catch {
    return null
  }
}

/** Takes the hub's verdicts until the signal aborts; each one that silences an entry is audited. */
export async function followVerdicts(role: Role, verdicts: Verdicts, signal: AbortSignal): Promise<void> {
  const { site, gateway, paths, uplink } = role.configuration
  if (uplink.hubKey === null) return
  const hubKey = readHubKey(role, uplink.hubKey)
  if (hubKey === null) return
  const reader = new ExchangeReader(rolePaths(paths, 'uplink').exchange)
  let cursor: ExchangeCursor | undefined
  const take = (): void => {
    const batch = reader.after(cursor, ['verdict'])
    cursor = batch.cursor
    for (const { body } of batch.posts) {
      const verdict = readVerdict(body, { site, gateway: gateway.id, hubKey })
      if (typeof verdict !== 'string') silence(role, verdicts, verdict)
      else if (verdict !== 'silences-nothing') role.log.warn({ fault: verdict }, 'a verdict of the hub cannot be used')
    }
  }
  await watchBells(
    paths.runtime,
    () => {
      try {
        take()
      } catch (error) {
        role.log.warn({ error: messageOf(error) }, 'verdicts of the hub cannot be read')
      }
    },
    { signal },
  )
  reader.close()
}

/** Posts are read from the first on at every start, so most have been taken before. */
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

function readHubKey(role: Role, file: string): KeyObject | null {
  try {
    return publicKeyFromPem(readFileSync(file, 'utf8'))
  } catch (error) {
    const fault = new PolewatchError('PW_KEY_FILE', { file, why: messageOf(error) }, error)
    role.raise('hub verdicts', 'faulty', 'hub-key-unreadable', fault.message, fault.code)
    return null
  }
}
