import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'tap'
import { PolewatchError } from '../../gateway/errors.js'
import { applyDelta, type DeltaOptions } from '../../gateway/hotlist/delta.js'
import { signDelta } from '../../gateway/hotlist/delta-file.js'
import { Hotlist } from '../../gateway/hotlist/hotlist.js'
import { importHotlist } from '../../gateway/hotlist/import.js'
import { stepBack } from '../../gateway/hotlist/step-back.js'
import { createSigningKey } from '../../gateway/messages/keys.js'

const now = Date.UTC(2026, 2, 1, 12) / 1000
const agency = createSigningKey()
const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')

const full = [
  'plate,state,purpose,expires,id,one-edit',
  'AAA0001,PA,stolen-vehicle,2026-12-31,C-1,',
  'AAA0002,NY,stolen-vehicle,2026-12-31,C-2,yes',
  'AAA0002,OH,stolen-vehicle,2026-12-31,C-3,',
  'BBB7771,PA,missing-person,2026-12-31,,',
  ...Array.from({ length: 16 }, (_, index) => `MANY${100 + index},PA,stolen-vehicle,2026-12-31,M-${index},`),
].join('\n')

const importFull = (directory: string, validFor?: number) =>
  importHotlist({
    listName: 'city',
    directory,
    source: Readable.from([Buffer.from(full)]),
    mapping: 'plain',
    now,
    ...(validFor === undefined ? {} : { validFor }),
  })

const added = (plate: string, some: Record<string, unknown> = {}) => ({
  ...{ plate, state: 'PA', purpose: 'stolen-vehicle', expires: '2026-12-31', id: 'N-1' },
  ...some,
})

function change(base: string, some: Record<string, unknown> = {}, key = agency): { bytes: Uint8Array; sha256: string } {
  const unsigned = {
    format: 'polewatch-hotlist-delta-1',
    list: 'city',
    base: { sha256: base },
    expires: '2026-03-02T12:00:00Z',
    remove: [{ plate: 'AAA-0001' }],
    add: [added('CCC-3333')],
    ...some,
  }
  return signDelta(Buffer.from(JSON.stringify(unsigned)), key)
}

const apply = (directory: string, delta: Uint8Array, some: Partial<DeltaOptions> = {}) =>
  applyDelta({ listName: 'city', directory, delta, keys: [agency.publicKey], now: now + 60, ...some })

const codeOf = async (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    error => (error instanceof PolewatchError ? error.code : String(error)),
  )

test('a signed change makes a new generation, whole, and the list counts as renewed', async t => {
  const directory = t.testdir()
  await importFull(directory, 3600)
  const hotlist = Hotlist.open(directory, 'city')
  t.teardown(() => hotlist.close())
  const ids = (text: string, at = now + 60) => hotlist.find(text, at).candidates.map(entry => entry.id)
  const near = (text: string) => hotlist.findOneEdit(text, now + 60).candidates.map(entry => entry.id)
  t.same(near('AAA002'), ['C-2'])

  const first = change(sha256(full), {
    remove: [{ plate: 'aaa 0001' }, { plate: 'AAA0002', id: 'C-2' }, { plate: 'BBB7771' }],
    add: [
      added('CCC-3333', { id: 'N-1', oneEdit: true }),
      added('MANY1O0', { id: 'N-2' }),
      added('POLICE', { id: 'N-3' }),
    ],
  })
  const result = await apply(directory, first.bytes)
  t.match(result, {
    generation: 2,
    added: 3,
    removed: 3,
    entries: 20,
    signedBy: agency.kid,
    sourceSha256: first.sha256,
  })
  t.same(
    result.warnings.map(({ message }) => message),
    [
      'Entry N-3 (line 24) is a text that readers give for many vehicles.',
      'Entry N-2 (line 23) is one look-alike away from entry M-0 (line 6).',
    ],
  )
  t.same(ids('AAA0001'), [])
  t.same(ids('AAA0002'), ['C-3'], 'only the entry with that id is gone')
  t.same(near('AAA002'), [], 'nor is it found by one edit')
  t.same(ids('BBB7771'), [])
  t.same(ids('CCC3333'), ['N-1'])
  t.same(near('CCC333'), ['N-1'])
  t.same(ids('MANY115'), ['M-15'])
  t.match(hotlist.status(now + 60), { freshness: 'fresh', about: { generation: 2, entries: 20, oneEdit: 1 } })
  t.equal(hotlist.status(now + 3630).freshness, 'fresh', 'a list good for an hour is good for another')
  t.equal(hotlist.status(now + 3661).freshness, 'stale')
  const file = readdirSync(join(directory, 'city')).find(name => name.includes(result.sha256)) ?? ''
  t.equal(sha256(readFileSync(join(directory, 'city', file))), result.sha256)

  const second = change(first.sha256, { remove: [{ plate: 'CCC3333' }], add: [added('AAA0001', { id: 'C-1' })] })
  t.match(await apply(directory, second.bytes), { generation: 3, added: 1, removed: 1 })
  t.same([ids('CCC3333'), near('CCC333'), ids('AAA0001')], [[], [], ['C-1']])
  t.match(
    readdirSync(join(directory, 'city')).filter(name => name.startsWith('generation')),
    [/^generation-00000002-/, /^generation-00000003-/],
  )
})

