import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import type { PositionFix } from '../../drivers/gnss/gnss.js'
import { PositionWatch } from '../../gateway/commands/position-watch.js'
import { Role } from '../../gateway/commands/role.js'
import { loadConfiguration } from '../../gateway/config/load.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { openEvent } from '../../gateway/messages/seal.js'
import { writeGateway } from '../uplink/attack.js'

const metre = 1 / 111_195
/** Where the example says that it stands. */
const told = { latitude: 40.4412, longitude: -79.9931 }

function fixAt(north: number): PositionFix {
  const { latitude, longitude } = told
  const place = { latitude: latitude + north * metre, longitude, altitude: 200 }
  return { kind: 'fix', utc: null, ...place, horizontalError: 2, satellites: 9, systemTime: 0, dropped: 0 }
}

class Pole {
  readonly folder: string
  #role: Role
  watch: PositionWatch
  #at = 0

  constructor(t: Test) {
    this.folder = t.testdir()
    const keys = { hub: createSigningKey(), operator: createSigningKey() }
    writeGateway(this.folder, 'mqtt://127.0.0.1:1', keys, [
      { path: ['gnss'], value: [{ driver: 'nmea', port: '/dev/null', surveySeconds: 600 }] },
      { path: ['log'], value: { level: 'fatal' } },
    ])
    ;[this.#role, this.watch] = this.#start()
    t.teardown(() => this.#role.close())
  }

  #start(): [Role, PositionWatch] {
    const configuration = loadConfiguration(join(this.folder, 'gateway.yaml'))
    const [settings] = configuration.gnss
    if (settings === undefined) throw new Error('no receiver')
    const role = new Role('sensing', configuration)
    return [role, new PositionWatch(role, settings)]
  }

  /** The unit is switched off and on again. */
  restart(): void {
    this.#role.close()
    ;[this.#role, this.watch] = this.#start()
  }

  stand(north: number, seconds: number): void {
    const end = this.#at + seconds
    for (; this.#at < end; this.#at += 10) this.watch.take(fixAt(north), this.#at)
  }

  get part() {
    return this.#role.parts.find(({ part }) => part === 'position')
  }

  /** Alerts as `moved raised`. */
  async alerts(): Promise<string[]> {
    await new Promise(resolve => setTimeout(resolve, 100))
    const reader = new JournalReader(join(this.folder, 'state', 'sensing.journal.db'))
    const rows = reader.streams().flatMap(({ source, epoch }) => reader.read(source, epoch, 0, 100))
    reader.close()
    return rows.map(({ bytes }) => {
      const event = openEvent(bytes)
      if (event.name === 'tamper') return `${event.data.tamper} ${event.data.state}`
      return event.name === 'fault' ? `${event.data.fault} ${event.data.state}` : event.name
    })
  }
}

test('a pole that stands where its configuration says is surveyed and nothing is told', async t => {
  const pole = new Pole(t)
  pole.stand(1, 500)
  t.equal(pole.part, undefined, 'nothing is claimed before the survey is over')
  pole.stand(1, 400)
  t.match(pole.part, { state: 'ready', detail: /Surveyed at 40\.4412\d+, -79\.9931/ })
  t.ok(existsSync(join(pole.folder, 'state', 'survey.json')))
  t.same(await pole.alerts(), [])
})

test('a position that was entered wrong is a fault that names the right one', async t => {
  const pole = new Pole(t)
  pole.stand(80, 900)
  t.match(pole.part, { state: 'faulty', fault: 'position-wrong', detail: /80 m .*40\.4419/ })
  t.same(await pole.alerts(), ['position-wrong raised'])
})

test('a pole that is carried away is tamper, once, also when it was without power meanwhile, and over when it is back', async t => {
  const pole = new Pole(t)
  pole.stand(0, 900)
  pole.stand(60, 600)
  t.same(await pole.alerts(), ['moved raised'])
  pole.stand(0, 100)
  t.same(await pole.alerts(), ['moved raised', 'moved cleared'])
  pole.restart()
  pole.stand(200, 600)
  t.same(await pole.alerts(), ['moved raised', 'moved cleared', 'moved raised'])
})
