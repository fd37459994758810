import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:https'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import mqtt from 'mqtt'
import { type Test, test } from 'tap'
import { CertificateFiles } from '../../gateway/commands/certificate-files.js'
import { commandAuthority } from '../../gateway/commands/command-keys.js'
import { obtainCertificate } from '../../gateway/commands/enroll.js'
import { resetUnit } from '../../gateway/commands/reset-unit.js'
import { loadConfiguration, parseConfiguration } from '../../gateway/config/load.js'
import { loadPolicy } from '../../gateway/config/policy-file.js'
import type { Configuration } from '../../gateway/config/schema.js'
import { createSigningKey, privateKeyPem, publicKeyPem } from '../../gateway/messages/keys.js'
import { builtInPolicy } from '../../gateway/policy/policy.js'
import { enrol } from '../../gateway/uplink/enrolment.js'
import { certificateRequest, newUnitKey, renewalDue, validity } from '../../gateway/uplink/unit-certificate.js'
import { startableMosquitto } from '../../scripts/delivery/mosquitto.js'
import { CertificateAuthority } from '../../scripts/provisioning/authority.js'
import { estServer } from '../../scripts/provisioning/est-server.js'
import { provisionUnits } from '../../scripts/provisioning/units.js'
import { polewatch } from '../commands/polewatch.js'
import { documented } from '../hub/documented.js'
import { brokerKinds } from './brokers.js'

const missing = brokerKinds.find(({ name }) => name.startsWith('Mosquitto'))?.missing ?? 'mosquitto is not installed'
const now = (): number => Date.now() / 1000

interface City {
  readonly folder: string
  readonly authority: CertificateAuthority
  readonly server: string
}

