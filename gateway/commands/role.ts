import { dirname } from 'node:path'
import { type Logger, pino } from 'pino'
import { z } from 'zod'
import type { DriverClock } from '../../drivers/driver.js'
import { kernelClock } from '../../drivers/system-clock.js'
import type { Configuration } from '../config/schema.js'
import { messageOf, PolewatchError } from '../errors.js'
import { keepMemoryOutOfCores } from '../health/core-dumps.js'
import { type FaultNotice, type KeptFault, type PartCondition, type PartHealth, Parts } from '../health/parts.js'
import { ServiceManager } from '../health/service-manager.js'
import { Bell } from '../journal/bell.js'
import { DeliveryReader } from '../journal/delivery.js'
import { Exchange } from '../journal/exchange.js'
import { type AuditDetail, type Confirmation, Journal, type JournalCondition } from '../journal/journal.js'
import type { SigningKey } from '../messages/keys.js'
import { sealAudit, sealEvent } from '../messages/seal.js'
import type { GatewayRole } from '../messages/stream.js'
import { type EventDraft, messageTypes } from '../messages/table.js'
import { formatTime } from '../messages/time.js'
import { HeldAlerts } from './held-alerts.js'
import { KeptFaults } from './kept-faults.js'
import { makeFolder, rolePaths, signingKey } from './role-files.js'
import { ShedReports } from './shed-reports.js'

const processFigures = z.object({
  processor: z.number(),
  memory: z.number(),
  started: z.number(),
  faults: z.number(),
  alerts: z.record(z.string(), z.number()),
})
/** Since a role's process started: processor time (seconds), memory (bytes), faults raised, alerts committed by kind. */
export type ProcessFigures = z.output<typeof processFigures>

/** What another role wrote of its process. @throws ZodError, SyntaxError */
export function readProcessFigures(text: string): ProcessFigures {
  return processFigures.parse(JSON.parse(text))
}

const topicPrefix = 'polewatch/v1/{site}/{gateway}/'
/** What the hub has acknowledged is deleted this often, seconds: rarely, for the flash's sake. */
export const purgeEvery = 3600
const diskFaults: ReadonlyMap<string, string> = new Map([
  ['PW_JOURNAL_DISK_FULL', 'disk-full'],
  ['PW_JOURNAL_READ_ONLY', 'disk-read-only'],
])

/** What every role has: its journal, its exchange, its key and its log. */
export class Role {
  readonly name: GatewayRole
  readonly configuration: Configuration
  /** What its parts go by; its monotonic clock is the same for all roles of the unit. */
  readonly clock: DriverClock
  readonly log: Logger
  readonly key: SigningKey
  readonly journal: Journal
  readonly exchange: Exchange
  /** systemd, where it runs the role. */
  readonly manager = new ServiceManager()
  readonly #delivery: DeliveryReader
  readonly #parts: Parts
  readonly #keptFaults: KeptFaults
  readonly #purger: NodeJS.Timeout
  readonly #shed: ShedReports
  readonly #bell: Bell
  /** Numbers of what is sent once and never journalled; they begin anew with the process. */
  readonly #liveEpoch: string
  #liveSequence = 0
  /** Faults on their way to the disk. */
  readonly #telling = new Set<Promise<void>>()
  /** Since the process started: alerts committed by kind. */
  readonly #alerts = new Map<string, number>()
  /** What the disk has refused. Trying it again is also how the disk's return is noticed while nothing else is written. */
  readonly #held = new HeldAlerts(draft => this.#commit(draft))

