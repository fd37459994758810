import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { editConfiguration } from '../../gateway/config/edit.js'
import { createSigningKey, privateKeyPem, publicKeyPem } from '../../gateway/messages/keys.js'
import { compare, type Outcome } from './outcome.js'
import { sendPlates } from './plates.js'
import { childrenOf, Keeper, run, sleep } from './processes.js'
import { type DemoGateway, readDemo, recordingFile } from './recording.js'

/** Time for the last alerts to come after the recording, seconds. */
const recordingSeconds = 10
const patience = 45
/** Processes that start at once: for each gateway a supervisor and two roles, and the hub. They share the cores. */
const processes = 19
const site = 'demo'
const here = join(process.cwd(), 'scripts', 'demonstration')
const polewatch = join(process.cwd(), 'dist', 'gateway', 'main.js')

const { values } = parseArgs({
  options: {
    broker: { type: 'string' },
    mosquitto: { type: 'boolean', default: false },
    chaos: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  say(`Usage: ./scripts/demo [--mosquitto | --broker URL] [--chaos]

Six gateways play a real recording of three pistol shots, exchange what they hear over MQTT, and report to a hub.
  --mosquitto   a Mosquitto (MQTT 5) in the place of the embedded broker (MQTT 3.1.1)
  --broker URL  another broker, such as mqtt://127.0.0.1:1883
  --chaos       kill every process once with SIGKILL meanwhile; nothing committed may be missing at the hub`)
  process.exit(0)
}

const folder = mkdtempSync(join(tmpdir(), 'polewatch-demo-'))
const memory = writable('/dev/shm') ? mkdtempSync('/dev/shm/polewatch-demo-') : join(folder, 'run')
const keepers: Keeper[] = []
let interrupted = false
process.on('SIGINT', () => {
  interrupted = true
})

try {
  process.exitCode = await demonstrate()
} finally {
  await Promise.all(keepers.filter(({ name }) => name !== 'broker').map(keeper => keeper.stop()))
  await Promise.all(keepers.map(keeper => keeper.stop()))
  rmSync(folder, { recursive: true, force: true })
  rmSync(memory, { recursive: true, force: true })
}

async function demonstrate(): Promise<number> {
  const port = await freePort()
  const url = values.broker ?? `mqtt://127.0.0.1:${port}`
  const { gateways } = readDemo()
  const record = join(folder, 'hub.ndjson')

  say('polewatch demo: three pistol shots, recorded by six rooftop sensors in Pittsburgh on 18 December 2018,')
  say('played to six gateways as if it happened now; and a plate reader on a serial line. Every alert is an exercise.')
  say('')

  const hubKey = createSigningKey()
  writeFileSync(join(folder, 'hub.key'), privateKeyPem(hubKey), { mode: 0o600 })
  writeFileSync(join(folder, 'hub.pub'), publicKeyPem(hubKey.publicKey))

  if (values.broker === undefined) await startBroker(port)
  say(`Broker    ${url} (${values.broker ? 'yours' : values.mosquitto ? 'Mosquitto, MQTT 5' : 'embedded, MQTT 3.1.1'})`)

  const line = { gateway: join(folder, 'reader-line'), reader: join(folder, 'reader-device') }
  keep('serial line', () =>
    spawn('socat', [`pty,raw,echo=0,link=${line.gateway}`, `pty,raw,echo=0,link=${line.reader}`], { stdio: 'ignore' }),
  )
  say('Reader    on a pseudo-terminal, watched by pole-1')

  const configurations = gateways.map((gateway, index) => configure(gateway, index === 0 ? line.gateway : null, url))
  const beforeImport = performance.now()
  const imported = await run(process.execPath, [
    polewatch,
    'hotlist',
    'import',
    '--config',
    configurations[0]!,
    '--list',
    'demo',
    join(here, 'hotlist.csv'),
  ])
  const importTook = (performance.now() - beforeImport) / 1000
  say(`Hotlist   ${imported.trim().split('\n')[0]}`)

  keep('hub', () =>
    spawn(
      process.execPath,
      [
        polewatch,
        'watch',
        '--broker',
        url,
        '--site',
        site,
        '--acknowledge',
        '--key',
        join(folder, 'hub.key'),
        '--state',
        join(folder, 'hub.state'),
        '--record',
        record,
        '--truth',
        recordingFile,
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    ),
  )
  // One command has just been timed; on a small or busy machine all of them together take accordingly longer.
  const startAt = Date.now() / 1000 + 5 + (2 * processes * importTook) / Math.min(4, availableParallelism())
  const logs = join(folder, 'gateways.log')
  for (const [index, configuration] of configurations.entries()) {
    keep(gateways[index]!.id, () =>
      spawn(
        '/bin/sh',
        [
          '-c',
          `exec "$@" 2>>"${logs}"`,
          'sh',
          process.execPath,
          polewatch,
          'run',
          '--config',
          configuration,
          '--start-at',
          String(startAt),
        ],
        {
          stdio: ['ignore', 'ignore', 'inherit'],
        },
      ),
    )
  }
  say(
    `Gateways  ${gateways.length} starting; the recording plays at ${new Date(startAt * 1000).toISOString().slice(11, 19)} UTC`,
  )
  say('')

  const plates = sendPlates(line.reader, startAt)
  const chaos = values.chaos ? killEverythingOnce(startAt) : Promise.resolve(0)
  const deadline = startAt + recordingSeconds + patience + (values.chaos ? 60 : 0)
  let outcome: Outcome = compare({ folder, record, gateways })
  let calm = 0
  while (Date.now() / 1000 < deadline && calm < 2 && !interrupted) {
    await sleep(0.5)
    outcome = compare({ folder, record, gateways })
    const chaosOver = !values.chaos || (await Promise.race([chaos.then(() => true), sleep(0).then(() => false)]))
    calm = chaosOver && outcome.complete && Date.now() / 1000 > startAt + recordingSeconds ? calm + 1 : 0
  }
  plates.stop()
  const killed = await chaos
  return summarise(outcome, killed)
}

function summarise(outcome: Outcome, killed: number): number {
  say('')
  say('Summary')
  for (const text of outcome.lines) say(`  ${text}`)
  if (values.chaos)
    say(
      `  ${killed} processes killed, ${keepers.reduce((sum, { restarts }) => sum + restarts, 0)} started again by the demo, the others by "polewatch run"`,
    )
  const fine = values.chaos ? outcome.nothingLost : outcome.complete
  const expected = values.chaos ? 'that was committed' : 'that was expected'
  say(fine ? `  Everything ${expected} arrived.` : `  NOT everything ${expected} arrived.`)
  if (!fine) {
    say('  The end of what the gateways logged:')
    say(tail(join(folder, 'gateways.log'), 20))
  }
  return fine ? 0 : 1
}

/** Kills every process once: broker, hub, serial line, and of each gateway the supervisor and both roles. */
async function killEverythingOnce(startAt: number): Promise<number> {
  let killed = 0
  const kill = async (pid: number, name: string): Promise<void> => {
    if (pid === 0) return
    say(`  ✂ SIGKILL ${name} (${pid})`)
    process.kill(pid, 'SIGKILL')
    killed++
    await sleep(1)
  }
  await sleep(startAt + 5 - Date.now() / 1000)
  for (const keeper of keepers) {
    const children = await childrenOf(keeper.pid)
    for (const [index, child] of children.entries()) await kill(child, `${keeper.name}, part ${index + 1}`)
  }
  for (const keeper of keepers) await kill(keeper.pid, keeper.name)
  await sleep(5)
  return killed
}

function configure(gateway: DemoGateway, readerPort: string | null, url: string): string {
  const example = readFileSync(join(process.cwd(), 'firmware-config', 'polewatch.example.yaml'), 'utf8')
  const state = join(folder, gateway.id)
  const runtime = join(memory, gateway.id)
  mkdirSync(state, { recursive: true })
  mkdirSync(runtime, { recursive: true })
  const text = editConfiguration(example, [
    { path: ['site'], value: site },
    { path: ['exercise'], value: true },
    { path: ['gateway', 'id'], value: gateway.id },
    { path: ['gateway', 'position'], value: { ...gateway.position, error: gateway.positionError } },
    { path: ['gateway', 'timeError'], value: gateway.timeError },
    { path: ['paths'], value: { state, runtime } },
    {
      path: ['microphoneArrays'],
      value: [{ name: 'roof', driver: 'recording', geometry: gateway.array, file: gateway.audio }],
    },
    {
      path: ['plateReaders'],
      value:
        readerPort === null
          ? []
          : [{ name: 'gate', driver: 'serial', port: readerPort, layout: 'auto-intellect', lane: '1' }],
    },
    { path: ['hotlist', 'lists'], value: [{ name: 'demo' }] },
    { path: ['weather'], value: gateway.weather },
    { path: ['uplink', 'brokers'], value: [url] },
    { path: ['uplink', 'protocol'], value: values.broker === undefined && !values.mosquitto ? '3.1.1' : 'auto' },
    // The demo's broker is on this machine and speaks plainly.
    { path: ['uplink', 'tls'], value: undefined },
    { path: ['uplink', 'hubKey'], value: join(folder, 'hub.pub') },
  ])
  const file = join(folder, `${gateway.id}.yaml`)
  writeFileSync(file, text)
  return file
}

async function startBroker(port: number): Promise<void> {
  if (values.mosquitto) {
    const file = join(folder, 'mosquitto.conf')
    writeFileSync(file, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type none\n`)
    keep('broker', () =>
      spawn('mosquitto', ['-c', file], {
        stdio: 'ignore',
        env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
      }),
    )
  } else {
    const broker = join(process.cwd(), 'dist', 'scripts', 'demonstration', 'broker.js')
    keep('broker', () => spawn(process.execPath, [broker, String(port)], { stdio: ['ignore', 'ignore', 'inherit'] }))
  }
  await sleep(0.5)
}

function keep(name: string, start: () => ReturnType<typeof spawn>): Keeper {
  const keeper = new Keeper(name, start)
  keepers.push(keeper)
  return keeper
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 18830
}

function writable(path: string): boolean {
  try {
    return statSync(path).isDirectory() && (process.getuid?.() === 0 || (statSync(path).mode & 0o002) !== 0)
  } catch {
    return false
  }
}

function tail(file: string, lines: number): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  } catch {
    return '(nothing)'
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
