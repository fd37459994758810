import { setTimeout as pause } from 'node:timers/promises'
import { type Test, test } from 'tap'
import type { Camera, CameraFrame } from '../../drivers/camera/camera.js'
import type { Driver, StateReport } from '../../drivers/driver.js'
import type { AudioBlock } from '../../drivers/microphone-array/microphone-array.js'
import { CueBoard } from '../../gateway/commands/cues.js'
import { evidenceStore } from '../../gateway/commands/evidence-files.js'
import { hear } from '../../gateway/commands/hear.js'
import { MeasuredAir } from '../../gateway/commands/measured-air.js'
import { Role } from '../../gateway/commands/role.js'
import { watchCameras } from '../../gateway/commands/watch-camera.js'
import { loadConfiguration } from '../../gateway/config/load.js'
import { loadPolicy } from '../../gateway/config/policy-file.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import type { GatewayRole } from '../../gateway/messages/stream.js'
import { EventTime } from '../simulations/fault-day/event-time.js'
import { writeGateway } from '../uplink/attack.js'

/** A role of a gateway with these devices, by a clock of its own. */
function roleOf(t: Test, name: GatewayRole, devices: { path: string[]; value: unknown }[]) {
  const keys = { hub: createSigningKey(), operator: createSigningKey() }
  const file = writeGateway(t.testdir(), 'mqtt://127.0.0.1:1', keys, [
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
