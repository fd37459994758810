import assert from 'node:assert/strict'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type Test, test } from 'tap'
import type { PlateRead } from '../../drivers/plate-reader/plate-reader.js'
import { PlateDesk, type PlateDeskOptions, type ReaderSettings, type Sight } from '../../gateway/commands/plate-desk.js'
import type { PlateHit } from '../../gateway/commands/plate-hit.js'
import { Hotlist } from '../../gateway/hotlist/hotlist.js'
import { importHotlist } from '../../gateway/hotlist/import.js'
import { Verdicts } from '../../gateway/hotlist/verdicts.js'
import { sealEvent } from '../../gateway/messages/seal.js'
import { Tally } from '../../gateway/plates/tally.js'

const start = Date.UTC(2026, 2, 1, 12) / 1000
const north: ReaderSettings = { name: 'north', lane: '1', direction: 'approaching', minimumConfidence: 0.3 }
const south: ReaderSettings = { ...north, name: 'south' }
const rows = [
  'plate,state,purpose,expires,id,one-edit',
  'ABO1234,PA,stolen-vehicle,2026-12-31,C-1,',
  'KLM5555,,missing-person,2026-12-31,C-2,',
  'XYZ7777,NY,stolen-vehicle,2026-12-31,C-3,yes',
]

/** A desk over a list in a folder of the test, a clock that the test sets, and everything that the desk said. */
async function openDesk(t: Test, some: Partial<PlateDeskOptions> = {}) {
  const directory = t.testdir()
  const clock = { now: start }
  const importRows = (lines: readonly string[]) =>
    importHotlist({
      ...{ listName: 'city', directory, mapping: 'plain' as const, now: clock.now },
      source: Readable.from([Buffer.from(lines.join('\n'))]),
    })
  await importRows(rows)
  const list = Hotlist.open(directory, 'city', { maximumAge: 86_400, mayBeUnusable: true })
  t.teardown(() => list.close())
  const told: PlateHit[] = []
  const faults: string[] = []
  const generations: number[] = []
  const tally = new Tally()
  const verdictFile = join(directory, 'verdicts.json')
  let number = 0
  const verdicts = Verdicts.open(verdictFile)
  const make = (kept: Verdicts) =>
    new PlateDesk({
      gateway: 'pole-1',
      exercise: true,
      policy: '0'.repeat(64),
      permits: () => true,
      lists: [list],
      verdicts: kept,
      tally,
      confirmedConfidence: 0.9,
      clock: () => clock.now,
      append: async draft => {
        // Whatever is told has to fit its schema.
        sealEvent(draft, { source: '/test/pole-1/sensing/hit', epoch: '0123456789abcdef', sequence: ++number }, null)
        told.push(draft.data)
      },
      listState: (_, fault) => {
        if (fault !== null) faults.push(fault)
      },
      listChanged: (_, generation) => generations.push(generation),
      ...some,
    })
  const desk = make(verdicts)
  /** What the desk says of a read. */
  const take = async (text: string, given: Partial<PlateRead> = {}, settings = north, pictures: string[] = []) => {
    const before = told.length
    const [id] = pictures
    const piece = { mediaType: 'image/jpeg', sha256: '0'.repeat(64), size: 100, until: '2026-03-02T12:00:00.000Z' }
    const sight =
      id === undefined
        ? null
        : { passage: id, phase: 'new' as const, rawText: text, picture: { id, keep: () => ({ id, ...piece }) } }
    await desk.take(read(text, clock.now, given), settings, sight)
    return told.slice(before)
  }
  return { desk, make, take, told, faults, generations, tally, clock, importRows, verdicts, verdictFile, directory }
}

const read = (text: string, systemTime: number, given: Partial<PlateRead> = {}): PlateRead => ({
  kind: 'plate',
  text,
  confidence: 0.8,
  country: null,
  state: 'PA',
  lane: null,
  direction: null,
  readerTime: null,
  systemTime,
  discarded: { frames: 0, bytes: 0, reads: 0 },
  ...given,
})

