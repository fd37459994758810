import { test } from 'tap'
import { HubsPlace } from '../../gateway/uplink/hubs-place.js'

const word = (sequence: number, time: number, hub = 'hub') => ({
  hub,
  source: '/test/pole-1/sensing/fault',
  epoch: 'epoch0001',
  sequence,
  time,
})

test('a hub lacks what it had when it remembers nothing or stays behind, and is served again once a minute at most', async t => {
  const hubs = new HubsPlace()
  t.notOk(hubs.lacks(word(100, 1), 90, 0), 'it is ahead')
  t.notOk(hubs.lacks(word(95, 2, 'slower'), 100, 0), 'another hub may be slower')
  t.notOk(hubs.lacks(word(97, 3, 'slower'), 100, 6), 'and comes on')
  t.notOk(hubs.lacks(word(60, 4), 100, 10), 'one word may be an old one')
  t.ok(hubs.lacks(word(60, 5), 100, 16), 'but not a second one after a while')
  t.notOk(hubs.lacks(word(60, 6), 100, 70), 'once a minute')
  t.ok(hubs.lacks(word(0, 7), 100, 77), 'nothing remembered needs no second word')
})

test('a hub that comes back to where another one has gone on from has until its second word to catch up', async t => {
  const hubs = new HubsPlace()
  t.notOk(hubs.lacks(word(100, 1, 'first'), 90, 0), 'it leads')
  t.notOk(hubs.lacks(word(500, 60, 'second'), 100, 60), 'another one takes over')
  t.notOk(hubs.lacks(word(100, 100, 'first'), 500, 100), 'its first word since then says nothing yet')
  t.notOk(hubs.lacks(word(100, 102, 'first'), 500, 102))
  t.ok(hubs.lacks(word(100, 106, 'first'), 500, 106), 'where it stays it lacks the rest')
})

test('what was signed before a stream was delivered again is a replay', async t => {
  const hubs = new HubsPlace()
  t.notOk(hubs.lacks(word(64, 50), 10, 0))
  t.notOk(hubs.replayed(word(64, 50)))
  t.ok(hubs.lacks(word(0, 100), 64, 10))
  t.ok(hubs.replayed(word(64, 50)))
  t.ok(hubs.replayed(word(64, 50, 'second')), 'whoever signed it')
  t.notOk(hubs.replayed({ ...word(64, 50), epoch: 'epoch0002' }))
  t.notOk(hubs.replayed(word(12, 101)))
})

test('an acknowledgement that comes once more asks for nothing', async t => {
  const hubs = new HubsPlace()
  t.ok(hubs.lacks(word(0, 5), 100, 0))
  t.notOk(hubs.lacks(word(100, 6), 100, 10))
  t.notOk(hubs.lacks(word(0, 5), 100, 100))
})
