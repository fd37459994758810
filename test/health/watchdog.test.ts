import { setMaxListeners } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'tap'
import { createSocket } from 'unix-dgram'
import type { CameraFrame } from '../../drivers/camera/camera.js'
import type { DigitalIo, InputLevel, SwitchEdge } from '../../drivers/digital-io/digital-io.js'
import type { Driver, DriverClock, StateReport } from '../../drivers/driver.js'
import type { PositionFix } from '../../drivers/gnss/gnss.js'
import type { AudioBlock } from '../../drivers/microphone-array/microphone-array.js'
import type { PlateRead } from '../../drivers/plate-reader/plate-reader.js'
import type { Measurement } from '../../drivers/sensor-board/sensor-board.js'
import { CueBoard } from '../../gateway/commands/cues.js'
import { evidenceStore } from '../../gateway/commands/evidence-files.js'
import { hear } from '../../gateway/commands/hear.js'
import { MeasuredAir } from '../../gateway/commands/measured-air.js'
import { readPlates } from '../../gateway/commands/read-plates.js'
import { Role } from '../../gateway/commands/role.js'
import { feedWatchdog } from '../../gateway/commands/role-health.js'
import { watchSwitches } from '../../gateway/commands/switches.js'
import { watchBoards } from '../../gateway/commands/watch-boards.js'
import { watchCamera } from '../../gateway/commands/watch-camera.js'
import { watchPosition } from '../../gateway/commands/watch-position.js'
import { loadConfiguration } from '../../gateway/config/load.js'
import { loadPolicy } from '../../gateway/config/policy-file.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { writeGateway } from '../uplink/attack.js'

/** A clock that is set by hand; who sleeps on it sleeps until the end. */
class SetClock implements DriverClock {
  now = 0
  system = (): number => 1_772_340_000 + this.now
  monotonic = (): number => this.now
  sleep = (_: number, signal: AbortSignal): Promise<void> =>
    new Promise(resolve => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
}

/** A driver that says what it is given to say, and otherwise hangs. */
class HangingDriver<Reading extends { readonly kind: string }> implements Driver<Reading> {
  readonly name: string
  #say: ((item: Reading | StateReport) => void) | null = null

  constructor(name: string) {
    this.name = name
  }

  async *readings(signal: AbortSignal): AsyncGenerator<Reading | StateReport, void, void> {
    while (!signal.aborted) {
      const item = await new Promise<Reading | StateReport | null>(resolve => {
        this.#say = resolve
        signal.addEventListener('abort', () => resolve(null), { once: true })
      })
      if (item !== null) yield item
    }
  }