test('a hit says which entry of which list it is, how it matched, what was read, and that nobody has checked it', async t => {
  const { take } = await openDesk(t)
  const [hit] = await take(' AB0-1234', { country: 'US' }, north, ['picture-1'])
  t.match(hit, {
    state: 'new',
    entry: { list: 'city', generation: 1, id: 'C-1', state: 'PA', purpose: 'stolen-vehicle', issue: /^[0-9a-f]{32}$/ },
    tier: 'possible',
    match: { kind: 'look-alike', differences: [{ position: 3, read: '0', listed: 'O' }] },
    plate: 'ABO1234',
    read: { text: 'AB01234', state: 'PA', country: 'US', lane: '1', direction: 'approaching', count: 1 },
    rawReads: [{ reader: 'north', text: ' AB0-1234', confidence: 0.8, state: 'PA' }],
    unverified: true,
    pictures: ['picture-1'],
    evidence: [{ id: 'picture-1', sha256: '0'.repeat(64) }],
  })
  t.equal(hit?.entry.expires, '2027-01-01T00:00:00.000Z')
  t.same(hit?.match.reasons, ['text-look-alike', 'state-agrees', 'confidence-low'])

  const [unknown] = await take('KLM5555', { state: null, confidence: 0.99 })
  t.match(unknown, { tier: 'possible', read: { state: null }, pictures: null })
  t.same(unknown?.match.reasons, ['text-exact', 'state-not-read', 'confidence-high'])
  const [edited] = await take('XYZ777', { state: 'NY' })
  t.match(edited, { tier: 'investigative', match: { kind: 'one-edit', differences: [{ read: '', listed: '7' }] } })
  t.same(await take('ABO1234', { state: 'NY' }, { ...north, lane: '2' }), [], 'another state is another vehicle')
  t.same(await take('ABO123', {}, { ...north, lane: '3' }), [], 'one edit was not asked for')
})

test('the same text in a lane within ten seconds is one hit; its counter is told when the passage is over', async t => {
  const { take, desk, told, clock } = await openDesk(t)
  const [first] = await take('ABO1234')
  for (const step of [1, 5, 9.9]) {
    clock.now += step
    t.same(await take('ABO1234'), [])
  }
  clock.now += 9
  desk.advance()
  t.equal(told.length, 1)
  clock.now += 2
  desk.advance()
  t.match(told.slice(1), [{ hit: first?.hit, state: 'updated', read: { count: 4 }, rawReads: { length: 4 } }])
  desk.advance()
  t.equal(told.length, 2)
  t.not((await take('ABO1234'))[0]?.hit, first?.hit, 'it drives by again')
  clock.now += 11
  desk.advance()
  t.equal(told.length, 3, 'a hit that was read once has no more to say')
})

test('what more is learnt in a passage changes its hit: a surer read, a second reader, a state that differs', async t => {
  const { take, told } = await openDesk(t)
  const [first] = await take('ABO1234', { state: null })
  t.match(first, { tier: 'possible', state: 'new' })
  t.match(await take('ABO1234', { state: 'PA' }), [{ hit: first?.hit, state: 'updated', tier: 'possible' }])
  t.same(await take('ABO1234', { confidence: 0.85 }), [], 'surer, but not sure')
  t.match(await take('ABO1234', {}, south), [
    { hit: first?.hit, state: 'updated', tier: 'confirmed-candidate', rawReads: [{}, {}, {}, { reader: 'south' }] },
  ])
  t.match(await take('ABO1234', { state: 'OH' }), [
    { hit: first?.hit, state: 'updated', tier: 'possible', read: { state: null } },
  ])
  t.ok(told.at(-1)?.match.reasons.includes('state-disputed'))

  const lane = { ...north, lane: '2' }
  const [other] = await take('ABO1234', { state: null }, lane)
  t.match(await take('ABO1234', { state: 'NY' }, lane), [{ hit: other?.hit, state: 'superseded', supersededBy: null }])
  t.match(await take('ABO1234', { state: null, confidence: 0.95 }, { ...north, lane: '3' }), [{ tier: 'possible' }])
})

