import { statSync } from 'node:fs'
import { systemClock } from '../../drivers/system-clock.js'
import { messageOf, PolewatchError } from '../errors.js'
import type { MachineState } from '../health/machine.js'
import type { GatewayFigures } from '../health/metrics.js'
import type { PartHealth } from '../health/parts.js'
import { ExchangeReader } from '../journal/exchange.js'
import { ShedCounter } from '../journal/shed-counter.js'
import { type GatewayRole, gatewayRoles } from '../messages/stream.js'
import { type MessageData, messageTypes } from '../messages/table.js'
import type { KeptClock } from '../timebase/clock-keeper.js'
import type { Announcements } from '../uplink/announcements.js'
import type { Deliverer } from '../uplink/delivery.js'
import type { MqttSession } from '../uplink/session.js'
import type { ChronyAsker } from './ask-chrony.js'
import { MachineCheck } from './machine-check.js'
import { needsVision } from './reader-role.js'
import { type ProcessFigures, type Role, readProcessFigures, systemTime } from './role.js'
import { rolePaths } from './role-files.js'
import { feedWatchdog, healthKey, sayCondition, sayEvery } from './role-health.js'

export interface UplinkHealthOptions {
  readonly role: Role
  readonly clock: ChronyAsker
  readonly session: MqttSession
  readonly announcements: Announcements
  readonly deliverer: Deliverer
}

/** Keys in uplink's exchange: the health message of the whole gateway, and how far each stream is delivered. */
export const gatewayKey = 'gateway'
export const deliveryKey = 'delivery'

/** The health of the whole gateway, as uplink knows it. */
export class UplinkHealth {
  readonly #options: UplinkHealthOptions
  readonly #sensing: ExchangeReader
  readonly #vision: ExchangeReader
  readonly #sees: boolean
  readonly #machine: MachineCheck
  readonly #shed: ReadonlyMap<GatewayRole, ShedCounter>
  readonly #began = performance.now()

