import { setTimeout as pause } from 'node:timers/promises'
import { type Test, test } from 'tap'
import type { StateReport } from '../../drivers/driver.js'
import type { AudioBlock, MicrophoneArray } from '../../drivers/microphone-array/microphone-array.js'
import { evidenceStore } from '../../gateway/commands/evidence-files.js'
import { hear } from '../../gateway/commands/hear.js'
import { MeasuredAir } from '../../gateway/commands/measured-air.js'
import { Role } from '../../gateway/commands/role.js'
import { rolePaths } from '../../gateway/commands/role-files.js'
import { loadConfiguration } from '../../gateway/config/load.js'
import { loadPolicy } from '../../gateway/config/policy-file.js'
import { PolewatchError } from '../../gateway/errors.js'
import { keepGoing } from '../../gateway/health/keep-going.js'
import { type FaultNotice, Parts } from '../../gateway/health/parts.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { openEvent } from '../../gateway/messages/seal.js'
import { EventTime } from '../simulations/fault-day/event-time.js'
import { writeGateway } from '../uplink/attack.js'

/** A role with nothing but its parts, and what it told and logged. */
function role() {
  const clock = new EventTime(1_772_340_000)
  const told: string[] = []
  const logged: object[] = []
  const parts = new Parts('sensing', clock, ({ part, fault, state }: FaultNotice) => {
    told.push(`${part} ${fault} ${state}`)
  })
  const keeper = {
    clock,
    log: { error: (what: object) => logged.push(what) },
    get overdue() {
      return parts.overdue
    },
    excuse: (part: string) => parts.excuse(part),
    ready: (part: string, detail: string) => parts.ready(part, detail),
    raise: (part: string, state: 'faulty', fault: string, detail: string, code: string) =>
      parts.raise(part, state, fault, detail, code),
    faultsTold: async () => {},
  }
  const controller = new AbortController()
  return { clock, told, logged, parts, keeper, controller, signal: controller.signal }
}

/** Resolves when the signal aborts. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** How it ended, once it has. */
function outcome(promise: Promise<void>): { ended: boolean; error: unknown } {
  const result: { ended: boolean; error: unknown } = { ended: false, error: null }
  promise.then(
    () => Object.assign(result, { ended: true }),
    error => Object.assign(result, { ended: true, error }),
  )
  return result
}

test('a part that fails now and then is started again soon each time, is no fault, and disturbs no other', async t => {
  const { clock, told, logged, keeper, controller, signal } = role()
  const starts: number[] = []
  const run = async (own: AbortSignal): Promise<void> => {
    starts.push(clock.monotonic())
    if (starts.length % 2 === 0) await clock.sleep(300, own)
    if (!own.aborted) throw new Error('it broke')
  }
  let quiet = 0
  const neighbour = async (own: AbortSignal): Promise<void> => {
    quiet += 1
    await aborted(own)
  }
  const all = Promise.all([
    keepGoing(keeper, { name: 'roof', required: true, run }, signal),
    keepGoing(keeper, { name: 'mast', required: true, run: neighbour }, signal),
  ])
  await clock.runUntil(650)
  t.equal(starts.length, 6)
  for (const [at, next] of [
    [0, 1],
    [2, 3],
  ] as const)
    t.ok((starts[next] ?? 99) - (starts[at] ?? 0) <= 1, `again after ${(starts[next] ?? 0) - (starts[at] ?? 0)} s`)
  t.same(told, [])
  t.equal(logged.length, 5)
  t.equal(quiet, 1)
  controller.abort()
  await t.resolves(all)
})

test('a required part that fails again and again is told as a fault, and then ends the role', async t => {
  const { clock, told, keeper, signal } = role()
  let starts = 0
  const cause = new Error('it broke')
  const run = async (): Promise<void> => {
    starts += 1
    throw cause
  }
  const end = outcome(keepGoing(keeper, { name: 'roof', required: true, run }, signal))
  await clock.runUntil(3)
  t.notOk(end.ended, `not at once: ${starts} starts`)
  await clock.runUntil(20)
  t.equal(starts, 5)
  t.same(told, ['part roof part-failed raised'])
  t.match(end.error, { code: 'PW_PART_FAILED', cause })
})

