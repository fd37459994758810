import { join } from 'node:path'
import { test } from 'tap'
import { impulseRise, LevelMeter, silence } from '../../gateway/acoustics/level-meter.js'
import { loadConfiguration } from '../../gateway/config/load.js'
import { loadPolicy } from '../../gateway/config/policy-file.js'
import type { Configuration } from '../../gateway/config/schema.js'
import { ClapTest } from '../../gateway/console/clap.js'
import type { GatewayCondition, Surroundings } from '../../gateway/console/condition.js'
import { type Finding, inspect } from '../../gateway/console/inspect.js'
import { plainPolicy } from '../../gateway/console/plain-policy.js'
import type { PartCondition } from '../../gateway/health/parts.js'
import { builtInPolicy } from '../../gateway/policy/policy.js'

const now = 1_800_000_000
const example = loadConfiguration(join(process.cwd(), 'firmware-config', 'polewatch.example.yaml'))
const channels = new Map([['roof', 4]])

function part(name: string, fault: string | null = null, code: string | null = null): PartCondition {
  const state = fault === null ? 'ready' : 'faulty'
  const since = '2027-01-15T08:00:00.000Z'
  return { part: name, role: 'sensing', state, fault, code, detail: 'As it is said.', since, counters: {} }
}

const memory = { swapLimit: 0, swapped: 0, dumpable: false }
const loud = { level: -50, peak: -30 }

const well: GatewayCondition = {
  at: now,
  roles: {
    sensing: { parts: [part('roof'), part('northbound')], memory },
    vision: null,
    uplink: { parts: [part('broker')], memory },
  },
  online: true,
  health: {
    session: 's',
    uptime: 1,
    state: 'good',
    parts: [],
    clock: { offset: 0, error: 0.0002, source: 'PPS', age: 3 },
    journals: [{ role: 'sensing', bytes: 4096, limit: 67_108_864, waiting: 0, shed: 0 }],
    machine: {
      temperature: null,
      load: null,
      memoryFree: null,
      storageFree: null,
      storageWritten: null,
      undervoltage: null,
      throttled: null,
    },
  },
  streams: [{ source: '/s/g/sensing/fault', epoch: 'abcdef', last: 4, acknowledged: 4 }],
  waitingSince: null,
  sound: [{ array: 'roof', levels: [loud, loud, loud, loud], impulses: [] }],
}

const around: Surroundings = {
  lists: [{ list: 'state-police', freshness: 'fresh', entries: 12, imported: now - 3600 }],
  certificate: { until: now + 200 * 86_400 },
  disk: { free: 10 ** 10 },
  policy: { hash: 'a'.repeat(64) },
  machineSwaps: true,
}

function look(
  condition: Partial<GatewayCondition> = {},
  surroundings: Partial<Surroundings> = {},
  configuration: Configuration = example,
): Finding[] {
  return inspect({
    configuration,
    roleOfReader: () => 'sensing',
    roleOfReceiver: () => 'sensing',
    needsVision: false,
    channels,
    condition: { ...well, ...condition },
    surroundings: { ...around, ...surroundings },
  })
}

function faultsOf(findings: readonly Finding[]): string[] {
  return findings.filter(({ state }) => state === 'fault').map(({ part: of, fault }) => `${of}: ${fault}`)
}

test('a gateway that is well has a finding for every configured part, and each of them works', t => {
  const findings = look()
  t.strictSame(
    findings.filter(({ state }) => state !== 'works'),
    [],
  )
  for (const name of [
    'roof',
    'roof microphone 1',
    'roof microphone 4',
    'northbound',
    'clock',
    'state-police',
    'broker',
  ])
    t.ok(
      findings.some(({ part: of }) => of === name),
      name,
    )
  t.equal(new Set(findings.map(({ part: of }) => of)).size, findings.length, 'none twice')
  t.end()
})

test('each thing that is wrong is named with what to do, and touches no other part', t => {
  const sensing = (...parts: PartCondition[]) => ({
    roles: { ...well.roles, sensing: { parts: [part('roof'), part('northbound'), ...parts], memory } },
  })
  const remembering = (rules: Partial<typeof memory>) => ({
    roles: { ...well.roles, uplink: { parts: [part('broker')], memory: { ...memory, ...rules } } },
  })
  const cases: readonly [string, Partial<GatewayCondition>, Partial<Surroundings>?][] = [
    ['roof microphone 2: microphone-dead', sensing(part('roof microphone 2', 'microphone-dead', 'PW_MICROPHONE'))],
    [
      'roof microphone 3: microphone-dead',
      { sound: [{ array: 'roof', levels: [loud, loud, { level: silence, peak: silence }, loud], impulses: [] }] },
    ],
    ['clock: clock-holdover', sensing(part('clock', 'clock-holdover', 'PW_CLOCK_HOLDOVER'))],
    ['door: open', sensing(part('door', 'open'))],
    ['state-police: hotlist-newer-damaged', sensing(part('hotlist state-police', 'hotlist-newer-damaged'))],
    [
      'journal: journal-damaged',
      {
        roles: {
          ...sensing(part('journal', 'journal-damaged', 'PW_JOURNAL_DAMAGED')).roles,
          uplink: { parts: [part('broker'), part('journal')], memory },
        },
      },
    ],
    ['broker: broker-unreachable', { online: false }],
    [
      'alerts: alerts-wait',
      {
        streams: [{ source: '/s/g/sensing/fault', epoch: 'abcdef', last: 9, acknowledged: 4 }],
        waitingSince: now - 300,
      },
    ],
    ['memory of uplink: memory-dumped', remembering({ dumpable: true })],
    ['certificate: certificate-ends', {}, { certificate: { until: now + 86_400 } }],
    ['certificate: certificate-ended', {}, { certificate: { until: now - 86_400 } }],
    ['disk: disk-low', {}, { disk: { free: 1_000_000 } }],
    ['disk: disk-unusable', {}, { disk: { unusable: 'it is mounted read-only' } }],
    ['policy: policy-invalid', {}, { policy: { wrong: 'It is no policy.' } }],
    [
      'state-police: hotlist-stale',
      {},
      { lists: [{ list: 'state-police', freshness: 'stale', entries: 12, imported: now - 900_000 }] },
    ],
  ]
  for (const [named, condition, surroundings] of cases) {
    const findings = look(condition, surroundings)
    t.strictSame(faultsOf(findings), [named])
    const wrong = findings.find(({ state }) => state === 'fault')
    const saysItAll = ['PW_MICROPHONE', 'PW_CONFIG_INVALID'].includes(wrong?.code ?? '')
    t.equal(typeof wrong?.advice, saysItAll ? 'object' : 'string', `${named}: advice`)
    t.notMatch(`${wrong?.detail} ${wrong?.advice}`, /[{}]/, `${named}: every detail is filled in`)
  }
  t.strictSame(faultsOf(look(remembering({ swapLimit: -1 }), { machineSwaps: false })), [], 'nowhere to swap to')
  t.strictSame(faultsOf(look(remembering({ swapLimit: -1 }))), ['memory of uplink: memory-swapped'])
  t.end()
})

