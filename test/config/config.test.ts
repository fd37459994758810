import { spawnSync } from 'node:child_process'
import { getServers } from 'node:dns'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { type Test, test } from 'tap'
import { stringify } from 'yaml'
import { describeKey, valueAt } from '../../gateway/config/describe.js'
import { relayCauses } from '../../gateway/config/digital-io.js'
import { editConfiguration } from '../../gateway/config/edit.js'
import { deviceNames, InvalidConfiguration, loadConfiguration, parseConfiguration } from '../../gateway/config/load.js'
import { loadPolicy } from '../../gateway/config/policy-file.js'
import type { Problem } from '../../gateway/config/problem.js'
import { configurationReference, keyEntries } from '../../gateway/config/reference.js'
import { type Configuration, configurationSchema } from '../../gateway/config/schema.js'
import { PolewatchError } from '../../gateway/errors.js'
import { polewatch } from '../commands/polewatch.js'

const file = '/etc/polewatch/polewatch.yaml'
const examplePath = join(process.cwd(), 'firmware-config/polewatch.example.yaml')
const example = readFileSync(examplePath, 'utf8')
const devices = deviceNames(join(process.cwd(), 'firmware-config/devices'))

const smallest = `version: 1
site: city
gateway:
  id: pole-1
  position: { latitude: 40.44, longitude: -79.99, altitude: 230, error: 1 }
uplink:
  brokers: ["mqtt://127.0.0.1"]
  hubKey: hub.pub
`

function parse(text: string): Configuration {
  return parseConfiguration(text, file, devices)
}

/** The problems of a text; a test that expects none fails by the empty list. */
function problemsOf(text: string): readonly Problem[] {
  try {
    parse(text)
    return []
  } catch (error) {
    if (error instanceof InvalidConfiguration) return error.problems
    // A file of a version to come is told as that.
    if (error instanceof PolewatchError && error.code === 'PW_CONFIG_NEWER') return []
    throw error
  }
}

function codeOf(act: () => unknown): string {
  try {
    act()
    return 'nothing thrown'
  } catch (error) {
    return error instanceof PolewatchError ? error.code : String(error)
  }
}

/** Problems as short text: line:column key | found | allowed | hint. */
function told(problems: readonly Problem[]): string[] {
  return problems.map(({ line, column, key, found, allowed, hint }) =>
    [`${line}:${column} ${key}`, found, allowed, ...(hint === null ? [] : [hint])].join(' | '),
  )
}

test('five errors in one file are all named, each with line, key, what was found and what is allowed', t => {
  const text = `version: 1
site: city
gateway:
  id: pole-1
  position:
    latitude: 95
    longitude: "-79.99"
    altitude: 230
    error: 1
microphoneArrays:
  - name: roof
    driver: alsaa
    geometry: mono
uplink:
  brokers: [mqtt://127.0.0.1]
  hubKey: hub.pub
  windw: 5
journal:
  byteLimit: 64 MB
`
  t.strictSame(told(problemsOf(text)), [
    '6:15 gateway.position.latitude | 95 | a number from -90 to 90',
    '7:16 gateway.position.longitude | "-79.99" | a number from -180 to 180 | without quotes',
    '12:13 microphoneArrays[0].driver | alsaa | alsa, recording or simulator | did you mean alsa?',
    '17:3 uplink.windw | the unknown key windw | brokers, clientId, user, passwordFile, protocol, acknowledge, hubKey, ' +
      'window, keepAliveSeconds, willDelaySeconds, budget, tls, healthSeconds | did you mean window?',
    '19:14 journal.byteLimit | 64 MB | a size such as "64 MiB" (B, KiB, MiB, GiB) or a whole number of bytes, ' +
      'from 1 MiB to 1024 GiB',
  ])
  const error = t.throws(() => parse(text))
  t.match(error, { code: 'PW_CONFIG_INVALID', file })
  for (const line of [6, 7, 12, 17, 19])
    t.match(error, { message: `line ${line}, column` }, 'the message lists them too')
  t.end()
})