  /** @throws PolewatchError when a file of the role is in use or cannot be made */
  constructor(name: GatewayRole, configuration: Configuration, clock: DriverClock = kernelClock) {
    this.name = name
    this.configuration = configuration
    this.clock = clock
    this.log = pino(
      { name: `polewatch-${name}`, level: configuration.log.level },
      pino.destination({ dest: 2, sync: true }),
    )
    if (!keepMemoryOutOfCores()) this.log.warn('a core dump of this process might hold plates; forbid core dumps')
    const paths = rolePaths(configuration.paths, name)
    for (const folder of new Set([dirname(paths.journal), dirname(paths.exchange)])) makeFolder(folder)
    this.#keptFaults = new KeptFaults(configuration.paths.state, name, message => this.log.warn(message))
    this.#parts = new Parts(name, clock, notice => this.#tellFault(notice), this.#keptFaults.all)
    this.key = signingKey(paths.privateKey, paths.publicKey)
    this.#delivery = new DeliveryReader(paths.delivery)
    const acknowledged = (source: string, epoch: string): number => this.#delivery.acknowledged(source, epoch)
    this.#shed = new ShedReports({
      clock,
      key: this.key,
      exercise: configuration.exercise,
      append: async draft => {
        await this.journal.append(draft).catch((error: unknown) => this.log.error(messageOf(error)))
      },
    })
    this.#bell = new Bell(paths.bell)
    let opened = false
    this.journal = Journal.open({
      path: paths.journal,
      site: configuration.site,
      gateway: configuration.gateway.id,
      role: name,
      byteLimit: configuration.journal.byteLimit,
      clock: systemTime,
      seal: hash => sealAudit(hash, this.key),
      acknowledged,
      onBell: news => this.#bell.ring(news),
      onShed: () => this.#shed.due(),
      // What it says while it opens is told below: nothing can be appended before.
      onCondition: condition => {
        if (opened) this.#tellCondition(condition)
      },
    })
    opened = true
    this.exchange = Exchange.open({ path: paths.exchange, clock: systemTime, onBell: () => this.#bell.ring() })
    this.#liveEpoch = this.exchange.generation
    const { epoch } = this.journal
    // Of what another journal held, nobody knows what the hub has.
    const lost = (fault: KeptFault): boolean => epoch !== null && this.#keptFaults.epochOf(fault) !== epoch
    this.#parts.forget(lost, 'The journal was begun anew; what is still wrong is told again.')
    this.#tellCondition(this.journal.condition)
    // Of what was shed just before the process ended, nobody has told.
    if (this.journal.pendingShed().length > 0) this.#shed.due()
    this.#purger = setInterval(() => {
      this.journal
        .purge(acknowledged)
        .catch((error: unknown) => this.log.warn({ error: messageOf(error) }, 'purge failed'))
    }, purgeEvery * 1000).unref()
  }

  /**
   * Commits an alert; resolves when it is on the disk. A rejection is logged here with its code and passed on; an alert that the
   * disk has refused is held in memory nevertheless and committed when it can be.
   */
  async append(draft: EventDraft): Promise<Confirmation> {
    await this.#held.tryAgain()
    try {
      return await this.#commit(draft)
    } catch (error) {
      this.log.error({ code: error instanceof PolewatchError ? error.code : null }, messageOf(error))
      const dropped = this.#held.hold(draft, error)
      if (dropped !== undefined)
        this.log.error({ kind: dropped.name }, 'an alert is lost: the disk has refused too many')
      throw error
    }
  }

  async #commit(draft: EventDraft): Promise<Confirmation> {
    const { topic, priority } = messageTypes[draft.name]
    if (priority === 'live') throw new TypeError(`${draft.name} is not an alert`)
    const confirmation = await this.journal.append({
      priority,
      topic: topic.slice(topicPrefix.length),
      kind: draft.name,
      exercise: draft.exercise,
      encode: position => sealEvent(draft, position, this.key),
      audit: { action: `alert-${draft.name}`, subject: draft.subject ?? draft.name, detail: countable(draft) },
    })
    if (draft.name === 'fault') this.#keptFaults.committed(draft.data, confirmation.epoch)
    this.#alerts.set(draft.name, (this.#alerts.get(draft.name) ?? 0) + 1)
    return confirmation
  }

  /** Lets the other roles have a message that need not survive. */
  post(draft: EventDraft): void {
    const { bytes } = this.seal(draft)
    this.exchange.post(draft.name, bytes)
  }

  /** Signs a message that is sent once and never journalled. */
  seal(draft: EventDraft): { id: string; bytes: Uint8Array } {
    const { site, gateway } = this.configuration
    const source = `/${site}/${gateway.id}/${this.name}/live`
    return sealEvent(draft, { source, epoch: this.#liveEpoch, sequence: ++this.#liveSequence }, this.key)
  }

  /** What the parts of this role say of themselves, for the health message. */
  get parts(): PartHealth[] {
    return this.conditions.map(({ code, ...part }) => part)
  }

  /** The same with the codes of their faults, for the unit itself: the hub has a code from the fault's alert. */
  get conditions(): PartCondition[] {
    return this.#parts.all
  }

  /** What Prometheus wants to know of the process. */
  get process(): ProcessFigures {
    const { user, system } = process.cpuUsage()
    return {
      processor: (user + system) / 1e6,
      memory: process.memoryUsage.rss(),
      started: systemTime() - process.uptime(),
      faults: this.#parts.faults,
      alerts: Object.fromEntries(this.#alerts),
    }
  }

  /** As of `Parts`. */
  ready(part: string, detail = 'It works.'): void {
    this.#parts.ready(part, detail)
  }

  /** As of `Parts`. */
  raise(part: string, state: 'absent' | 'faulty', fault: string, detail: string, code: string | null): void {
    this.#parts.raise(part, state, fault, detail, code)
  }

  /** As of `Parts`. */
  has(part: string): boolean {
    return this.#parts.has(part)
  }

  /** As of `Parts`. */
  sweep(): void {
    this.#parts.sweep()
  }

  /** Resolves when every fault raised so far is on the disk, or refused by it. */
  async faultsTold(): Promise<void> {
    await Promise.all(this.#telling)
  }

  /** As of `Parts`; told at the next health message. */
  count(part: string, counters: Readonly<Record<string, number>>): void {
    this.#parts.count(part, counters)
  }

  /** As of `Parts`; told at the next health message. */
  measure(part: string, values: Readonly<Record<string, number>>): void {
    this.#parts.measure(part, values)
  }

  /** As of `Parts`. */
  expect(part: string, limit: number, how: { readonly steady?: boolean } = {}): void {
    this.#parts.expect(part, limit, how)
  }

  /** As of `Parts`. */
  excuse(part: string): void {
    this.#parts.excuse(part)
  }

  /** As of `Parts`. */
  delivered(part: string): void {
    this.#parts.delivered(part)
  }

  /** As of `Parts`. */
  get overdue(): string[] {
    return this.#parts.overdue
  }

  close(): void {
    this.manager.stopping()
    this.manager.close()
    clearInterval(this.#purger)
    this.#shed.close()
    this.#held.close()
    this.journal.close()
    this.exchange.close()
    this.#bell.close()
    this.#delivery.close()
  }

  #tellFault({ part, fault, state, detail, code, since }: FaultNotice): void {
    if (state === 'raised') this.log.warn({ part, fault, code }, detail)
    else this.log.info({ part, fault }, 'cleared')
    const draft: EventDraft<'fault'> = {
      name: 'fault',
      time: this.clock.system(),
      exercise: this.configuration.exercise,
      subject: part,
      data: { fault, code, part, state, detail, since: formatTime(since) },
    }
    // Logged by `append`; a fault that cannot be told must not end the role.
    const told = this.append(draft).then(
      () => {},
      () => {},
    )
    this.#telling.add(told)
    void told.then(() => this.#telling.delete(told))
  }

  #tellCondition({ fault, setAside }: JournalCondition): void {
    if (setAside !== null) this.raise('journal', 'faulty', 'journal-damaged', setAside.message, setAside.code)
    if (fault !== null)
      this.raise('disk', 'faulty', diskFaults.get(fault.code) ?? 'disk-failed', fault.message, fault.code)
    else if (this.#parts.has('disk')) this.ready('disk', 'The disk of the journal can be written again.')
    // A file that is set aside just now has no successor yet.
    setImmediate(() => this.#shed.lost(this.journal.untoldLosses))
  }
}

/** What the transparency report counts an alert by, long after the alert itself is gone. */
function countable(draft: EventDraft): AuditDetail {
  if (draft.name === 'gunfire') return { state: draft.data.state, shots: draft.data.shots.length }
  return draft.name === 'plate-hit' ? { state: draft.data.state, tier: draft.data.tier } : {}
}

/** The system's wall clock, seconds since 1970 UTC. */
export function systemTime(): number {
  return Date.now() / 1000
}