test('without a running role its parts are unknown, never said to work', t => {
  const findings = look({
    roles: { sensing: null, vision: null, uplink: null },
    sound: null,
    health: null,
    online: null,
  })
  t.strictSame(faultsOf(findings), ['sensing: not-running', 'uplink: not-running'])
  for (const name of ['roof', 'roof microphone 1', 'northbound', 'clock', 'broker', 'alerts'])
    t.equal(findings.find(({ part: of }) => of === name)?.state, 'unknown', name)
  t.end()
})

test('a level meter tells how loud each channel was, and an impulse by channel how far it rises', t => {
  const meter = new LevelMeter()
  t.equal(meter.report(), null)
  const tone = Float32Array.from({ length: 800 }, (_, index) => 0.1 * Math.sin((2 * Math.PI * index) / 16))
  meter.hear([tone, new Float32Array(800)])
  const [first, second] = meter.report() ?? []
  t.ok(Math.abs((first?.level ?? 0) + 23.01) < 0.1, 'root mean square of a sine')
  t.ok(Math.abs((first?.peak ?? 0) + 20) < 0.2)
  t.strictSame(second, { level: silence, peak: silence })
  t.equal(meter.report(), null, 'each report begins anew')

  const quiet = Float32Array.from({ length: 1600 }, (_, index) => 0.001 * (index % 2 === 0 ? 1 : -1))
  const clap = Float32Array.from(quiet, (sample, index) => (index === 805 ? 0.1 : sample))
  const rise = impulseRise([clap, quiet], 16_000, 800)
  t.ok(Math.abs((rise[0] ?? 0) - 40) < 0.1)
  t.ok(Math.abs(rise[1] ?? 99) < 0.1)
  t.end()
})

test('a clap test names who heard each clap and who has yet to hear one, and outlives a sensing that begins anew', t => {
  const impulse = (number: number, ...rise: number[]) => ({ number, time: now, salience: 30, rise, bearing: null })
  const report = (...impulses: ReturnType<typeof impulse>[]) => [{ array: 'roof', levels: null, impulses }]
  const test = new ClapTest(new Map([['roof', 3]]))
  t.strictSame(test.take(report(impulse(7, 40, 40, 40))), [], 'what was before does not count')
  t.strictSame(test.missing, ['roof microphone 1', 'roof microphone 2', 'roof microphone 3'])
  t.match(test.take(report(impulse(7, 40, 40, 40), impulse(8, 30, 2, 30))), [{ heard: [1, 3], missed: [2] }])
  t.strictSame(test.missing, ['roof microphone 2'])
  t.match(test.take(report(impulse(1, 30, 30, 30))), [{ heard: [1, 2, 3], missed: [] }])
  t.strictSame(test.missing, [])
  t.end()
})

test('the policy in plain words follows the policy', t => {
  const strict = plainPolicy(loadPolicy(null), example).join('\n')
  t.match(strict, 'No sound is written anywhere or ever leaves it')
  t.match(strict, 'missing person')
  t.match(strict, 'Only the picture of the plate itself')
  const evidence = { audioSeconds: 4, platePictures: true, scenePictures: true }
  t.match(strict, 'the record is kept for 365 days, and deleted within a day after that')
  const unkept = plainPolicy({ policy: { ...builtInPolicy, evidence }, hash: 'b'.repeat(64) }, example).join('\n')
  t.match(unkept, 'No sound is written anywhere', 'sound that is kept for no time is not written')
  const keepDays = { ...builtInPolicy.keepDays, audio: 1 }
  const policy = { ...builtInPolicy, evidence, keepDays }
  const loose = plainPolicy({ policy, hash: 'b'.repeat(64) }, example).join('\n')
  t.match(loose, 'at most 4 s of sound are written down and may leave')
  t.match(loose, 'Whole pictures, with people in them')
  t.match(plainPolicy(loadPolicy(null), { ...example, microphoneArrays: [] }).join('\n'), 'It has no microphone')
  t.end()
})
