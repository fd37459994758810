import { systemClock } from '../../drivers/system-clock.js'
import { ExchangeReader } from '../journal/exchange.js'
import type { DeliverySession } from '../uplink/delivery.js'
import { KeyPins } from '../uplink/key-pins.js'
import { Neighbours } from '../uplink/neighbours.js'
import { NeighbourRefusals } from './neighbour-refusals.js'
import { messageOf, type Role, systemTime } from './role.js'
import { rolePaths } from './role-files.js'

const lookEvery = 5

/** Exchanges arrivals with the neighbours over a session that has not started yet, and tells of those that are refused. */
export function meetNeighbours(role: Role, session: DeliverySession) {
  const { site, gateway, paths } = role.configuration
  const refusals = new NeighbourRefusals({
    raise: (part, state, fault, detail, code) => role.raise(part, state, fault, detail, code),
    ready: (part, detail) => role.ready(part, detail),
    log: (notice, count) => role.log.warn({ notice, count }, notice.kind),
    record: entry => {
      role.journal.record(entry).catch((error: unknown) => {
        role.log.warn({ error: messageOf(error) }, 'a refusal is not in the audit chain')
      })
    },
    clock: () => systemClock.monotonic(),
  })
  const exchange = new Neighbours({
    site,
    gateway: gateway.id,
    position: gateway.position,
    session,
    keys: new KeyPins(),
    outgoing: new ExchangeReader(rolePaths(paths, 'sensing').exchange),
    post: (kind, body) => role.exchange.post(kind, body),
    clock: systemTime,
    onNotice: notice => {
      if (notice.kind === 'message-refused' || notice.kind === 'capabilities-refused') refusals.take(notice)
      else role.log.warn({ notice }, notice.kind)
    },
  })
  return {
    exchange,
    /** Tells what is due until the signal aborts. */
    follow: async (signal: AbortSignal): Promise<void> => {
      while (!signal.aborted) {
        refusals.look()
        await systemClock.sleep(lookEvery, signal)
      }
    },
  }
}