test('a corrected read supersedes its alert, by the hit that takes its place or by none', async t => {
  const { take } = await openDesk(t)
  const [first] = await take('AB01234', { confidence: 0.6 })
  const corrected = await take('ABO1234', { confidence: 0.95 })
  t.match(corrected, [
    { hit: first?.hit, state: 'superseded', supersededBy: corrected[1]?.hit },
    { state: 'new', tier: 'confirmed-candidate' },
  ])
  const lane = { ...north, lane: '2' }
  const [wrong] = await take('ABO1234', { confidence: 0.6 }, lane)
  t.match(await take('ABQ1284', { confidence: 0.95 }, lane), [], 'two characters differ: another vehicle')
  t.match(await take('ABX1234', { confidence: 0.95 }, lane), [
    { hit: wrong?.hit, state: 'superseded', supersededBy: null },
  ])
})

test('a hit of a camera tells its passage: new, update when there is news, final when the plate has gone', async t => {
  const { desk, told, clock } = await openDesk(t)
  const camera: ReaderSettings = { ...north, name: 'street', lane: null, direction: null, minimumConfidence: 0 }
  const see = async (text: string, phase: Sight['phase'], given: Partial<PlateRead> = {}) => {
    const before = told.length
    const sight = { passage: 'street-1', phase, rawText: text, picture: null }
    await desk.take(read(text, clock.now, { confidence: 0.7, lane: '1', ...given }), camera, sight)
    return told.slice(before)
  }
  const [wrong] = await see('AB01234', 'new')
  t.match(wrong, { state: 'new', passage: { id: 'street-1', phase: 'new' }, match: { kind: 'look-alike' } })
  const corrected = await see('ABO1234', 'update', { confidence: 0.6 })
  t.match(corrected, [
    { hit: wrong?.hit, state: 'superseded', supersededBy: corrected[1]?.hit, passage: { phase: 'update' } },
    { state: 'new', passage: { id: 'street-1', phase: 'update' }, match: { kind: 'exact' }, read: { direction: null } },
  ])
  const hit = corrected[1]?.hit
  for (let second = 0; second < 30; second += 6) {
    clock.now += 6
    desk.advance()
    t.same(await see('ABO1234', 'update'), [], 'it stands there and nothing is new')
  }
  t.match(await see('ABO1234', 'update', { direction: 'departing', lane: '2' }), [{ hit, state: 'updated' }])
  t.match(
    await see('ABO1234', 'final', { lane: '2' }),
    [{ hit, state: 'updated', passage: { phase: 'final' }, read: { direction: 'departing', lane: '2' } }],
    'the same vehicle in another lane',
  )
  clock.now += 11
  desk.advance()
  t.equal(told.length, 5, 'and that was all')
  t.equal(told.at(-1)?.read.count, 8)
  t.same(await see('N0B0DY1', 'final', { lane: '1' }), [])
})

