import { systemClock } from '../../drivers/system-clock.js'
import { loadPolicy } from '../config/policy-file.js'
import type { Configuration } from '../config/schema.js'
import { messageOf } from '../errors.js'
import type { Journal } from '../journal/journal.js'
import { keepSeconds } from '../policy/policy.js'
import { type Role, systemTime } from './role.js'

/** How often audit records whose time is over are looked for, seconds. Not at the start, when the clock may yet be put right. */
const lookEvery = 3600

/** Deletes the records of a journal that the policy no longer keeps. Gives how many. @throws what reading the policy and the disk say */
export function forgetAudit(journal: Journal, { policyFile }: Configuration): Promise<number> {
  return journal.forget(systemTime() - keepSeconds(loadPolicy(policyFile).policy, 'audit'))
}

/** Deletes the role's audit records in time until the signal aborts. */
export async function followAuditRetention(role: Role, signal: AbortSignal): Promise<void> {
  for (;;) {
    await systemClock.sleep(lookEvery, signal)
    if (signal.aborted) return
    try {
      const records = await forgetAudit(role.journal, role.configuration)
      if (records > 0) role.log.info({ records }, 'audit records were deleted: their time is over')
    } catch (error) {
      role.log.warn({ error: messageOf(error) }, 'old audit records could not be deleted; it is tried again')
    }
  }
}