test('an entry keeps its issue through changes and imports, and gets another when the agency issues it anew', async t => {
  const directory = t.testdir()
  await importFull(directory)
  const hotlist = Hotlist.open(directory, 'city')
  t.teardown(() => hotlist.close())
  const issue = (text: string) => hotlist.find(text, now + 60).candidates[0]?.issue
  const before = [issue('AAA0001'), issue('BBB7771'), issue('MANY100')]
  t.equal(new Set(before).size, 3)
  await apply(directory, change(sha256(full), { remove: [{ plate: 'MANY115' }], add: [] }).bytes)
  t.same([issue('AAA0001'), issue('BBB7771'), issue('MANY100')], before)
  await importFull(directory)
  t.same([issue('AAA0001'), issue('BBB7771'), issue('MANY100')], before)
  const renewed = added('AAA0001', { id: 'C-1', expires: '2027-12-31' })
  await apply(directory, change(sha256(full), { add: [renewed] }).bytes)
  t.not(issue('AAA0001'), before[0])
})

test('an expiry by default is no part of an issue: every import would make another', async t => {
  const directory = t.testdir()
  const issues: unknown[] = []
  for (const at of [now, now + 86_400]) {
    const source = Readable.from([Buffer.from('plate,purpose\nAAA0001,stolen-vehicle\n')])
    await importHotlist({ listName: 'city', directory, source, mapping: 'plain', now: at, defaults: { validFor: 1e5 } })
    const hotlist = Hotlist.open(directory, 'city')
    issues.push(hotlist.find('AAA0001', at).candidates[0]?.issue)
    hotlist.close()
  }
  t.type(issues[0], 'string')
  t.equal(issues[0], issues[1])
})

