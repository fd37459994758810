import type { StateReport } from '../../drivers/driver.js'
import { systemClock } from '../../drivers/system-clock.js'
import { codeOfFault } from './driver-faults.js'
import type { Role } from './role.js'

/** Lets uplink pass the role's health on with its own; it may be a few seconds old. */
export async function tellHealth(role: Role, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    role.exchange.set('health', JSON.stringify(role.parts))
    await systemClock.sleep(5, signal)
  }
}

/** What a driver says of its device, as the state of a part. */
export function report(role: Role, part: string, { state, fault, detail }: StateReport): void {
  if (state === 'ready' || fault === null) role.ready(part, detail)
  else if (fault === 'recording-ended') role.log.info({ part, fault }, detail)
  else role.raise(part, state, fault, detail, codeOfFault(fault))
}