  async say(item: Reading | StateReport): Promise<void> {
    while (this.#say === null) await turn()
    this.#say(item)
    this.#say = null
    // What it says is heard when the next is asked for.
    await this.asked()
  }

  /** Resolves when somebody waits for what it says. */
  async asked(): Promise<void> {
    while (this.#say === null) await turn()
  }
}

class HangingLines extends HangingDriver<InputLevel | SwitchEdge> implements DigitalIo {
  set(): void {}
}

const state = (state: 'absent' | 'ready', fault: string | null): StateReport => ({
  ...{ kind: 'state', state, fault, detail: 'As it is.' },
})

test('systemd hears that a role is alive only while every part delivers, or has said why it cannot', async t => {
  const folder = t.testdir()
  const keys = { hub: createSigningKey(), operator: createSigningKey() }
  const file = writeGateway(folder, 'mqtt://127.0.0.1:1', keys, [
    { path: ['microphoneArrays'], value: [{ name: 'roof', driver: 'alsa', device: 'hw:CARD=Roof', geometry: 'mono' }] },
    { path: ['plateReaders'], value: [{ name: 'lane-1', driver: 'serial', port: '/dev/lane-1', layout: 'vaxtor' }] },
    { path: ['cameras'], value: [{ name: 'street', driver: 'v4l2', device: '/dev/video9' }] },
    { path: ['gnss'], value: [{ driver: 'nmea', port: '/dev/receiver' }] },
    {
      path: ['sensorBoards'],
      value: [{ name: 'weather', driver: 'firmata', port: '/dev/weather', pinMap: 'uno-weather' }],
    },
    {
      path: ['digitalIo'],
      value: [
        { name: 'gate', driver: 'libgpiod', chip: 'gate box', inputs: [{ name: 'door', use: 'enclosure', line: 1 }] },
      ],
    },
    { path: ['log'], value: { level: 'fatal' } },
  ])
  // The name of a socket is at most 107 bytes long, which the test's own folder may exceed.
  const sockets = mkdtempSync(join(tmpdir(), 'watchdog-'))
  t.teardown(() => rmSync(sockets, { recursive: true }))
  const heard: string[] = []
  const manager = createSocket('unix_dgram')
  manager.on('message', (bytes: Buffer) => heard.push(bytes.toString()))
  manager.bind(join(sockets, 'notify'))
  t.teardown(() => manager.close())
  process.env.NOTIFY_SOCKET = join(sockets, 'notify')
  const clock = new SetClock()
  const configuration = loadConfiguration(file)
  const role = new Role('sensing', configuration, clock)
  delete process.env.NOTIFY_SOCKET

  const policy = loadPolicy(null)
  const evidence = evidenceStore(configuration, policy.policy, 'sensing')
  const air = new MeasuredAir(configuration.weather)
  const controller = new AbortController()
  const { signal } = controller
  setMaxListeners(0, signal)
  const roof = new HangingDriver<AudioBlock>('roof')
  const lane = new HangingDriver<PlateRead>('lane-1')
  const street = new HangingDriver<CameraFrame>('street')
  const receiver = new HangingDriver<PositionFix>('gnss')
  const weather = new HangingDriver<Measurement>('weather')
  const gate = new HangingLines('gate')
  const [camera] = configuration.cameras
  if (camera === undefined) throw new Error('there is no camera')
  const running = Promise.all([
    hear(role, policy, evidence, air, null, signal, async () => roof),
    readPlates(role, policy, signal, async () => lane),
    watchPosition(role, signal, () => receiver),
    watchBoards(role, air, signal, async () => weather),
    watchSwitches(role, signal, async () => gate, clock),
    watchCamera(
      role,
      { take: async () => {} },
      { settings: camera, camera: street, pictures: evidence, cues: new CueBoard() },
      signal,
    ),
  ])
  const all = [roof, lane, receiver, weather, gate, street]
  for (const driver of all) await driver.asked()

  /** Whether systemd is told that the role is alive. */
  const alive = async (): Promise<boolean> => {
    heard.length = 0
    feedWatchdog(role)
    role.manager.status('asked')
    while (!heard.includes('STATUS=asked')) await turn()
    return heard.includes('WATCHDOG=1')
  }
  t.ok(await alive(), 'at first nobody is late')
  clock.now = 61
  t.same(role.overdue.sort(), ['gate', 'gnss', 'lane-1', 'roof', 'street', 'weather'], 'nobody has said a word')
  t.notOk(await alive())
  for (const driver of [roof, receiver, weather, gate, street]) await driver.say(state('absent', 'device-absent'))
  t.same(role.overdue, ['lane-1'])
  t.notOk(await alive(), 'one part that hangs is enough')
  await lane.say(state('ready', null))
  t.same(role.overdue, [])
  t.ok(await alive(), 'all have said why they cannot, or that they can')

  for (const driver of [roof, receiver, weather, gate, street]) await driver.say(state('ready', null))
  clock.now = 3600
  t.same(role.overdue.sort(), ['gnss', 'roof', 'street', 'weather'], 'a door may rest and a lane be empty for an hour')
  const systemTime = clock.system()
  await roof.say({
    ...{ kind: 'audio', channels: [new Float32Array(400)], sampleRate: 8000, firstSample: 0 },
    ...{ systemTime, systemTimeError: 0.001 },
  })
  const place = { latitude: 40.44, longitude: -79.99, altitude: null, horizontalError: 3, satellites: 8 }
  await receiver.say({ kind: 'fix', utc: systemTime, ...place, systemTime, dropped: 0 })
  const air18 = { sensor: 'air', quantity: 'temperature', value: 18, fault: null } as const
  await weather.say({ kind: 'measurement', ...air18, systemTime, dropped: 0 })
  t.same(role.overdue, ['street'])
  const [width, height] = [64, 36]
  const data = new Uint8Array(3 * width * height).fill(90)
  await street.say({ kind: 'frame', width, height, data, systemTime, systemTimeError: 0.1, dropped: 0 })
  t.same(role.overdue, [])
  t.ok(await alive(), 'all deliver')
  const status = async (online: boolean): Promise<string> => {
    heard.length = 0
    feedWatchdog(role, online)
    for (;;) {
      const said = heard.find(notice => notice.startsWith('STATUS='))
      if (said !== undefined) return said
      await turn()
    }
  }
  t.equal(
    await status(true),
    `${await status(false)} Online.`,
    'a trial of an upgrade knows by it that the hub is reached',
  )
  controller.abort()
  await running
  role.close()
})
