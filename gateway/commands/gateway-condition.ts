import { z } from 'zod'
import { type SoundReport, soundReport } from '../acoustics/level-meter.js'
import type { Configuration } from '../config/schema.js'
import {
  type GatewayCondition,
  type RoleCondition,
  type StreamCondition,
  type WorkingRole,
  workingRoles,
} from '../console/condition.js'
import { memoryRules } from '../health/memory-rules.js'
import { ExchangeReader } from '../journal/exchange.js'
import { JournalReader } from '../journal/reader.js'
import { messageTypes } from '../messages/table.js'
import { systemTime } from './role.js'
import { rolePaths } from './role-files.js'
import { healthKey, memoryKey } from './role-health.js'
import { soundKey } from './sound-report.js'
import { deliveryKey, gatewayKey } from './uplink-health.js'

/** A role that has said nothing for so long does not run, seconds. */
const silenceLimit = 20
/** Levels older than that are no longer live, seconds. */
const soundLimit = 5

const partConditions = z.array(messageTypes.health.data.shape.parts.element.extend({ code: z.string().nullable() }))
const streamConditions = z.array(
  z.object({ source: z.string(), epoch: z.string(), last: z.number(), acknowledged: z.number() }),
)

/** Reads what the running roles let others read. */
export class ConditionReader {
  readonly #exchanges: ReadonlyMap<WorkingRole, ExchangeReader>
  readonly #journals: readonly JournalReader[]

  constructor({ paths }: Pick<Configuration, 'paths'>) {
    this.#exchanges = new Map(workingRoles.map(role => [role, new ExchangeReader(rolePaths(paths, role).exchange)]))
    this.#journals = workingRoles.map(role => new JournalReader(rolePaths(paths, role).journal))
  }

  /** @throws PW_JOURNAL_UNREADABLE where this user may not read a role's files */
  read(): GatewayCondition {
    const at = systemTime()
    const streams = this.value('uplink', deliveryKey, streamConditions) ?? []
    return {
      at,
      roles: { sensing: this.#role('sensing', at), vision: this.#role('vision', at), uplink: this.#role('uplink', at) },
      online: this.value('uplink', 'online', z.boolean()),
      health: this.value('uplink', gatewayKey, messageTypes.health.data),
      streams,
      waitingSince: this.#waitingSince(streams),
      sound: this.sound(),
    }
  }

  /** What the microphones hear now; null where sensing says nothing of it. */
  sound(): SoundReport | null {
    return this.value('sensing', soundKey, soundReport, soundLimit)
  }

  /** How far the streams are delivered, as uplink says. */
  streams(): readonly StreamCondition[] {
    return this.value('uplink', deliveryKey, streamConditions) ?? []
  }

  close(): void {
    for (const file of [...this.#exchanges.values(), ...this.#journals]) file.close()
  }

  #role(role: WorkingRole, now: number): RoleCondition | null {
    const said = this.#exchanges.get(role)?.get(healthKey)
    if (said === undefined || now - said.setAt > silenceLimit) return null
    const parts = this.value(role, healthKey, partConditions)
    return parts && { parts, memory: this.value(role, memoryKey, memoryRules) }
  }

  /** A value that a role lets others read; null where there is none, it is older than `limit` seconds, or of another shape. */
  value<Value>(
    role: WorkingRole,
    key: string,
    schema: z.ZodType<Value>,
    limit = Number.POSITIVE_INFINITY,
  ): Value | null {
    const said = this.#exchanges.get(role)?.get(key)
    if (said === undefined || systemTime() - said.setAt > limit) return null
    return schema.safeParse(JSON.parse(said.body.toString('utf8'))).data ?? null
  }

  #waitingSince(streams: readonly StreamCondition[]): number | null {
    const oldest = streams
      .filter(({ last, acknowledged }) => last > acknowledged)
      .flatMap(({ source, epoch, acknowledged }) =>
        this.#journals.flatMap(journal => journal.read(source, epoch, acknowledged, 1)),
      )
      .map(({ appendedAt }) => appendedAt)
    return oldest.length === 0 ? null : Math.min(...oldest)
  }
}
