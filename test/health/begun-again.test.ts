import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Test, test } from 'tap'
import type { Camera, CameraFrame } from '../../drivers/camera/camera.js'
import type { Driver, StateReport } from '../../drivers/driver.js'
import type { AudioBlock } from '../../drivers/microphone-array/microphone-array.js'
import { CueBoard } from '../../gateway/commands/cues.js'
import { evidenceStore } from '../../gateway/commands/evidence-files.js'
import { hear } from '../../gateway/commands/hear.js'
import { KeptFaults } from '../../gateway/commands/kept-faults.js'
import { MeasuredAir } from '../../gateway/commands/measured-air.js'
import { Role } from '../../gateway/commands/role.js'
import { feedWatchdog, healthKey } from '../../gateway/commands/role-health.js'
import { watchCameras } from '../../gateway/commands/watch-camera.js'
import { loadConfiguration } from '../../gateway/config/load.js'
import { loadPolicy } from '../../gateway/config/policy-file.js'
import { ExchangeReader } from '../../gateway/journal/exchange.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { openEvent } from '../../gateway/messages/seal.js'
import type { GatewayRole } from '../../gateway/messages/stream.js'
import { messageTypes } from '../../gateway/messages/table.js'
import { folderOf, RunningCommand } from '../commands/polewatch.js'
import { PseudoTerminal } from '../drivers/pseudo-terminal.js'
import { EventTime } from '../simulations/fault-day/event-time.js'
import { writeGateway } from '../uplink/attack.js'
import { until } from '../uplink/gateway.js'

/** A role of a gateway with these devices, by a clock of its own. */
function roleOf(t: Test, name: GatewayRole, devices: { path: string[]; value: unknown }[]) {
  const keys = { hub: createSigningKey(), operator: createSigningKey() }
  const file = writeGateway(folderOf(t), 'mqtt://127.0.0.1:1', keys, [
    { path: ['gateway', 'timeError'], value: 0.001 },
    { path: ['log'], value: { level: 'fatal' } },
    ...devices,
  ])
  const time = new EventTime(1_772_340_000)
  const role = new Role(name, loadConfiguration(file), time)
  const controller = new AbortController()
  t.teardown(() => {
    controller.abort()
    role.close()
  })
  const faultOf = (part: string) => role.parts.find(each => each.part === part)?.fault ?? null
  /** Lets seconds pass one by one, since device files and journal are read and written in real time. */
  const run = async (seconds: number, enough: () => boolean = () => false) => {
    for (let second = 0; second < seconds && !enough(); second += 1) {
      await pause(5)
      await time.runUntil(time.monotonic() + 1)
    }
  }
  return { role, time, controller, signal: controller.signal, faultOf, run }
}

/** Gives a reading a second until it breaks. */
class Breaking<Reading extends { readonly kind: string }> implements Driver<Reading> {
  readonly name: string
  readonly #time: EventTime
  readonly #reading: (second: number) => Reading | null

  /** @param reading of each second; null where the driver breaks */
  constructor(name: string, time: EventTime, reading: (second: number) => Reading | null) {
    this.name = name
    this.#time = time
    this.#reading = reading
  }

  async *readings(signal: AbortSignal): AsyncGenerator<Reading | StateReport, void, void> {
    yield { kind: 'state', state: 'ready', fault: null, detail: 'It is there.' }
    for (let second = 0; !signal.aborted; second += 1) {
      await this.#time.sleep(1, signal)
      const reading = this.#reading(second)
      if (reading === null) throw new Error('nobody has thought of this')
      yield reading
    }
  }
}

const array = (name: string) => ({ name, driver: 'alsa', device: `hw:CARD=${name}`, geometry: 'mono' })
const camera = (name: string) => ({ name, driver: 'simulator', plates: ['POLE123'], interval: 60 })

