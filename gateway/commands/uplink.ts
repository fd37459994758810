import { existsSync, readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { join } from 'node:path'
import type { Command } from 'commander'
import { devicesFolder } from '../../drivers/device-files.js'
import { systemClock } from '../../drivers/system-clock.js'
import { defaultConfigurationFile, deviceNames, loadConfiguration } from '../config/load.js'
import type { Configuration } from '../config/schema.js'
import { readSecret } from '../config/secret-file.js'
import { messageOf, PolewatchError } from '../errors.js'
import { keepGoing } from '../health/keep-going.js'
import { watchBells } from '../journal/bell.js'
import { JournalReader } from '../journal/reader.js'
import { keyId, publicJwkOf, publicKeyFromPem } from '../messages/keys.js'
import { gatewayRoles } from '../messages/stream.js'
import { type MessageData, messageTypes } from '../messages/table.js'
import { formatTime } from '../messages/time.js'
import { Announcements } from '../uplink/announcements.js'
import type { TlsMaterial } from '../uplink/connection-options.js'
import { announceToHomeAssistant } from '../uplink/home-assistant.js'
import { LiveStream } from '../uplink/live-stream.js'
import { MqttSession, type SessionChange } from '../uplink/session.js'
import { ChronyAsker } from './ask-chrony.js'
import { followAuditRetention } from './forget-audit.js'
import { Role, systemTime } from './role.js'
import { rolePaths } from './role-files.js'
import { sendReports } from './stored-reports.js'
import { tellChanges } from './tell-changes.js'
import { restartable, stopSignal } from './terminal.js'
import { obeyCommands } from './uplink-commands.js'
import { deliver, tellAbsenceAfter } from './uplink-delivery.js'
import { EvidenceCourier } from './uplink-evidence.js'
import { UplinkHealth } from './uplink-health.js'
import { meetNeighbours } from './uplink-neighbours.js'
import { meter } from './uplink-traffic.js'
import { version } from './version.js'
import { watchPosition } from './watch-position.js'

export function define(command: Command): void {
  command
    .description(
      'Delivers every journalled alert to the hub and exchanges arrivals with neighbours. It opens no device.',
    )
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--json', 'accepted for uniformity: the log on standard error is NDJSON anyway')
    .action(async ({ config }: { config: string }) => {
      await connect(config, stopSignal())
    })
}

/** Runs the role by the configuration in a file until the signal aborts, or the hub has it begin anew. */
async function connect(file: string, stop: AbortSignal): Promise<void> {
  const configuration = loadConfiguration(file, deviceNames(devicesFolder))
  const { until: signal, restart } = restartable(stop)
  const { site, gateway, paths, uplink, neighbours, exercise } = configuration
  const hubKeys = uplink.hubKey === null ? [] : [publicKeyFromPem(readSecret(uplink.hubKey))]
  const tls = tlsOf(uplink.tls)
  const login = {
    ...(uplink.user === null ? {} : { username: uplink.user }),
    ...(uplink.passwordFile === null ? {} : { password: readSecret(uplink.passwordFile).split('\n')[0] ?? '' }),
  }
  const role = new Role('uplink', configuration)
  const stream = new LiveStream(site, gateway.id, 'uplink', role.key)
  const announcements = new Announcements({ site, gateway: gateway.id, version, exercise, stream, clock: systemTime })
  let absence: NodeJS.Timeout | undefined
  const session = new MqttSession({
    brokers: uplink.brokers,
    clientId: uplink.clientId ?? `polewatch-${site}-${gateway.id}`,
    protocol: uplink.protocol,
    ...login,
    tls,
    presence: announcements.presence(),
    keepalive: uplink.keepAliveSeconds,
    willDelay: uplink.willDelaySeconds,
    onChange: change => {
      const { state, broker, protocol, reason, detail, retryIn } = change
      if (state === 'online') tellRights(role, change)
      if (change.begins) {
        role.log.info({ broker, protocol }, 'connected')
        clearTimeout(absence)
        absence = undefined
        role.ready('broker', `Connected to ${broker}.`)
      } else if (state === 'offline' && reason !== 'protocol-version') {
        // A broker that speaks the older protocol is asked again at once in that.
        const fault = new PolewatchError('PW_BROKER_UNREACHABLE', {
          broker: broker ?? 'none',
          why: detail || reason || 'no reason given',
        })
        role.log.warn({ code: fault.code, reason, retryIn }, fault.message)
        absence ??= setTimeout(() => {
          role.raise('broker', 'absent', 'broker-unreachable', fault.message, fault.code)
        }, tellAbsenceAfter * 1000).unref()
      }
    },
  })
  const metered = meter(role, session)
  const journals = gatewayRoles.map(name => ({ name, reader: new JournalReader(rolePaths(paths, name).journal) }))
  const delivery = deliver(
    role,
    metered.session,
    journals.map(({ reader }) => reader),
    hubKeys,
  )
  const { deliverer } = delivery
  const apart = neighbours.enabled && neighbours.brokers.join() !== uplink.brokers.join()
  const neighbourSession = apart
    ? new MqttSession({
        brokers: neighbours.brokers,
        clientId: `polewatch-${site}-${gateway.id}-neighbours`,
        protocol: uplink.protocol,
        ...login,
        tls,
        keepalive: uplink.keepAliveSeconds,
      })
    : null
  const met = neighbours.enabled ? meetNeighbours(role, neighbourSession ?? metered.session) : null
  const clock = new ChronyAsker(role)
  const health = new UplinkHealth({ role, clock, session, announcements, deliverer })
  const evidence = new EvidenceCourier(role, metered.session)
  const { commands, close: closeRequests } = obeyCommands({
    role,
    file,
    session: metered.session,
    stream,
    evidence,
    condition: () => ({
      broker: session.change.broker,
      streams: deliverer.streams(),
      delivery: deliverer.counters(),
      commands: commands.counters(),
      neighbours: met?.exchange.counters() ?? null,
      traffic: metered.traffic(),
      audit: role.journal.auditHead(),
      ...health.current(),
    }),
    end: restart,
  })
  if (configuration.homeAssistant.enabled) {
    const { prefix } = configuration.homeAssistant
    announceToHomeAssistant(session, { site, gateway: gateway.id, version, prefix })
  }
  let served: Server | null = null
  try {
    served = await serveFigures(configuration, health, role)
    announcements.attach(metered.session)
    const greetings = [announcements]
    session.start()
    if (neighbourSession !== null) {
      const greeting = new Announcements({ site, gateway: gateway.id, version, exercise, stream, clock: systemTime })
      greeting.attach(neighbourSession)
      greetings.push(greeting)
      neighbourSession.start()
    }
    deliverer.start()
    const wake = (bells: ReadonlySet<string>): void => {
      const rung = journals.filter(({ name }) => bells.has(name))
      for (const { name, reader } of rung) reader.heard(rolePaths(paths, name).bell)
      deliverer.wake(bells.size === 0 ? undefined : rung.map(({ reader }) => reader))
      met?.exchange.wake()
    }
    const keep = (name: string, run: (signal: AbortSignal) => Promise<void>, required = false): Promise<void> =>
      keepGoing(role, { name, required, run }, signal)
    await Promise.all([
      keep('delivery', signal => watchBells(paths.runtime, wake, { signal }), true),
      keep('capabilities', signal => followKeys(configuration, greetings, signal), true),
      keep('health', signal => health.tell(signal), true),
      keep('changes', signal => tellChanges({ role, session: metered.session, stream }, signal)),
      keep('traffic count', signal => metered.follow(signal)),
      keep('clock question', signal => clock.ask(signal)),
      watchPosition(role, signal),
      keep('evidence', signal => evidence.follow(signal)),
      keep('audit retention', signal => followAuditRetention(role, signal)),
      keep('reports', signal => sendReports(role, signal)),
      met === null ? undefined : keep('neighbours', signal => met.follow(signal)),
    ])
  } finally {
    served?.close()
    delivery.close()
    await commands.settled()
    await session.stop()
    await neighbourSession?.stop()
    closeRequests()
    health.close()
    role.close()
  }
}

/** What the broker refuses is known to be over only when a later session has all. */
function tellRights(role: Role, { broker, begins, reason, detail }: SessionChange): void {
  const part = 'broker-rights'
  if (reason !== null) {
    const why = detail === '' ? reason : `${reason} (${detail})`
    const fault = new PolewatchError('PW_BROKER_REFUSES', { broker, why })
    role.raise(part, 'faulty', reason, fault.message, fault.code)
  } else if (begins && role.has(part)) role.ready(part, 'The broker allows all.')
}

/** Figures are a help, never a reason not to deliver. */
async function serveFigures(
  { metrics, paths }: Configuration,
  health: UplinkHealth,
  role: Role,
): Promise<Server | null> {
  if (!metrics.enabled) return null
  const where = metrics.port ?? join(paths.runtime, 'metrics.socket')
  try {
    // Loaded only where it is wanted.
    const { serveMetrics } = await import('../health/metrics.js')
    const server = await serveMetrics(where, () => health.figures())
    role.ready('metrics')
    return server
  } catch (error) {
    const fault = new PolewatchError('PW_METRICS', { where, why: messageOf(error) }, error)
    role.raise('metrics', 'faulty', 'metrics-unserved', fault.message, fault.code)
    return null
  }
}

/** Publishes the capabilities whenever another role's key has appeared: a role makes its key at its first start. */
async function followKeys(
  configuration: Configuration,
  announcements: readonly Announcements[],
  signal: AbortSignal,
): Promise<void> {
  const from = formatTime(systemTime())
  let known = ''
  while (!signal.aborted) {
    const keys = gatewayRoles.flatMap(name => {
      const file = rolePaths(configuration.paths, name).publicKey
      if (!existsSync(file)) return []
      const key = publicKeyFromPem(readFileSync(file))
      return [{ role: name, kid: keyId(key), jwk: publicJwkOf(key), from }]
    })
    const found = keys.map(({ kid }) => kid).join()
    if (found !== known) for (const each of announcements) each.setCapabilities(capabilities(configuration, keys))
    known = found
    await systemClock.sleep(known.split(',').length < 2 ? 0.25 : 10, signal)
  }
}

function capabilities(
  configuration: Configuration,
  keys: MessageData<'capabilities'>['keys'],
): MessageData<'capabilities'> {
  const { site, gateway, microphoneArrays, plateReaders, cameras } = configuration
  const { error, ...position } = gateway.position
  return {
    site,
    gateway: gateway.id,
    version,
    position,
    positionError: error,
    // Only sensing knows what the sound card gave; arrays are told with their health.
    arrays: [],
    readers: [
      ...plateReaders.map(reader => ({
        name: reader.name,
        kind: 'reader' as const,
        layout: 'layout' in reader ? reader.layout : null,
      })),
      ...cameras.map(({ name }) => ({ name, kind: 'camera' as const, layout: null })),
    ],
    keys,
    messages: [
      ...(microphoneArrays.length > 0 ? (['gunfire', 'arrival', 'claim'] as const) : []),
      ...(plateReaders.length + cameras.length > 0 ? (['plate-hit'] as const) : []),
      ...(['fault', 'shed', 'status', 'health', 'capabilities'] as const),
    ].map(name => messageTypes[name].type),
  }
}

function tlsOf({ ca, certificate, key }: Configuration['uplink']['tls']): TlsMaterial {
  return {
    ...(ca === null ? {} : { ca: readSecret(ca) }),
    ...(certificate === null ? {} : { cert: readSecret(certificate) }),
    ...(key === null ? {} : { key: readSecret(key) }),
  }
}
