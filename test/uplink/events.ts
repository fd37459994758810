import { createSigningKey } from '../../gateway/messages/keys.js'
import { sealEvent } from '../../gateway/messages/seal.js'
import type { EventDraft, MessageData } from '../../gateway/messages/table.js'
import { site, time } from '../../scripts/delivery/drafts.js'

export { capabilities, faultDraft, gunfireDraft, site, time } from '../../scripts/delivery/drafts.js'

export const uplinkKey = createSigningKey()
export const sensingKey = createSigningKey()
export const hubKey = createSigningKey()

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