test('a required part whose error has a code ends the role with that', async t => {
  const { clock, keeper, signal } = role()
  const error = new PolewatchError('PW_SAMPLE_RATE', { part: 'roof', rate: 7, channels: 1 })
  const run = (): Promise<void> => Promise.reject(error)
  const end = outcome(keepGoing(keeper, { name: 'roof', required: true, run }, signal))
  await clock.runUntil(20)
  t.equal(end.error, error)
})

test('a part that is not required is told as a fault once, goes on being tried, and is well when it has run a while', async t => {
  const { clock, told, keeper, controller, signal } = role()
  let starts = 0
  let broken = true
  const run = async (own: AbortSignal): Promise<void> => {
    starts += 1
    if (broken) throw new Error('it broke')
    await aborted(own)
  }
  const end = outcome(keepGoing(keeper, { name: 'weather', required: false, run }, signal))
  await clock.runUntil(3600)
  t.notOk(end.ended)
  t.ok(starts > 100 && starts < 300, `${starts} starts in an hour`)
  t.same(told, ['part weather part-failed raised'])
  broken = false
  await clock.runUntil(3650)
  t.equal(told.length, 1, 'that it has been started says nothing')
  await clock.runUntil(3800)
  t.same(told.slice(1), ['part weather part-failed cleared'])
  controller.abort()
  await clock.runUntil(3801)
  t.match(end, { ended: true, error: null })
})

test('a part that is silent and does not say why is ended and started again before the role counts as hanging', async t => {
  const { clock, told, parts, keeper, controller, signal } = role()
  const ends: number[] = []
  let starts = 0
  const run = async (own: AbortSignal): Promise<void> => {
    starts += 1
    parts.expect('roof', 20)
    parts.ready('roof')
    while (!own.aborted) {
      if (starts > 1) parts.delivered('roof')
      await clock.sleep(1, own)
    }
    ends.push(clock.monotonic())
  }
  const kept = keepGoing(keeper, { name: 'roof', required: true, run }, signal)
  await clock.runUntil(19)
  t.equal(starts, 1)
  await clock.runUntil(26)
  t.equal(starts, 2)
  t.ok((ends[0] ?? 0) > 20 && (ends[0] ?? 99) <= 25, `ended after ${ends[0]} s`)
  t.same(parts.overdue, [])
  await clock.runUntil(1000)
  t.equal(starts, 2)
  t.same(told, [])
  controller.abort()
  await kept
})

test('a part that does not even end is told at once, and ends the role only where it is required', async t => {
  for (const required of [true, false]) {
    const { clock, told, parts, keeper, signal } = role()
    let starts = 0
    const run = (): Promise<void> => {
      starts += 1
      parts.expect('roof', 20)
      return new Promise(() => {})
    }
    const end = outcome(keepGoing(keeper, { name: 'roof', required, run }, signal))
    await clock.runUntil(60)
    t.same(told, ['part roof part-failed raised'])
    t.equal(starts, 1, 'no second one is started beside it')
    t.same(parts.overdue, [], 'systemd is not left to end the role')
    t.match(end, { ended: true, error: required ? { code: 'PW_PART_FAILED' } : null })
  }
})

/** A driver that delivers a block a second until it breaks. */
class Breakable implements MicrophoneArray {
  readonly name = 'roof'
  readonly #clock: EventTime
  readonly #breaks: () => boolean

  constructor(clock: EventTime, breaks: () => boolean) {
    this.#clock = clock
    this.#breaks = breaks
  }