test('a file that says only what it must gets every default', t => {
  const { microphoneArrays, plateReaders, sensorBoards, cameras, gnss, digitalIo, ...rest } = parse(smallest)
  t.strictSame([microphoneArrays, plateReaders, sensorBoards, cameras, gnss, digitalIo], [[], [], [], [], [], []])
  t.strictSame(rest, {
    version: 1,
    site: 'city',
    exercise: false,
    gateway: {
      id: 'pole-1',
      position: { latitude: 40.44, longitude: -79.99, altitude: 230, error: 1 },
      heading: 0,
      timeError: null,
    },
    paths: { state: '/var/lib/polewatch', runtime: '/run/polewatch' },
    clock: { chronyc: '/usr/bin/chronyc' },
    hotlist: { lists: [], commonTexts: [], confirmedConfidence: 0.9 },
    weather: { temperature: null, humidity: null, windSpeed: null, windFrom: null },
    neighbours: { enabled: true, brokers: ['mqtt://127.0.0.1'] },
    uplink: {
      brokers: ['mqtt://127.0.0.1'],
      clientId: null,
      user: null,
      passwordFile: null,
      protocol: 'auto',
      acknowledge: 'hub',
      hubKey: '/etc/polewatch/hub.pub',
      window: 20,
      tls: { ca: null, certificate: null, key: null },
      healthSeconds: 60,
      keepAliveSeconds: 20,
      willDelaySeconds: 30,
      budget: { bytesPerDay: null, bytesPerMonth: null },
    },
    enrolment: { server: null, trust: null, claimFile: null },
    commands: { keys: [] },
    homeAssistant: { enabled: false, prefix: 'homeassistant' },
    metrics: { enabled: false, port: null },
    journal: { byteLimit: 64 * 2 ** 20 },
    evidence: { keyFile: null, byteLimit: 64 * 2 ** 20 },
    policyFile: null,
    log: { level: 'info' },
  })
  t.strictSame(
    parse(`${smallest}weather:\nexercise:\nlog:\n  level:\nplateReaders:\n`),
    parse(smallest),
    'empty is left out',
  )
  t.end()
})

test('what depends on another key is completed', t => {
  const { microphoneArrays, neighbours } = parse(`${smallest.replace('  position', '  heading: 30\n  position')}
microphoneArrays:
  - { name: one, driver: simulator, geometry: mono }
  - { name: two, driver: simulator, geometry: mono, heading: 0 }
neighbours: { brokers: ["mqtt://pole-2"] }
`)
  t.strictSame(
    microphoneArrays.map(({ heading }) => heading),
    [30, 0],
  )
  t.strictSame(neighbours.brokers, ['mqtt://pole-2'])
  t.end()
})

test('relative paths start from the folder of the file, absolute ones stay', t => {
  const configuration = parse(`${smallest}
paths: { state: ../state, runtime: /run/elsewhere }
policyFile: policy.yaml
microphoneArrays:
  - { name: tape, driver: recording, geometry: mono, file: ./tapes/a.wav, startTime: 2018-12-19T00:49:26.123456Z }
`)
  t.strictSame(configuration.paths, { state: '/etc/state', runtime: '/run/elsewhere' })
  t.equal(configuration.policyFile, '/etc/polewatch/policy.yaml')
  t.match(configuration.microphoneArrays, [{ file: '/etc/polewatch/tapes/a.wav', startTime: 1545180566.123456 }])
  t.end()
})

test('sizes are text with a binary unit or whole numbers of bytes', t => {
  const sizeOf = (text: string): number | undefined => {
    const whole = `${smallest}journal: { byteLimit: ${text} }\n`
    return problemsOf(whole).length > 0 ? undefined : parse(whole).journal.byteLimit
  }
  t.strictSame(
    [
      '64 MiB',
      '64MiB',
      '1.5 GiB',
      '"2048 KiB"',
      '1048576 B',
      '1048576',
      '1 TiB',
      '64 MB',
      '-1',
      '1.5',
      '0.5 MiB',
      '9999 GiB',
    ].map(sizeOf),
    [67108864, 67108864, 1610612736, 2097152, 1048576, 1048576, ...Array.from({ length: 6 }, () => undefined)],
  )
  t.end()
})

test('unknown keys get the nearest name, or the place where they belong', t => {
  const hints = (text: string): (string | null)[] => problemsOf(smallest + text).map(({ hint }) => hint)
  t.strictSame(hints('wether: {}\n'), ['did you mean weather?'])
  t.strictSame(hints('Exercise: true\n'), ['did you mean exercise?'])
  t.strictSame(hints('latitude: 4\n'), ['it belongs to gateway.position: check the indentation'])
  t.strictSame(hints('  site: x\n'), ['it belongs to the top of the file: check the indentation'])
  t.strictSame(hints('plateReaders: [{ name: a, driver: simulator, plates: [A], layout: x }]\n'), [
    'only where driver is serial or tcp or tcp-server',
  ])
  t.strictSame(hints('cheese: {}\n'), [null])
  t.end()
})

