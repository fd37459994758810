/*
 * A fleet: 1,000 simulated gateways on one Mosquitto, each with a session and delivery as on a pole and alerts in memory, and a
 * hub that verifies and acknowledges. The broker loses its power and comes back: how long until all gateways are back, how
 * many connected in the busiest second, and whether anything was lost or counted twice.
 *   npm run fleet [-- --gateways 1000] [--away 25] [--rate 100] [--json]     (--away: seconds, --rate: alerts a second of all)
 */
import { parseArgs } from 'node:util'
import { createSigningKey, privateKeyPem } from '../../gateway/messages/keys.js'
import { FleetGateway } from './fleet-gateway.js'
import { mosquittoProgram, startableMosquitto } from './mosquitto.js'
import { Program } from './program.js'
import { sleep, until } from './waiting.js'

const { values } = parseArgs({
  options: {
    gateways: { type: 'string', default: '1000' },
    away: { type: 'string', default: '25' },
    rate: { type: 'string', default: '100' },
    json: { type: 'boolean', default: false },
  },
})
if (mosquittoProgram === undefined) {
  process.stderr.write('Mosquitto is not installed; the fleet needs it (Debian: apt-get install mosquitto).\n')
  process.exit(2)
}

const [count, away, rate] = [Number(values.gateways), Number(values.away), Number(values.rate)]
const hubKey = createSigningKey()
const broker = await startableMosquitto({ configuration: 'set_tcp_nodelay true\n' })
const connects: number[] = []
const gateways = Array.from({ length: count }, (_, index) => {
  const onChange = ({ state }: { state: string }) => {
    if (state === 'connecting') connects.push(performance.now())
  }
  const gateway = `pole-${index + 1}`
  return new FleetGateway({ gateway, broker: broker.url, hubKeys: [hubKey.publicKey], onChange })
})
try {
  await broker.up()
  const result = await measure()
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
  else {
    process.stdout.write(
      `${count} gateways, the broker away for ${away} s: all back ${result.backAfter.toFixed(1)} s after its return (at most 15), ` +
        `at most ${result.connectPeak} connections in a second (under 500)\n` +
        `of ${result.alerts} alerts lost ${result.lost}, counted twice ${result.countedTwice}\n`,
    )
  }
  process.exitCode = result.kept ? 0 : 1
} finally {
  await Promise.all(gateways.map(gateway => gateway.stop()))
  await broker.remove()
}

async function measure() {
  const hub = new Program('bench-hub', { broker: broker.url, hubKey: privateKeyPem(hubKey) })
  await until('the hub is ready', () => hub.lines.includes('ready'))
  for (const [index, { session }] of gateways.entries()) {
    session.start()
    if (index % 20 === 19) await sleep(100)
  }
  await until('all are online', () => gateways.every(({ session }) => session.online), 120)
  const appended: string[] = []
  let turn = 0
  const alerting = setInterval(() => {
    const gateway = gateways[turn % count]
    turn += 1
    if (gateway !== undefined) appended.push(gateway.append())
  }, 1000 / rate)
  await sleep(5000)
  await broker.down()
  await sleep(away * 1000)
  const returned = performance.now()
  await broker.up()
  await until('all are back', () => gateways.every(({ session }) => session.online), 120)
  const backAfter = (performance.now() - returned) / 1000
  await sleep(2000)
  clearInterval(alerting)
  const places = () => hub.lines.filter(line => line.includes('#')).map(line => line.split(' ')[0] ?? '')
  try {
    await until('all alerts are acknowledged', () => gateways.every(({ delivered }) => delivered), 120)
  } catch {
    // What is missing is counted below.
  }
  const came = places()
  const arrived = new Set(came)
  await hub.kill()
  const lost = appended.filter(place => !arrived.has(place)).length
  const countedTwice = came.length - arrived.size
  const connectPeak = busiestSecond(connects.filter(moment => moment >= returned))
  const kept = lost + countedTwice === 0 && backAfter <= 15 && connectPeak < 500
  return { gateways: count, away, backAfter, connectPeak, alerts: appended.length, lost, countedTwice, kept }
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
