import { test } from 'tap'
import { type FaultNotice, type KeptFault, Parts } from '../../gateway/health/parts.js'

/** Parts with a clock that is set by hand, and what they told. @param kept what was told before, a minute before the clock begins */
function watched(kept: readonly Omit<KeptFault, 'since'>[] = []) {
  const time = { now: 0 }
  const told: string[] = []
  const clock = { system: () => 1_545_180_566 + time.now, monotonic: () => time.now }
  const details: string[] = []
  const tell = ({ part, fault, state, since, detail }: FaultNotice): void => {
    told.push(`${part} ${fault} ${state} ${since - 1_545_180_566}`)
    details.push(detail)
  }
  const since = '2018-12-19T00:48:26.000Z'
  const all = kept.map(each => ({ ...each, since }))
  const parts = new Parts('sensing', clock, tell, all)
  return { time, told, details, parts }
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

const absent = { part: 'roof', fault: 'device-absent' }

test('a fault that is still there after a restart is not told again, and began when it was first told', t => {
  const { time, told, parts } = watched([absent])
  t.same(parts.all, [], 'nobody has said yet that it is still there')
  t.ok(parts.has('roof'), 'and nobody that it is over')
  time.now = 5
  parts.raise('roof', 'absent', 'device-absent', 'It has gone.', 'PW_DEVICE_ABSENT')
  t.same(told, [])
  t.equal(parts.faults, 0)
  t.match(parts.all, [{ ...absent, state: 'absent', detail: 'It has gone.', since: '2018-12-19T00:48:26.000Z' }])
  time.now = 1000
  parts.sweep()
  t.same(told, [], 'its part has spoken')
  parts.ready('roof', 'It works.')
  t.same(told, ['roof device-absent cleared -60'])
  t.end()
})

test('a fault that was mended meanwhile is told as over when its part is ready, or has another one', t => {
  const { time, told, parts } = watched([absent, { part: 'gate', fault: 'silent' }])
  time.now = 5
  parts.ready('roof', 'It works.')
  parts.raise('gate', 'faulty', 'line-noise', 'It gives rubbish.', 'PW_LINE_NOISE')
  parts.raise('roof', 'absent', 'device-absent', 'It has gone.', 'PW_DEVICE_ABSENT')
  time.now = 1000
  parts.sweep()
  t.same(told, [
    'roof device-absent cleared -60',
    'gate silent cleared -60',
    'gate line-noise raised 5',
    'roof device-absent raised 5',
  ])
  t.end()
})

test('a fault of which nobody says a word after a restart is over ten minutes later, and its part never excused', t => {
  const { time, told, details, parts } = watched([absent, { part: 'gate', fault: 'silent' }])
  parts.expect('roof', 20)
  time.now = 599
  parts.sweep()
  t.same(parts.overdue, ['roof'], 'what an earlier process said of it excuses no silence')
  t.same(told, [])
  time.now = 600
  parts.sweep()
  parts.sweep()
  t.same(told, ['roof device-absent cleared -60', 'gate silent cleared -60'])
  t.same(new Set(details), new Set(['Nothing was said of it in the 10 minutes since sensing began again.']))
  t.notOk(parts.has('gate'))
  t.same(parts.all, [])
  t.end()
})
