import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import mqtt from 'mqtt'
import { createSigningKey, privateKeyPem, publicKeyPem } from '../../gateway/messages/keys.js'
import type { TlsMaterial } from '../../gateway/uplink/connection-options.js'
import type { CrashPlan } from './crash-plan.js'
import type { TestBroker } from './mosquitto.js'
import { Program } from './program.js'
import { sleep, until } from './waiting.js'

export interface CrashResult {
  readonly sender: 'polewatch' | 'mqtt.js'
  readonly seed: number
  /** Alerts that the sender was told, or believed, to be in safe hands. */
  readonly accepted: number
  readonly senderKills: number
  readonly outages: number
  readonly hubKills: number
  readonly lost: number
  readonly outOfOrder: number
  /** Given to the application twice. */
  readonly undetectedDuplicates: number
  /** Sent again although it had been sent. */
  readonly wireDuplicates: number
  readonly wireLimit: number
  readonly seconds: number
  /** Whether everything is as promised. */
  readonly kept: boolean
}

/** Alerts that the sender has under way with the broker, as by default. */
const window = 20

/** How long the end may take, seconds: longer than the longest reconnect and the first repetition together. */
const patience = 90

/** Runs the plan with polewatch's journal, uplink and hub module. */
export async function crashPolewatch(
  plan: CrashPlan,
  folder: string,
  broker: TestBroker,
  tls: TlsMaterial,
): Promise<CrashResult> {
  const began = performance.now()
  const hubKey = createSigningKey()
  const keys = { uplinkKey: privateKeyPem(createSigningKey()), sensingKey: privateKeyPem(createSigningKey()) }
  const common = { folder, broker: broker.url, tls }
  const startHub = () => new Program('crash-hub', { ...common, hubKey: privateKeyPem(hubKey) })
  const confirmed = new Map<number, string>()
  const startSender = (first: number) =>
    new Program('crash-sender', {
      ...common,
      ...keys,
      hubKey: publicKeyPem(hubKey.publicKey),
      first,
      last: plan.alerts,
      interval: plan.interval,
    })
  await broker.up()
  let hub = startHub()
  await until('the hub is ready', () => hub.lines.length > 0)
  const hubKills = [...plan.hubKills]
  // One after the other: two that are killed at one time would come back as two.
  let hubBack = Promise.resolve()
  const sender = await disturb(plan, broker, startSender, line => {
    const [number = '', place = ''] = line.split(' ')
    confirmed.set(Number(number), place)
    if (Number(number) >= (hubKills[0] ?? Number.POSITIVE_INFINITY)) {
      hubKills.shift()
      hubBack = hubBack.then(async () => {
        await hub.kill()
        hub = startHub()
      })
    }
    return Number(number)
  })
  const places = () => receivedPlaces(join(folder, 'received'))
  try {
    await until(
      'all have arrived',
      () => [...confirmed.values()].every(place => new Set(places()).has(place)),
      patience,
    )
  } catch {
    // What is missing is counted below.
  }
  await sender.kill()
  await hubBack
  await hub.kill()
  const received = places()
  const arrived = new Set(received)
  const lost = [...confirmed.values()].filter(place => !arrived.has(place)).length
  const sent = linesOf(join(folder, 'sent'))
  const wireDuplicates = sent.length - new Set(sent).size
  const wireLimit = (plan.senderKills.length + plan.outages.length + plan.hubKills.length) * window
  const undetectedDuplicates = received.length - arrived.size
  const outOfOrder = outOfOrderIn(received)
  return {
    sender: 'polewatch',
    seed: plan.seed,
    accepted: confirmed.size,
    senderKills: plan.senderKills.length,
    outages: plan.outages.length,
    hubKills: plan.hubKills.length,
    lost,
    outOfOrder,
    undetectedDuplicates,
    wireDuplicates,
    wireLimit,
    seconds: (performance.now() - began) / 1000,
    kept:
      lost + outOfOrder + undetectedDuplicates === 0 && wireDuplicates <= wireLimit && confirmed.size >= plan.alerts,
  }
}

