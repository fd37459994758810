import type { StateReport } from '../../drivers/driver.js'
import { ownMemoryRules } from '../health/memory-rules.js'
import { sweep } from '../health/role-environment.js'
import { codeOfFault } from './driver-faults.js'
import type { Role } from './role.js'

/**
 * Lets uplink pass the role's health on with its own (it may be a few seconds old), and feeds the watchdog of systemd as
 * long as every part delivers or has said why it cannot.
 */
export async function tellHealth(role: Role, signal: AbortSignal): Promise<void> {
  role.manager.ready()
  for (let word = 1; !signal.aborted; word++) {
    sayCondition(role)
    role.exchange.set('process', JSON.stringify(role.process))
    feedWatchdog(role)
    if (word % 2 === 0) sweep()
    await role.clock.sleep(sayEvery, signal)
  }
}

/** Seconds between two words of a role about itself. */
export const sayEvery = 5

/** Keys in a role's exchange: its parts, and how its memory is kept off the disk. */
export const healthKey = 'health'
export const memoryKey = 'memory'

/** Lets the other roles and whoever stands before the unit know how this role fares. */
export function sayCondition(role: Role): void {
  role.exchange.set(healthKey, JSON.stringify(role.conditions))
  role.exchange.set(memoryKey, JSON.stringify(ownMemoryRules()))
}

/**
 * Lets systemd start the role again, by silence, when a part hangs, and see how it does. By `Online.` at its end polewatch-trial knows, across
 * versions, that the hub's broker is reached. Every role does it every few seconds, so faults are swept here too.
 */
export function feedWatchdog(role: Role, online = false): void {
  role.sweep()
  const { overdue, parts } = role
  if (overdue.length > 0) {
    role.log.error({ overdue }, 'a part is silent without saying why; if that lasts, systemd starts the role again')
    return
  }
  role.manager.alive()
  const faulty = parts.filter(({ fault }) => fault !== null)
  const told = faulty.length === 0 ? ['All parts work.'] : faulty.map(({ part, detail }) => `${part}: ${detail}`)
  role.manager.status([...told, ...(online ? ['Online.'] : [])].join(' '))
}

/** What a driver says of its device, as the state of a part. */
export function report(role: Role, part: string, { state, fault, detail }: StateReport): void {
  if (state === 'ready' || fault === null) role.ready(part, detail)
  else if (fault === 'recording-ended') role.log.info({ part, fault }, detail)
  else role.raise(part, state, fault, detail, codeOfFault(fault))
}
