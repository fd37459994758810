import type { AuditRecord } from '../journal/audit.js'
import { parseStream } from '../messages/stream.js'
import type { MessageData } from '../messages/table.js'
import { formatTime } from '../messages/time.js'

export type Report = MessageData<'report'>
export type Access = NonNullable<Report['accessed']>[number]

/** Most accesses that a report names. */
const named = 200
/** Commands that look at something, rather than change it. */
const looking: ReadonlySet<string> = new Set(['status', 'check'])
const priorities = ['gunfire', 'hit', 'fault', 'rest'] as const

/** What a report counts of audit records, taken in one by one in their order. */
export class MonthCounts {
  /** Records by action, verdicts by action and verdict. */
  readonly #actions = new Map<string, number>()
  readonly #alerts = { gunfire: 0, hit: 0, fault: 0, rest: 0 }
  /** By incident: shots of the last revision; null for one that was withdrawn. */
  readonly #incidents = new Map<string, number | null>()
  /** By hit: the tier that it began with. */
  readonly #hits = new Map<string, string>()
  readonly #accesses: Access[] = []
  #accessCount = 0
  #acknowledged = 0
  #shed = 0
  #alertsPurged = 0

  /** @param acknowledged whether the hub has an alert, by its stream and number */
  take(record: AuditRecord, acknowledged: (source: string, sequence: number) => boolean): void {
    const { action, subject, detail } = record
    const counted = action === 'verdict' ? `verdict ${detail.verdict}` : action
    this.#actions.set(counted, this.of(counted) + 1)
    if (action.startsWith('alert-')) {
      const priority = priorities.find(each => each === parseStream(String(detail.source))?.priority)
      if (priority !== undefined) this.#alerts[priority]++
      if (acknowledged(String(detail.source), Number(detail.sequence))) this.#acknowledged++
    }
    if (action === 'alert-gunfire')
      this.#incidents.set(subject, detail.state === 'withdrawn' ? null : Number(detail.shots ?? 0))
    if (action === 'alert-plate-hit' && detail.state === 'new' && !this.#hits.has(subject))
      this.#hits.set(subject, String(detail.tier))
    if (action === 'shed' || action === 'alerts-lost') this.#shed += Number(detail.alerts)
    if (action === 'purge') this.#alertsPurged += Number(detail.alerts ?? 0)
    const access = accessOf(record)
    if (access === null) return
    this.#accessCount++
    this.#accesses.push(access)
    if (this.#accesses.length > named) this.#accesses.shift()
  }

  /** Takes in what was counted of another chain. */
  add(other: MonthCounts): void {
    for (const [action, count] of other.#actions) this.#actions.set(action, this.of(action) + count)
    for (const priority of priorities) this.#alerts[priority] += other.#alerts[priority]
    for (const [incident, shots] of other.#incidents) this.#incidents.set(incident, shots)
    for (const [hit, tier] of other.#hits) this.#hits.set(hit, tier)
    this.#accesses.push(...other.#accesses)
    this.#accessCount += other.#accessCount
    this.#acknowledged += other.#acknowledged
    this.#shed += other.#shed
    this.#alertsPurged += other.#alertsPurged
  }

  /** How many records have that action. */
  of(action: string): number {
    return this.#actions.get(action) ?? 0
  }

  /** The part of the report that the records tell. */
  report(): Pick<
    Report,
    | 'hits'
    | 'incidents'
    | 'shots'
    | 'alerts'
    | 'deliveries'
    | 'verdicts'
    | 'purges'
    | 'accesses'
    | 'evidence'
    | 'accessed'
  > {
    const tiers = [...this.#hits.values()]
    const tier = (name: string): number => tiers.filter(each => each === name).length
    const shots = [...this.#incidents.values()].filter(each => each !== null)
    const made = priorities.reduce((sum, priority) => sum + this.#alerts[priority], 0)
    const purged = this.of('evidence-purged')
    return {
      hits: {
        confirmedCandidate: tier('confirmed-candidate'),
        possible: tier('possible'),
        investigative: tier('investigative'),
      },
      incidents: shots.length,
      shots: shots.reduce((sum, each) => sum + each, 0),
      alerts: { ...this.#alerts },
      deliveries: {
        acknowledged: this.#acknowledged,
        waiting: Math.max(0, made - this.#acknowledged - this.#shed),
        shed: this.#shed,
      },
      verdicts: {
        confirmed: this.of('verdict confirmed'),
        misread: this.of('verdict misread'),
        false: this.of('verdict false'),
        notWanted: this.of('verdict not-wanted'),
      },
      purges: this.#alertsPurged + purged,
      accesses: this.#accessCount,
      evidence: { kept: this.of('evidence-kept'), released: this.of('evidence-released'), purged },
      accessed: this.#accesses.sort((one, other) => (one.time < other.time ? -1 : 1)).slice(-named),
    }
  }
}

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
