import { bothClocks } from '../../drivers/system-clock.js'
import { messageOf } from '../errors.js'
import { ExchangeReader } from '../journal/exchange.js'
import { ClockKeeper, clockReport } from '../timebase/clock-keeper.js'
import type { ClockStatus } from '../timebase/instant.js'
import type { Role } from './role.js'
import { rolePaths } from './role-files.js'

/** Key in uplink's exchange: its latest `ClockReport`, as JSON. */
export const clockKey = 'clock'

/** Seconds between two looks at what uplink says. */
const lookEvery = 1

/** What a role that has no network knows of the system clock: the setting, or what uplink has heard of chrony. */
export class FollowedClock {
  readonly #role: Role
  readonly #keeper = new ClockKeeper()

  constructor(role: Role) {
    this.#role = role
  }

  /** Now. A step of the clock shows in it at once, whether or not uplink has said anything. */
  status(): ClockStatus {
    const { timeError } = this.#role.configuration.gateway
    if (timeError !== null) return { offset: 0, error: timeError }
    const { system, monotonic } = bothClocks(this.#role.clock)
    return this.#keeper.look(system, monotonic)
  }

  /** Takes what uplink says until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    if (this.#role.configuration.gateway.timeError !== null) return
    const reader = new ExchangeReader(rolePaths(this.#role.configuration.paths, 'uplink').exchange)
    while (!signal.aborted) {
      try {
        const said = reader.get(clockKey)
        if (said !== undefined) this.#keeper.take(clockReport.parse(JSON.parse(said.body.toString('utf8'))))
      } catch (error) {
        this.#role.log.warn({ error: messageOf(error) }, 'what uplink says of the clock cannot be read')
      }
      this.status()
      await this.#role.clock.sleep(lookEvery, signal)
    }
    reader.close()
  }
}