test('a microphone that is mended after its array was begun again is told as well', async t => {
  const { role, time, signal, faultOf, run } = roleOf(t, 'sensing', [
    { path: ['microphoneArrays'], value: [array('roof')] },
  ])
  const policy = loadPolicy(null)
  let mended = false
  const block = (second: number): AudioBlock | null => {
    if (second === 60 && !mended) {
      mended = true
      return null
    }
    const sample = (index: number): number => (mended ? 0.01 * Math.sin(index ** 2) : 0)
    const channels = [Float32Array.from({ length: 8000 }, (_, index) => sample(index))]
    const systemTime = time.system() - 1
    return { kind: 'audio', channels, sampleRate: 8000, firstSample: second * 8000, systemTime, systemTimeError: 0.001 }
  }
  const store = evidenceStore(role.configuration, policy.policy, 'sensing')
  const air = new MeasuredAir(role.configuration.weather)
  void hear(role, policy, store, air, null, signal, async ({ name }) => new Breaking(name, time, block))
  await run(58)
  t.equal(faultOf('roof microphone 1'), 'microphone-dead')
  // Less than it has run before: its samples are counted from the beginning again.
  await run(32)
  t.ok(mended)
  t.equal(faultOf('roof microphone 1'), null)
})

/** A picture of stripes, another each second; black where it is covered. */
function frameAt(second: number, dark: boolean): CameraFrame {
  const [width, height] = [64, 48]
  const data = new Uint8Array(3 * width * height).map((_, index) =>
    dark ? 0 : (Math.floor(index / 12) % 2) * 200 + (second % 7),
  )
  return { kind: 'frame', width, height, data, systemTime: 0, systemTimeError: 0.1, dropped: 0 }
}

test('a camera that sees again after it was begun again is told as well', async t => {
  const { role, time, signal, faultOf, run } = roleOf(t, 'vision', [{ path: ['cameras'], value: [camera('street')] }])
  let broken = false
  const frame = (second: number): CameraFrame | null => {
    if (second === 30 && !broken) {
      broken = true
      return null
    }
    return frameAt(second, !broken)
  }
  const open = ({ name }: { name: string }): Camera => new Breaking(name, time, frame)
  void watchCameras(role, { take: async () => {} }, loadPolicy(null).policy, new CueBoard(), signal, open)
  await run(28)
  t.equal(faultOf('street picture'), 'camera-blind')
  await run(30)
  t.ok(broken)
  t.equal(faultOf('street picture'), null)
})

/** The folder of a gateway whose sensing is begun again and again, by a clock that is set by hand, and what the hub is told by it. */
function sensingIn(t: Test, devices: { path: string[]; value: unknown }[] = []) {
  const folder = folderOf(t)
  const keys = { hub: createSigningKey(), operator: createSigningKey() }
  const quiet = { path: ['log'], value: { level: 'fatal' } }
  const file = writeGateway(folder, 'mqtt://127.0.0.1:1', keys, [quiet, ...devices])
  const journal = join(folder, 'state', 'sensing.journal.db')
  const kept = join(folder, 'state', 'sensing.faults.json')
  const told = () => {
    const reader = new JournalReader(journal)
    try {
      const rows = reader.streams().flatMap(({ source, epoch }) => reader.read(source, epoch, 0, 100))
      return rows.map(({ bytes }) => openEvent(bytes)).flatMap(event => (event.name === 'fault' ? [event.data] : []))
    } finally {
      reader.close()
    }
  }
  /** Lets a process of the role live that long, seconds, after what it does. */
  const live = async (act: (role: Role) => void = () => {}, seconds = 0) => {
    const time = new EventTime(1_772_340_000)
    const role = new Role('sensing', loadConfiguration(file), time)
    act(role)
    await time.runUntil(seconds)
    feedWatchdog(role)
    await role.faultsTold()
    role.close()
  }
  const states = () => told().map(({ part, fault, state }) => `${part} ${fault} ${state}`)
  return { file, journal, kept, told, states, live }
}

const gone = (role: Role) => role.raise('roof', 'absent', 'device-absent', 'It has gone.', 'PW_DEVICE_ABSENT')

test('a fault is told once however often its role is begun again, and as over with the time at which it began', async t => {
  const { told, live } = sensingIn(t)
  const since = '2026-03-01T04:40:00.000Z'
  await live(gone)
  for (const seconds of [5, 700]) await live(gone, seconds)
  t.match(told(), [{ part: 'roof', fault: 'device-absent', state: 'raised', since }])
  await live(role => role.ready('roof', 'It works.'), 5)
  await live(role => role.ready('roof', 'It works.'), 700)
  t.match(told(), [{ state: 'raised' }, { state: 'cleared', detail: 'It works.', since }])
  t.equal(told().length, 2)
})

