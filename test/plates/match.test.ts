import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'tap'
import { deletionNeighbourhood, oneEdit } from '../../gateway/plates/differences.js'
import {
  foldLookAlikes,
  lookAlikeClasses,
  packLookAlikeClass,
  packPlate,
  unpackPlate,
} from '../../gateway/plates/look-alike.js'
import {
  defaultMatchRules,
  type HotlistEntry,
  type MatchReason,
  type MatchTier,
  matchRead,
  type PassedOver,
  type ReadToMatch,
} from '../../gateway/plates/match.js'
import { compareStates, normalisePlate, normaliseState } from '../../gateway/plates/text.js'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const plates = fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength: 12 })
// Few characters, so that near and look-alike pairs are common.
const close = fc.string({ unit: fc.constantFrom(...'0OQ1I8BX'), minLength: 1, maxLength: 7 })

const entry: HotlistEntry = {
  list: 'city',
  generation: 3,
  id: 'C-1',
  text: 'ABO1234',
  state: 'PA',
  purpose: 'stolen',
  effective: 1000,
  expires: 2000,
  oneEdit: false,
  issue: '0123456789abcdef0123456789abcdef',
}
const read: ReadToMatch = {
  text: 'ABO1234',
  confidence: 0.95,
  state: 'PA',
  statesDiffer: false,
  agreeingReaders: 1,
  time: 1500,
}

test('text is compared in capitals and digits only, and what is not a plate is refused by reason', async t => {
  for (const raw of ['abo-1234', ' ABO 1234 ', 'ABO·1234', 'abo\u00a01234', 'A.B.O/12‑34']) {
    t.same(normalisePlate(raw), { text: 'ABO1234' }, JSON.stringify(raw))
  }
  t.same(normalisePlate(' -. '), { fault: 'empty' })
  t.same(normalisePlate('ABCDEFGHIJKLM'), { fault: 'too-long' })
  for (const raw of ['AB?1234', 'MÜ1234', 'straße', 'ΑΒΟ1234', 'AB\u00001', 'ABı1']) {
    t.same(normalisePlate(raw), { fault: 'foreign-character' }, JSON.stringify(raw))
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), raw => {
      const normalised = normalisePlate(raw)
      if ('text' in normalised) {
        assert.match(normalised.text, /^[0-9A-Z]{1,12}$/)
        assert.deepEqual(normalisePlate(normalised.text), normalised)
      }
    }),
  )
})

test('states differ only when both are codes of one kind', async t => {
  t.equal(normaliseState(' us-pa '), 'PA')
  t.equal(normaliseState('  '), null)
  t.equal(normaliseState(null), null)
  t.equal(compareStates('PA', 'PA'), 'agrees')
  t.equal(compareStates('PA', 'NY'), 'differs')
  t.equal(compareStates('PENNSYLVANIA', 'PA'), 'unknown')
  t.equal(compareStates('NSW', 'QL'), 'unknown')
  t.equal(compareStates(null, 'PA'), 'unknown')
})

test('each text has a key of its own within 63 bits, and each key its text', async t => {
  fc.assert(
    fc.property(plates, plates, (one, other) => {
      const key = packPlate(one)
      assert.ok(key > 0n && key < 1n << 63n)
      assert.equal(unpackPlate(key), one)
      assert.equal(key === packPlate(other), one === other)
      assert.equal(packLookAlikeClass(one), packPlate(foldLookAlikes(one)))
    }),
  )
  t.equal(unpackPlate(packPlate('ZZZZZZZZZZZZ')), 'ZZZZZZZZZZZZ')
  for (const text of ['', 'ABCDEFGHIJKLM', 'abc', 'A C', 'Ä1']) {
    const error = t.throws(() => packPlate(text), RangeError)
    if (error instanceof Error && text !== '') t.notMatch(error.message, text)
  }
  for (const key of [0n, -5n, 37n, packPlate('ZZZZZZZZZZZZ') * 37n + 1n]) t.throws(() => unpackPlate(key), RangeError)
})

