import * as z from 'zod'
import { systemClock } from '../../drivers/system-clock.js'
import { messageOf } from '../errors.js'
import { ExchangeReader } from '../journal/exchange.js'
import { publicJwk } from '../messages/condition.js'
import { gatewayRoles } from '../messages/stream.js'
import type { DeliverySession } from '../uplink/delivery-contract.js'
import { KeyPins } from '../uplink/key-pins.js'
import { type NeighbourNotice, Neighbours } from '../uplink/neighbours.js'
import { RefusalLimit } from '../uplink/refusal-limit.js'
import { KeptFile } from './kept-file.js'
import { NeighbourRefusals } from './neighbour-refusals.js'
import { type Role, systemTime } from './role.js'
import { rolePaths } from './role-files.js'

const pinsSchema = z.array(
  z.object({ site: z.string(), gateway: z.string(), role: z.enum(gatewayRoles), jwk: publicJwk }),
)
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
  const keys = new KeyPins()
  // Without those from before the restart, a neighbour whose keys change meanwhile would not be noticed.
  const kept = new KeptFile(paths.state, 'uplink.neighbours.json', pinsSchema, message => role.log.warn(message))
  for (const pin of kept.load() ?? []) keys.give(pin)
  let unsaved = false
  const save = (): void => {
    if (!unsaved) return
    unsaved = false
    kept.save(keys)
  }
  const limit = new RefusalLimit(systemClock.monotonic())
  // A file of the exchange that cannot be read is met again with every message.
  const logFew = (notice: NeighbourNotice): void => {
    const suppressed = limit.pass(systemClock.monotonic())
    if (suppressed !== null) role.log.warn({ notice, suppressed }, notice.kind)
  }
  const exchange = new Neighbours({
    site,
    gateway: gateway.id,
    position: gateway.position,
    session,
    keys,
    outgoing: new ExchangeReader(rolePaths(paths, 'sensing').exchange),
    post: (kind, body) => role.exchange.post(kind, body),
    clock: systemTime,
    onNotice: notice => {
      if (notice.kind === 'message-refused' || notice.kind === 'capabilities-refused') refusals.take(notice)
      else logFew(notice)
      if (notice.kind === 'neighbour-known') unsaved = true
    },
  })
  return {
    exchange,
    /** Tells what is due and keeps the neighbours' keys until the signal aborts. */
    follow: async (signal: AbortSignal): Promise<void> => {
      while (!signal.aborted) {
        exchange.look()
        refusals.look()
        save()
        await systemClock.sleep(lookEvery, signal)
      }
      save()
    },
  }
}