  constructor(options: UplinkHealthOptions) {
    this.#options = options
    const { configuration } = options.role
    this.#sensing = new ExchangeReader(rolePaths(configuration.paths, 'sensing').exchange)
    this.#vision = new ExchangeReader(rolePaths(configuration.paths, 'vision').exchange)
    this.#sees = needsVision(configuration)
    this.#machine = new MachineCheck(options.role)
    this.#shed = new Map(
      gatewayRoles.map(name => [name, new ShedCounter(rolePaths(configuration.paths, name).journal)]),
    )
  }

  /** How it stands now. */
  current(): MessageData<'health'> {
    const { role, session, clock } = this.#options
    const parts = [
      ...partsOf('sensing', this.#sensing, role),
      ...(this.#sees ? partsOf('vision', this.#vision, role) : []),
      ...role.parts,
    ]
    return {
      session: session.change.session,
      uptime: (performance.now() - this.#began) / 1000,
      state: parts.every(({ state }) => state === 'ready') ? 'good' : 'degraded',
      parts,
      clock: clockHealth(clock.current()),
      journals: this.#journals(),
      machine: machineHealth(this.#machine.current()),
    }
  }

  /** The same and more as figures for Prometheus. */
  figures(): GatewayFigures {
    const { role } = this.#options
    const { parts, journals, clock } = this.current()
    const roles = [
      { name: 'uplink' as const, figures: role.process },
      { name: 'sensing' as const, figures: processOf(this.#sensing) },
      { name: 'vision' as const, figures: this.#sees ? processOf(this.#vision) : null },
    ].flatMap(({ name, figures }) => (figures === null ? [] : [{ role: name, ...figures }]))
    return {
      parts,
      journals,
      clockError: clock?.error ?? null,
      processes: roles,
      alerts: roles.flatMap(({ role: name, alerts }) =>
        Object.entries(alerts).map(([kind, count]) => ({ role: name, kind, count })),
      ),
    }
  }

  /** Publishes it now and then, and at each change, until the signal aborts. */
  async tell(signal: AbortSignal): Promise<void> {
    const { role, session, announcements, deliverer } = this.#options
    let told = ''
    // polewatch-apply judges by it whether a change has cut the unit off; the status lamp shows it as long as it is said again.
    let said: boolean | null = null
    let saidAt = Number.NEGATIVE_INFINITY
    let toldAt = Number.NEGATIVE_INFINITY
    let delivered = ''
    let sayAt = Number.NEGATIVE_INFINITY
    role.manager.ready()
    while (!signal.aborted) {
      this.#machine.look()
      const health = this.current()
      const online = session.online && health.session !== ''
      feedWatchdog(role, online)
      const states = health.parts.map(({ part, state, fault }) => `${part} ${state} ${fault}`).join()
      const now = performance.now() / 1000
      const due = states !== told || now - toldAt >= role.configuration.uplink.healthSeconds
      if (online !== said || now - saidAt > 10) {
        said = online
        saidAt = now
        role.exchange.set('online', String(online))
      }
      const delivery = JSON.stringify(deliverer.streams())
      if (delivery !== delivered) {
        delivered = delivery
        role.exchange.set(deliveryKey, delivery)
      }
      if (now >= sayAt) {
        sayAt = now + sayEvery
        sayCondition(role)
        role.exchange.set(gatewayKey, JSON.stringify(health))
      }
      if (online && due) {
        told = states
        toldAt = now
        announcements.health(health)
      }
      await systemClock.sleep(1, signal)
    }
  }

  close(): void {
    this.#sensing.close()
    this.#vision.close()
    for (const shed of this.#shed.values()) shed.close()
  }

  #journals(): MessageData<'health'>['journals'] {
    const { role, deliverer } = this.#options
    const { journal, paths } = role.configuration
    return gatewayRoles.flatMap(name => {
      const streams = deliverer.streams().filter(({ source }) => source.split('/')[3] === name)
      if (streams.length === 0) return []
      const waiting = streams.reduce((sum, { last, acknowledged }) => sum + Math.max(0, last - acknowledged), 0)
      const bytes = fileSize(rolePaths(paths, name).journal)
      return [{ role: name, bytes, limit: journal.byteLimit, waiting, shed: this.#shedOf(name) }]
    })
  }

  /** A journal that cannot be read is told by who delivers it. */
  #shedOf(name: GatewayRole): number {
    try {
      return this.#shed.get(name)?.alerts ?? 0
    } catch (error) {
      this.#options.role.log.warn({ error: messageOf(error) }, `what ${name} has given up cannot be counted`)
      return 0
    }
  }
}

/** What another role last said, or that it says nothing. */
function partsOf(name: 'sensing' | 'vision', exchange: ExchangeReader, role: Role): PartHealth[] {
  try {
    const said = exchange.get(healthKey)
    if (said !== undefined && systemTime() - said.setAt < 20) {
      role.ready(name)
      return messageTypes.health.data.shape.parts.parse(JSON.parse(said.body.toString('utf8')))
    }
  } catch (error) {
    role.log.warn({ error: messageOf(error) }, `what ${name} says of itself cannot be read`)
  }
  if (performance.now() > 20_000) {
    const fault = new PolewatchError(name === 'sensing' ? 'PW_SENSING_SILENT' : 'PW_VISION_SILENT', {})
    role.raise(name, 'absent', `${name}-silent`, fault.message, fault.code)
  }
  return []
}

/** What another role last said of its process; null where it says nothing. */
function processOf(exchange: ExchangeReader): ProcessFigures | null {
  try {
    const said = exchange.get('process')
    return said === undefined ? null : readProcessFigures(said.body.toString('utf8'))
  } catch {
    return null
  }
}

function clockHealth(clock: KeptClock | null): MessageData<'health'>['clock'] {
  if (clock === null) return null
  const { offset, error, source, age } = clock
  return { offset, error: Number.isFinite(error) ? error : null, source: source.slice(0, 64), age }
}

function fileSize(file: string): number {
  try {
    return statSync(file).size
  } catch {
    return 0
  }
}

function machineHealth(machine: MachineState): MessageData<'health'>['machine'] {
  const { temperature, load, memoryFree, storageFree, storageWritten, undervoltageSince, throttled } = machine
  return { temperature, load, memoryFree, storageFree, storageWritten, undervoltage: undervoltageSince, throttled }
}