test('a verdict silences its entry over restarts and new lists until the agency issues it anew', async t => {
  const { take, desk, make, clock, importRows, verdicts, verdictFile, tally, told } = await openDesk(t)
  const [hit] = await take('ABO1234')
  assert.ok(hit)
  const { list, generation, id: entry, issue } = hit.entry
  const judged = { hit: hit.hit, list, generation, entry, issue, by: 'reviewer', time: clock.now }
  clock.now += 60
  t.match(await take('ABO1234'), [{ state: 'new' }], 'nothing is silent yet')
  verdicts.add({ ...judged, verdict: 'misread' })
  clock.now += 60
  t.same(await take('ABO1234'), [])
  t.same(await take('AB01234'), [])
  t.match(await take('XYZ7777', { state: 'NY' }), [{ entry: { id: 'C-3' } }], 'other entries go on')
  t.equal(desk.counts.silenced, 1)
  t.equal(tally.current(clock.now).day.silenced, 1)
  t.notMatch(readFileSync(verdictFile, 'utf8'), /ABO1234|AB01234/)

  await importRows(
    [...rows].reverse().sort((one, other) => Number(other.startsWith('plate')) - Number(one.startsWith('plate'))),
  )
  clock.now += 60
  const restarted = make(Verdicts.open(verdictFile))
  const before = told.length
  await restarted.take(read('ABO1234', clock.now), north)
  t.equal(told.length, before, 'the same entry in another place of the next list, after a restart')
  await importRows(
    rows.map(row => row.replace('ABO1234,PA,stolen-vehicle,2026-12-31', 'ABO1234,PA,stolen-vehicle,2027-01-31')),
  )
  clock.now += 60
  await restarted.take(read('ABO1234', clock.now), north)
  t.match(told.slice(before), [{ entry: { id: 'C-1', generation: 3 } }], 'issued anew')

  writeFileSync(verdictFile, '{"version":')
  const afresh = Verdicts.open(verdictFile)
  t.ok(afresh.setAside, 'a damaged file is set aside')
  t.equal(afresh.count, 0)
  t.notOk(Verdicts.open(verdictFile).setAside)
})

test('a purpose that the policy no longer allows raises nothing, although the list still has it', async t => {
  const { take, desk } = await openDesk(t, { permits: purpose => purpose === 'missing-person' })
  t.same(await take('ABO1234'), [])
  t.match(await take('KLM5555'), [{ entry: { purpose: 'missing-person' } }])
  t.equal(desk.counts.purposeNotAllowed, 1)
})

test('a hash, a text that is no plate and a read too unsure alert nobody and are counted', async t => {
  const { desk, told, tally, clock } = await openDesk(t)
  const discarded = { frames: 0, bytes: 0, reads: 0 }
  await desk.take({ kind: 'hashed-plate', hash: 0xabcdef, systemTime: clock.now, discarded }, north)
  await desk.take(read('AB?1234', clock.now), north)
  await desk.take(read('ABO1234', clock.now, { confidence: 0.2 }), north)
  await desk.take(read('NOB0DY1', clock.now), north)
  await desk.take(read('NOB0DY1', clock.now), north)
  t.same(told, [])
  t.match(desk.counts, { reads: 5, hashes: 1, unusable: 1, unsure: 1, withoutMatch: 1, repeats: 1, hits: 0 })
  t.match(tally.current(clock.now).hour, { reads: 5, scans: 1, possible: 0 })
})

test('a reader that sends more than a message can hold loses no hit by it', async t => {
  const { take } = await openDesk(t)
  const long = 'x'.repeat(200)
  const [hit] = await take(
    `ABO${' '.repeat(100)}1234`,
    { state: long, country: long, lane: long },
    { ...north, lane: null },
  )
  t.match(hit, { read: { state: null, country: null, lane: null, text: 'ABO1234' } })
})

test('a list that goes stale, or cannot be read, says so without any traffic and matches nothing', async t => {
  const { desk, faults, generations, clock, take, importRows, directory } = await openDesk(t)
  desk.advance()
  t.same([faults, generations], [[], [1]])
  clock.now += 86_401
  desk.advance()
  t.same(faults, ['stale'])
  t.same(await take('ABO1234'), [])
  await importRows(rows)
  t.match(await take('KLM5555'), [{ entry: { generation: 2 } }])
  t.same(generations, [1, 2])

  const { sha256 } = await importRows(rows)
  const file = join(directory, 'city', `generation-00000003-${sha256}.db`)
  chmodSync(file, 0o640)
  writeFileSync(file, 'no database')
  desk.advance()
  t.equal(faults.at(-1), 'newer-damaged')
  t.match(await take('XYZ7777', { state: 'NY' }), [{ entry: { generation: 2 } }], 'the list before still answers')
  const blind = Hotlist.open(directory, 'city', { mayBeUnusable: true })
  t.teardown(() => blind.close())
  t.match(blind.find('ABO1234', clock.now), { freshness: 'damaged', candidates: [] })
})
