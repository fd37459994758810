import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'tap'
import { type CharacterMatrix, plateAlphabet } from '../../gateway/vision/character-matrix.js'
import { type PassageReport, PassageTracker } from '../../gateway/vision/passage-tracker.js'
import type { CloseRead } from '../../gateway/vision/plate-finder.js'
import { PlateTrack } from '../../gateway/vision/plate-track.js'

type Doubts = Readonly<Record<number, Readonly<Record<string, number>>>>

const columns = plateAlphabet.length + 1
const frame = { width: 1000, height: 500, data: new Uint8Array(3 * 1000 * 500) }

/** What a recogniser thinks of a text: sure of every character, but for some places. */
function looking(text: string, sure: number, doubts: Doubts): CharacterMatrix {
  const steps = 2 * text.length + 1
  const values = new Float64Array(steps * columns).fill(1e-6)
  for (let step = 0; step < steps; step += 2) values[step * columns] = 1
  for (const [index, character] of [...text].entries()) {
    for (const [seen, value] of Object.entries(doubts[index] ?? { [character]: sure }))
      values[(2 * index + 1) * columns + plateAlphabet.indexOf(seen) + 1] = value
  }
  return { steps, values }
}

interface Seen {
  /** Middle of the plate, and its width, pixels. */
  readonly x: number
  readonly y: number
  readonly width?: number
  readonly confidence?: number
  readonly confirmed?: boolean
  readonly sure?: number
  readonly doubts?: Doubts
}

/** A read of a plate in a frame. */
function seen(text: string, { x, y, width = 100, ...more }: Seen): CloseRead {
  const { confidence = 0.9, confirmed = false, sure = 0.98, doubts = {} } = more
  const height = width / 4
  return {
    read: { text, rawText: text, confidence, confirmed, box: [x - width / 2, y - height / 2, width, height] },
    looks: [looking(text, sure, doubts), looking(text, sure, doubts)],
  }
}

function tracker(): PassageTracker {
  let number = 0
  return new PassageTracker({ nextId: () => `street-${++number}`, sureAtOnce: 0.5 })
}

const said = (reports: readonly PassageReport[]) =>
  reports.map(({ passage, stage, text }) => `${passage} ${stage} ${text}`)

test('a passage is told when it is new, when more is known and when it is over, under one id', t => {
  const street = tracker()
  const told = [
    ...street.take(0, frame, [seen('KLM4827', { x: 500, y: 100 })]),
    ...street.take(0.2, frame, [seen('KLM4827', { x: 500, y: 105 })]),
    ...street.take(0.4, frame, [seen('KLM4827', { x: 500, y: 160, width: 130, confirmed: true })]),
    ...street.advance(1.8),
    ...street.advance(2),
    ...street.advance(3),
  ]
  t.same(said(told), ['street-1 new KLM4827', 'street-1 update KLM4827', 'street-1 final KLM4827'])
  t.match(told[2], { frames: 3, confirmed: true, direction: 'approaching', time: 0.4 })
  t.equal(street.size, 0)
  t.end()
})

test('two cars at once are two passages, whichever is read first, also where their plates are alike', t => {
  for (const [left, right] of [
    ['KLM4827', 'HPS5196'],
    ['FLT1001', 'FLT1003'],
  ] as const) {
    const street = tracker()
    const told: PassageReport[] = []
    for (let step = 0; step < 6; step += 1) {
      const both = [seen(left, { x: 300, y: 100 + 40 * step }), seen(right, { x: 520, y: 400 - 40 * step })]
      told.push(...street.take(step / 5, frame, step % 2 === 0 ? both : both.reverse()))
    }
    told.push(...street.finish())
    const finals = told.filter(({ stage }) => stage === 'final')
    t.same(new Set(finals.map(({ text }) => text)), new Set([left, right]))
    t.same(new Set(told.map(({ passage }) => passage)).size, 2)
    t.same(
      finals.map(({ text, direction, across, frames }) => ({ text, direction, across, frames })),
      [
        { text: left, direction: 'approaching', across: 0.3, frames: 6 },
        { text: right, direction: 'departing', across: 0.52, frames: 6 },
      ],
    )
  }
  t.end()
})