test('look-alike characters are those of the classes, both ways round', async t => {
  for (const one of alphabet) {
    for (const other of alphabet) {
      const listed = one === other || lookAlikeClasses.some(members => members.includes(one) && members.includes(other))
      t.equal(packLookAlikeClass(one) === packLookAlikeClass(other), listed, `${one} ${other}`)
    }
  }
  const rules = { ...defaultMatchRules, shortestInexact: 1, mostLookAlikes: 12 }
  const tier = (text: string, listed: string) =>
    matchRead({ ...read, text }, { entries: 1, candidates: [{ ...entry, text: listed, oneEdit: true }] }, rules)
      .matches[0]?.tier
  fc.assert(
    fc.property(close, close, (one, other) => {
      assert.equal(tier(one, other), tier(other, one))
    }),
  )
})

test('one edit is found exactly when the texts are one apart, and the neighbourhoods then meet', async () => {
  fc.assert(
    fc.property(close, close, (one, other) => {
      const apart = distance(one, other) === 1
      const edit = oneEdit(one, other)
      assert.equal(edit !== null, apart)
      if (edit === null) return
      assert.ok(deletionNeighbourhood(one).some(text => deletionNeighbourhood(other).includes(text)))
      const back = oneEdit(other, one)
      assert.deepEqual([back?.read, back?.listed], [edit.listed, edit.read])
      const at = edit.position - 1
      assert.equal(
        one.slice(0, at) + edit.listed + one.slice(at + edit.read.length),
        other,
        'the edit turns one into the other',
      )
    }),
  )
})

test('the tier says how sure a match is, and its reasons say why', async t => {
  const cases: [string, Partial<ReadToMatch>, Partial<HotlistEntry>, MatchTier | PassedOver, MatchReason[]][] = [
    ['exact, sure, state', {}, {}, 'confirmed-candidate', ['text-exact', 'state-agrees', 'confidence-high']],
    ['exactly at the threshold', { confidence: 0.9 }, {}, 'confirmed-candidate', ['confidence-high']],
    ['unsure', { confidence: 0.89 }, {}, 'possible', ['text-exact', 'confidence-low']],
    ['no confidence', { confidence: null }, {}, 'possible', ['confidence-not-given']],
    ['not a number', { confidence: Number.NaN }, {}, 'possible', ['confidence-low']],
    ['unsure, but two', { confidence: 0.5, agreeingReaders: 2 }, {}, 'confirmed-candidate', ['readers-agree']],
    ['two without confidence', { confidence: null, agreeingReaders: 2 }, {}, 'confirmed-candidate', ['readers-agree']],
    ['state not read', { state: null }, {}, 'possible', ['text-exact', 'state-not-read']],
    ['state not read, two', { state: null, agreeingReaders: 2 }, {}, 'possible', ['state-not-read']],
    ['state not listed', {}, { state: null }, 'possible', ['state-not-listed']],
    ['state as a name', { state: 'PENNSYLVANIA' }, {}, 'possible', ['state-not-comparable']],
    ['another state', { state: 'NY' }, {}, 'state-differs', []],
    ['another state, two', { state: 'NY', agreeingReaders: 2 }, {}, 'state-differs', []],
    ['look-alike', { text: 'AB01234' }, {}, 'possible', ['text-look-alike', 'state-agrees']],
    ['look-alike, two', { text: 'AB01234', agreeingReaders: 2 }, {}, 'possible', ['text-look-alike']],
    ['two look-alikes', { text: 'A801234' }, {}, 'possible', ['text-look-alike']],
    ['three look-alikes', { text: 'A80I234' }, {}, 'too-many-look-alikes', []],
    ['look-alike, another state', { text: 'AB01234', state: 'NY' }, {}, 'state-differs', []],
    ['look-alike, no state', { text: 'AB01234', state: null }, {}, 'possible', ['text-look-alike', 'state-not-read']],
    ['short look-alike', { text: 'AB01' }, { text: 'ABO1' }, 'too-short', []],
    ['short exact', { text: 'ABO1' }, { text: 'ABO1' }, 'confirmed-candidate', ['text-exact']],
    ['one edit, not asked', { text: 'ABX1234' }, {}, 'one-edit-not-asked', []],
    ['one edit, asked', { text: 'ABX1234' }, { oneEdit: true }, 'investigative', ['text-one-edit']],
    ['one less', { text: 'AB1234' }, { oneEdit: true }, 'investigative', ['text-one-edit']],
    ['one more', { text: 'ABO12345' }, { oneEdit: true }, 'investigative', ['text-one-edit']],
    ['one edit and two readers', { text: 'ABX1234', agreeingReaders: 2 }, { oneEdit: true }, 'investigative', []],
    ['edit and look-alike', { text: 'ABX1Z34' }, { oneEdit: true }, 'text-differs', []],
    ['two edits', { text: 'ABXX234' }, { oneEdit: true }, 'text-differs', []],
    ['short one edit', { text: 'ABX1' }, { text: 'ABO1', oneEdit: true }, 'too-short', []],
    ['at the moment of expiry', { time: 2000 }, {}, 'expired', []],
    ['just before', { time: 1999.9 }, {}, 'confirmed-candidate', []],
    ['not yet', { time: 999 }, {}, 'not-yet-effective', []],
    ['from the start', { time: 1000 }, {}, 'confirmed-candidate', []],
    ['no start given', { time: 1 }, { effective: null }, 'confirmed-candidate', []],
    ['time unknown', { time: Number.NaN }, { effective: null }, 'expired', []],
  ]
  for (const [title, some, other, expected, reasons] of cases) {
    const answer = { entries: 1000, candidates: [{ ...entry, ...other }] }
    const { matches, passedOver } = matchRead({ ...read, ...some }, answer)
    const match = matches[0]
    if (match === undefined) {
      t.same(passedOver, { [expected]: 1 }, title)
    } else {
      t.equal(match.tier, expected, title)
      t.equal(match.unverified, true, title)
      for (const reason of reasons) t.ok(match.reasons.includes(reason), `${title}: ${reason}`)
    }
  }
})

