/*
 * Measures delivery against Mosquitto on loopback, every part a process of its own as on a pole:
 *
 *   drain    a backlog of 100,000 alerts, by polewatch's uplink and by bare mqtt.js with QoS 1 in turn, both to the same
 *            subscriber, which counts and, for polewatch, acknowledges as a hub does but verifies nothing: a hub's work is
 *            not the sender's. Gunshots are appended meanwhile.
 *   verified the same drain with the hub module, which verifies every signature
 *   latency  at 20 alerts a second from `append` to the hub module's application, which has verified the signature, and to the
 *            subscriber that counts; beside append + fdatasync on the same disk and a message of the same size from bare
 *            mqtt.js to bare mqtt.js through the same broker
 *
 *   npm run bench:delivery [-- --alerts 100000] [--rounds 3] [--folder ON_THE_DISK_TO_MEASURE] [--profile FOLDER]
 *                          [--only latency | --only drain] [--json]
 */
import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as z from 'zod'
import { Delivery } from '../../gateway/journal/delivery.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { createSigningKey, privateKeyPem, publicKeyPem } from '../../gateway/messages/keys.js'
import { mosquittoProgram, startableMosquitto } from './mosquitto.js'
import { Program } from './program.js'
import { until } from './waiting.js'

const { values } = parseArgs({
  options: {
    alerts: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    folder: { type: 'string', default: tmpdir() },
    profile: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
if (values.only !== undefined && values.only !== 'latency' && values.only !== 'drain') {
  process.stderr.write('--only is latency or drain.\n')
  process.exit(2)
}
if (mosquittoProgram === undefined) {
  process.stderr.write('Mosquitto is not installed; the benchmark needs it (Debian: apt-get install mosquitto).\n')
  process.exit(2)
}

/** What Linux calls tmpfs by, see statfs(2). */
const memoryFileSystem = 0x01021994
/** Alerts under way with the broker, by default of the configuration; bare mqtt.js gains little beyond. */
const window = 20
const latencyAlerts = 400
/** What goes before and is not measured: a role has sealed and read its heartbeats since it started, and the engine has translated that. */
const warmUpAlerts = 800
const alerts = Number(values.alerts)
const rounds = Number(values.rounds)
const drained = z.object({ milliseconds: z.number(), sent: z.number(), sentAgain: z.number() })

const folder = mkdtempSync(join(values.folder, 'polewatch-delivery-'))
const bells = runtimeFolder()
const hubKey = createSigningKey()
const keys = {
  uplinkKey: privateKeyPem(createSigningKey()),
  sensingKey: privateKeyPem(createSigningKey()),
  hubKey: publicKeyPem(hubKey.publicKey),
}
// With Nagle's algorithm, as by default, the broker would hold an alert back for up to 40 ms behind another small packet.
const broker = await startableMosquitto({ configuration: 'set_tcp_nodelay true\n' })
try {
  await broker.up()
  const result = await measure()
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
  else tell(result)
  if (!result.kept) process.exitCode = 1
} finally {
  await broker.remove()
  for (const each of [folder, bells]) rmSync(each, { recursive: true, force: true })
}

/** In memory, where there is such a place, as the folder of the bells is on a pole. */
function runtimeFolder(): string {
  const places = [process.env.XDG_RUNTIME_DIR, '/run', '/dev/shm'].filter(place => place !== undefined)
  for (const place of places) {
    try {
      if (statfsSync(place).type === memoryFileSystem) return mkdtempSync(join(place, 'polewatch-bells-'))
    } catch {
      // The next one.
    }
  }
  return mkdtempSync(join(folder, 'bells-'))
}

async function measure() {
  // One hub for both: one that begins in the middle of the gunshots' stream waits once for what came before.
  const { ways, verified } = await withListener('bench-hub', async hub => ({
    ways: values.only === 'drain' ? null : await latencies(hub),
    verified: values.only === 'latency' ? null : await verifiedDrain(hub),
  }))
  const latency = ways === null ? null : await measureLatency(ways)
  const drains = verified === null ? null : { ...verified, ...(await measureDrains()) }
  const prompt =
    latency === null ||
    (latency.arrival.p50 - latency.disk.p50 <= 2 && latency.appendToHub.p99 - latency.disk.p99 <= 20)
  const fast = drains === null || (drains.ratio >= 0.5 && drains.shot.p99 < 100 && drains.shotDuringVerified.p99 < 100)
  return { kept: prompt && fast, latency, drains }
}

async function measureLatency(verified: Awaited<ReturnType<typeof latencies>>) {
  const { appendToHub: arrival } = await withListener('bench-subscriber', latencies)
  return { ...verified, arrival, hop: percentiles(await hops()) }
}

async function verifiedDrain(hub: Program) {
  const filling = performance.now()
  await writer('fill', alerts, 0, false).ended()
  const filled = alerts / ((performance.now() - filling) / 1000)
  const shots: number[] = []
  const verified = await drain(hub, shots)
  return { alerts, filled, verified, shotDuringVerified: percentiles(shots) }
}

async function measureDrains() {
  const rates: { polewatch: number; plain: number; ratio: number }[] = []
  const shots: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const { plain, polewatch } = await withListener('bench-subscriber', async other => ({
      plain: await rateOf(new Program('bench-plain', { folder, broker: broker.url, window })),
      polewatch: await drain(other, shots),
    }))
    rates.push({ polewatch, plain, ratio: polewatch / plain })
  }
  return { rounds: rates, ratio: median(rates.map(each => each.ratio)), shot: percentiles(shots) }
}

/** Milliseconds that a message takes between two bare clients at the rate of the alerts. */
async function hops(): Promise<number[]> {
  const lines = await withListener('bench-subscriber', async subscriber => {
    await new Program('bench-plain', { broker: broker.url, count: warmUpAlerts + latencyAlerts, interval: 50 }).ended()
    return subscriber.lines.filter(line => line.startsWith('hop '))
  })
  return lines.slice(warmUpAlerts).map(line => Number(line.split(' ')[1]))
}

async function withListener<Result>(name: string, work: (hub: Program) => Promise<Result>): Promise<Result> {
  const hub = new Program(name, { broker: broker.url, hubKey: privateKeyPem(hubKey) })
  try {
    await until(`${name} is ready`, () => hub.lines.includes('ready'))
    return await work(hub)
  } finally {
    await hub.kill()
  }
}

/** Makes the backlog undelivered again; gunshots that have arrived stay delivered. */
function forgetBacklog(): void {
  const journal = new JournalReader(join(folder, 'sensing.journal.db'))
  const progress = Delivery.open({ path: join(folder, 'uplink.delivery.db'), clock: () => Date.now() / 1000 })
  for (const { source, epoch } of journal.streams()) if (source.endsWith('/fault')) progress.forget(source, epoch)
  progress.close()
  journal.close()
}

/** Drains the whole backlog to `other` while a gunshot is appended every 50 ms. Alerts a second. */
async function drain(other: Program, shots: number[]): Promise<number> {
  forgetBacklog()
  const before = other.lines.length
  const uplink = startUplink(values.profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', values.profile])
  // A gunshot that is older than the connection would measure the start of the processes.
  await until('the uplink is connected', () => uplink.lines.includes('online'))
  const shooter = writer('gunfire', 1e6, 50, false)
  const rate = await rateOf(uplink)
  await shooter.kill()
  await uplink.stop()
  const times = arrivalTimes(other.lines.slice(before))
  for (const line of shooter.lines) {
    const [place = '', began = ''] = line.split(' ')
    const came = times.get(place)
    if (came !== undefined) shots.push(came - Number(began))
  }
  return rate
}

/** A gunshot every 50 ms from `append` to the hub module's application, and the disk's own time between two of them. */
async function latencies(hub: Program) {
  const before = hub.lines.length
  const uplink = startUplink([])
  const source = writer('gunfire', warmUpAlerts + latencyAlerts, 50, true)
  await until('all were appended', () => source.lines.includes('done'), 120)
  await until('all arrived', () => arrivalTimes(hub.lines.slice(before)).size >= warmUpAlerts + latencyAlerts)
  await source.kill()
  await uplink.stop()
  const times = arrivalTimes(hub.lines.slice(before))
  const sent = arrivalTimes(uplink.lines)
  const disk: number[] = []
  const committed: number[] = []
  const pickedUp: number[] = []
  const travelled: number[] = []
  const through: number[] = []
  for (const line of source.lines.slice(2 * warmUpAlerts)) {
    const [place = '', value = '', confirmed = ''] = line.split(' ')
    const came = times.get(place)
    if (place === 'disk') disk.push(Number(value))
    else if (came !== undefined) {
      const handedOver = sent.get(place) ?? Number.NaN
      committed.push(Number(confirmed) - Number(value))
      pickedUp.push(handedOver - Number(confirmed))
      travelled.push(came - handedOver)
      through.push(came - Number(value))
    }
  }
  return {
    appendToHub: percentiles(through),
    appended: percentiles(committed),
    pickedUp: percentiles(pickedUp),
    travelled: percentiles(travelled),
    disk: percentiles(disk),
  }
}

function writer(task: 'fill' | 'gunfire', count: number, interval: number, disk: boolean): Program {
  return new Program('bench-writer', { folder, bells, sensingKey: keys.sensingKey, task, count, interval, disk })
}

function startUplink(nodeOptions: readonly string[]): Program {
  return new Program('bench-uplink', { folder, bells, broker: broker.url, ...keys }, nodeOptions)
}

async function rateOf(program: Program): Promise<number> {
  const report = () => program.lines.find(line => line.startsWith('{'))
  await until('the backlog is drained', () => report() !== undefined, 600)
  const { milliseconds } = drained.parse(JSON.parse(report() ?? '{}'))
  return alerts / (milliseconds / 1000)
}

/** By place, when it came first, in milliseconds since 1970 UTC. */
function arrivalTimes(lines: readonly string[]): Map<string, number> {
  const times = new Map<string, number>()
  for (const line of lines) {
    const [place = '', came = ''] = line.split(' ')
    if (place.includes('#') && !times.has(place)) times.set(place, Number(came))
  }
  return times
}

function percentiles(numbers: readonly number[]) {
  const sorted = [...numbers].sort((left, right) => left - right)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), worst: at(1) }
}

function median(numbers: readonly number[]): number {
  return percentiles(numbers).p50
}

function tell({ latency, drains }: Awaited<ReturnType<typeof measure>>): void {
  const line = (text: string) => process.stdout.write(`${text}\n`)
  const shown = ({ count, p50, p99, worst }: ReturnType<typeof percentiles>) =>
    `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, worst ${worst.toFixed(1)} ms (${count})`
  if (drains !== null) {
    line(`appended ${drains.alerts} alerts at ${drains.filled.toFixed(0)} a second`)
    for (const { polewatch, plain, ratio } of drains.rounds)
      line(`drained at ${polewatch.toFixed(0)} a second, bare mqtt.js at ${plain.toFixed(0)}: ${ratio.toFixed(2)}`)
    line(`median ratio ${drains.ratio.toFixed(2)} (at least 0.5 wanted)`)
    line(`a gunshot meanwhile, append to subscriber: ${shown(drains.shot)} (p99 under 100 ms wanted)`)
    line(
      `drained to the hub module, which verifies: ${drains.verified.toFixed(0)} a second; a gunshot meanwhile: ${shown(drains.shotDuringVerified)}`,
    )
  }
  if (latency === null) return
  const { appendToHub, appended, pickedUp, travelled, disk, hop, arrival } = latency
  line(`append to the hub's computer at 20 a second: ${shown(arrival)}`)
  line(`append to the hub module's application, which has verified it: ${shown(appendToHub)}`)
  line(`of that until it is committed: ${shown(appended)}`)
  line(`then until uplink hands it to the network: ${shown(pickedUp)}`)
  line(`then through the broker to the hub's application: ${shown(travelled)}`)
  line(`append + fdatasync of the disk: ${shown(disk)}`)
  line(`a message of that size between two bare mqtt.js clients: ${shown(hop)}`)
  const above = ({ p50, p99 }: { p50: number; p99: number }) =>
    `p50 ${(p50 - disk.p50).toFixed(1)} ms, p99 ${(p99 - disk.p99).toFixed(1)} ms`
  line(`above the disk, as it comes to the hub: ${above(arrival)} (at most 2 and 20 wanted)`)
  line(`above the disk, as the hub module has verified it: ${above(appendToHub)}`)
}