test('a relay cannot follow a plate hit, and a line has one use', t => {
  const chip = (outputs: string) => `${smallest}
digitalIo:
  - name: terminals
    driver: libgpiod
    chip: gpiochip0
    inputs: [{ name: door, use: enclosure, line: 17 }]
    outputs: [${outputs}]
plateReaders: [{ name: gate, driver: wiegand, chip: gpiochip0, data0: 5, data1: 6, bits: 64 }]
`
  t.same(problemsOf(chip('{ name: siren, use: relay, line: 4, follows: [healthy, enclosure-opened] }')), [])
  for (const cause of ['plate-hit', 'hit', 'hotlist', 'plate-read']) {
    const problems = problemsOf(chip(`{ name: siren, use: relay, line: 4, follows: [enclosure-opened, ${cause}] }`))
    t.same(
      problems.map(({ key, allowed }) => [key, allowed]),
      [['digitalIo[0].outputs[0].follows[1]', relayCauses.join(', ').replace(/, ([^,]*)$/, ' or $1')]],
    )
  }
  t.notOk(relayCauses.some(cause => /plate|hit|hotlist|read$/.test(cause)))
  const twice = problemsOf(chip('{ name: door, use: status-led, line: 17 }, { name: lamp, use: status-led, line: 6 }'))
  t.same(
    twice.map(({ key, allowed }) => `${key}: ${allowed}`),
    [
      'digitalIo[0].outputs[0].name: a name of its own: digitalIo[0].inputs[0] has this one',
      'digitalIo[0].outputs[0].line: a line of its own: digitalIo[0].inputs[0].line has this one',
      'digitalIo[0].outputs[1].line: a line of its own: plateReaders[0].data1 has this one',
    ],
  )
  t.end()
})

test('two parts with one name, one port or one device are found', t => {
  const problems = problemsOf(`${smallest}
microphoneArrays:
  - { name: roof, driver: alsa, geometry: mono, device: "hw:CARD=a" }
  - { name: yard, driver: alsa, geometry: mono, device: "hw:CARD=a" }
plateReaders:
  - { name: roof, driver: serial, port: /dev/ttyS0, layout: nedap-anpr-raw }
  - { name: lane, driver: serial, port: /dev/../dev/ttyS0, layout: nedap-anpr-raw }
hotlist: { lists: [{ name: roof }, { name: police }, { name: police }] }
`)
  t.strictSame(told(problems), [
    '12:57 microphoneArrays[1].device | "hw:CARD=a" | a device of its own: microphoneArrays[0] has this one',
    '14:13 plateReaders[0].name | roof | a name of its own: microphoneArrays[0] has this one',
    '15:41 plateReaders[1].port | /dev/../dev/ttyS0 | a port of its own: plateReaders[0] has this one',
    '16:62 hotlist.lists[2].name | police | a name of its own: hotlist.lists[1] has this one',
  ])
  t.end()
})

test('a key given twice is named where it comes again', t => {
  t.strictSame(told(problemsOf(`${smallest}site: other\nlog: { level: info, level: warn }\n`)), [
    '9:1 site | site again, after line 2 | each key once',
    '10:21 log.level | level again, after line 10 | each key once',
  ])
  t.end()
})

test('what keys ask of each other is checked', t => {
  const text = smallest
    .replace('  hubKey: hub.pub\n', '  passwordFile: secret\n  tls: { key: tls.key }\n')
    .concat('weather: { windSpeed: 3 }\n')
  t.strictSame(
    problemsOf(text).map(({ key, found }) => [key, found]),
    [
      ['uplink.hubKey', 'nothing'],
      ['uplink.user', 'nothing'],
      ['uplink.tls.certificate', 'nothing'],
      ['uplink.tls.key', 'tls.key'],
      ['weather.windFrom', 'nothing'],
    ],
  )
  t.strictSame(problemsOf(smallest.replace('hubKey: hub.pub', 'acknowledge: broker')), [])
  t.end()
})

