import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { Counter, Gauge, Registry } from 'prom-client'

/** What one part of a role says of itself. */
export interface PartFigures {
  readonly part: string
  readonly role: string
  readonly state: string
  readonly fault: string | null
  /** They only grow while the process lives. */
  readonly counters: Readonly<Record<string, number>>
  /** They rise and fall. */
  readonly values?: Readonly<Record<string, number>> | undefined
}

/** What a gateway can be measured by. Names are those of the configuration; no plate and no person is among them. */
export interface GatewayFigures {
  readonly parts: readonly PartFigures[]
  /** Alerts made, by role and kind of message. */
  readonly alerts: readonly { readonly role: string; readonly kind: string; readonly count: number }[]
  /** By role: bytes, alerts that wait for the hub, and alerts given up, as far back as the audit chain goes. */
  readonly journals: readonly {
    readonly role: string
    readonly bytes: number
    readonly waiting: number
    readonly shed: number
  }[]
  /** One standard deviation, seconds; null where nothing is known. */
  readonly clockError: number | null
  /** By role: processor time since it started, seconds; resident memory, bytes; faults raised since it started. */
  readonly processes: readonly {
    readonly role: string
    readonly processor: number
    readonly memory: number
    readonly faults: number
    readonly started: number
  }[]
}

/** The gateway's figures in the text format of Prometheus. */
export function metricsText(figures: GatewayFigures): Promise<string> {
  const registry = new Registry()
  const gauge = <Label extends string>(name: string, help: string, labels: readonly Label[] = []) =>
    new Gauge({ name: `polewatch_${name}`, help, labelNames: labels, registers: [registry] })
  // What only grows until the process starts again: a scrape that finds less than the last one takes it for a restart.
  const counter = <Label extends string>(name: string, help: string, labels: readonly Label[] = []) =>
    new Counter({ name: `polewatch_${name}_total`, help, labelNames: labels, registers: [registry] })
  const ready = gauge('part_ready', '1 while a part works, else 0.', ['role', 'part'])
  const counters = counter('part_count', 'What a part has counted.', ['role', 'part', 'counter'])
  const values = gauge('part_value', 'What a part measures now, or has counted of this hour, day or month.', [
    'role',
    'part',
    'value',
  ])
  const faulty = gauge('part_fault', '1 for the fault that a part has now.', ['role', 'part', 'fault'])
  for (const { role, part, state, fault, counters: counted, values: measured = {} } of figures.parts) {
    ready.set({ role, part }, state === 'ready' ? 1 : 0)
    if (fault !== null) faulty.set({ role, part, fault }, 1)
    for (const [counter, value] of Object.entries(counted)) counters.inc({ role, part, counter }, value)
    for (const [name, value] of Object.entries(measured)) values.set({ role, part, value: name }, value)
  }
  const alerts = counter('alerts', 'Alerts committed.', ['role', 'kind'])
  for (const { role, kind, count } of figures.alerts) alerts.inc({ role, kind }, count)
  const backlog = gauge('backlog_alerts', 'Alerts that the hub has not acknowledged.', ['role'])
  const journal = gauge('journal_bytes', 'Size of the journal.', ['role'])
  const given = counter(
    'shed_alerts',
    'Alerts given up because the journal was full, as far back as its audit chain goes.',
    ['role'],
  )
  for (const { role, bytes, waiting, shed } of figures.journals) {
    given.inc({ role }, shed)
    backlog.set({ role }, waiting)
    journal.set({ role }, bytes)
  }
  const clock = gauge('clock_error_seconds', 'Error of the clock, one standard deviation; infinite where unknown.')
  clock.set(figures.clockError ?? Number.POSITIVE_INFINITY)
  const processor = counter('process_cpu_seconds', 'Processor time.', ['role'])
  const memory = gauge('process_resident_memory_bytes', 'Resident memory.', ['role'])
  const faults = counter('faults_raised', 'Faults raised.', ['role'])
  const started = gauge('process_start_time_seconds', 'When the process started; a change is a restart.', ['role'])
  for (const process of figures.processes) {
    const { role } = process
    processor.inc({ role }, process.processor)
    memory.set({ role }, process.memory)
    faults.inc({ role }, process.faults)
    started.set({ role }, process.started)
  }
  return registry.metrics()
}

/**
 * Serves the figures at `/metrics`: on a Unix socket that the group may use, or on a port of this machine alone. Rejects with
 * the system's error where it cannot listen.
 *
 * @param where path of the socket, or number of the port; 0 lets the system choose
 */
export async function serveMetrics(where: string | number, figures: () => GatewayFigures): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end()
      return
    }
    metricsText(figures()).then(
      text => response.writeHead(200, { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE }).end(text),
      () => response.writeHead(500).end(),
    )
  })
  // A socket that a killed process left behind would be in the way.
  if (typeof where === 'string') rmSync(where, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    if (typeof where === 'string') server.listen(where, resolve)
    else server.listen(where, '127.0.0.1', resolve)
  })
  try {
    if (typeof where === 'string') chmodSync(where, 0o660)
  } catch (error) {
    server.close()
    throw error
  }
  return server
}