test('characters are voted by probability over the frames: one that doubts gives way, and the text is told anew', t => {
  const street = tracker()
  const doubtful = { 3: { '8': 0.8, '9': 0.19 } }
  const told = street.take(0, frame, [seen('KLM8827', { x: 500, y: 100, doubts: doubtful })])
  for (const time of [0.2, 0.4]) told.push(...street.take(time, frame, [seen('KLM9827', { x: 500, y: 100 })]))
  told.push(...street.finish())
  t.equal(told[0]?.text, 'KLM8827')
  t.ok(told.slice(1).every(({ passage, text }) => passage === 'street-1' && text === 'KLM9827'))
  t.equal(told[1]?.stage, 'update')

  const sure = tracker()
  for (const time of [0, 0.2, 0.4]) sure.take(time, frame, [seen('KLM9827', { x: 500, y: 100 })])
  sure.take(0.6, frame, [seen('KLM8827', { x: 500, y: 100, doubts: doubtful })])
  t.match(
    sure.finish(),
    [{ stage: 'final', text: 'KLM9827', frames: 4 }],
    'a doubtful frame at the end changes nothing',
  )
  t.end()
})

test('how plates are made up is considered last, and what was read is kept beside it', t => {
  const street = tracker()
  const doubts = { 2: { I: 0.7, '1': 0.29 } }
  street.take(0, frame, [seen('48I7391', { x: 500, y: 100, doubts })])
  street.take(0.2, frame, [seen('48I7391', { x: 500, y: 100, doubts })])
  t.match(street.finish(), [{ text: '4817391', rawText: '48I7391' }])
  t.end()
})

test('a further frame that says the same never makes a passage less sure, one that says otherwise does', t => {
  const given = fc.record({
    sure: fc.double({ min: 0.75, max: 1, noNaN: true }),
    confidence: fc.double({ min: 0.2, max: 1, noNaN: true }),
    width: fc.integer({ min: 60, max: 200 }),
  })
  fc.assert(
    fc.property(fc.array(given, { minLength: 2, maxLength: 14 }), frames => {
      const track = new PlateTrack()
      let before = 0
      for (const [index, looks] of frames.entries()) {
        track.add(index / 5, seen('KLM4827', { x: 500, y: 100, ...looks }))
        const { text = '', confidence = 0 } = track.text ?? {}
        assert.equal(text, 'KLM4827')
        assert.ok(confidence >= before, `${confidence} after ${before}`)
        before = confidence
      }
      track.add(99, seen('KLM4828', { x: 500, y: 100, confidence: 1, width: 200 }))
      assert.ok((track.text?.confidence ?? 0) < before)
    }),
    { numRuns: 20 },
  )
  t.end()
})

test('a text that is not sure is told only when a second frame gives it too, and otherwise ends untold', t => {
  const unsure = { x: 500, y: 100, sure: 0.8 }
  const street = tracker()
  t.same(street.take(0, frame, [seen('KLM4827', unsure)]), [])
  t.match(street.take(0.2, frame, [seen('KLM4827', unsure)]), [{ stage: 'new' }])
  street.finish()
  street.take(10, frame, [seen('KLM4827', unsure)])
  t.equal(street.size, 1)
  t.same(street.advance(20), [])
  t.equal(street.size, 0)
  t.end()
})

test('the way is told by growth or by movement, the lane by where the plate was largest; of what stands nothing is known', t => {
  const pass = (...boxes: readonly Seen[]) => {
    const street = tracker()
    for (const [index, box] of boxes.entries()) street.take(index / 5, frame, [seen('KLM4827', box)])
    return street.finish()
  }
  t.match(pass({ x: 400, y: 100 }, { x: 450, y: 120, width: 120 }), [{ direction: 'approaching', across: 0.45 }])
  t.match(pass({ x: 450, y: 120, width: 120 }, { x: 400, y: 100 }), [{ direction: 'departing', across: 0.45 }])
  t.match(pass({ x: 400, y: 100 }, { x: 400, y: 160 }), [{ direction: 'approaching' }])
  t.match(pass({ x: 400, y: 160 }, { x: 400, y: 100 }), [{ direction: 'departing' }])
  t.match(pass({ x: 400, y: 100 }, { x: 401, y: 101, width: 103 }), [{ direction: null }])
  t.match(pass({ x: 400, y: 100 }), [{ direction: null, frames: 1 }])
  t.end()
})

