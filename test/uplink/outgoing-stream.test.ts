import fc from 'fast-check'
import { test } from 'tap'
import { OutgoingStream } from '../../gateway/uplink/outgoing-stream.js'

const bytes = new Uint8Array()

function streamOf(numbers: readonly number[], window = 3): OutgoingStream {
  const stream = new OutgoingStream({
    source: '/s/g/sensing/rest',
    epoch: 'epoch0001',
    rank: 3,
    acknowledged: 0,
    window,
    firstRetry: 15,
    longestRetry: 60,
    read: (after, limit) =>
      numbers
        .filter(sequence => sequence > after)
        .slice(0, limit)
        .map(sequence => ({ sequence, topic: 'alert/shed', bytes })),
  })
  stream.extend(Math.max(...numbers), 0)
  return stream
}

/** Everything that it wants to send now; `3 again` for a repetition. */
function sent(stream: OutgoingStream, now: number): string[] {
  const numbers: string[] = []
  while (stream.hasWork()) {
    const taken = stream.take(now)
    if (taken !== null) numbers.push(`${taken.alert.sequence}${taken.again ? ' again' : ''}`)
  }
  return numbers
}

test('at most a window is out, and silence sends one message a retry', async t => {
  const stream = streamOf([1, 2, 3, 4, 5])
  t.same(sent(stream, 0), ['1', '2', '3'])
  stream.acknowledge(1, 1)
  t.same(sent(stream, 1), ['4'])
  stream.tick(15.9)
  t.same(sent(stream, 15.9), [])
  stream.tick(16.1)
  t.same(sent(stream, 16.1), ['2 again'])
  t.ok(stream.silent)
  stream.tick(31)
  stream.tick(31.2)
  t.same(sent(stream, 31.2), ['2 again'], 'the second after another 15 s, the third after 30')
  stream.tick(61)
  t.same(sent(stream, 61), [])
  stream.tick(61.3)
  t.same(sent(stream, 61.3), ['2 again'])
  stream.acknowledge(3, 62)
  t.notOk(stream.silent)
  t.same(sent(stream, 62), ['4', '5'], 'what followed may be lost, so it goes again')
  stream.acknowledge(5, 63)
  t.equal(stream.waiting, 0)
  stream.tick(500)
  t.same(sent(stream, 500), [])
})

test('somebody who asks gets the first one again after a second without progress, however much is sent meanwhile', async t => {
  const stream = streamOf([1, 2, 3, 4, 5, 6, 7], 6)
  t.ok(stream.take(0) !== null)
  stream.ask(0.2)
  t.ok(stream.take(0.2) !== null, 'its acknowledgement may be under way')
  stream.tick(0.9)
  t.same(stream.take(0.9)?.again, false)
  stream.tick(1.1)
  t.match(stream.take(1.1), { alert: { sequence: 1 }, again: true })
  t.same(stream.take(1.1)?.again, false)
  stream.tick(3)
  t.same(stream.take(3)?.again, false, 'it was asked once')
  stream.ask(3)
  stream.acknowledge(2, 3.5)
  stream.tick(4)
  t.same(sent(stream, 4), ['6', '7'], 'an acknowledgement is an answer')
  t.notOk(stream.silent)
})

test('numbers missing at the front do not hold up the alert that explains them', async t => {
  const stream = streamOf([10, 11, 12, 13, 14, 15, 16])
  t.equal(sent(stream, 0).length, 7)
  stream.acknowledge(16, 1)
  t.equal(stream.outstanding, 0)
})

test('what nobody heard is taken back and tried one at a time', async t => {
  const stream = streamOf([1, 2, 3, 4])
  t.same(sent(stream, 0), ['1', '2', '3'])
  const { generation } = stream
  stream.desert(0)
  t.not(stream.generation, generation)
  t.same(sent(stream, 10), [])
  stream.tick(15)
  t.same(sent(stream, 15), ['1'])
  stream.heard(1)
  t.same(sent(stream, 15), ['2', '3'])
  stream.desert(15)
  stream.ask(20)
  t.same(sent(stream, 20), ['1'], 'a hub that says it is there is believed at once')
  stream.desert(20.01)
  stream.ask(20.02)
  t.same(sent(stream, 20.02), [], 'but for what it said before it went')
  stream.tick(20.2)
  t.same(sent(stream, 20.2), ['1'], 'and what it said is not forgotten')
})