async function city(t: Test): Promise<City> {
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-city-'))
  const authority = CertificateAuthority.create(join(folder, 'authority'), ['localhost', '127.0.0.1'])
  const est = estServer(authority, () => {})
  const port = await listening(est)
  t.teardown(() => {
    est.close()
    rmSync(folder, { recursive: true })
  })
  return { folder, authority, server: `https://localhost:${port}` }
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** A unit of a city, with what its first boot finds. */
function unit({ folder, authority, server }: City, id: string, claim: string): Configuration {
  const home = join(folder, id)
  mkdirSync(home, { recursive: true })
  writeFileSync(join(home, 'trust.pem'), authority.root)
  writeFileSync(join(home, 'claim'), claim)
  const text = `version: 1
site: riverside
gateway: { id: ${id}, position: { latitude: 40, longitude: -80, altitude: 200, error: 1 } }
uplink:
  brokers: ["mqtts://localhost:8883"]
  acknowledge: broker
  tls: { ca: tls/ca.pem, certificate: tls/gateway.pem, key: tls/gateway.key }
enrolment: { server: "${server}", trust: trust.pem, claimFile: claim }
`
  writeFileSync(join(home, 'polewatch.yaml'), text)
  return parseConfiguration(text, join(home, 'polewatch.yaml'))
}

const files = ({ folder }: City, id: string) => {
  const text = (name: string) => readFileSync(join(folder, id, 'tls', name), 'utf8')
  return { key: () => text('gateway.key'), certificate: () => text('gateway.pem'), text }
}

test('a unit makes its key, gets its first certificate for a claim, and later ones for the one it has', async t => {
  const place = await city(t)
  const claim = place.authority.claim({ site: 'riverside', gateway: 'pole-17' }, now())
  const configuration = unit(place, 'pole-17', claim)
  const { key, certificate, text } = files(place, 'pole-17')
  t.equal((await obtainCertificate(configuration, false)).renewed, true)
  t.equal(statSync(join(place.folder, 'pole-17/tls/gateway.key')).mode & 0o777, 0o400, 'nobody else reads the key')
  t.equal(text('ca.pem'), place.authority.root)
  t.equal(readFileSync(join(place.folder, 'pole-17/claim'), 'utf8'), '', 'the claim is of no use any more')
  const first = { key: key(), certificate: certificate() }
  t.equal((await obtainCertificate(configuration, false)).renewed, false, 'it is too early for another')
  t.same({ key: key(), certificate: certificate() }, first)
  t.equal((await obtainCertificate(configuration, true)).renewed, true)
  t.not(key(), first.key, 'each certificate has a key of its own')
  const status = polewatch('enroll', 'status', '--config', join(place.folder, 'pole-17/polewatch.yaml'), '--json')
  t.match(JSON.parse(status.output), { good: true, due: false })
  const { from, until } = validity(first.certificate)
  t.notOk(renewalDue(first.certificate, from + (until - from) * 0.66))
  t.ok(renewalDue(first.certificate, from + (until - from) * 0.67))
})

test('an authority that the city has put in place for its broker stays, and the one that enrolment has put there follows', async t => {
  const [place, brokers, next] = [await city(t), await city(t), await city(t)]
  const enrolled = async (id: string, ca: string | null) => {
    const configuration = unit(place, id, place.authority.claim({ site: 'riverside', gateway: id }, now()))
    const file = join(place.folder, id, 'tls/ca.pem')
    mkdirSync(dirname(file))
    if (ca !== null) writeFileSync(file, ca)
    const { otherAuthority } = await obtainCertificate(configuration, false)
    return { configuration, file, otherAuthority, ca: () => readFileSync(file, 'utf8') }
  }
  const own = await enrolled('pole-1', brokers.authority.root)
  t.ok(own.otherAuthority)
  t.equal(own.ca(), brokers.authority.root)
  t.equal((await obtainCertificate(own.configuration, true)).otherAuthority, true)
  t.equal(own.ca(), brokers.authority.root, 'at a renewal too')
  const both = await enrolled('pole-2', place.authority.root + brokers.authority.root)
  t.ok(both.otherAuthority, 'one of several is not replaced by it')
  const root = next.authority.root
  for (const [id, given] of [
    ['pole-3', null],
    ['pole-4', ''],
    ['pole-5', `the root of riverside\n${place.authority.root.replaceAll('\n', '\r\n')}`],
  ] as const) {
    const { configuration, ca, file, otherAuthority } = await enrolled(id, given)
    t.notOk(otherAuthority)
    t.equal(ca(), place.authority.root)
    const files = new CertificateFiles(configuration.uplink.tls)
    t.notOk(files.keepAuthority([place.authority.root, root], 'trust.pem'))
    t.equal(ca(), place.authority.root + root, 'it follows to the next root')
    rmSync(file)
    writeFileSync(file, brokers.authority.root)
    t.ok(files.keepAuthority([root], 'trust.pem'), 'unless the city has put another there meanwhile')
    t.equal(ca(), brokers.authority.root)
  }
})

test('a claim is good for one unit, one key and a while', async t => {
  const place = await city(t)
  const { authority } = place
  const ask = (key: string, gateway: string, code: string, user = gateway) => {
    const file = join(place.folder, `${gateway}.key`)
    writeFileSync(file, key)
    const request = certificateRequest(file, { site: 'riverside', gateway })
    return enrol({ server: place.server, trust: authority.root }, request, { claim: { user, code } })
  }
  const refused = { code: 'PW_ENROLMENT_REFUSED' }
  const key = newUnitKey()
  const claim = authority.claim({ site: 'riverside', gateway: 'pole-17' }, now())
  await t.rejects(ask(key, 'pole-17', 'guessed'), refused)
  await t.rejects(ask(key, 'pole-18', claim), refused, 'another unit')
  await t.rejects(ask(key, 'pole-18', claim, 'pole-17'), refused, "another unit with this one's claim")
  await t.resolves(ask(key, 'pole-17', claim))
  await t.resolves(ask(key, 'pole-17', claim), 'an answer that was lost is asked for again')
  await t.rejects(ask(newUnitKey(), 'pole-17', claim), refused, 'a thief of the code comes too late')
  const old = authority.claim({ site: 'riverside', gateway: 'pole-19' }, now() - 31 * 86_400)
  await t.rejects(ask(newUnitKey(), 'pole-19', old), refused)
  const elsewhere = authority.claim({ site: 'lakeside', gateway: 'pole-20' }, now())
  await t.rejects(ask(newUnitKey(), 'pole-20', elsewhere), refused, 'a claim for another site')
  await t.rejects(
    enrol({ server: place.server, trust: authority.root }, Buffer.from('no request'), {
      claim: { user: 'pole-17', code: claim },
    }),
    refused,
  )
})

test('neither a used claim nor an absent one keeps a unit from renewing its certificate', async t => {
  const place = await city(t)
  const claim = place.authority.claim({ site: 'riverside', gateway: 'pole-17' }, now())
  const configuration = unit(place, 'pole-17', claim)
  await obtainCertificate(configuration, false)
  const file = join(place.folder, 'pole-17/claim')
  writeFileSync(file, claim)
  t.equal((await obtainCertificate(configuration, true)).renewed, true)
  t.equal(readFileSync(file, 'utf8'), '', 'it is of no use any more')
  rmSync(file)
  t.equal((await obtainCertificate(configuration, false)).renewed, false)
  t.equal((await obtainCertificate(configuration, true)).renewed, true)
})

test('an authority that no preloaded root leads to is given nothing', async t => {
  const [place, impostor] = [await city(t), await city(t)]
  const claim = place.authority.claim({ site: 'riverside', gateway: 'pole-17' }, now())
  const configuration = unit({ ...place, server: impostor.server }, 'pole-17', claim)
  await t.rejects(obtainCertificate(configuration, false), { code: 'PW_ENROLMENT_UNREACHABLE' })
  t.equal(readFileSync(join(place.folder, 'pole-17/claim'), 'utf8'), claim)
})

test('a pair that a crash left half replaced is made whole', async t => {
  const place = await city(t)
  const configuration = unit(place, 'pole-17', place.authority.claim({ site: 'riverside', gateway: 'pole-17' }, now()))
  await obtainCertificate(configuration, false)
  const { key } = files(place, 'pole-17')
  const good = key()
  rmSync(join(place.folder, 'pole-17/tls/gateway.key'))
  writeFileSync(join(place.folder, 'pole-17/tls/gateway.key.pending'), good)
  writeFileSync(join(place.folder, 'pole-17/tls/gateway.key'), newUnitKey())
  t.equal((await obtainCertificate(configuration, false)).renewed, false)
  t.equal(key(), good)
})

test('a unit that is reset forgets all but its configuration', async t => {
  const place = await city(t)
  const home = join(place.folder, 'pole-17')
  unit(place, 'pole-17', 'unused')
  const file = join(home, 'polewatch.yaml')
  const text = readFileSync(file, 'utf8')
  const camera =
    '{ name: lane, driver: rtsp, url: "rtsp://192.0.2.7/lane", user: polewatch, passwordFile: lane.password }'
  writeFileSync(file, `${text}paths: { state: state, runtime: run }\ncameras: [${camera}]\n`)
  for (const name of ['state/keys', 'state/hotlist', 'run', 'tls']) mkdirSync(join(home, name), { recursive: true })
  const secrets = [
    'state/uplink.journal.db',
    'state/keys/sensing.key',
    'state/hotlist/list.db',
    'run/sensing.exchange.db',
  ]
  for (const name of [...secrets, 'lane.password', 'tls/gateway.key', 'tls/gateway.pem'])
    writeFileSync(join(home, name), 'secret')
  t.equal(polewatch('enroll', 'reset', '--config', file).status, 2, 'it asks whether that is meant')
  t.equal(polewatch('enroll', 'reset', '--yes', '--config', file).status, 0)
  const left = readdirSync(home, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  t.same(left.map(({ name }) => name).sort(), ['polewatch.yaml', 'trust.pem'])
  t.ok(statSync(join(home, 'state/keys')).isDirectory())
  const store = join(place.folder, 'credstore')
  mkdirSync(store)
  for (const name of ['polewatch-evidence-key', 'of-another-program']) writeFileSync(join(store, name), 'secret')
  t.same(resetUnit(loadConfiguration(file), [store]), [join(store, 'polewatch-evidence-key')], 'credentials too')
  t.same(readdirSync(store), ['of-another-program'])
})

test('where no network reaches, a request is signed by hand', async t => {
  const place = await city(t)
  unit(place, 'pole-17', '')
  const [config, request, answer] = ['polewatch.yaml', 'request.csr', 'answer.pem'].map(name =>
    join(place.folder, 'pole-17', name),
  )
  if (config === undefined || request === undefined || answer === undefined) throw new Error('no paths')
  t.equal(polewatch('enroll', 'status', '--config', config).status, 1)
  t.equal(polewatch('enroll', 'request', request, '--config', config).status, 0)
  writeFileSync(answer, place.authority.sign(readFileSync(request)))
  t.match(polewatch('enroll', 'install', answer, '--config', config), { status: 0, output: /in place, good until/ })
  t.equal(polewatch('enroll', 'status', '--config', config).status, 0)
  const stranger = await city(t)
  t.equal(polewatch('enroll', 'request', request, '--config', config).status, 0)
  writeFileSync(answer, stranger.authority.sign(readFileSync(request)))
  t.match(polewatch('enroll', 'install', answer, '--config', config), { status: 1, errors: /PW_ENROLMENT_ANSWER/ })
})

test('a list of poles with faults makes nothing and names every line', async t => {
  const { folder, authority } = await city(t)
  writeFileSync(join(folder, 'site.yaml'), siteFile('https://localhost:1', 'mqtts://localhost'))
  writeFileSync(
    join(folder, 'poles.csv'),
    `${heading}\npole-1,riverside,40,-80,200,1,90,\nPole 2,riverside,40,-80,200,1,90,\npole-3,riverside,95,-80,200,1,90,\npole-1,riverside,40,-80,200,1,90,\n`,
  )
  const options = {
    poles: join(folder, 'poles.csv'),
    site: join(folder, 'site.yaml'),
    devices: folder,
    authority,
    now: 0,
  }
  const output = join(folder, 'units')
  t.throws(() => provisionUnits({ ...options, output }), {
    message: /line 3: id is "Pole 2"[\s\S]*line 4: latitude is "95"[\s\S]*line 5: pole-1 stands in line 2/,
  })
  writeFileSync(options.poles, `${heading}\npole-1,riverside,40,-80,200,1,90,no-such-device\n`)
  t.throws(() => provisionUnits({ ...options, output }), { message: /line 2: there is no device file/ })
  writeFileSync(options.poles, `${heading}\npole-1,riverside,40,-80,200,1,90,\n`)
  writeFileSync(options.site, siteFile('https://localhost:1', 'mqtts://localhost') + cityFile)
  const key = createSigningKey()
  writeFileSync(join(folder, 'agency.pub'), publicKeyPem(key.publicKey))
  t.throws(() => provisionUnits({ ...options, output }), {
    message: /names \/etc\/polewatch\/upkeep.pub, and there is no/,
  })
  writeFileSync(join(folder, 'upkeep.pub'), privateKeyPem(key))
  t.throws(() => provisionUnits({ ...options, output }), { message: /upkeep.pub: it is a private key/ })
  writeFileSync(join(folder, 'upkeep.pub'), publicKeyPem(key.publicKey))
  writeFileSync(join(folder, 'policy.yaml'), 'version: 1\n')
  t.throws(() => provisionUnits({ ...options, output }), { message: /policy.yaml: line 1/ })
  t.throws(() => statSync(output))
})

const heading = 'id,site,latitude,longitude,altitude,error,heading,devices'
const siteFile = (server: string, broker: string) => `version: 1
site: riverside
gateway: { id: to-be-filled-in, position: { latitude: 0, longitude: 0, altitude: 0, error: 1 } }
uplink:
  brokers: ["${broker}"]
  acknowledge: broker
  tls: { ca: /etc/polewatch/tls/ca.pem, certificate: /etc/polewatch/tls/gateway.pem, key: /etc/polewatch/tls/gateway.key }
enrolment: { server: "${server}" }
`
/** Keys, a policy and lists that the city gives its units. */
const cityFile = `hotlist: { lists: [{ name: state, deltaKeys: [/etc/polewatch/agency.pub] }] }
commands: { keys: [{ name: upkeep, file: /etc/polewatch/upkeep.pub, commands: [status] }] }
policyFile: /etc/polewatch/policy.yaml
`

test('a pole has every kind of device that a configuration knows, and of the site what its own files do not replace', async t => {
  const { folder, authority } = await city(t)
  const common = 'gnss: [{ driver: gpsd }]\nmicrophoneArrays: [{ name: common, driver: simulator, geometry: mono }]\n'
  writeFileSync(join(folder, 'site.yaml'), siteFile('https://localhost:1', 'mqtts://localhost') + common)
  const files = {
    roof: 'microphoneArrays: [{ name: roof, driver: simulator, geometry: square }]',
    street:
      'plateReaders: [{ name: north, driver: simulator, plates: [POLE1] }]\ncameras: [{ name: south, driver: simulator, plates: [POLE1] }]',
    gate: 'plateReaders: [{ name: gate, driver: simulator, plates: [POLE1] }]',
    mast: 'sensorBoards: [{ name: mast, driver: firmata, port: /dev/ttyUSB0, pinMap: uno-weather }]',
    door: 'digitalIo: [{ name: door, driver: libgpiod, chip: pinctrl-bcm2711, inputs: [{ name: lid, use: enclosure, line: 17 }] }]',
    satellites: 'gnss: [{ driver: nmea, port: /dev/ttyAMA0 }]',
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, `${name}.yaml`), `${text}\n`)
  const output = join(folder, 'units')
  writeFileSync(
    join(folder, 'poles.csv'),
    `${heading}\npole-1,riverside,40,-80,200,1,90,${Object.keys(files).join(' ')}\npole-2,riverside,40,-80,200,1,90,street\n`,
  )
  provisionUnits({
    poles: join(folder, 'poles.csv'),
    site: join(folder, 'site.yaml'),
    devices: folder,
    output,
    authority,
    now: 0,
  })
  const devicesOf = (id: string) => {
    const file = join(output, id, 'etc/polewatch/polewatch.yaml')
    const { microphoneArrays, plateReaders, cameras, sensorBoards, digitalIo, gnss } = loadConfiguration(file)
    const named = [microphoneArrays, plateReaders, cameras, sensorBoards, digitalIo].map(list =>
      list.map(({ name }) => name),
    )
    return [...named, gnss.map(({ driver }) => driver)]
  }
  t.same(devicesOf('pole-1'), [['roof'], ['north', 'gate'], ['south'], ['mast'], ['door'], ['nmea']])
  t.same(devicesOf('pole-2'), [['common'], ['north'], ['south'], [], [], ['gpsd']])
  writeFileSync(join(folder, 'mast.yaml'), 'sensorBords: []\n')
  t.throws(
    () =>
      provisionUnits({
        poles: join(folder, 'poles.csv'),
        site: join(folder, 'site.yaml'),
        devices: folder,
        output: join(folder, 'again'),
        authority,
        now: 0,
      }),
    {
      message: /mast.yaml: .*sensorBords/,
    },
  )
})

test('the passwords of brokers and cameras reach the units that name them, and nobody else reads them', async t => {
  const { folder, authority } = await city(t)
  const login = 'uplink:\n  user: poles\n  passwordFile: /etc/polewatch/broker.password\n'
  writeFileSync(
    join(folder, 'site.yaml'),
    siteFile('https://localhost:1', 'mqtts://localhost').replace('uplink:\n', login),
  )
  const camera = (file: string) =>
    `cameras: [{ name: lane, driver: rtsp, url: "rtsp://192.0.2.7/lane", user: polewatch, passwordFile: ${file} }]\n`
  writeFileSync(join(folder, 'lane.yaml'), camera('/etc/polewatch/lane.password'))
  writeFileSync(
    join(folder, 'poles.csv'),
    `${heading}\npole-1,riverside,40,-80,200,1,90,lane\npole-2,riverside,40,-80,200,1,90,\n`,
  )
  const output = join(folder, 'units')
  const provision = () =>
    provisionUnits({
      ...{ poles: join(folder, 'poles.csv'), site: join(folder, 'site.yaml') },
      ...{ devices: folder, output, authority, now: 0 },
    })
  t.throws(provision, { message: /line 2: the configuration names \/etc\/polewatch\/broker.password, and there is no/ })
  mkdirSync(join(folder, 'pole-2'))
  writeFileSync(join(folder, 'broker.password'), 'common\n')
  writeFileSync(join(folder, 'pole-2/broker.password'), 'own\n')
  writeFileSync(join(folder, 'lane.password'), '\n')
  t.throws(provision, { message: /lane.password: its first line is the password, and that is empty/ })
  writeFileSync(join(folder, 'lane.password'), 'lane\n')
  writeFileSync(join(folder, 'lane.yaml'), camera('/etc/polewatch/lane.txt'))
  t.throws(provision, { message: /lane.txt: the names of passwords end in .password, and no others/ })
  writeFileSync(join(folder, 'lane.yaml'), camera('/etc/polewatch/lane.password'))
  provision()
  const file = (id: string, name: string) => join(output, id, 'etc/polewatch', name)
  t.equal(readFileSync(file('pole-1', 'broker.password'), 'utf8'), 'common\n')
  t.equal(readFileSync(file('pole-2', 'broker.password'), 'utf8'), 'own\n', "one unit's own goes before the common one")
  t.equal(readFileSync(file('pole-1', 'lane.password'), 'utf8'), 'lane\n')
  t.notOk(existsSync(file('pole-2', 'lane.password')), 'a unit gets what it names')
  for (const name of ['broker', 'lane']) t.equal(statSync(file('pole-1', `${name}.password`)).mode & 0o777, 0o600)
  t.equal(
    polewatch('config', 'passwords', file('pole-1', 'polewatch.yaml')).output,
    'uplink /etc/polewatch/broker.password\nvision /etc/polewatch/lane.password\n',
    'set-up gives each to the user of the role',
  )
})

test('what a configuration names in folders below /etc/polewatch comes along in them, and nothing from elsewhere', async t => {
  const { folder, authority } = await city(t)
  const site = siteFile('https://localhost:1', 'mqtts://localhost')
  const named = (
    hubKey: string,
    ca = '/etc/polewatch/tls/ca.pem',
    password = '/etc/polewatch/logins/broker.password',
  ) =>
    writeFileSync(
      join(folder, 'site.yaml'),
      site
        .replace('uplink:\n', `uplink:\n  user: poles\n  passwordFile: ${password}\n  hubKey: ${hubKey}\n`)
        .replace('ca: /etc/polewatch/tls/ca.pem', `ca: ${ca}`),
    )
  writeFileSync(join(folder, 'poles.csv'), `${heading}\npole-1,riverside,40,-80,200,1,90,\n`)
  const output = join(folder, 'units')
  const provision = () =>
    provisionUnits({
      ...{ poles: join(folder, 'poles.csv'), site: join(folder, 'site.yaml') },
      ...{ devices: folder, output, authority, now: 0 },
    })
  const hub = publicKeyPem(createSigningKey().publicKey)
  for (const name of ['keys/of-hubs', 'logins', 'pole-1/logins', 'tls'])
    mkdirSync(join(folder, name), { recursive: true })
  writeFileSync(join(folder, 'logins/broker.password'), 'common\n')
  writeFileSync(join(folder, 'pole-1/logins/broker.password'), 'own\n')
  writeFileSync(join(folder, 'tls/gateway.pem'), hub)
  writeFileSync(join(folder, 'elsewhere.pub'), hub)
  named('/etc/polewatch/keys/of-hubs/hub.pub')
  t.throws(provision, { message: /names \/etc\/polewatch\/keys\/of-hubs\/hub.pub, and there is no/ })
  writeFileSync(join(folder, 'keys/of-hubs/hub.pub'), hub)
  for (const name of ['tls/gateway.pem', 'tls/gateway.key.pending', 'tls/ca.pem.enrolled', 'claim', 'trust.pem']) {
    named(`/etc/polewatch/${name}`)
    t.throws(provision, { message: /has the name of a file that each unit has of its own/ }, name)
  }
  named('/etc/polewatch/keys/of-hubs/hub.pub', '/etc/polewatch/authorities/brokers.pem')
  mkdirSync(join(folder, 'authorities'))
  writeFileSync(join(folder, 'authorities/brokers.pem'), 'no certificate')
  t.throws(provision, { message: /brokers.pem: there is no certificate in it/ })
  writeFileSync(join(folder, 'authorities/brokers.pem'), authority.root)
  provision()
  const laid = join(output, 'pole-1/etc/polewatch')
  t.equal(readFileSync(join(laid, 'keys/of-hubs/hub.pub'), 'utf8'), hub)
  t.equal(readFileSync(join(laid, 'authorities/brokers.pem'), 'utf8'), authority.root)
  t.equal(readFileSync(join(laid, 'logins/broker.password'), 'utf8'), 'own\n')
  const mode = (name: string) => statSync(join(laid, name)).mode & 0o777
  t.same(['keys', 'keys/of-hubs', 'logins', 'logins/broker.password'].map(mode), [0o755, 0o755, 0o755, 0o600])
  rmSync(output, { recursive: true })
  named('/etc/polewatch/keys/../../elsewhere.pub', '/etc/polewatch/tls/ca.pem')
  provision()
  t.notOk(
    readdirSync(output, { recursive: true, withFileTypes: true }).some(({ name }) => name === 'elsewhere.pub'),
    'a path that leads out of the folder is none below it',
  )
})

test('fifty units from one list enrol, and each speaks for itself alone', { skip: missing }, async t => {
  const place = await city(t)
  const { folder, authority, server } = place
  const keys = authority.issueServer('broker', ['localhost', '127.0.0.1'])
  writeFileSync(join(folder, 'access.acl'), documented('acl'), { mode: 0o644 })
  const broker = await startableMosquitto({
    configuration: `acl_file ${join(folder, 'access.acl')}\ncrlfile ${join(authority.folder, 'crl.pem')}\n`,
    certificates: {
      authority: join(authority.folder, 'root.pem'),
      server: keys.certificate,
      serverKey: keys.key,
      client: '',
      clientKey: '',
    },
  })
  await broker.up()
  t.teardown(() => broker.remove())

  const site = siteFile(server, broker.url).replace('broker\n', 'hub\n  hubKey: /etc/polewatch/hub.pub\n') + cityFile
  writeFileSync(join(folder, 'site.yaml'), site)
  for (const name of ['hub', 'agency', 'upkeep'])
    writeFileSync(join(folder, `${name}.pub`), publicKeyPem(createSigningKey().publicKey))
  writeFileSync(join(folder, 'policy.yaml'), JSON.stringify(builtInPolicy))
  writeFileSync(
    join(folder, 'two-microphones.yaml'),
    'microphoneArrays: [{ name: roof, driver: simulator, geometry: square, sampleRate: 48000, shotInterval: 30, seed: 1 }]\n',
  )
  const lines = Array.from(
    { length: 50 },
    (_, index) => `pole-${index + 1},riverside,${40 + index / 1000},-80,200,,${index},two-microphones`,
  )
  writeFileSync(join(folder, 'poles.csv'), [heading, ...lines, ''].join('\n'))
  const output = join(folder, 'units')
  const poles = provisionUnits({
    poles: join(folder, 'poles.csv'),
    site: join(folder, 'site.yaml'),
    devices: folder,
    output,
    authority,
    now: now(),
  })
  const enrolled = await Promise.all(
    poles.map(async ({ id }) => {
      const home = join(output, id, 'etc/polewatch')
      // On a unit the folder is /etc/polewatch; here it is where the test has laid it.
      const text = readFileSync(join(home, 'polewatch.yaml'), 'utf8').replaceAll('/etc/polewatch', home)
      const configuration = parseConfiguration(text, join(home, 'polewatch.yaml'))
      t.ok(commandAuthority(configuration), 'its keys of commands are there')
      t.equal(loadPolicy(configuration.policyFile).hash, loadPolicy(null).hash)
      t.equal(existsSync(join(home, 'agency.pub')), true)
      await obtainCertificate(configuration, false)
      const read = (name: string) => readFileSync(join(home, 'tls', name), 'utf8')
      return { configuration, ca: read('ca.pem'), cert: read('gateway.pem'), key: read('gateway.key') }
    }),
  )
  t.equal(new Set(enrolled.map(({ key }) => key)).size, 50, 'no two have one key')
  t.same(
    enrolled.map(({ configuration }) => [configuration.gateway.id, configuration.gateway.position.latitude]),
    poles.map((_, index) => [`pole-${index + 1}`, 40 + index / 1000]),
  )

  // The hub has a certificate of its own: it is a client like any other, whom the access list knows by name.
  writeFileSync(join(folder, 'hub.key'), newUnitKey())
  const hubCertificate = authority.sign(
    certificateRequest(join(folder, 'hub.key'), { site: 'riverside', gateway: 'crime-centre' }),
  )
  const connect = (tls: { cert: string; key: string }, clientId: string) =>
    mqtt.connectAsync(broker.url, { protocolVersion: 5, clientId, ca: authority.root, reconnectPeriod: 0, ...tls })
  const hub = await connect({ cert: hubCertificate, key: readFileSync(join(folder, 'hub.key'), 'utf8') }, 'hub')
  const heard = new Map<string, string>()
  hub.on('message', (topic, payload) => heard.set(topic, payload.toString()))
  await hub.subscribeAsync('polewatch/v1/riverside/#', { qos: 1 })
  const clients = await Promise.all(
    enrolled.map(({ cert, key, configuration }) => connect({ cert, key }, configuration.gateway.id)),
  )
  t.teardown(() => Promise.all([hub, ...clients].map(client => client.endAsync(true))))
  for (const [index, client] of clients.entries()) {
    const victim = `pole-${((index + 1) % 50) + 1}`
    // Mosquitto says 0x87 to what the list forbids.
    await client.publishAsync(`polewatch/v1/riverside/${victim}/alert/gunfire`, 'forged', { qos: 1 }).catch(() => {})
    await client.publishAsync(`polewatch/v1/riverside/pole-${index + 1}/health`, 'own', { qos: 1 })
  }
  for (let turn = 0; turn < 200 && heard.size < 50; turn += 1) await new Promise(resolve => setTimeout(resolve, 20))
  t.same([...heard.keys()].sort(), poles.map(({ id }) => `polewatch/v1/riverside/${id}/health`).sort())

  t.equal(authority.revoke('pole-7'), 1)
  await broker.down()
  await broker.up()
  const [lost, kept] = [enrolled[6], enrolled[7]]
  if (lost === undefined || kept === undefined) throw new Error('no units')
  await t.rejects(connect(lost, 'pole-7'), 'the broker turns a revoked unit away')
  await t.resolves(connect(kept, 'pole-8').then(client => client.endAsync(true)))
  await t.rejects(obtainCertificate(lost.configuration, true), { code: 'PW_ENROLMENT_REFUSED' })
  const home = join(output, 'pole-7/etc/polewatch')
  writeFileSync(join(home, 'claim'), authority.claim({ site: 'riverside', gateway: 'pole-7' }, now()))
  t.equal((await obtainCertificate(lost.configuration, false)).renewed, true, 'with a new claim it is enrolled anew')
})
