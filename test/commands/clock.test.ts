import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { CommandSender } from '../../gateway/hub/index.js'
import { ExchangeReader } from '../../gateway/journal/exchange.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { openEvent } from '../../gateway/messages/seal.js'
import { positionSentence, sentence } from '../drivers/nmea.js'
import { PseudoTerminal } from '../drivers/pseudo-terminal.js'
import { writeGateway } from '../uplink/attack.js'
import { brokerKinds, runningMosquitto } from '../uplink/brokers.js'
import { folderOf, RunningCommand, until } from './polewatch.js'

const [, mosquitto] = brokerKinds

test('what chrony says goes from uplink to sensing, into every arrival and the health, and a lost or set clock gates both', {
  skip: mosquitto?.missing ?? false,
  timeout: 200_000,
}, async t => {
  const broker = await runningMosquitto(t)
  const folder = folderOf(t)
  const keys = { hub: createSigningKey(), operator: createSigningKey() }
  const receiver = join(folder, 'receiver')
  const chronyc = join(folder, 'chronyc')
  const answer = join(folder, 'answer')
  const say = (age: number, skew = 0.5) => {
    const reference = (Date.now() / 1000 - age).toFixed(6)
    writeFileSync(answer, `50505300,PPS,1,${reference},0.000001,0,0,1.5,0.01,${skew},0.0004,0.0001,16.0,Normal\n`)
  }
  say(0)
  writeFileSync(chronyc, `#!/bin/sh\n[ "$*" = "-c -n tracking" ] && cat '${answer}'\n`)
  chmodSync(chronyc, 0o755)
  const file = writeGateway(folder, broker.url, keys, [
    { path: ['clock'], value: { chronyc } },
    { path: ['gnss'], value: [{ driver: 'nmea', port: receiver }] },
  ])
  const line = await PseudoTerminal.plug(receiver)
  t.teardown(() => line.unplug())
  const gateway = new RunningCommand('run', '--config', file, '--json')
  t.teardown(() => gateway.stop())
  await until(() => gateway.errors.includes('"msg":"connected"'), 'the gateway')

  /** The error of the clock in the newest report to the neighbours; undefined while there is none. */
  const clockError = (): number | null | undefined => {
    const exchange = new ExchangeReader(join(folder, 'run', 'sensing.exchange.db'))
    const post = exchange.after(undefined, ['arrival']).posts.at(-1)
    exchange.close()
    if (post === undefined) return undefined
    const event = openEvent(post.body)
    return event.name === 'arrival' ? event.data.clockError : undefined
  }
  await until(() => {
    const error = clockError()
    return error != null && error > 0.0003 && error < 0.001
  }, 'a clock that sensing knows')

  const sender = new CommandSender({ url: broker.url, site: 'test', gateway: 'pole-1', signingKey: keys.hub })
  t.teardown(() => sender.close())
  const status = async () => {
    const request = { name: 'status', arguments: {}, purpose: 'maintenance', requestedBy: 'technician' } as const
    return (await sender.send(request)).data.result
  }
  t.match(await status(), { clock: { source: 'PPS', offset: 0.000001, error: Number } })

  say(7200, 50)
  await until(() => (clockError() ?? 0) > 0.3, 'the error of two hours without a measurement')
  writeFileSync(answer, '506 Cannot talk to daemon\n')
  await until(() => clockError() === null, 'a clock of which nothing is known')
  t.match(await status(), { clock: { source: 'none', error: null } })
  t.match(await until(() => /PW_CLOCK_(UNKNOWN|HOLDOVER)/.exec(gateway.errors)?.[0], 'the fault', 90), /PW_CLOCK_/)
  say(0)
  await until(() => /"part":"clock".*"msg":"cleared"/.test(gateway.errors), 'the end of the fault')

  const speaking = setInterval(() => void line.write(sentence('GNGGA,123519.00,,,,,0,00,99.9,,,,,,')), 200)
  await until(() => gateway.errors.includes('PW_GNSS_NO_FIX'), 'a receiver without a view of the sky')
  clearInterval(speaking)
  const fixes = setInterval(() => void line.write(positionSentence(40.4412, -79.9931)), 200)
  t.teardown(() => clearInterval(fixes))
  await until(() => /"part":"gnss".*"msg":"cleared"/.test(gateway.errors), 'its position')
  clearInterval(fixes)
})