/** Runs the plan with mqtt.js and the store that it has by default, and a subscriber that nobody kills. */
export async function crashPlain(
  plan: CrashPlan,
  _folder: string,
  broker: TestBroker,
  tls: TlsMaterial,
): Promise<CrashResult> {
  const began = performance.now()
  await broker.up()
  const received: number[] = []
  const subscriber = mqtt.connect(broker.url, { ...definedTls(tls), clientId: 'plain-hub', clean: false })
  subscriber.on('error', () => undefined)
  subscriber.on('message', (_topic, payload) => received.push(Number(payload)))
  await subscriber.subscribeAsync('plain/alert', { qos: 1 })
  const accepted = new Set<number>()
  const sender = await disturb(
    plan,
    broker,
    first =>
      new Program('plain-sender', { broker: broker.url, tls, first, last: plan.alerts, interval: plan.interval }),
    line => {
      accepted.add(Number(line))
      return Number(line)
    },
  )
  // Nothing comes any more once nothing has come for longer than the library takes to connect again.
  for (let count = -1; count !== received.length; await sleep(4000)) count = received.length
  await sender.kill()
  await subscriber.endAsync(true)
  const arrived = new Set(received)
  const lost = [...accepted].filter(number => !arrived.has(number)).length
  let highest = 0
  let outOfOrder = 0
  for (const number of new Set(received)) {
    if (number < highest) outOfOrder += 1
    highest = Math.max(highest, number)
  }
  const duplicates = received.length - arrived.size
  return {
    sender: 'mqtt.js',
    seed: plan.seed,
    accepted: accepted.size,
    senderKills: plan.senderKills.length,
    outages: plan.outages.length,
    hubKills: 0,
    lost,
    outOfOrder,
    undetectedDuplicates: duplicates,
    wireDuplicates: duplicates,
    wireLimit: (plan.senderKills.length + plan.outages.length) * window,
    seconds: (performance.now() - began) / 1000,
    kept: lost + outOfOrder + duplicates === 0,
  }
}

/**
 * Lets a sender send all alerts while it is killed and the broker goes away as planned. `accepted` is told each line of the
 * sender and says which number it accepts. Returns the last sender, which still runs.
 */
async function disturb(
  plan: CrashPlan,
  broker: TestBroker,
  start: (first: number) => Program,
  accepted: (line: string) => number,
): Promise<Program> {
  const kills = [...plan.senderKills]
  const outages = [...plan.outages]
  let last = 0
  let away = Promise.resolve()
  let sender = start(1)
  for (let read = 0; last < plan.alerts || kills.length > 0; ) {
    const line = sender.lines[read]
    if (line !== undefined) {
      read += 1
      last = Math.max(last, accepted(line))
      while (outages[0] !== undefined && last >= outages[0].at) {
        const { length } = outages.shift() ?? { length: 0 }
        away = away.then(async () => {
          await broker.down()
          await sleep(length)
          await broker.up()
        })
      }
      continue
    }
    if (last >= (kills[0] ?? Number.POSITIVE_INFINITY)) {
      kills.shift()
      await sender.kill()
      // What it still said counts.
      for (; read < sender.lines.length; read += 1) last = Math.max(last, accepted(sender.lines[read] ?? ''))
      sender = start(last + 1)
      read = 0
    } else await sleep(1)
  }
  await away
  return sender
}

function receivedPlaces(file: string): string[] {
  return linesOf(file).map(line => {
    const [source = '', , sequence = ''] = line.split(' ')
    return `${source}#${sequence}`
  })
}

function linesOf(file: string): string[] {
  return existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter(line => line !== '')
    : []
}

/** How many came after a later one of their stream. */
function outOfOrderIn(places: readonly string[]): number {
  const highest = new Map<string, number>()
  let count = 0
  for (const place of new Set(places)) {
    const [source = '', sequence = ''] = place.split('#')
    if (Number(sequence) < (highest.get(source) ?? 0)) count += 1
    highest.set(source, Math.max(highest.get(source) ?? 0, Number(sequence)))
  }
  return count
}

function definedTls({ ca, cert, key }: TlsMaterial) {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
}
