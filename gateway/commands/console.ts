import { mkdirSync } from 'node:fs'
import type { Server } from 'node:https'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { devicesFolder } from '../../drivers/device-files.js'
import { systemClock } from '../../drivers/system-clock.js'
import { defaultConfigurationFile, deviceNames, loadConfiguration } from '../config/load.js'
import { loadPolicy } from '../config/policy-file.js'
import type { Configuration } from '../config/schema.js'
import type { Access, ConsoleBackend, RecentFault } from '../console/backend.js'
import { keepPassPhrase, newPassPhrase, PassPhrase } from '../console/pass-phrase.js'
import { plainPolicy } from '../console/plain-policy.js'
import { consoleServer, encryptedServer } from '../console/server.js'
import { messageOf, PolewatchError } from '../errors.js'
import { AccessReader } from '../journal/access-reader.js'
import { JournalReader } from '../journal/reader.js'
import { openEvent } from '../messages/seal.js'
import { gatewayRoles } from '../messages/stream.js'
import { formatTime } from '../messages/time.js'
import { channelsOf, lookAt } from './check.js'
import { consoleCertificate, consoleFingerprint } from './console-certificate.js'
import { exerciseAlert, exerciseFault } from './exercise-alert.js'
import { forgetAudit } from './forget-audit.js'
import { ConditionReader } from './gateway-condition.js'
import { Role, systemTime } from './role.js'
import { rolePaths } from './role-files.js'
import { feedWatchdog, sayEvery } from './role-health.js'
import { bold, print, printJson, stopSignal } from './terminal.js'

interface ConsoleOptions {
  readonly config: string
  readonly port: number
  readonly newPhrase?: boolean
  readonly fingerprint?: boolean
  readonly json?: boolean
}

/** The first socket that systemd hands over, sd_listen_fds(3). */
const firstSocket = 3
/** The name that polewatch-console-encrypted.socket gives to what it hands over. */
const encryptedSocket = 'encrypted'
/** Nobody there for so long: systemd starts it again when somebody comes, seconds. */
const idleLimit = 600
/** Rows of what is listed. */
const listLimit = 30

export function define(command: Command): void {
  command
    .description(
      "The technician's page, on this machine alone or on the socket that systemd hands over: what works, live levels, who looked.",
    )
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--port <PORT>', 'where to listen on this machine', Number, 8470)
    .option('--new-phrase', 'make a new pass phrase, show it once, and end')
    .option(
      '--fingerprint',
      'show what to compare where the browser warns of the certificate on the encrypted port, and end',
    )
    .option('--json', 'the address or the pass phrase as JSON')
    .addHelpText('after', '\nExamples:\n  polewatch console --new-phrase\n  polewatch console --port 8470')
    .action(run)
}

async function run({ config, port, newPhrase, fingerprint, json }: ConsoleOptions): Promise<void> {
  const configuration = loadConfiguration(config, deviceNames(devicesFolder))
  const file = join(configuration.paths.state, 'keys', 'console.phrase')
  if (newPhrase) {
    await makePhrase(file, json === true)
    return
  }
  if (fingerprint) {
    const sha256 = consoleFingerprint(configuration)
    if (json) printJson({ sha256 })
    else print(`The certificate of the console has the SHA-256 fingerprint\n\n  ${bold(sha256)}\n`)
    return
  }
  if (!(Number.isInteger(port) && port >= 0 && port < 65_536))
    throw new PolewatchError('PW_USAGE', { why: '--port is no port' })
  // So that it is told at the start.
  PassPhrase.read(file)
  const role = new Role('console', configuration)
  try {
    // It ends when nobody is there, so an hour's wait may never be over.
    await forgetAudit(role.journal, configuration).catch((error: unknown) => role.log.warn(messageOf(error)))
    await serve(role, file, port, json === true, stopSignal())
  } finally {
    role.close()
  }
}

async function makePhrase(file: string, json: boolean): Promise<void> {
  const phrase = newPassPhrase()
  mkdirSync(dirname(file), { recursive: true, mode: 0o750 })
  await keepPassPhrase(file, phrase)
  if (json) printJson({ phrase })
  else print(`The pass phrase of the console, shown this once:\n\n  ${bold(phrase)}\n`)
}