test('a passage that is interrupted shortly goes on, one that is interrupted for longer is over and another begins', t => {
  const street = tracker()
  const told = [
    ...street.take(0, frame, [seen('KLM4827', { x: 500, y: 100 })]),
    ...street.take(0.3, frame, []),
    ...street.take(1.3, frame, [seen('KLM4827', { x: 500, y: 220 })]),
    ...street.advance(2.7),
  ]
  t.equal(street.size, 1)
  told.push(...street.take(3, frame, [seen('KLM4827', { x: 500, y: 220 })]), ...street.finish())
  const [first, update, ...rest] = said(told)
  t.same([first, update], ['street-1 new KLM4827', 'street-1 update KLM4827'])
  t.same(rest, ['street-1 final KLM4827', 'street-2 new KLM4827', 'street-2 final KLM4827'])
  t.same(street.finish(), [])
  t.end()
})

test('the next car at the same place is another passage, a frame that was misread is not', t => {
  const street = tracker()
  const told = [
    ...street.take(0, frame, [seen('KLM4827', { x: 500, y: 100 })]),
    ...street.take(0.2, frame, [seen('KLM4827', { x: 500, y: 100 })]),
    ...street.take(0.4, frame, [seen('XX', { x: 500, y: 100 })]),
    ...street.take(1.2, frame, [seen('HPS5196', { x: 500, y: 100 })]),
    ...street.finish(),
  ]
  t.same(said(told), [
    'street-1 new KLM4827',
    'street-2 new HPS5196',
    'street-1 final KLM4827',
    'street-2 final HPS5196',
  ])
  t.end()
})

test('a plate that stays in sight is told again, so that its passage is not taken for over', t => {
  const street = tracker()
  const told: number[] = []
  for (let step = 0; step <= 300; step += 1) {
    const reports = street.take(step / 5, frame, [seen('KLM4827', { x: 500, y: 100 })])
    told.push(...reports.map(({ time }) => time))
  }
  const [, second = 0] = told
  t.ok(told.length > 8 && told.every((time, index) => index === 0 || time - (told[index - 1] ?? 0) < 6))
  t.ok(second > 5, 'and not with every frame')
  t.end()
})

test('whatever comes, each passage is new once, final once and updated between, and memory is bounded', t => {
  const one = fc.record({
    text: fc.constantFrom('KLM4827', 'KLM4828', 'HPS5196', 'XX', 'FLT1003'),
    x: fc.integer({ min: 0, max: 1000 }),
    y: fc.integer({ min: 0, max: 500 }),
    width: fc.integer({ min: 20, max: 200 }),
  })
  const frames = fc.array(
    fc.record({ step: fc.double({ min: -1, max: 2, noNaN: true }), reads: fc.array(one, { maxLength: 40 }) }),
    {
      maxLength: 12,
    },
  )
  fc.assert(
    fc.property(frames, all => {
      const street = tracker()
      const told: PassageReport[] = []
      let time = 100
      for (const { step, reads } of all) {
        time += step
        told.push(
          ...street.take(
            time,
            frame,
            reads.map(({ text, ...box }) => seen(text, box)),
          ),
        )
        assert.ok(street.size <= 32)
      }
      told.push(...street.finish())
      assert.equal(street.size, 0)
      const passages = new Map<string, string>()
      for (const { passage, stage } of told) passages.set(passage, `${passages.get(passage) ?? ''} ${stage}`)
      for (const stages of passages.values()) assert.match(stages, /^ new( update)* final$/)
    }),
    { numRuns: 40 },
  )
  t.end()
})
