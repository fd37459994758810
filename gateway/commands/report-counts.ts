import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { loadPolicy } from '../config/policy-file.js'
import type { Configuration } from '../config/schema.js'
import { type AuditRecord, firstHead, readChain } from '../journal/audit.js'
import { DeliveryReader } from '../journal/delivery.js'
import { gatewayRoles, parseStream } from '../messages/stream.js'
import type { MessageData } from '../messages/table.js'
import { formatTime } from '../messages/time.js'
import { type TallyRecord, tallySchema } from '../plates/tally.js'
import { rolePaths } from './role-files.js'

export type Report = MessageData<'report'>

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

/** Most accesses that a report names. */
const named = 200
/** Commands that look at something, rather than change it. */
const looking: ReadonlySet<string> = new Set(['status', 'check'])

/**
 * What a unit did in a month, from the audit chains, the counts of plates and the policy in force. It holds no plate, no picture and no
 * name but the accounts of those who looked on the unit. @throws PW_JOURNAL_UNREADABLE, PW_CONFIG_INVALID for the policy
 */
export function countMonth(configuration: Configuration, files: readonly string[], { from, until }: Month): Report {
  const chains = files.map(file => ({ role: basename(file, '.journal.db'), records: readChain(file) }))
  const records = chains.flatMap(chain => chain.records).filter(({ time }) => from <= time && time < until)
  const of = (action: string): AuditRecord[] => records.filter(record => record.action === action)
  const { policy, hash } = loadPolicy(configuration.policyFile)
  const hits = firstOf(of('alert-plate-hit').filter(({ detail }) => detail.state === 'new'))
  const tier = (name: string): number => hits.filter(({ detail }) => detail.tier === name).length
  const incidents = lastOf(of('alert-gunfire')).filter(({ detail }) => detail.state !== 'withdrawn')
  const verdict = (name: string): number => of('verdict').filter(({ detail }) => detail.verdict === name).length
  const accesses = records.flatMap(record => accessOf(record) ?? [])
  return {
    from: formatTime(from),
    until: formatTime(until),
    scans: scansOf(configuration, from, until),
    hits: {
      confirmedCandidate: tier('confirmed-candidate'),
      possible: tier('possible'),
      investigative: tier('investigative'),
    },
    incidents: incidents.length,
    shots: incidents.reduce((sum, { detail }) => sum + Number(detail.shots ?? 0), 0),
    alerts: alertsOf(records),
    deliveries: deliveriesOf(configuration, chains, records),
    verdicts: {
      confirmed: verdict('confirmed'),
      misread: verdict('misread'),
      false: verdict('false'),
      notWanted: verdict('not-wanted'),
    },
    purges: of('purge').reduce((sum, { detail }) => sum + Number(detail.alerts ?? 0), 0) + of('evidence-purged').length,
    accesses: accesses.length,
    evidence: {
      kept: of('evidence-kept').length,
      released: of('evidence-released').length,
      purged: of('evidence-purged').length,
    },
    accessed: accesses.sort((one, other) => (one.time < other.time ? -1 : 1)).slice(-named),
    keepDays: policy.keepDays,
    policy: hash,
    audit: gatewayRoles.flatMap(role => {
      const chain = chains.find(each => each.role === role)
      const head = chain?.records.at(-1) ?? firstHead
      return head.number === 0 ? [] : [{ role, length: head.number, head: head.hash }]
    }),
  }
}

type Access = NonNullable<Report['accessed']>[number]

function accessOf({ action, subject, detail, time }: AuditRecord): Access | null {
  const text = (name: string): string => String(detail[name] ?? 'not given')
  const when = formatTime(time)
  if (action === 'access')
    return { time: when, what: text('what'), subject, by: text('user'), organisation: null, purpose: text('reason') }
  const asked = action === 'command' && detail.outcome === 'accepted' && looking.has(subject) && 'requestedBy' in detail
  if (action !== 'evidence-released' && !asked) return null
  const said = { by: text('requestedBy'), organisation: text('hub'), purpose: text('purpose') }
  return { time: when, what: asked ? 'command' : action, subject, ...said }
}

function firstOf(records: readonly AuditRecord[]): AuditRecord[] {
  return lastOf([...records].reverse())
}

/** Of several records about one thing the last. */
function lastOf(records: readonly AuditRecord[]): AuditRecord[] {
  return [...new Map(records.map(record => [record.subject, record])).values()]
}

function alertsOf(records: readonly AuditRecord[]): Report['alerts'] {
  const counts = { gunfire: 0, hit: 0, fault: 0, rest: 0 }
  for (const { action, detail } of records) {
    const priority = action.startsWith('alert-') ? parseStream(String(detail.source))?.priority : undefined
    if (priority !== undefined && priority !== 'live') counts[priority] += 1
  }
  return counts
}

function deliveriesOf(
  { paths }: Configuration,
  chains: readonly { readonly records: readonly AuditRecord[] }[],
  records: readonly AuditRecord[],
): Report['deliveries'] {
  const delivery = new DeliveryReader(rolePaths(paths, 'uplink').delivery)
  const all = new Set(records)
  let acknowledged = 0
  let made = 0
  try {
    for (const chain of chains) {
      const epoch = String(chain.records.find(({ action }) => action === 'journal-begun')?.detail.epoch ?? '')
      for (const record of chain.records) {
        if (!all.has(record) || !record.action.startsWith('alert-')) continue
        made += 1
        const { source, sequence } = record.detail
        if (Number(sequence) <= delivery.acknowledged(String(source), epoch)) acknowledged += 1
      }
    }
  } finally {
    delivery.close()
  }
  const dropped = records
    .filter(({ action }) => action === 'shed')
    .reduce((sum, { detail }) => sum + Number(detail.alerts), 0)
  return { acknowledged, waiting: Math.max(0, made - acknowledged - dropped), shed: dropped }
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