test('every match lists the characters in which it differs', async t => {
  const differing = (text: string) =>
    matchRead({ ...read, text }, { entries: 1, candidates: [{ ...entry, oneEdit: true }] }).matches[0]?.differing
  t.same(differing('ABO1234'), [])
  t.same(differing('A801234'), [
    { position: 2, read: '8', listed: 'B' },
    { position: 3, read: '0', listed: 'O' },
  ])
  t.same(differing('AXO1234'), [{ position: 2, read: 'X', listed: 'B' }])
  t.same(differing('AB1234'), [{ position: 3, read: '', listed: 'O' }])
  t.same(differing('ABO12344'), [{ position: 8, read: '4', listed: '' }])
})

test('on a list of millions a look-alike needs a state that agrees', async t => {
  const judge = (state: string | null, entries: number) =>
    matchRead({ ...read, text: 'AB01234', state }, { entries, candidates: [entry] })
  t.equal(judge(null, 1_000_000).matches.length, 1)
  t.same(judge(null, 1_000_001), { matches: [], passedOver: { 'look-alike-without-state': 1 } })
  t.equal(judge('PA', 10_000_000).matches[0]?.tier, 'possible')
})

test('the best match comes first', async t => {
  const candidates = [
    { ...entry, id: 'edit', text: 'ABO123', oneEdit: true },
    { ...entry, id: 'two look-alikes', text: 'A801234' },
    { ...entry, id: 'look-alike', text: 'AB01234' },
    { ...entry, id: 'no state', state: null },
    { ...entry, id: 'expired', expires: 1400 },
    { ...entry, id: 'exact' },
  ]
  const { matches, passedOver } = matchRead(read, { entries: 6, candidates })
  t.same(
    matches.map(match => match.entry.id),
    ['exact', 'no state', 'look-alike', 'two look-alikes', 'edit'],
  )
  t.same(passedOver, { expired: 1 })
})

/** Levenshtein's distance, the plain way. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1] ? 0 : 1
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same))
    }
    row = next
  }
  return row[other.length] ?? 0
}