async function serve(role: Role, phraseFile: string, port: number, json: boolean, stop: AbortSignal): Promise<void> {
  const { configuration } = role
  const files = new ConsoleFiles(configuration)
  const now = (): number => systemClock.monotonic()
  const { app, usedAt } = consoleServer(await backendOf(role, phraseFile, files), now)
  await app.ready()
  const sockets = handedOverSockets()
  const handedOver = sockets.length > 0
  const encrypted: Server[] = []
  if (!handedOver) await listen(app.server, { host: '127.0.0.1', port })
  for (const { fd, name } of sockets) {
    if (name === encryptedSocket) {
      const server = encryptedServer(app, consoleCertificate(configuration, systemTime()))
      encrypted.push(server)
      await listen(server, { fd })
    } else await listen(app.server, { fd })
  }
  const address = app.server.address()
  const where = typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}/` : null
  if (handedOver) role.log.info('the console is open on the socket of systemd')
  else if (json) printJson({ address: where })
  else print(`The console is open at ${bold(where ?? '')}`)
  role.manager.ready()
  while (!stop.aborted && !(handedOver && now() - usedAt() > idleLimit)) {
    feedWatchdog(role)
    await systemClock.sleep(sayEvery, stop)
  }
  for (const server of encrypted) server.close()
  // What follows the page live ends with it.
  await app.close()
  for (const server of encrypted) server.closeAllConnections()
  files.close()
}

/** Those of polewatch-console.socket and of polewatch-console-encrypted.socket, by the names that systemd gives them. */
function handedOverSockets(): { fd: number; name: string }[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = '' } = process.env
  if (LISTEN_PID !== String(process.pid)) return []
  const names = LISTEN_FDNAMES.split(':')
  return Array.from({ length: Number(LISTEN_FDS) }, (_, index) => ({
    fd: firstSocket + index,
    name: names[index] ?? '',
  }))
}

function listen(
  server: import('node:net').Server,
  where: { fd: number } | { host: string; port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', error => reject(new PolewatchError('PW_CONSOLE_SOCKET', { why: messageOf(error) }, error)))
    server.listen(where, resolve)
  })
}

/** What the console reads of the other roles. */
class ConsoleFiles {
  readonly condition: ConditionReader
  readonly journals: readonly JournalReader[]
  readonly accesses: readonly AccessReader[]

  constructor({ paths }: Configuration) {
    this.condition = new ConditionReader({ paths })
    this.journals = gatewayRoles.map(role => new JournalReader(rolePaths(paths, role).journal))
    this.accesses = gatewayRoles.map(role => new AccessReader(rolePaths(paths, role).journal))
  }

  close(): void {
    for (const file of [this.condition, ...this.journals, ...this.accesses]) file.close()
  }
}

async function backendOf(role: Role, phraseFile: string, files: ConsoleFiles): Promise<ConsoleBackend> {
  const { configuration } = role
  const channels = await channelsOf(configuration)
  return {
    site: configuration.site,
    gateway: configuration.gateway.id,
    exercise: configuration.exercise,
    channels,
    admits: given => PassPhrase.read(phraseFile).matches(given),
    record: (subject, detail) => role.journal.record({ action: 'access', subject, detail }),
    look: () => {
      const condition = files.condition.read()
      return { condition, findings: lookAt(configuration, channels, condition) }
    },
    sound: () => files.condition.sound(),
    failed: error => role.log.error({ error: messageOf(error) }, 'the console could not do what was asked'),
    faults: () => recentFaults(files.journals),
    accesses: () => recentAccesses(files.accesses),
    policy: () => plainPolicy(loadPolicy(configuration.policyFile), configuration),
    exerciseAlert: async () => {
      const post = (kind: string, body: string) => role.exchange.post(kind, body)
      return (await exerciseAlert(files.condition, post, 30)).acknowledgedAfter
    },
  }
}

/** Faults that the journals still hold, newest first: until the hub has them, and for a while after. */
function recentFaults(journals: readonly JournalReader[]): RecentFault[] {
  const alerts = journals.flatMap(journal =>
    journal
      .streams()
      .filter(({ priority }) => priority === 'fault')
      .flatMap(({ source, epoch, lastSequence }) =>
        journal.read(source, epoch, Math.max(0, lastSequence - listLimit), listLimit),
      ),
  )
  return alerts
    .sort((one, other) => other.appendedAt - one.appendedAt)
    .slice(0, listLimit)
    .flatMap(({ bytes }): RecentFault[] => {
      const event = openEvent(bytes)
      if (event.name !== 'fault' && event.name !== 'tamper') return []
      const { part, state, detail } = event.data
      const fault = event.name === 'fault' ? event.data.fault : event.data.tamper
      if (fault === exerciseFault) return []
      return [{ time: formatTime(event.time), part, fault, state, detail, exercise: event.exercise }]
    })
}

/** Who looked here, and what the hub asked for, newest first. */
function recentAccesses(readers: readonly AccessReader[]): Access[] {
  return readers
    .flatMap(reader => reader.newest(['access', 'command'], listLimit))
    .sort((one, other) => other.time - one.time)
    .slice(0, listLimit)
    .map(({ time, action, subject, detail }) => {
      const said = new Map(Object.entries(JSON.parse(detail)).map(([name, value]) => [name, String(value)]))
      return {
        time: formatTime(time),
        who: said.get('who') ?? said.get('requestedBy') ?? said.get('key') ?? 'unknown',
        what: action === 'command' ? `command ${subject}` : subject,
        purpose: said.get('purpose') ?? '',
      }
    })
}
