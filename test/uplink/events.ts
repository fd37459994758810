import { createSigningKey, publicJwkOf, type SigningKey } from '../../gateway/messages/keys.js'
import { sealEvent } from '../../gateway/messages/seal.js'
import type { EventDraft, MessageData } from '../../gateway/messages/table.js'
import { formatTime } from '../../gateway/messages/time.js'

export const site = 'springfield'
export const time = 1_545_180_568.5
export const uplinkKey = createSigningKey()
export const sensingKey = createSigningKey()
export const hubKey = createSigningKey()

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
  keys: Partial<Record<'sensing' | 'uplink' | 'vision', SigningKey>>,
): MessageData<'capabilities'> {
  const roles = ['sensing', 'uplink', 'vision'] as const
  return {
    site,
    gateway,
    version: '0.1.0',
    position: null,
    positionError: null,
    arrays: [],
    readers: [],
    keys: roles.flatMap(role => {
      const key = keys[role]
      if (key === undefined) return []
      return [{ role, kid: key.kid, jwk: publicJwkOf(key.publicKey), from: formatTime(time) }]
    }),
    messages: [],
  }
}

/** The final bytes of an event of a gateway's sensing role. */
export function sealed(
  draft: EventDraft,
  gateway: string,
  epoch: string,
  sequence: number,
  key = sensingKey,
): Uint8Array {
  const priority =
    draft.name === 'gunfire' ? 'gunfire' : draft.name === 'fault' ? 'fault' : draft.name === 'shed' ? 'rest' : 'live'
  return sealEvent(draft, { source: `/${site}/${gateway}/sensing/${priority}`, epoch, sequence }, key).bytes
}

export function sealedCapabilities(
  gateway: string,
  data: MessageData<'capabilities'>,
  sequence = 1,
  key = uplinkKey,
): Uint8Array {
  const position = { source: `/${site}/${gateway}/uplink/live`, epoch: 'capabilities', sequence }
  return sealEvent({ name: 'capabilities', time, exercise: true, data }, position, key).bytes
}
