import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { systemClock } from '../../drivers/system-clock.js'
import { writeDurably } from '../hotlist/generations.js'
import { ExchangeReader } from '../journal/exchange.js'
import { publicJwk } from '../messages/condition.js'
import { gatewayRoles } from '../messages/stream.js'
import type { DeliverySession } from '../uplink/delivery-contract.js'
import { KeyPins, type PinnedKey } from '../uplink/key-pins.js'
import { Neighbours } from '../uplink/neighbours.js'
import { NeighbourRefusals } from './neighbour-refusals.js'
import { messageOf, type Role, systemTime } from './role.js'
import { rolePaths } from './role-files.js'

const file = 'uplink.neighbours.json'
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
  for (const pin of load(role)) keys.give(pin)
  let unsaved = false
  const save = (): void => {
    if (!unsaved) return
    unsaved = false
    try {
      writeDurably(paths.state, file, `${JSON.stringify(keys)}\n`)
    } catch (error) {
      role.log.warn({ error: messageOf(error) }, 'the keys of the neighbours cannot be saved')
    }
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
      else role.log.warn({ notice }, notice.kind)
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

/** The keys known from before the restart: without them a neighbour whose keys change meanwhile would not be noticed. */
function load(role: Role): readonly PinnedKey[] {
  try {
    return pinsSchema.parse(JSON.parse(readFileSync(join(role.configuration.paths.state, file), 'utf8')))
  } catch (error) {
    const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (!absent) role.log.warn('the keys of the neighbours cannot be read; they are learnt anew')
    return []
  }
}
