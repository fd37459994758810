import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { loadavg } from 'node:os'
import type { Command } from 'commander'
import { devicesFolder } from '../../drivers/device-files.js'
import { systemClock } from '../../drivers/system-clock.js'
import { defaultConfigurationFile, deviceNames, loadConfiguration } from '../config/load.js'
import type { Configuration } from '../config/schema.js'
import { PolewatchError } from '../errors.js'
import { watchBells } from '../journal/bell.js'
import { Delivery } from '../journal/delivery.js'
import { ExchangeReader } from '../journal/exchange.js'
import { JournalReader } from '../journal/reader.js'
import { keyId, publicJwkOf, publicKeyFromPem } from '../messages/keys.js'
import { gatewayRoles } from '../messages/stream.js'
import { type MessageData, messageTypes } from '../messages/table.js'
import { formatTime } from '../messages/time.js'
import { Announcements } from '../uplink/announcements.js'
import type { TlsMaterial } from '../uplink/connection-options.js'
import { Deliverer } from '../uplink/delivery.js'
import { KeyPins } from '../uplink/key-pins.js'
import { LiveStream } from '../uplink/live-stream.js'
import { Neighbours } from '../uplink/neighbours.js'
import { MqttSession } from '../uplink/session.js'
import { needsVision } from './reader-role.js'
import { messageOf, type PartHealth, Role, rolePaths, systemTime } from './role.js'
import { stopSignal } from './terminal.js'
import { version } from './version.js'

export function define(command: Command): void {
  command
    .description(
      'Delivers every journalled alert to the hub and exchanges arrivals with neighbours. It opens no device.',
    )
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--json', 'accepted for uniformity: the log on standard error is NDJSON anyway')
    .action(async ({ config }: { config: string }) => {
      await connect(loadConfiguration(config, deviceNames(devicesFolder)), stopSignal())
    })
}

/** The hub sees by the status that a gateway went and came; only a longer absence is a fault worth an alert, seconds. */
const tellAbsenceAfter = 60