test('what a role may reach is what the configuration names, and name servers where that takes one', t => {
  const file = join(t.testdir(), 'polewatch.yaml')
  const addresses = (devices: string, ...options: string[]) => {
    writeFileSync(file, smallest + devices)
    const { status, output, errors } = polewatch('config', 'addresses', file, ...options)
    return status === 0 ? output.trim().split('\n') : errors
  }
  const vision = (devices: string): unknown => {
    const answer = addresses(devices, '--role', 'vision', '--json')
    return Array.isArray(answer) ? valueAt(JSON.parse(answer.join()), ['addresses']) : answer
  }
  const rtsp = (host: string) => `cameras: [{ name: c, driver: rtsp, url: "rtsp://${host}/1" }]\n`
  t.same(addresses(''), ['[Service]', 'IPAddressAllow=127.0.0.1'], 'a broker by its address')
  t.same(vision(rtsp('192.0.2.7')), ['192.0.2.7'])
  t.match(vision(rtsp('localhost')), ['127.0.0.1', ...getServers().filter(server => isIP(server) !== 0)].sort())
  const caller = (more: string) =>
    `plateReaders: [{ name: r, driver: tcp-server, address: 127.0.0.1, tcpPort: 7778, layout: json-lines${more} }]\n`
  t.same(vision(caller('')), ['127.0.0.1/8'], 'the network of the address that it listens on')
  t.same(vision(caller(', callsFrom: 192.0.2.21')), ['192.0.2.21'])
  t.same(addresses(caller(', callsFrom: 192.0.2.0/24'), '--firewall'), [
    'flush chain inet polewatch readers',
    'add rule inet polewatch readers ip saddr 192.0.2.0/24 ip daddr 127.0.0.1 tcp dport 7778 accept',
  ])
  t.match(vision(caller('').replace('127.0.0.1', '203.0.113.1')), /"PW_CALLERS_UNKNOWN"/)
  t.match(addresses(caller(', callsFrom: "fd00::1"')), /callsFrom.*an address or network of IPv4/)
  t.end()
})

test('missing keys are told at the section that lacks them, wherever it is', t => {
  t.strictSame(
    problemsOf('version: 1\nsite: city\nmicrophoneArrays:\n  - name: roof\n').map(({ line, key, found }) => [
      line,
      key,
      found,
    ]),
    [
      [1, 'gateway', 'nothing'],
      [1, 'uplink', 'nothing'],
      [4, 'microphoneArrays[0].driver', 'nothing'],
      [4, 'microphoneArrays[0].geometry', 'nothing'],
    ],
  )
  t.strictSame(
    problemsOf('').map(({ key }) => key),
    ['version', 'site', 'gateway', 'uplink'],
  )
  t.match(problemsOf('just text'), [
    { line: 1, column: 1, key: '', found: 'just text', allowed: /^a section with version/ },
  ])
  t.match(problemsOf(smallest.replace('version: 1', 'version: 0')), [{ key: 'version', found: '0', allowed: '1' }])
  t.end()
})

test('names of geometries and layouts are checked against the device files', t => {
  const problems = problemsOf(`${smallest}
microphoneArrays: [{ name: a, driver: simulator, geometry: squaer }]
plateReaders: [{ name: b, driver: serial, port: /dev/ttyS0, layout: nothing-like-it }]
`)
  t.match(problems, [
    { key: 'microphoneArrays[0].geometry', found: 'squaer', hint: 'did you mean square?' },
    { key: 'plateReaders[0].layout', found: 'nothing-like-it', hint: null },
  ])
  t.ok(devices.microphoneArrays.every(name => problems[0]?.allowed.includes(name)))
  t.end()
})

