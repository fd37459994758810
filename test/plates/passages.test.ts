import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'tap'
import { defaultPassageSettings, type PassageRead, Passages } from '../../gateway/plates/passages.js'

const read = (text: string, time: number, some: Partial<PassageRead> = {}): PassageRead => ({
  reader: 'north',
  lane: '1',
  raw: text,
  text,
  state: null,
  confidence: 0.8,
  time,
  ...some,
})

test('the same text in the same lane within ten seconds is one passage with a counter', async t => {
  const passages = new Passages<string>()
  const first = passages.observe(read('ABC1234', 100))
  t.equal(first.relation, 'new')
  first.passage.hit = 'alert-1'
  const again = passages.observe(read('ABC1234', 110))
  t.equal(again.relation, 'repeat')
  t.equal(again.passage.hit, 'alert-1')
  t.equal(again.passage.count, 2)
  t.equal(passages.observe(read('ABC1234', 119)).passage.count, 3, 'counted from the last read, not the first')
  t.equal(passages.observe(read('ABC1234', 119, { lane: '2' })).relation, 'new', 'another lane is another passage')
  const later = passages.observe(read('ABC1234', 129.1))
  t.equal(later.relation, 'new', 'after more than ten seconds')
  t.equal(later.passage.hit, null)
  t.not(later.passage.number, first.passage.number)
})

test('without a lane each reader is a lane of its own, and no lane can be mistaken for one', async t => {
  const passages = new Passages<string>()
  t.equal(passages.observe(read('ABC1234', 100, { lane: null })).relation, 'new')
  t.equal(passages.observe(read('ABC1234', 100, { lane: null, reader: 'south' })).relation, 'new')
  t.equal(passages.observe(read('ABC1234', 100, { lane: 'north' })).relation, 'new')
  t.equal(passages.observe(read('ABC1234', 101, { lane: null })).relation, 'repeat')
})

test('a second reader of the same lane is told from the same one reading twice', async t => {
  const passages = new Passages<string>()
  passages.observe(read('ABC1234', 100))
  t.equal(passages.observe(read('ABC1234', 100.1)).changed, false)
  const second = passages.observe(read('ABC1234', 100.2, { reader: 'south', confidence: 0.9 }))
  t.equal(second.changed, true)
  t.equal(second.passage.readers.size, 2)
  t.equal(second.passage.confidence, 0.9)
})

test('a surer text corrects a similar one and names what it supersedes', async t => {
  for (const [before, after] of [
    ['AB01234', 'ABO1234'],
    ['ABX1234', 'ABO1234'],
    ['AB1234', 'ABO1234'],
  ] as const) {
    const passages = new Passages<string>()
    passages.observe(read(before, 100, { confidence: 0.6 })).passage.hit = 'alert-1'
    const outcome = passages.observe(read(after, 100.5, { confidence: 0.9 }))
    t.equal(outcome.relation, 'correction', `${before} ${after}`)
    t.equal(outcome.corrected?.hit, 'alert-1')
    t.equal(passages.held, 1)
    const relapse = passages.observe(read(before, 101, { confidence: 0.7 }))
    t.equal(relapse.relation, 'repeat', 'the text that was corrected does not come back as a new passage')
    t.equal(relapse.passage.text, after)
    t.equal(relapse.changed, false)
    t.equal(
      passages.observe(read(before, 101.5, { confidence: 0.95 })).relation,
      'correction',
      'unless it is surer still',
    )
  }
})

test('a less sure look-alike is a read of the same passage, but no second opinion for its text', async t => {
  const passages = new Passages<string>()
  passages.observe(read('ABO1234', 100, { confidence: 0.9 }))
  const outcome = passages.observe(read('AB01234', 100.5, { confidence: 0.6, reader: 'south' }))
  t.equal(outcome.relation, 'repeat')
  t.equal(outcome.passage.text, 'ABO1234')
  t.equal(outcome.passage.count, 2)
  t.equal(outcome.passage.readers.size, 1)
})

test('cars with neighbouring plates that follow each other stay two passages', async t => {
  const passages = new Passages<string>()
  passages.observe(read('FLT1001', 100, { confidence: 0.9 }))
  t.equal(passages.observe(read('FLT1003', 101, { confidence: 0.8 })).relation, 'new', 'similar, but not surer')
  t.equal(
    passages.observe(read('FLT1004', 103, { confidence: 0.99 })).relation,
    'new',
    'surer, but too late to correct',
  )
  t.equal(passages.observe(read('XYZ9999', 103.1, { confidence: 0.99 })).relation, 'new', 'not similar')
  t.equal(passages.observe(read('FLT1001', 104)).relation, 'repeat')
})

test('without confidences the later look-alike counts, once', async t => {
  const passages = new Passages<string>()
  const unsaid = { confidence: null }
  passages.observe(read('AB01234', 100, unsaid))
  t.equal(passages.observe(read('ABO1234', 100.5, unsaid)).relation, 'correction')
  t.equal(passages.observe(read('AB01234', 101, unsaid)).relation, 'repeat', 'no to and fro')
  t.equal(passages.observe(read('ABX1234', 101.2, unsaid)).relation, 'new', 'one edit alone corrects nothing')
})

test('whatever comes, memory is bounded, old passages are forgotten and no two held in a lane share a text', async () => {
  const settings = { ...defaultPassageSettings, most: 8 }
  const reads = fc.record({
    lane: fc.constantFrom('1', '2', null),
    reader: fc.constantFrom('north', 'south'),
    text: fc.string({ unit: fc.constantFrom(...'0O1A'), minLength: 1, maxLength: 4 }),
    confidence: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    step: fc.double({ min: -2, max: 6, noNaN: true }),
  })
  fc.assert(
    fc.property(fc.array(reads, { maxLength: 60 }), all => {
      const passages = new Passages<number>(settings)
      let time = 1000
      let counted = 0
      for (const { step, ...one } of all) {
        time += step
        const { relation, passage, corrected } = passages.observe({ ...one, raw: one.text, state: null, time })
        assert.ok(passages.held <= settings.most)
        assert.equal(relation === 'correction', corrected !== null)
        if (relation === 'repeat') assert.ok(passage.count > 1)
        else assert.equal(passage.text, one.text)
        counted++
      }
      assert.equal(counted, all.length)
      passages.forget(time + 100)
      assert.equal(passages.held, 0)
    }),
    { numRuns: 200 },
  )
})
