import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { loadPolicy } from '../config/policy-file.js'
import type { Configuration } from '../config/schema.js'
import type { AuditHead } from '../journal/audit.js'
import { readChain } from '../journal/chain-reader.js'
import { DeliveryReader } from '../journal/delivery.js'
import { gatewayRoles } from '../messages/stream.js'
import { formatTime } from '../messages/time.js'
import { type TallyRecord, tallySchema } from '../plates/tally.js'
import { MonthCounts, type Report } from './month-counts.js'
import { rolePaths } from './role-files.js'

/** A calendar month, UTC; seconds since 1970. */
export interface Month {
  /** As 2026-02. */
  readonly name: string
  readonly from: number
  readonly until: number
}

/** The month by its name; null where the text is none. */
export function monthOf(name: string): Month | null {
  const [, year, month] = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(name) ?? []
  if (year === undefined || month === undefined) return null
  const start = (months: number): number => Date.UTC(Number(year), Number(month) - 1 + months) / 1000
  return { name, from: start(0), until: start(1) }
}

/** The month that a time lies in, or the one so many before it. */
export function monthAt(time: number, before = 0): Month {
  const date = new Date(time * 1000)
  const first = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - before))
  const name = first.toISOString().slice(0, 7)
  return { name, from: first.getTime() / 1000, until: Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1) / 1000 }
}

/**
 * What a unit did in a month, from the audit chains, the counts of plates and the policy in force; memory grows with the incidents and
 * hits of the month, not with the chains. It holds no plate, no picture and no name but the accounts of those who looked on the unit.
 * @throws PW_JOURNAL_UNREADABLE, PW_CONFIG_INVALID for the policy
 */
export function countMonth(configuration: Configuration, files: readonly string[], { from, until }: Month): Report {
  const { policy, hash } = loadPolicy(configuration.policyFile)
  const delivery = new DeliveryReader(rolePaths(configuration.paths, 'uplink').delivery)
  const heads = new Map<string, AuditHead>()
  const all = new MonthCounts()
  try {
    for (const file of files) {
      const { counts, head } = readChain(file, chain => {
        const counts = new MonthCounts()
        const acknowledged = (source: string, sequence: number): boolean =>
          sequence <= delivery.acknowledged(source, chain.epoch)
        for (const record of chain.records(from, until)) counts.take(record, acknowledged)
        return { counts, head: chain.head }
      })
      all.add(counts)
      heads.set(basename(file, '.journal.db'), head)
    }
  } finally {
    delivery.close()
  }
  return {
    from: formatTime(from),
    until: formatTime(until),
    scans: scansOf(configuration, from, until),
    ...all.report(),
    keepDays: policy.keepDays,
    policy: hash,
    audit: gatewayRoles.flatMap(role => {
      const head = heads.get(role)
      return head === undefined || head.number === 0 ? [] : [{ role, length: head.number, head: head.hash }]
    }),
  }
}

function scansOf({ paths }: Configuration, from: number, until: number): number {
  return gatewayRoles
    .flatMap(role => daysOf(join(paths.state, `${role}.plate-tally.json`)))
    .filter(({ start }) => from <= start && start < until)
    .reduce((sum, { counts }) => sum + counts.scans, 0)
}

function daysOf(file: string): TallyRecord['days'] {
  return existsSync(file) ? tallySchema.parse(JSON.parse(readFileSync(file, 'utf8'))).days : []
}
