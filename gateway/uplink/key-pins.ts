import type { KeyObject } from 'node:crypto'
import { keyId, type PublicJwk, publicJwkOf, publicKeyFromJwk } from '../messages/keys.js'
import { verifyEvent } from '../messages/seal.js'
import { type GatewayRole, gatewayRoles, type Stream } from '../messages/stream.js'
import type { MessageEvent } from '../messages/table.js'

/** A key that is taken to speak for a role of a gateway. */
export interface PinnedKey {
  readonly site: string
  readonly gateway: string
  readonly role: GatewayRole
  readonly jwk: PublicJwk
}

/** `key-changed`: a role that has a key already offers another one. Nothing of such a message is taken. */
export type PinOutcome =
  | 'pinned'
  | 'known'
  | 'unsigned'
  | 'unknown-key'
  | 'forged'
  | 'key-changed'
  | 'too-many'
  | 'malformed'

/**
 * Which keys speak for which role of which gateway. A gateway's capabilities, signed with the uplink key that they name, are
 * believed at first sight; after that a role changes its key here only where a person says so (`replace`, `forget`), and new roles
 * come in under the known uplink key.
 */
export class KeyPins {
  readonly #limit: number
  readonly #pins = new Map<string, Map<GatewayRole, Map<string, KeyObject>>>()

  /** At most `limit` gateways are remembered. */
  constructor(limit = 5000) {
    this.#limit = limit
  }

  /** The key with that id, if it may sign for the stream: the second argument of `verifyEvent`. */
  readonly find = (kid: string, stream: Stream): KeyObject | undefined => {
    const role = gatewayRoles.find(name => name === stream.role)
    if (role === undefined) return undefined
    return this.#pins.get(`${stream.site}/${stream.gateway}`)?.get(role)?.get(kid)
  }

  knows(site: string, gateway: string): boolean {
    return this.#pins.has(`${site}/${gateway}`)
  }

  /** Takes a key for granted, as from a configuration or an enrolment. @throws PW_KEY_INVALID */
  give({ site, gateway, role, jwk }: PinnedKey): void {
    const key = publicKeyFromJwk(jwk)
    const roles = this.#rolesOf(`${site}/${gateway}`)
    const keys = roles.get(role) ?? new Map<string, KeyObject>()
    keys.set(keyId(key), key)
    roles.set(role, keys)
  }

  /** The gateway is to be met anew: whatever keys it offers next are believed at first sight. */
  forget(site: string, gateway: string): void {
    this.#pins.delete(`${site}/${gateway}`)
  }

  /**
   * A person has decided that these keys and no others speak for the gateways that they name, as after a unit was replaced. Nothing
   * has changed where one cannot be used. @throws PW_KEY_INVALID
   */
  replace(keys: Iterable<PinnedKey>): void {
    const given = [...keys]
    for (const { jwk } of given) publicKeyFromJwk(jwk)
    for (const { site, gateway } of given) this.forget(site, gateway)
    for (const key of given) this.give(key)
  }

  /** Learns from capabilities. Whether they came on the gateway's own topic is the caller's to check. */
  learn(event: MessageEvent<'capabilities'>): PinOutcome {
    const { site, gateway, role } = event.stream
    if (event.data.site !== site || event.data.gateway !== gateway || role !== 'uplink') return 'malformed'
    const offered = offeredKeys(event)
    if (offered === null) return 'malformed'
    const place = `${site}/${gateway}`
    const known = this.#pins.get(place)
    const uplink = known?.get('uplink') ?? offered.get('uplink')
    const verification = verifyEvent(event, kid => uplink?.get(kid))
    if (verification === 'unknown-key' && known !== undefined) return 'key-changed'
    if (verification !== 'valid') return verification
    for (const [name, keys] of offered) {
      const pinned = known?.get(name)
      if (pinned !== undefined && [...keys.keys()].some(kid => !pinned.has(kid))) return 'key-changed'
    }
    if (known === undefined && this.#pins.size >= this.#limit) return 'too-many'
    let news = false
    const roles = this.#rolesOf(place)
    for (const [name, keys] of offered) {
      if (roles.has(name)) continue
      roles.set(name, keys)
      news = true
    }
    return news ? 'pinned' : 'known'
  }

  /** Everything pinned, to be kept and handed to `give` after a restart. */
  toJSON(): PinnedKey[] {
    return [...this.#pins].flatMap(([place, roles]) => {
      const [site = '', gateway = ''] = place.split('/')
      return [...roles].flatMap(([role, keys]) =>
        [...keys.values()].map(key => ({ site, gateway, role, jwk: publicJwkOf(key) })),
      )
    })
  }

  #rolesOf(place: string): Map<GatewayRole, Map<string, KeyObject>> {
    const roles = this.#pins.get(place) ?? new Map<GatewayRole, Map<string, KeyObject>>()
    this.#pins.set(place, roles)
    return roles
  }
}

function offeredKeys(event: MessageEvent<'capabilities'>): Map<GatewayRole, Map<string, KeyObject>> | null {
  const offered = new Map<GatewayRole, Map<string, KeyObject>>()
  try {
    for (const { role, kid, jwk } of event.data.keys) {
      const key = publicKeyFromJwk(jwk)
      if (keyId(key) !== kid) return null
      const keys = offered.get(role) ?? new Map<string, KeyObject>()
      keys.set(kid, key)
      offered.set(role, keys)
    }
  } catch {
    return null
  }
  return offered
}
