/*
 * A fleet: 1,000 simulated gateways on one Mosquitto with TLS 1.3 and client certificates, each with the journal, uplink's file,
 * session and delivery of a pole, and a hub that verifies and acknowledges. The broker loses its power and comes back, once for
 * each length of absence: how long until all gateways are back, how many connected in the busiest second, and whether anything
 * was lost or counted twice. The journals lie in memory: on poles a thousand disks carry them, here it would be one.
 *   npm run fleet [-- --gateways 1000] [--away 2,10,29] [--rate 100] [--plain] [--json]
 *     --away: seconds, --rate: alerts a second of all, --plain: without TLS
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createSigningKey, privateKeyPem } from '../../gateway/messages/keys.js'
import { clientTls, makeCertificates } from './certificates.js'
import { gunfireDraft } from './drafts.js'
import { PolelessGateway } from './gateway.js'
import { mosquittoProgram, startableMosquitto } from './mosquitto.js'
import { Program } from './program.js'
import { sleep, until } from './waiting.js'

const { values } = parseArgs({
  options: {
    gateways: { type: 'string', default: '1000' },
    away: { type: 'string', default: '2,10,29' },
    rate: { type: 'string', default: '100' },
    plain: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
if (mosquittoProgram === undefined) {
  process.stderr.write('Mosquitto is not installed; the fleet needs it (Debian: apt-get install mosquitto).\n')
  process.exit(2)
}

const [count, rate] = [Number(values.gateways), Number(values.rate)]
const absences = values.away.split(',').map(Number)
/** Milliseconds. A loss sooner than half a minute after the last one counts as the same outage, in which waits have grown. */
const settling = 35_000
const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'polewatch-fleet-'))
process.once('exit', () => rmSync(root, { recursive: true, force: true }))
const certificates = values.plain ? undefined : makeCertificates(root)
const security = certificates === undefined ? {} : { certificates }
const tls = certificates === undefined ? undefined : clientTls(certificates)
const hubKey = createSigningKey()
const broker = await startableMosquitto({ configuration: 'set_tcp_nodelay true\n', ...security })
const attempts: number[] = []
const gateways: PolelessGateway[] = []
let ended = false
const tell = (line: string) => {
  if (!values.json) process.stdout.write(`${line}\n`)
}
try {
  await broker.up()
  const result = await measure()
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
  process.exitCode = result.kept ? 0 : 1
} finally {
  await Promise.all(gateways.map(gateway => gateway.close()))
  await broker.remove()
}

/** A gateway in a folder of its own, which connects at once. */
function gatewayOf(number: number): PolelessGateway {
  const gateway = `pole-${number}`
  const folder = join(root, gateway)
  mkdirSync(folder)
  // The room that a journal keeps for a full disk, which would be 4 GB of memory for all: here it is empty.
  writeFileSync(join(folder, 'sensing.journal.db.reserve'), '')
  return new PolelessGateway({
    gateway,
    folder,
    broker: broker.url,
    uplinkKey: createSigningKey(),
    sensingKey: createSigningKey(),
    hubKeys: [hubKey.publicKey],
    session: {
      tls,
      onChange: ({ state }) => {
        if (state === 'connecting') attempts.push(performance.now())
      },
    },
  })
}

async function measure() {
  const hub = new Program('bench-hub', { broker: broker.url, hubKey: privateKeyPem(hubKey), tls })
  await until('the hub is ready', () => hub.lines.includes('ready'))
  for (let number = 1; number <= count; number += 1) {
    gateways.push(gatewayOf(number))
    if (number % 10 === 0) await sleep(50)
  }
  await until('all are online', () => gateways.every(({ session }) => session.online), 300)
  tell(`${count} gateways are online${values.plain ? '' : ' with TLS 1.3'}; they give ${rate} alerts a second together`)
  const appended: string[] = []
  const alerting = raiseAlerts(appended)
  const outages: { away: number; backAfter: number; connectPeak: number }[] = []
  for (const away of absences) {
    await sleep(settling)
    await broker.down()
    await sleep(away * 1000)
    const returned = performance.now()
    await broker.up()
    await until('all are back', () => gateways.every(({ session }) => session.online), 120)
    const backAfter = (performance.now() - returned) / 1000
    const connectPeak = busiestSecond(attempts.filter(moment => moment >= returned))
    outages.push({ away, backAfter, connectPeak })
    tell(
      `the broker away for ${away} s: all back ${backAfter.toFixed(1)} s after its return (at most 15), ` +
        `at most ${connectPeak} connections in a second (under 500)`,
    )
  }
  await sleep(2000)
  ended = true
  await alerting
  const places = () => hub.lines.filter(line => line.includes('#')).map(line => line.split(' ')[0] ?? '')
  try {
    await until('all alerts are acknowledged', () => gateways.every(gateway => gateway.delivered()), 120)
    await until('the hub has told of all', () => new Set(places()).size >= appended.length, 10)
  } catch {
    // What is missing is counted below.
  }
  const came = places()
  const arrived = new Set(came)
  await hub.kill()
  const lost = appended.filter(place => !arrived.has(place)).length
  const countedTwice = came.length - arrived.size
  tell(`of ${appended.length} alerts lost ${lost}, counted twice ${countedTwice}`)
  const prompt = outages.every(({ backAfter, connectPeak }) => backAfter <= 15 && connectPeak < 500)
  return {
    gateways: count,
    tls: !values.plain,
    outages,
    alerts: appended.length,
    lost,
    countedTwice,
    kept: prompt && lost + countedTwice === 0,
  }
}

/** Appends to one gateway after the other until it has ended, and notes each alert once it is committed. */
async function raiseAlerts(appended: string[]): Promise<void> {
  const committing: Promise<unknown>[] = []
  const begun = performance.now()
  for (let turn = 0; !ended; turn += 1) {
    const gateway = gateways[turn % count]
    const draft = gunfireDraft(`incident-${turn}`)
    if (gateway !== undefined) committing.push(gateway.append(draft).then(place => appended.push(place)))
    await sleep(Math.max(0, begun + ((turn + 1) * 1000) / rate - performance.now()))
  }
  await Promise.all(committing)
}

/** Most of the moments (milliseconds, ascending) that lie within any one second. */
function busiestSecond(moments: readonly number[]): number {
  let first = 0
  let most = 0
  for (const [index, moment] of moments.entries()) {
    while ((moments[first] ?? moment) <= moment - 1000) first += 1
    most = Math.max(most, index - first + 1)
  }
  return most
}