test('a broker’s acknowledgements count only as far as there is none missing', async t => {
  const stream = streamOf([1, 2, 4])
  sent(stream, 0)
  t.equal(stream.confirm(2, 0), 0)
  t.equal(stream.confirm(1, 0), 2)
  t.equal(stream.confirm(4, 0), 4)
})

test('one that the broker refuses holds up no other, and is tried again at the longest retry and after a reconnect', async t => {
  const stream = streamOf([1, 2, 3, 4, 5, 6, 7, 8])
  t.same(sent(stream, 0), ['1', '2', '3'])
  stream.refuse(2, 0)
  stream.acknowledge(1, 0.1)
  t.same(sent(stream, 0.1), ['4', '5', '6', '7', '8'], 'a hub cannot go past it, so no window holds those behind it')
  t.equal(stream.acknowledged, 1)
  t.equal(stream.outstanding, 7, 'it is not delivered')
  stream.ask(2)
  t.same(sent(stream, 2), ['3 again'], 'whoever asks gets the first that the broker takes')
  for (const now of [20, 50]) {
    stream.tick(now)
    t.same(sent(stream, now), ['3 again'])
  }
  t.ok(stream.silent)
  stream.tick(61)
  t.same(sent(stream, 61), ['2 again'])
  stream.refuse(2, 61)
  stream.acknowledge(8, 62)
  t.equal(stream.outstanding, 0, 'the hub went past it')
  t.same(sent(stream, 500), [])
})

test('refused ones are sent again in order over another connection, and in their turn over the same', async t => {
  const stream = streamOf([1, 2, 3, 4], 10)
  t.same(sent(stream, 0), ['1', '2', '3', '4'])
  for (const number of [1, 2, 4]) stream.refuse(number, 0)
  stream.tick(61)
  t.same(sent(stream, 61), ['1 again'])
  stream.refuse(1, 62)
  stream.tick(124)
  t.same(sent(stream, 124), ['2 again'])
  stream.heard(2)
  stream.tick(124.2)
  t.same(sent(stream, 124.2), ['4 again'], 'the broker takes such ones now')
  stream.reconnected(125)
  t.same(sent(stream, 125), ['1', '2', '3', '4'])
})

test('on the broker’s word, what it took behind a refused one counts when that is taken, and is never sent again', async t => {
  const stream = streamOf([1, 2, 3, 4, 5])
  t.same(sent(stream, 0), ['1', '2', '3'])
  stream.refuse(2, 0)
  for (const number of [1, 3]) t.equal(stream.confirm(number, 0), 1)
  t.same(sent(stream, 0), ['4', '5'])
  t.equal(stream.confirm(4, 0), 1)
  stream.reconnected(1)
  t.same(sent(stream, 1), ['2', '5'])
  t.equal(stream.confirm(2, 1), 4)
  t.equal(stream.confirm(5, 1), 5)
  t.equal(stream.outstanding, 0)
})

test('whatever happens, everything is sent in the end and nothing acknowledged is sent again', async t => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('send' as const), count: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ kind: fc.constant('acknowledge' as const), count: fc.integer({ min: 0, max: 20 }) }),
    fc.record({
      kind: fc.constantFrom(
        'reconnected' as const,
        'refuse' as const,
        'desert' as const,
        'tick' as const,
        'ask' as const,
      ),
      count: fc.nat(30),
    }),
  )
  const numbers = [...Array(20).keys()].map(index => index + 1).filter(number => number % 7 !== 0)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const stream = streamOf(numbers)
      let now = 0
      let highest = 0
      const take = () => {
        const taken = stream.hasWork() ? stream.take(now) : null
        if (taken === null) return
        if (taken.alert.sequence <= stream.acknowledged) throw new Error(`${taken.alert.sequence} was acknowledged`)
        highest = Math.max(highest, taken.alert.sequence)
      }
      for (const { kind, count } of steps) {
        now += count
        if (kind === 'send') for (let index = 0; index < count; index += 1) take()
        else if (kind === 'acknowledge') stream.acknowledge(Math.min(count, highest), now)
        else if (kind === 'refuse') stream.refuse(count, now)
        else if (kind === 'ask' || kind === 'tick' || kind === 'reconnected' || kind === 'desert') stream[kind](now)
      }
      for (let round = 0; round < 50 && stream.waiting > 0; round += 1) {
        now += 61
        stream.tick(now)
        while (stream.hasWork()) take()
        stream.acknowledge(highest, now)
      }
      return stream.waiting === 0
    }),
    { numRuns: 300 },
  )
  t.pass('300 histories')
})