test('text that is not YAML is told with its place, and so is what is wrong before it', t => {
  t.match(problemsOf('version: 1\nsite: City\ngateway:\n\tid: x\n'), [
    { line: 2, column: 7, key: 'site', found: 'City' },
    { line: 4, column: 1, found: /^a syntax error \(Tabs/, allowed: 'YAML 1.2, one document' },
  ])
  for (const broken of [
    'a: [1, 2\nb: 3\n',
    'a: "x\n',
    'a: b: c\n',
    'a: *nowhere\n',
    '---\na: 1\n---\nb: 1\n',
    'a: !secret x\n',
  ]) {
    t.ok(problemsOf(broken + smallest).length > 0, broken)
  }
  t.strictSame(
    problemsOf(smallest.replace('hub.pub', '&key hub.pub').concat('policyFile: *key\n')),
    [],
    'anchors may be used',
  )
  t.end()
})

test('secrets in the wrong place are refused and never repeated', t => {
  const text = smallest
    .replace('mqtt://127.0.0.1', 'mqtt://pole:hunter2@127.0.0.1')
    .concat('  tls:\n    key: |\n      -----BEGIN PRIVATE KEY-----\n      c2VjcmV0\n')
    .concat(`log: { level: ${'aGVhcmQ'.repeat(7)} }\n`)
  const error = t.throws(() => parse(text))
  t.match(
    problemsOf(text)
      .map(({ key }) => key)
      .sort(),
    ['log.level', 'uplink.brokers[0]', 'uplink.tls.certificate', 'uplink.tls.key'],
  )
  for (const secret of ['hunter2', 'c2VjcmV0', 'aGVhcmQ']) t.notMatch(JSON.stringify([error, problemsOf(text)]), secret)
  t.notMatch(error, { message: /hunter2|c2VjcmV0|aGVhcmQ/ })
  t.end()
})

test('a file that is absent, no file or no text has an error of its own', t => {
  const folder = temporaryFolder(t)
  const notText = join(folder, 'latin-1.yaml')
  writeFileSync(notText, Buffer.from([0x73, 0xfc, 0x64]))
  t.equal(
    codeOf(() => loadConfiguration(join(folder, 'none.yaml'))),
    'PW_CONFIG_MISSING',
  )
  t.equal(
    codeOf(() => loadConfiguration(join(notText, 'none.yaml'))),
    'PW_CONFIG_MISSING',
  )
  t.equal(
    codeOf(() => loadConfiguration(folder)),
    'PW_CONFIG_UNREADABLE',
  )
  t.equal(
    codeOf(() => loadConfiguration(notText)),
    'PW_CONFIG_UNREADABLE',
  )
  writeFileSync(notText, '#'.repeat(2 ** 20 + 1))
  t.throws(() => loadConfiguration(notText), { code: 'PW_CONFIG_UNREADABLE', message: /larger than/ })
  t.end()
})

test('the example is accepted as it is and with every setting put in force', t => {
  t.match(loadConfiguration(examplePath, devices), { gateway: { id: 'pole-17' }, plateReaders: [{ lane: '1' }] })
  const everything = parseConfiguration(uncommented(example), examplePath, devices)
  const defaults = keyEntries(configurationSchema).filter(
    ({ key, preset }) => !key.includes('[]') && preset.startsWith('`'),
  )
  const fresh = parse(smallest)
  for (const { key } of defaults) {
    const path = key.split('.')
    if (
      ![
        'gateway.heading',
        'neighbours.brokers',
        'microphoneArrays',
        'plateReaders',
        'sensorBoards',
        'cameras',
        'gnss',
        'digitalIo',
        'hotlist.lists',
        'commands.keys',
      ].includes(key)
    ) {
      t.strictSame(valueAt(everything, path), valueAt(fresh, path), `${key} is shown with its default`)
    }
  }
  t.end()
})

test('the example shows every key there is', t => {
  const shown = uncommented(example)
  for (const { key } of keyEntries(configurationSchema)) {
    const name = key.split('.').at(-1) ?? ''
    t.match(shown, new RegExp(`(^|[\\s{])${name}:`, 'm'), key)
  }
  t.end()
})

test('the reference page is fresh, and every key in it has a meaning', t => {
  const page = configurationReference()
  t.equal(readFileSync('docs/configuration.md', 'utf8'), page, 'npm run generate writes it')
  const entries = keyEntries(configurationSchema)
  t.ok(entries.length > 80)
  for (const { key, allowed, meaning } of entries) {
    t.match(meaning, /\.$/, `${key} has a meaning that ends with a period`)
    t.not(allowed, '', `${key} says what is allowed`)
    t.ok(page.includes(`\`${key}\``) || !key.includes('.'), `${key} is on the page`)
  }
  for (const [key, schema] of Object.entries(configurationSchema.shape))
    t.ok(page.includes(describeKey(schema).meaning), key)
  t.end()
})

test('a printed configuration reads back as the same configuration', t => {
  const configuration = parseConfiguration(uncommented(example), examplePath, devices)
  t.strictSame(parseConfiguration(stringify(configuration), '/elsewhere/polewatch.yaml', devices), configuration)
  t.end()
})

test('who reads only the beginning of what a command prints is shown no error', t => {
  const piped = 'set -o pipefail; "$0" dist/gateway/main.js config diff firmware-config/polewatch.example.yaml | true'
  const { status, stderr } = spawnSync('bash', ['-c', piped, process.execPath], { encoding: 'utf8' })
  t.match({ status, stderr }, { status: 0, stderr: '' })
  t.end()
})

test('edits keep comments and leave a file that is still right', t => {
  const edited = editConfiguration(example, [
    { path: ['gateway', 'id'], value: 'pole-2' },
    { path: ['exercise'], value: true },
    { path: ['weather'], value: { temperature: -1 } },
    { path: ['plateReaders'], value: undefined },
    { path: ['neighbours', 'brokers'], value: ['mqtt://127.0.0.1:1883'] },
  ])
  t.match(edited, '# Set it to true for tests and drills')
  t.match(parseConfiguration(edited, examplePath, devices), {
    exercise: true,
    gateway: { id: 'pole-2' },
    plateReaders: [],
    weather: { temperature: -1 },
    neighbours: { brokers: ['mqtt://127.0.0.1:1883'] },
  })
  t.end()
})

test('a policy file is checked like the configuration, and none means the built-in one', t => {
  const path = join(temporaryFolder(t), 'policy.yaml')
  const { policy, hash } = loadPolicy(null)
  writeFileSync(path, `# the same in another order\n${stringify(Object.fromEntries(Object.entries(policy).reverse()))}`)
  t.strictSame(loadPolicy(path).hash, hash)
  writeFileSync(path, stringify({ ...policy, purposes: ['Stolen!'], evidance: {} }))
  const error = t.throws(() => loadPolicy(path))
  t.match(error, { code: 'PW_CONFIG_INVALID', problems: [{ key: 'purposes[0]' }, { hint: 'did you mean evidence?' }] })
  t.equal(
    codeOf(() => loadPolicy(`${path}.none`)),
    'PW_CONFIG_MISSING',
  )
  t.end()
})

test('no text whatever makes the reader fail in another way than by listing problems', t => {
  const lines = example.split('\n')
  const scrap = fc.oneof(
    fc.constantFrom(...lines),
    fc.constantFrom(
      '- ',
      '? ',
      ': ',
      '&a ',
      '*a',
      '<<: *a',
      '!!binary x',
      '|',
      '>',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '---',
      '%YAML 1.1',
    ),
    fc.constantFrom(
      '__proto__: 1',
      'constructor: 1',
      'toString:',
      'null: 1',
      '.nan',
      '1e999',
      '0o7',
      '[a]: 1',
      '{a: 1}: 2',
      '\u0000',
    ),
    fc.string({ unit: 'grapheme', maxLength: 20 }),
  )
  const jumble = fc.array(fc.tuple(fc.nat(6), scrap), { maxLength: 40 })
  const survives = (text: string): void => {
    for (const { line, column, found, allowed } of problemsOf(text)) {
      if (!(line >= 1 && column >= 1 && line <= text.split('\n').length + 1 && found !== '' && allowed !== '')) {
        throw new Error(`a problem without place or words at ${line}:${column}`)
      }
    }
  }
  fc.assert(
    fc.property(jumble, parts => survives(parts.map(([depth, text]) => ' '.repeat(depth) + text).join('\n'))),
    {
      numRuns: 300,
    },
  )
  const value = fc.oneof(fc.anything({ maxDepth: 2 }), fc.constant(undefined))
  const keys = keyEntries(configurationSchema).map(({ key }) => key.replaceAll('[]', '.0').split('.'))
  fc.assert(
    fc.property(fc.constantFrom(...keys), value, (path, wrong) => {
      survives(
        editConfiguration(smallest, [{ path: path.map(step => (step === '0' ? 0 : step)), value: plain(wrong) }]),
      )
    }),
    { numRuns: 300 },
  )
  const bomb = [
    'a: &a [x, x, x, x, x, x, x, x, x]',
    ...[...'bcdefghij'].map((name, index) => {
      const before = [...'abcdefghi'][index] ?? ''
      return `${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(', ')}]`
    }),
  ].join('\n')
  t.ok(
    problemsOf(bomb).some(({ found }) => found === 'more than can be read'),
    'aliases of aliases are stopped',
  )
  t.ok(problemsOf('a: &a [*a]').length > 0, 'a list within itself is stopped')
  t.ok(problemsOf(`a: ${'['.repeat(3000)}`).length > 0, 'deep nesting is stopped')
  t.end()
})

/** Settings that a comment shows: `#` with no space after it. */
function uncommented(text: string): string {
  return text.replace(/^( *)#(?=\S)/gm, '$1')
}

function plain(value: unknown): unknown {
  const text = JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? String(part) : part))
  return text === undefined ? null : JSON.parse(text)
}

function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}
