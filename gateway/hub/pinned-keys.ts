import * as z from 'zod'
import { PolewatchError } from '../errors.js'
import { publicJwk } from '../messages/condition.js'
import { gatewayRoles } from '../messages/stream.js'
import type { PinnedKey } from '../uplink/key-pins.js'

export const pinnedKey = z.object({
  site: z.string(),
  gateway: z.string(),
  role: z.enum(gatewayRoles),
  jwk: publicJwk,
})

/** Reads what `polewatch enroll keys` prints: a JSON object a line, of one unit or of many. @throws PW_KEY_INVALID */
export function parsePinnedKeys(text: string): PinnedKey[] {
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return []
    try {
      return [pinnedKey.parse(JSON.parse(line))]
    } catch (error) {
      const why = `line ${index + 1} is not a JSON object with site, gateway, role and jwk`
      throw new PolewatchError('PW_KEY_INVALID', { why }, error)
    }
  })
}
