import { createHash } from 'node:crypto'
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { commandAuthority } from '../../gateway/commands/command-keys.js'
import { inboxOutcomes, refreshHotlists } from '../../gateway/commands/hotlist-inbox.js'
import { changeHotlist } from '../../gateway/commands/hub-requests.js'
import { loadConfiguration } from '../../gateway/config/load.js'
import { signDelta } from '../../gateway/hotlist/delta-file.js'
import { Hotlist } from '../../gateway/hotlist/hotlist.js'
import { createSigningKey, publicKeyPem } from '../../gateway/messages/keys.js'
import { sealEvent } from '../../gateway/messages/seal.js'

const heading = 'plate,state,purpose,expires,id\n'
const entry = (plate: string) => `${plate},PA,stolen-vehicle,2035-01-01T00:00:00Z,${plate.toLowerCase()}-1\n`

function unit(folder: string) {
  const agency = createSigningKey()
  writeFileSync(join(folder, 'agency.pub'), publicKeyPem(agency.publicKey))
  const file = join(folder, 'polewatch.yaml')
  writeFileSync(
    file,
    `version: 1
site: example-city
gateway: { id: pole-17, position: { latitude: 41.88, longitude: -87.63, altitude: 5, error: 1 } }
paths: { state: ${folder}/state, runtime: ${folder}/runtime }
hotlist:
  lists:
    - { name: city, deltaKeys: [${folder}/agency.pub] }
    - { name: county, file: ${folder}/county.csv }
uplink: { brokers: ['mqtt://127.0.0.1:1883'], acknowledge: broker }
commands: { keys: [{ name: city, file: ${folder}/agency.pub, commands: [hotlist] }] }
`,
  )
  return { agency, configuration: loadConfiguration(file), inbox: join(folder, 'state', 'inbox') }
}

const now = () => Date.now() / 1000

test('what lies in the inbox is taken in its order and removed, what is refused is set aside, and what is newer is imported', async t => {
  const folder = t.testdir({ state: { inbox: {} }, runtime: {} })
  const { agency, configuration, inbox } = unit(folder)
  const found = (list: string, plate: string): boolean => {
    const hotlist = Hotlist.open(join(folder, 'state', 'hotlist'), list)
    const { candidates } = hotlist.find(plate, now())
    hotlist.close()
    return candidates.length > 0
  }
  const whole = heading + entry('AAA0001')
  writeFileSync(join(inbox, 'city.csv'), whole)
  const change = {
    format: 'polewatch-hotlist-delta-1',
    list: 'city',
    base: { sha256: createHash('sha256').update(whole).digest('hex') },
    expires: '2035-01-01T00:00:00Z',
    remove: [],
    add: [{ plate: 'BBB0002', state: 'PA', purpose: 'stolen-vehicle', expires: '2034-12-31T00:00:00Z', id: 'b-2' }],
  }
  const sign = (key = agency) => signDelta(Buffer.from(JSON.stringify(change)), key).bytes
  writeFileSync(join(inbox, 'city.1.delta.json'), sign())
  writeFileSync(join(inbox, 'city.2.delta.json'), sign(createSigningKey()))
  writeFileSync(join(inbox, 'elsewhere.csv'), whole)
  writeFileSync(join(inbox, '.city.csv'), 'not yet whole')
  symlinkSync('/etc/hostname', join(inbox, 'city.link'))
  writeFileSync(join(folder, 'county.csv'), heading + entry('CCC0003'))

  const outcomes = await refreshHotlists(configuration, 0)
  t.match(
    outcomes.map(({ file, outcome, code }) => [file, outcome, code]),
    [
      ['city.csv', 'taken', null],
      ['city.link', 'refused', 'PW_HOTLIST_SOURCE'],
      ['elsewhere.csv', 'refused', 'PW_HOTLIST_ABSENT'],
      ['city.1.delta.json', 'taken', null],
      ['city.2.delta.json', 'refused', 'PW_HOTLIST_DELTA_UNTRUSTED'],
      [join(folder, 'county.csv'), 'taken', null],
    ],
  )
  t.same(inboxOutcomes(configuration), outcomes)
  t.notMatch(JSON.stringify(outcomes), /AAA0001|BBB0002|CCC0003/, 'no plate')
  t.same(readdirSync(inbox), ['.city.csv'])
  t.same(readdirSync(join(folder, 'state', 'hotlist', 'refused.d')).sort(), [
    'city.2.delta.json',
    'city.link',
    'elsewhere.csv',
  ])
  t.ok(found('city', 'AAA0001') && found('city', 'BBB0002') && found('county', 'CCC0003'))

  t.same(await refreshHotlists(configuration, 0), [], 'a file that is as old as its list makes it no fresher')
  writeFileSync(join(folder, 'county.csv'), heading + entry('CCC0004'))
  t.match(await refreshHotlists(configuration, 0), [{ outcome: 'taken', result: { generation: 2 } }])
  t.ok(found('county', 'CCC0004'))
})