  async *readings(signal: AbortSignal): AsyncGenerator<AudioBlock | StateReport, void, void> {
    for (let firstSample = 0; !signal.aborted; firstSample += 8000) {
      await this.#clock.sleep(1, signal)
      const systemTime = this.#clock.system() - 1
      const channels = [Float32Array.from({ length: 8000 }, (_, index) => 0.01 * Math.sin(index ** 2))]
      yield { kind: 'audio', channels, sampleRate: 8000, firstSample, systemTime, systemTimeError: 0.001 }
      if (this.#breaks()) throw new Error('nobody has thought of this')
    }
  }
}

/** A sensing that hears arrays, opened anew each time, by a clock of its own. */
function sensing(t: Test, open: (time: EventTime, name: string) => MicrophoneArray, names = ['roof']) {
  const keys = { hub: createSigningKey(), operator: createSigningKey() }
  const file = writeGateway(t.testdir(), 'mqtt://127.0.0.1:1', keys, [
    {
      path: ['microphoneArrays'],
      value: names.map(name => ({ name, driver: 'alsa', device: `hw:CARD=${name}`, geometry: 'mono' })),
    },
    { path: ['gateway', 'timeError'], value: 0.001 },
    { path: ['log'], value: { level: 'fatal' } },
  ])
  const time = new EventTime(1_772_340_000)
  const role = new Role('sensing', loadConfiguration(file), time)
  const policy = loadPolicy(null)
  const air = new MeasuredAir(role.configuration.weather)
  const controller = new AbortController()
  const store = evidenceStore(role.configuration, policy.policy, 'sensing')
  const hearing = hear(role, policy, store, air, null, controller.signal, async ({ name }) => open(time, name))
  /** Device files and journal are read and written in real time. */
  const settle = () => pause(100)
  return { role, time, controller, hearing, settle }
}

test('an array whose driver breaks is heard again within two seconds, in the same process, with all else as it was', async t => {
  let opened = 0
  const { role, time, controller, hearing, settle } = sensing(t, time => {
    const first = ++opened === 1
    return new Breakable(time, () => first)
  })
  const blocks = async (): Promise<number> => {
    await settle()
    return role.parts.find(({ part }) => part === 'roof')?.counters.blocks ?? 0
  }
  await settle()
  role.ready('roof')
  await time.runUntil(1.9)
  t.equal(await blocks(), 1)
  await time.runUntil(4)
  await settle()
  await time.runUntil(14)
  t.equal(opened, 2)
  t.ok((await blocks()) >= 9, `${await blocks()} blocks`)
  t.same(
    role.parts.filter(({ fault }) => fault !== null),
    [],
    'once is no fault',
  )
  controller.abort()
  await hearing
  role.close()
})

test('an array whose driver breaks again and again leaves another that hears alone, and ends the role with the last', async t => {
  let mastBreaks = false
  const { role, time, controller, hearing, settle } = sensing(
    t,
    (time, name) => new Breakable(time, () => name === 'roof' || mastBreaks),
    ['roof', 'mast'],
  )
  const end = outcome(hearing)
  const until = async (from: number, to: number, enough: () => boolean) => {
    for (let second = from; second < to && !enough(); second += 1) {
      await settle()
      await time.runUntil(second)
    }
  }
  await settle()
  role.ready('mast')
  const failed = (name: string) => role.parts.some(({ part, fault }) => part === `part ${name}` && fault !== null)
  await until(1, 60, () => failed('roof'))
  const before = role.parts.find(({ part }) => part === 'mast')?.counters.blocks ?? 0
  await until(60, 90, () => end.ended)
  t.equal(end.ended, false)
  t.ok((role.parts.find(({ part }) => part === 'mast')?.counters.blocks ?? 0) > before, 'the other is heard on')
  mastBreaks = true
  await until(90, 200, () => end.ended)
  controller.abort()
  t.match(end.error, { code: 'PW_PART_FAILED' })
  role.close()
})

test('an array whose driver breaks again and again ends the role once the fault is on the disk', async t => {
  const { role, time, controller, hearing, settle } = sensing(t, time => new Breakable(time, () => true))
  const { journal } = rolePaths(role.configuration.paths, 'sensing')
  const end = outcome(
    hearing.finally(() => {
      role.close()
    }),
  )
  for (let second = 1; second < 60 && !end.ended; second += 1) {
    await settle()
    await time.runUntil(second)
  }
  controller.abort()
  t.match(end.error, { code: 'PW_PART_FAILED' })
  const reader = new JournalReader(journal)
  const kept = reader.streams().flatMap(({ source, epoch }) => reader.read(source, epoch, 0, 100))
  reader.close()
  const faults = kept.map(({ bytes }) => openEvent(bytes)).filter(event => event.name === 'fault')
  t.match(faults, [{ subject: 'part roof', data: { fault: 'part-failed', state: 'raised', code: 'PW_PART_FAILED' } }])
})
