import { publicJwkOf, type SigningKey } from '../../gateway/messages/keys.js'
import { type GatewayRole, gatewayRoles } from '../../gateway/messages/stream.js'
import type { EventDraft, MessageData } from '../../gateway/messages/table.js'
import { formatTime } from '../../gateway/messages/time.js'

/** The site that made-up gateways belong to. */
export const site = 'springfield'
/** When everything made up happened, seconds since 1970 UTC. */
export const time = 1_545_180_568.5

export function faultDraft(detail: string): EventDraft<'fault'> {
  const data = { fault: 'silent', code: null, part: 'north', state: 'raised', detail, since: formatTime(time) } as const
  return { name: 'fault', time, exercise: true, data }
}

export function gunfireDraft(incident: string): EventDraft<'gunfire'> {
  const data: MessageData<'gunfire'> = {
    incident,
    revision: 1,
    state: 'final',
    mergedInto: null,
    reviewed: false,
    quality: 'heard',
    weapon: 'unknown',
    shots: [],
    policy: 'a'.repeat(64),
  }
  return { name: 'gunfire', time, exercise: true, data }
}

export function capabilities(
  gateway: string,
  keys: Partial<Record<GatewayRole, SigningKey>>,
): MessageData<'capabilities'> {
  return {
    site,
    gateway,
    version: '0.1.0',
    position: null,
    positionError: null,
    arrays: [],
    readers: [],
    keys: gatewayRoles.flatMap(role => {
      const key = keys[role]
      if (key === undefined) return []
      return [{ role, kid: key.kid, jwk: publicJwkOf(key.publicKey), from: formatTime(time) }]
    }),
    messages: [],
  }
}