test('a whole list of neither root nor the importer is refused, as it bears no signature', {
  skip: process.getuid?.() === 0 ? false : 'only root can give a file away',
}, async t => {
  const folder = t.testdir({ state: { inbox: {} }, runtime: {} })
  const { configuration, inbox } = unit(folder)
  writeFileSync(join(inbox, 'city.csv'), heading + entry('AAA0001'))
  chownSync(join(inbox, 'city.csv'), 12345, 12345)
  t.match(
    (await refreshHotlists(configuration, 0)).filter(({ file }) => file === 'city.csv'),
    [{ outcome: 'refused', code: 'PW_HOTLIST_SOURCE', detail: /file of root/ }],
  )
  t.notOk(existsSync(join(inbox, 'city.csv')))
})

test('a signed change from the hub can be read by who writes the lists, whatever the mask of uplink', async t => {
  const folder = t.testdir({ state: { inbox: {} }, runtime: {} })
  const { agency, configuration, inbox } = unit(folder)
  const delta = {
    format: 'polewatch-hotlist-delta-1',
    list: 'city',
    base: { sha256: '0'.repeat(64) },
    expires: '2035-01-01T00:00:00Z',
    remove: [],
    add: [{ plate: 'BBB0002', state: 'PA', purpose: 'stolen-vehicle', expires: '2034-12-31T00:00:00Z', id: 'b-2' }],
  }
  const signed: unknown = JSON.parse(
    Buffer.from(signDelta(Buffer.from(JSON.stringify(delta)), agency).bytes).toString('utf8'),
  )
  const draft = {
    name: 'command' as const,
    time: now(),
    subject: null,
    exercise: false,
    data: {
      name: 'hotlist' as const,
      site: 'example-city',
      gateway: 'pole-17',
      nonce: '0123456789abcdef0123456789abcdef',
      purpose: 'upkeep',
      requestedBy: 'administrator',
      expires: new Date((now() + 300) * 1000).toISOString(),
      arguments: { list: 'city', delta: signed },
    },
  }
  const { bytes } = sealEvent(draft, { source: '/example-city/hub/hub/live', epoch: 'ab12cd34', sequence: 1 }, agency)
  const command = commandAuthority(configuration).check('hotlist', bytes, now())
  if ('error' in command) throw command.error
  const mask = process.umask(0o077)
  // Where it may not write the lists itself: here they are not there.
  const answer = changeHotlist(command, configuration, join(folder, 'polewatch.yaml'))
  process.umask(mask)
  const [file = ''] = readdirSync(inbox)
  t.equal(statSync(join(inbox, file)).mode & 0o777, 0o640)
  t.match(JSON.parse(readFileSync(join(inbox, file), 'utf8')), { list: 'city' })
  mkdirSync(join(folder, 'state', 'hotlist'))
  const outcome = { file, outcome: 'taken', code: null, detail: '', result: {}, at: now() }
  writeFileSync(join(folder, 'state', 'hotlist', 'outcomes.json'), JSON.stringify([outcome]))
  t.match(await answer, { detail: 'The list city was changed.' })
})
