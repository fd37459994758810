import { createHash, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import { PolewatchError } from '../errors.js'
import { canonicalJson, parseJsonObject } from '../messages/json.js'
import { keyId, type SigningKey } from '../messages/keys.js'
import { signDetached, verifyDetached } from '../messages/seal.js'
import { parseTime, timePattern } from '../messages/time.js'

/*
 * A change of a list is one JSON object. Its member `signature` is a detached JWS (RFC 7515, appendix F) with Ed25519 over
 * the canonical form (RFC 8785) of the object without it, as in every message. `base` says what the list it was made for was
 * made of: the SHA-256 of the file that was imported, or of the canonical form of the change before, unsigned. So changes make a
 * chain, and one signed file serves every gateway, whatever number its own generation has.
 */

const text = z.string().max(256)
const optionalText = text.nullable().default(null)
const instant = z.string().regex(timePattern)

const deltaSchema = z.strictObject({
  format: z.literal('polewatch-hotlist-delta-1'),
  list: text,
  base: z.strictObject({
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    /** The gateway's own number of the list, for a change that is meant for one gateway. */
    generation: z.int().positive().nullable().default(null),
  }),
  /** Not to be applied from then on. */
  expires: instant,
  remove: z.array(z.strictObject({ plate: text, id: optionalText })).max(1_000_000),
  add: z
    .array(
      z.strictObject({
        plate: text,
        state: optionalText,
        purpose: optionalText,
        effective: optionalText,
        expires: optionalText,
        id: optionalText,
        oneEdit: z.boolean().default(false),
      }),
    )
    .max(1_000_000),
})

export type HotlistDelta = z.infer<typeof deltaSchema>

/** A change whose signature holds. */
export interface OpenedDelta {
  readonly delta: HotlistDelta
  /** The next change names it as its base. */
  readonly sha256: string
  /** Seconds since 1970 UTC. */
  readonly expires: number
  /** RFC 7638 thumbprint of the key that signed. */
  readonly signedBy: string
}

/** Signs a change. Throws PW_HOTLIST_DELTA_INVALID for what is none. */
export function signDelta(unsigned: Uint8Array, key: SigningKey): { bytes: Uint8Array; sha256: string } {
  const { signature: _, ...object } = parse(unsigned, '(unsigned)')
  check(object, '(unsigned)')
  const canonical = canonicalJson(object)
  const signed = canonicalJson({ ...object, signature: signDetached(canonical, key) })
  return { bytes: Buffer.from(`${signed}\n`), sha256: hashOf(canonical) }
}

/** Reads a change of a list. Throws PW_HOTLIST_DELTA_UNTRUSTED and PW_HOTLIST_DELTA_INVALID; its signature is looked at first. */
export function openDelta(bytes: Uint8Array, list: string, keys: readonly KeyObject[]): OpenedDelta {
  const { signature, ...unsigned } = parse(bytes, list)
  const trusted = new Map(keys.map(key => [keyId(key), key]))
  let signedBy = ''
  const verification = verifyDetached(unsigned, signature, kid => {
    signedBy = kid
    return trusted.get(kid)
  })
  if (verification !== 'valid')
    throw new PolewatchError('PW_HOTLIST_DELTA_UNTRUSTED', { list, why: reasons[verification] })
  const delta = check(unsigned, list)
  if (delta.list !== list) throw new PolewatchError('PW_HOTLIST_DELTA_INVALID', { list, why: 'it is for another list' })
  return { delta, sha256: hashOf(canonicalJson(unsigned)), expires: parseTime(delta.expires), signedBy }
}

const reasons = {
  unsigned: 'it has no signature',
  'unknown-key': 'the key is unknown',
  forged: 'the signature does not hold',
}

function parse(bytes: Uint8Array, list: string) {
  try {
    return parseJsonObject(bytes)
  } catch (error) {
    // The cause of a syntax error is left out: it quotes the file.
    const why = error instanceof TypeError ? `it holds ${error.message}` : 'it is not JSON'
    throw new PolewatchError('PW_HOTLIST_DELTA_INVALID', { list, why })
  }
}

function check(object: unknown, list: string): HotlistDelta {
  const parsed = deltaSchema.safeParse(object)
  // Only where the fault is: a message might repeat a plate.
  const where = parsed.error?.issues[0]?.path.join('.') ?? ''
  if (!parsed.success) {
    throw new PolewatchError('PW_HOTLIST_DELTA_INVALID', {
      list,
      why: `${where === '' ? 'it' : where} is not as it must be`,
    })
  }
  if (Number.isNaN(parseTime(parsed.data.expires))) {
    throw new PolewatchError('PW_HOTLIST_DELTA_INVALID', { list, why: 'expires is no time' })
  }
  return parsed.data
}

function hashOf(canonical: string): string {
  return createHash('sha256').update(canonical).digest('hex')
}