test('the fault of a part that is no more is told as over ten minutes after its role was begun again', async t => {
  const { told, live } = sensingIn(t)
  await live(gone)
  await live(() => {}, 599)
  t.equal(told().length, 1)
  await live(() => {}, 600)
  t.match(told(), [{ state: 'raised' }, { state: 'cleared', part: 'roof', detail: /^Nothing was said of it/ }])
})

test('what a lost journal told is told as over at once, and again where it is still so', async t => {
  const { journal, states, live } = sensingIn(t)
  await live(gone)
  for (const more of ['', '-wal', '-shm']) rmSync(`${journal}${more}`, { force: true })
  writeFileSync(journal, 'garbage '.repeat(1000))
  await live(gone)
  t.same(states(), ['roof device-absent cleared', 'journal journal-damaged raised', 'roof device-absent raised'])
  await live(gone, 600)
  t.same(states().slice(3), ['journal journal-damaged cleared'], 'what the new one told is known')
})

test('a damaged file of faults is begun anew, and one that cannot be written is warned of once', async t => {
  const { kept, states, live } = sensingIn(t)
  for (const _ of ['raised', 'known']) await live(gone)
  t.match(JSON.parse(readFileSync(kept, 'utf8')), [{ part: 'roof', fault: 'device-absent' }])
  for (const damage of ['{"part":', '[{"part":"roof","fault":"device-absent","since":"once","epoch":"epoch"}]']) {
    writeFileSync(kept, damage)
    await live(gone)
    t.match(JSON.parse(readFileSync(kept, 'utf8')), [{ part: 'roof', fault: 'device-absent' }])
  }
  t.same(
    states(),
    Array(3).fill('roof device-absent raised'),
    'once more after each damage, since nobody knew of it any more',
  )
  rmSync(kept)
  mkdirSync(kept)
  await live(gone)
  t.equal(states().length, 4)
  const warnings: string[] = []
  const faults = new KeptFaults(join(kept, '..'), 'sensing', message => warnings.push(message))
  for (const part of ['roof', 'gate']) {
    const data = { part, fault: 'silent', detail: 'It says nothing.', code: null, since: '2026-03-01T04:40:00.000Z' }
    faults.committed({ ...data, state: 'raised' }, 'epoch')
    await pause(1)
  }
  t.same(
    warnings.map(message => message.replace(/: .*/, '')),
    ['sensing.faults.json cannot be read, and is begun anew', 'sensing.faults.json cannot be saved'],
  )
})

test('processes of a role that follow each other tell of a reader that is not there once, and once that it is', async t => {
  const line = join(folderOf(t), 'line')
  const { file, journal, kept, states } = sensingIn(t, [
    { path: ['plateReaders'], value: [{ name: 'gate', driver: 'serial', port: line, layout: 'vaxtor' }] },
  ])
  const health = new ExchangeReader(join(dirname(file), 'run', 'sensing.exchange.db'))
  t.teardown(() => health.close())
  /** Lets a process run until it says of the reader what it should. */
  const live = async (end: 'SIGTERM' | 'SIGKILL', fault: string | null) => {
    const began = Date.now() / 1000
    const role = new RunningCommand('sensing', '--config', file)
    t.teardown(() => role.stop())
    await until(`the reader has ${fault}`, () => {
      const said = existsSync(journal) ? health.get(healthKey) : undefined
      if (said === undefined || said.setAt < began) return false
      const parts = messageTypes.health.data.shape.parts.parse(JSON.parse(said.body.toString('utf8')))
      return parts.some(({ part, fault: its }) => part === 'gate' && its === fault)
    })
    if (fault !== null) await until('it is kept', () => existsSync(kept))
    role.child.kill(end)
    await new Promise(resolve => role.child.once('exit', resolve))
  }
  await live('SIGKILL', 'device-absent')
  await live('SIGTERM', 'device-absent')
  const cable = await PseudoTerminal.plug(line)
  t.teardown(() => cable.unplug())
  await live('SIGTERM', null)
  t.same(
    states().filter(each => each.startsWith('gate')),
    ['gate device-absent raised', 'gate device-absent cleared'],
  )
})
