import { test } from 'tap'
import { faultDay } from './fault-day/day.js'
import { complaints } from './fault-day/judge.js'

test('an hour in which every device has its troubles, all at once: each fault is told once and cleared once', {
  timeout: 600_000,
}, async t => {
  const { episodes, told, delivered, complaints: wrong } = await faultDay({ seed: 2, hours: 1 })
  t.same(wrong, [])
  t.ok(episodes.length >= 10, `${episodes.length} troubles`)
  t.ok(told.length >= 16, `${told.length} words of faults`)
  for (const part of ['roof', 'mast', 'lane-1', 'gnss', 'terminals', 'street']) {
    t.ok((delivered[part] ?? 0) > 0, `${part} delivered`)
  }
})

test('a fault that is told twice, late, not at all, never cleared, or without a reason is complained of', t => {
  const trouble = { device: 'roof', name: 'mute', expected: [{ part: 'roof', fault: 'silent-stream' }] }
  const episode = { ...trouble, from: 100, until: 400, chance: 0.5 }
  const told = (at: number, state: 'raised' | 'cleared', fault = 'silent-stream') => ({
    at,
    part: 'roof',
    fault,
    state,
  })
  const [raised, cleared] = [told(103, 'raised'), told(401, 'cleared')]
  t.same(complaints([episode], [raised, cleared]), [])
  for (const wrong of [
    [],
    [raised],
    [raised, cleared, told(402, 'raised'), told(403, 'cleared')],
    [told(401, 'raised'), told(402, 'cleared')],
    [raised, told(700, 'cleared')],
    [raised, cleared, told(200, 'raised', 'device-absent')],
    [told(50, 'raised'), raised, cleared],
  ]) {
    t.ok(complaints([episode], wrong).length > 0, JSON.stringify(wrong))
  }
  t.end()
})
