import { test } from 'tap'
import { type FaultNotice, Parts } from '../../gateway/health/parts.js'

/** Parts with a clock that is set by hand, and what they told. */
function watched() {
  const time = { now: 0 }
  const told: string[] = []
  const clock = { system: () => 1_545_180_566 + time.now, monotonic: () => time.now }
  const parts = new Parts('sensing', clock, ({ part, fault, state, since }: FaultNotice) => {
    told.push(`${part} ${fault} ${state} ${since - 1_545_180_566}`)
  })
  return { time, told, parts }
}

test('a fault is told once when it begins and once when it is over, and another one takes its place', t => {
  const { time, told, parts } = watched()
  parts.ready('roof', 'It works.')
  for (const at of [1, 2, 3]) {
    time.now = at
    parts.raise('roof', 'absent', 'device-absent', 'It has gone.', 'PW_DEVICE_ABSENT')
  }
  time.now = 4
  parts.raise('roof', 'faulty', 'silent-stream', 'It gives nothing.', 'PW_STREAM_SILENT')
  parts.ready('roof', 'It works.')
  parts.ready('roof', 'It works.')
  t.same(told, [
    'roof device-absent raised 1',
    'roof device-absent cleared 1',
    'roof silent-stream raised 4',
    'roof silent-stream cleared 4',
  ])
  t.equal(parts.faults, 2)
  t.end()
})

test('a part that has to deliver is overdue when it is silent without saying why, and only then', t => {
  const { time, parts } = watched()
  parts.expect('roof', 20)
  parts.expect('lane 1', 20, { steady: false })
  time.now = 20
  t.same(parts.overdue, [])
  time.now = 21
  t.same(parts.overdue, ['roof', 'lane 1'], 'neither has said a word')
  parts.ready('roof', 'It works.')
  parts.ready('lane 1', 'The line is open.')
  t.same(parts.overdue, [])
  time.now = 41
  parts.delivered('roof')
  time.now = 60
  t.same(parts.overdue, [], 'one delivers, and no car passes the other')
  time.now = 62
  t.same(parts.overdue, ['roof'])
  parts.raise('roof', 'absent', 'device-absent', 'It has gone.', null)
  t.same(parts.overdue, [], 'it has said why')
  time.now = 100
  parts.ready('roof', 'It works.')
  t.same(parts.overdue, [], 'it has its time again from its return')
  time.now = 121
  t.same(parts.overdue, ['roof'])
  t.end()
})

test('what a part counts and measures stays with it through its faults', t => {
  const { parts } = watched()
  parts.count('mast', { dropped: 1 })
  t.same(parts.all, [], 'nobody has heard of it')
  parts.ready('mast', 'It measures.')
  parts.count('mast', { dropped: 2 })
  parts.measure('mast', { temperature: -3 })
  parts.raise('mast', 'absent', 'device-absent', 'It has gone.', null)
  t.match(parts.all, [{ part: 'mast', state: 'absent', counters: { dropped: 2 }, values: { temperature: -3 } }])
  t.end()
})
