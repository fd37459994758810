import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../drivers/system-clock.js'
import { writeWhole } from '../config/replace-file.js'
import type { Configuration } from '../config/schema.js'
import { messageOf } from '../errors.js'
import { writeDurably } from '../hotlist/generations.js'
import { messageTypes } from '../messages/table.js'
import type { Report } from './month-counts.js'
import { monthOf } from './report-counts.js'
import { type Role, systemTime } from './role.js'

/*
 * polewatch-report.service counts, as root, since it alone may read every chain while its owner is away, and without a network. What it
 * leaves is signed by uplink and waits in its journal, as alerts do, until the hub has it.
 */

/** Reports kept; a year's and the present one's. */
const kept = 13
const toldFile = 'uplink.reports-told'
/** How often uplink looks for a report, seconds. */
const lookEvery = 60

/** Root's own folder below the state folder. The roles may read it. */
function reportsFolder(paths: Configuration['paths']): string {
  return join(paths.state, 'reports')
}

/** Keeps a month's report for uplink to send, and deletes what is older than a year. @throws what the file system says */
export function storeReport(paths: Configuration['paths'], month: string, report: Report): void {
  const folder = reportsFolder(paths)
  mkdirSync(folder, { recursive: true, mode: 0o750 })
  writeWhole(join(folder, `${month}.json`), `${JSON.stringify(report)}\n`, 0o640)
  for (const old of storedMonths(folder).slice(0, -kept)) rmSync(join(folder, `${old}.json`))
}

/** Sends each month's report once, as an alert of the lowest priority, until the signal aborts. */
export async function sendReports(role: Role, signal: AbortSignal): Promise<void> {
  const { paths, exercise } = role.configuration
  const folder = reportsFolder(paths)
  while (!signal.aborted) {
    const told = toldUntil(paths.state)
    for (const month of storedMonths(folder).filter(each => each > told)) {
      try {
        const data = messageTypes.report.data.parse(JSON.parse(readFileSync(join(folder, `${month}.json`), 'utf8')))
        await role.append({ name: 'report', time: systemTime(), exercise, subject: month, data })
      } catch (error) {
        role.log.error({ month, error: messageOf(error) }, 'a report could not be sent; it is tried again')
        break
      }
      writeDurably(paths.state, toldFile, `${month}\n`)
    }
    await systemClock.sleep(lookEvery, signal)
  }
}

/** Months by name, oldest first. */
function storedMonths(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter(name => name.endsWith('.json'))
      .map(name => name.slice(0, -'.json'.length))
      .filter(name => monthOf(name) !== null)
      .sort()
  } catch {
    return []
  }
}

function toldUntil(folder: string): string {
  try {
    return readFileSync(join(folder, toldFile), 'utf8').trim()
  } catch {
    return ''
  }
}
