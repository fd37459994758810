import { PolewatchError } from '../errors.js'
import type { NeighbourNotice } from '../uplink/neighbours.js'
import { messageOf, type Role } from './role.js'

/** So many refusals in a minute are more than lost, late and doubled messages of an honest neighbour. */
const tooMany = 10
/** A neighbour of which nothing was refused for so long is well again, minutes. */
const quietMinutes = 10
/** Gateways that are told of one by one; whoever can make up names may make up any number. */
const gatewayLimit = 50
const others = 'others'

interface Refused {
  readonly gateway: string
  readonly why: string
  count: number
}

/**
 * What neighbours send that is not taken: the first of a minute is logged and recorded, the others with their number at its end; who
 * goes on with it, or changes its keys, is a fault.
 */
export class NeighbourRefusals {
  readonly #role: Role
  readonly #timer: NodeJS.Timeout
  /** Of this minute, by gateway and cause. */
  readonly #refused = new Map<string, Refused>()
  /** Gateways with a fault, and for how many minutes nothing more was refused of them. */
  readonly #quiet = new Map<string, number>()

  /** @param minute how long a minute takes, seconds */
  constructor(role: Role, minute = 60) {
    this.#role = role
    this.#timer = setInterval(() => this.endMinute(), minute * 1000).unref()
  }

  take(notice: NeighbourNotice): void {
    const { log } = this.#role
    if (notice.kind === 'neighbour-known') log.info({ gateway: notice.gateway }, notice.kind)
    else if (notice.kind === 'exchange-failed') log.warn({ error: messageOf(notice.error) }, notice.kind)
    else this.#refuse(notice.gateway, notice.why)
  }

  /** Tells what was refused since the last minute ended. */
  endMinute(): void {
    for (const [gateway, minutes] of this.#quiet) {
      const refused = [...this.#refused.values()].some(each => each.gateway === gateway)
      this.#quiet.set(gateway, refused ? 0 : minutes + 1)
      if (refused || minutes + 1 < quietMinutes) continue
      this.#quiet.delete(gateway)
      this.#role.ready(partOf(gateway), 'Nothing more of it is refused.')
    }
    for (const each of this.#refused.values()) if (each.count > 1) this.#tell(each)
    this.#refused.clear()
  }

  close(): void {
    clearInterval(this.#timer)
    this.endMinute()
  }

  #refuse(name: string, why: string): void {
    const known = [...this.#refused.values()].some(({ gateway }) => gateway === name)
    const gateway = known || this.#refused.size < gatewayLimit ? name : others
    const key = `${gateway} ${why}`
    const refused = this.#refused.get(key) ?? { gateway, why, count: 0 }
    this.#refused.set(key, refused)
    refused.count += 1
    if (refused.count === 1) this.#tell(refused)
    if (refused.count === tooMany || why === 'key-changed') this.#raise(refused)
  }

  #tell({ gateway, why, count }: Refused): void {
    this.#role.log.warn({ gateway, why, count }, 'messages of a neighbour are refused')
    this.#role.journal
      .record({ action: 'neighbour-refused', subject: gateway, detail: { why, count } })
      .catch((error: unknown) => this.#role.log.error(messageOf(error)))
  }

  #raise({ gateway, why }: Refused): void {
    if (!this.#quiet.has(gateway) && this.#quiet.size >= gatewayLimit) return
    this.#quiet.set(gateway, 0)
    const fault = new PolewatchError('PW_NEIGHBOUR_REFUSED', { gateway, why })
    this.#role.raise(partOf(gateway), 'faulty', 'neighbour-refused', fault.message, fault.code)
  }
}

// Names of parts are not longer than 64 characters.
function partOf(gateway: string): string {
  return `messages of ${gateway}`.slice(0, 64)
}