test('a change is refused without a trusted signature, for another list or base, too late, or a second time', async t => {
  const directory = t.testdir()
  const base = sha256(full)
  const good = change(base)
  t.equal(await codeOf(apply(directory, good.bytes)), 'PW_HOTLIST_ABSENT')
  await importFull(directory)
  const text = Buffer.from(good.bytes).toString()
  const { signature, ...unsigned } = JSON.parse(text)
  const refused: [string, string, Uint8Array | string, Partial<DeltaOptions>?][] = [
    ['nobody is trusted', 'PW_HOTLIST_DELTA_UNTRUSTED', good.bytes, { keys: [] }],
    ['another key', 'PW_HOTLIST_DELTA_UNTRUSTED', change(base, {}, createSigningKey()).bytes],
    ['no signature', 'PW_HOTLIST_DELTA_UNTRUSTED', JSON.stringify(unsigned)],
    ['a changed plate', 'PW_HOTLIST_DELTA_UNTRUSTED', text.replace('CCC-3333', 'CCC-3334')],
    ['a part left out', 'PW_HOTLIST_DELTA_UNTRUSTED', JSON.stringify({ ...unsigned, remove: [], signature })],
    [
      'a changed signature',
      'PW_HOTLIST_DELTA_UNTRUSTED',
      text.replace(/(.)"}\n$/, (_, last) => `${last === 'A' ? 'Q' : 'A'}"}`),
    ],
    ['not JSON', 'PW_HOTLIST_DELTA_INVALID', 'AAA0001'],
    ['another list', 'PW_HOTLIST_DELTA_INVALID', change(base, { list: 'county' }).bytes],
    ['another base', 'PW_HOTLIST_DELTA_BASE', change('0'.repeat(64)).bytes],
    ['another generation', 'PW_HOTLIST_DELTA_BASE', change(base, { base: { sha256: base, generation: 7 } }).bytes],
    ['too late', 'PW_HOTLIST_DELTA_LATE', good.bytes, { now: Date.UTC(2026, 2, 2, 12) / 1000 }],
  ]
  for (const [title, code, bytes, some] of refused)
    t.equal(await codeOf(apply(directory, Buffer.from(bytes), some)), code, title)
  const hotlist = Hotlist.open(directory, 'city')
  t.teardown(() => hotlist.close())
  t.equal(hotlist.status(now).about?.generation, 1, 'nothing has changed')

  const matching = change(base, { base: { sha256: base, generation: 1 } })
  await apply(directory, matching.bytes)
  t.equal(await codeOf(apply(directory, matching.bytes)), 'PW_HOTLIST_DELTA_REPLAYED')
  t.equal(stepBack(directory, 'city', now + 61).number, 1)
  t.equal(await codeOf(apply(directory, matching.bytes)), 'PW_HOTLIST_DELTA_REPLAYED', 'taken back')
  await importFull(directory)
  await importFull(directory)
  t.equal(
    await codeOf(apply(directory, change(base, { base: { sha256: base, generation: 1 } }).bytes)),
    'PW_HOTLIST_DELTA_REPLAYED',
  )
  t.equal(
    hotlist.find('CCC3333', now + 60).candidates.length,
    0,
    'the same list has come again, its old changes do not',
  )
  t.match(await apply(directory, good.bytes), { generation: 5 }, 'a change that it never took')

  writeFileSync(join(directory, 'city', 'deltas.json'), '{')
  const next = change(good.sha256, { remove: [], add: [added('DDD4444')] })
  t.equal(await codeOf(apply(directory, next.bytes)), 'PW_HOTLIST_BUILD_FAILED', 'nobody knows what it has taken')
})

test('what is signed must be a change, and what is wrong with it is said without what it holds', async t => {
  const wrong: Record<string, unknown>[] = [
    { format: 'something' },
    { base: {} },
    { expires: '2026-02-30T00:00:00Z' },
    { expires: 'tomorrow' },
    { add: [{ state: 'PA' }] },
    { add: [added('QXJ4077', { oneEdit: 'QXJ4077' })] },
    { QXJ4077: 1 },
  ]
  for (const some of wrong) {
    try {
      change('0'.repeat(64), some)
      t.fail('it was signed')
    } catch (error) {
      assert.ok(error instanceof PolewatchError)
      t.equal(error.code, 'PW_HOTLIST_DELTA_INVALID')
      t.notMatch(`${error.message}${error.stack}${JSON.stringify(error.details)}${String(error.cause)}`, 'QXJ4077')
    }
  }
})

test('a change that does not fit is refused whole, each part by number and reason', async t => {
  const directory = t.testdir()
  await importFull(directory)
  const refused: unknown[] = []
  const delta = change(sha256(full), {
    remove: [{ plate: 'AAA0001' }, { plate: 'NOWHERE' }, { plate: 'AAA0002', id: 'C-9' }, { plate: '??' }],
    add: [
      added('GOOD111'),
      added('GOOD222', { id: null }),
      added('GOOD333', { id: 'GOOD-333' }),
      added('BAD?'),
      added('GOOD444', { purpose: 'parking-fine' }),
      added('GOOD555', { purpose: null }),
      added('GOOD666', { expires: null }),
      added('GOOD777', { expires: '2026-02-01' }),
    ],
  })
  const purposes = new Map([['stolen-vehicle', 'stolen-vehicle']])
  const outcome = await apply(directory, delta.bytes, { purposes, onRefused: each => refused.push(each) }).catch(e => e)
  assert.ok(outcome instanceof PolewatchError)
  t.equal(outcome.code, 'PW_HOTLIST_DELTA_REFUSED')
  t.match(outcome.details, { count: 10 })
  t.same(refused, [
    ...[2, 3, 4].map(number => ({ part: 'remove', number, reason: 'entry-not-listed' })),
    ...[2, 3].map(number => ({ part: 'add', number, reason: 'id-missing' })),
    { part: 'add', number: 4, reason: 'plate-foreign-character' },
    { part: 'add', number: 5, reason: 'purpose-not-allowed' },
    { part: 'add', number: 6, reason: 'purpose-missing' },
    { part: 'add', number: 7, reason: 'expiry-missing' },
    { part: 'add', number: 8, reason: 'already-expired' },
  ])
  const hotlist = Hotlist.open(directory, 'city')
  t.teardown(() => hotlist.close())
  t.equal(hotlist.find('AAA0001', now).candidates.length, 1)
  t.notMatch(readdirSync(join(directory, 'city')).join(), /building|writing/)

  const remove = Array.from({ length: 5 }, (_, index) => ({ plate: `MANY${100 + index}` }))
  const large = change(sha256(full), { remove, add: [] })
  t.equal(await codeOf(apply(directory, large.bytes)), 'PW_HOTLIST_SHRANK')
  t.match(await apply(directory, large.bytes, { allowShrink: true }), { entries: 15 })
})

test('a change of a damaged list, or without room, fails and leaves the list', async t => {
  const directory = t.testdir()
  const { sha256: hash } = await importFull(directory)
  const file = join(directory, 'city', `generation-00000001-${hash}.db`)
  const whole = readFileSync(file)
  chmodSync(file, 0o640)
  writeFileSync(file, whole.subarray(0, 9000))
  t.equal(await codeOf(apply(directory, change(sha256(full)).bytes)), 'PW_HOTLIST_BUILD_FAILED')
  t.notMatch(readdirSync(join(directory, 'city')).join(), /building|writing/)
  writeFileSync(file, whole)
  t.match(await apply(directory, change(sha256(full)).bytes), { generation: 2 })
})
