import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { privateKeyPem, publicKeyPem } from '../../gateway/messages/keys.js'
import { brokerKinds } from './brokers.js'
import { collect, inOrder } from './collected.js'
import { hubKey, sensingKey, site, uplinkKey } from './events.js'
import { until } from './gateway.js'

// Each start of a process costs a second or two; one broker for all five is enough.
const kills = (broker: string) => (broker.startsWith('aedes') ? 2 : 5)
const perRound = 25

const faults = `/${site}/pole-1/sensing/fault`

for (const kind of brokerKinds) {
  test(`a sender killed ${kills(kind.name)} times loses nothing that was confirmed, with ${kind.name}`, {
    skip: kind.missing,
  }, async t => {
    const broker = await kind.create()
    t.teardown(() => broker.remove())
    await broker.up()

    const folder = t.testdir()
    const hub = await collect(t, broker)
    const confirmed = new Set<number>()
    const total = perRound * (kills(kind.name) + 1)
    const settings = {
      gateway: 'pole-1',
      folder,
      broker: broker.url,
      uplinkKey: privateKeyPem(uplinkKey),
      sensingKey: privateKeyPem(sensingKey),
      hubKey: publicKeyPem(hubKey.publicKey),
      total,
      interval: 2,
    }
    const launch = (): ChildProcess => {
      const program = fileURLToPath(new URL('./sender.js', import.meta.url))
      const last = Math.max(0, ...confirmed)
      const child = spawn(process.execPath, [program, JSON.stringify(settings), String(last)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      child.stdout?.on('data', (chunk: Buffer) => {
        for (const line of chunk.toString().split('\n')) if (line !== '') confirmed.add(Number(line))
      })
      return child
    }
    const kill = async (child: ChildProcess) => {
      const gone = new Promise(resolve => child.once('close', resolve))
      child.kill('SIGKILL')
      await gone
    }
    for (let round = 1; round <= kills(kind.name); round += 1) {
      const child = launch()
      await until(`round ${round}`, () => confirmed.size >= round * perRound)
      await kill(child)
    }
    const child = launch()
    t.teardown(() => kill(child))
    await until('everything confirmed', () => confirmed.size > 0 && Math.max(...confirmed) >= total)
    await until('everything at the hub', () => hub.events.length >= total)
    t.equal(new Set(hub.events).size, hub.events.length, 'none twice')
    t.ok(inOrder(hub.events, faults))
    const arrived = new Set(hub.events.map(event => Number(event.split('#')[1])))
    t.same(
      [...confirmed].filter(number => !arrived.has(number)),
      [],
    )
    t.notOk(hub.outputs.some(output => output.kind === 'gap'))
  })
}
