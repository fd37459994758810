import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { Configuration } from '../config/schema.js'
import { Journal } from '../journal/journal.js'
import { forgetAudit } from './forget-audit.js'
import { systemTime } from './role.js'

/** The audit chain of what people look at on the unit itself; it has no alerts and belongs to whichever command runs. */
const localRole = 'local'
const smallest = 2 ** 20

/**
 * Records that somebody looks at what the unit keeps, by the account and the reason given, before anything is shown.
 * @throws PW_JOURNAL_IN_USE, PW_JOURNAL_READ_ONLY, PW_JOURNAL_DISK_FULL, PW_JOURNAL_DISK_FAILED
 */
export async function recordAccess(
  configuration: Configuration,
  what: string,
  subject: string,
  reason: string,
): Promise<void> {
  const { paths, site, gateway } = configuration
  const journal = Journal.open({
    path: join(paths.state, `${localRole}.journal.db`),
    site,
    gateway: gateway.id,
    role: localRole,
    byteLimit: smallest,
    clock: systemTime,
  })
  try {
    const user = process.env.SUDO_USER ?? userInfo().username
    await journal.record({ action: 'access', subject, detail: { what, user, reason } })
    // What hinders that now is tried again at the next look, and must not hide what was asked for.
    await forgetAudit(journal, configuration).catch(() => 0)
  } finally {
    journal.close()
  }
}