/** Runs the role until the signal aborts. */
async function connect(configuration: Configuration, signal: AbortSignal): Promise<void> {
  const { site, gateway, paths, uplink, neighbours, exercise } = configuration
  const hubKeys = uplink.hubKey === null ? [] : [publicKeyFromPem(readNamed(uplink.hubKey))]
  const tls = tlsOf(uplink.tls)
  const login = {
    ...(uplink.user === null ? {} : { username: uplink.user }),
    ...(uplink.passwordFile === null ? {} : { password: readNamed(uplink.passwordFile).split('\n')[0] ?? '' }),
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
    onChange: ({ state, broker, protocol, reason, detail, retryIn }) => {
      if (state === 'online') {
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
  const progress = Delivery.open({
    path: rolePaths(paths, 'uplink').delivery,
    clock: systemTime,
    delay: 0.25,
    onFault: fault => role.log.error({ code: fault.code }, fault.message),
  })
  const deliverer = new Deliverer({
    site,
    gateway: gateway.id,
    session,
    journals: gatewayRoles.map(name => new JournalReader(rolePaths(paths, name).journal)),
    progress,
    acknowledge: uplink.acknowledge,
    hubKeys,
    window: uplink.window,
    onNotice: notice =>
      role.log.warn({ notice: { ...notice, error: 'error' in notice ? messageOf(notice.error) : null } }, notice.kind),
  })
  const apart = neighbours.enabled && neighbours.brokers.join() !== uplink.brokers.join()
  const meeting = apart
    ? new MqttSession({
        brokers: neighbours.brokers,
        clientId: `polewatch-${site}-${gateway.id}-neighbours`,
        protocol: uplink.protocol,
        ...login,
        tls,
      })
    : session
  const exchange = neighbours.enabled
    ? new Neighbours({
        site,
        gateway: gateway.id,
        position: gateway.position,
        session: meeting,
        keys: new KeyPins(),
        outgoing: new ExchangeReader(rolePaths(paths, 'sensing').exchange),
        post: (kind, body) => role.exchange.post(kind, body),
        clock: systemTime,
        onNotice: notice => role.log.warn({ notice }, notice.kind),
      })
    : null
  try {
    announcements.attach(session)
    const keys = followKeys(configuration, announcements, signal)
    session.start()
    if (apart) {
      new Announcements({ site, gateway: gateway.id, version, exercise, stream, clock: systemTime }).attach(meeting)
      meeting.start()
    }
    deliverer.start()
    const health = tellHealth({ role, session, announcements, deliverer }, signal)
    const wake = (): void => {
      deliverer.wake()
      exchange?.wake()
    }
    await Promise.all([watchBells(paths.runtime, wake, { signal }), keys, health])
  } finally {
    deliverer.stop()
    await session.stop()
    if (apart) await meeting.stop()
    progress.close()
    role.close()
  }
}

/** Publishes the capabilities whenever another role's key has appeared: a role makes its key at its first start. */
async function followKeys(
  configuration: Configuration,
  announcements: Announcements,
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
    if (found !== known) announcements.setCapabilities(capabilities(configuration, keys))
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

async function tellHealth(
  {
    role,
    session,
    announcements,
    deliverer,
  }: { role: Role; session: MqttSession; announcements: Announcements; deliverer: Deliverer },
  signal: AbortSignal,
): Promise<void> {
  const { configuration } = role
  const sensing = new ExchangeReader(rolePaths(configuration.paths, 'sensing').exchange)
  const vision = new ExchangeReader(rolePaths(configuration.paths, 'vision').exchange)
  const sees = needsVision(configuration)
  const began = performance.now()
  let told = ''
  let toldAt = Number.NEGATIVE_INFINITY
  while (!signal.aborted) {
    const parts = [
      ...partsOf('sensing', sensing, role),
      ...(sees ? partsOf('vision', vision, role) : []),
      ...role.parts,
    ]
    const states = parts.map(({ part, state, fault }) => `${part} ${state} ${fault}`).join()
    const now = performance.now() / 1000
    const current = session.change.session
    if (session.online && current !== null && (states !== told || now - toldAt >= configuration.uplink.healthSeconds)) {
      told = states
      toldAt = now
      announcements.health({
        session: current,
        uptime: (performance.now() - began) / 1000,
        state: parts.every(({ state }) => state === 'ready') ? 'good' : 'degraded',
        parts,
        clock: null,
        journals: journals(role, deliverer),
        machine: machine(configuration.paths.state),
      })
    }
    await systemClock.sleep(1, signal)
  }
  sensing.close()
  vision.close()
}

/** What another role last said, or that it says nothing. */
function partsOf(name: 'sensing' | 'vision', exchange: ExchangeReader, role: Role): PartHealth[] {
  try {
    const said = exchange.get('health')
    if (said !== undefined && systemTime() - said.setAt < 20) {
      role.ready(name)
      return messageTypes.health.data.shape.parts.parse(JSON.parse(said.body.toString('utf8')))
    }
  } catch (error) {
    role.log.warn({ error: messageOf(error) }, `what ${name} says of itself cannot be read`)
  }
  if (performance.now() > 20_000)
    role.raise(name, 'absent', `${name}-silent`, `The ${name} process says nothing.`, 'PW_SENSING_SILENT')
  return []
}

function journals(role: Role, deliverer: Deliverer): MessageData<'health'>['journals'] {
  const limit = role.configuration.journal.byteLimit
  return gatewayRoles.flatMap(name => {
    const streams = deliverer.streams().filter(({ source }) => source.split('/')[3] === name)
    if (streams.length === 0) return []
    const waiting = streams.reduce((sum, { last, acknowledged }) => sum + Math.max(0, last - acknowledged), 0)
    return [{ role: name, bytes: fileSize(rolePaths(role.configuration.paths, name).journal), limit, waiting, shed: 0 }]
  })
}

function fileSize(file: string): number {
  try {
    return statSync(file).size
  } catch {
    return 0
  }
}

function machine(folder: string): MessageData<'health'>['machine'] {
  const { bavail, bsize } = statfsSync(folder)
  return {
    temperature: null,
    load: loadavg()[0] ?? null,
    memoryFree: null,
    storageFree: bavail * bsize,
    storageWritten: null,
    undervoltage: null,
    throttled: null,
  }
}

function tlsOf({ ca, certificate, key }: Configuration['uplink']['tls']): TlsMaterial {
  return {
    ...(ca === null ? {} : { ca: readNamed(ca) }),
    ...(certificate === null ? {} : { cert: readNamed(certificate) }),
    ...(key === null ? {} : { key: readNamed(key) }),
  }
}

function readNamed(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new PolewatchError('PW_KEY_FILE', { file, why: messageOf(error) }, error)
  }
}
