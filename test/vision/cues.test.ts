import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { SimulatedCamera } from '../../drivers/camera/simulator.js'
import { type Cue, CueBoard, followCues, postReaderCue, ReaderCues } from '../../gateway/commands/cues.js'
import { Role } from '../../gateway/commands/role.js'
import { editConfiguration } from '../../gateway/config/edit.js'
import { parseConfiguration } from '../../gateway/config/load.js'
import { isJsonObject, parseJsonObject } from '../../gateway/messages/json.js'
import { glanceAt } from '../../gateway/vision/glance.js'
import { PlateEye } from '../../gateway/vision/plate-eye.js'
import { until } from '../commands/polewatch.js'
import { VirtualClock } from '../contracts/virtual-clock.js'

test('a plate that stands still is read only when a cue asks for it', { timeout: 120_000 }, async t => {
  const camera = new SimulatedCamera({
    ...{ name: 'street', clock: new VirtualClock(), framesPerSecond: 1 },
    passages: [{ at: 0, text: 'KLM4827', seconds: 2 }],
  })
  const controller = new AbortController()
  let frame = null
  for await (const reading of camera.readings(controller.signal)) {
    if (reading.kind !== 'frame') continue
    frame = reading
    if (frame.systemTime > 0) controller.abort()
  }
  if (frame === null) throw new Error('no frame')
  const eye = new PlateEye({ nextId: () => 'street-1', sureAtOnce: 0.5 })
  const look = (time: number) => eye.see(frame, glanceAt(frame), time)
  for (const time of [100, 100.5, 101]) t.same(await look(time), [])
  t.match(eye.counts, { frames: 3, looked: 0, cues: 0 })
  eye.lookUntil(102)
  const [seen] = [await look(101.5), await look(101.9)].flat()
  t.match(seen, { stage: 'new', text: 'KLM4827' })
  await look(102.5)
  t.match(eye.counts, { frames: 6, looked: 2, cues: 1, passages: 1 }, 'and no longer than it asked')
})

test('a cue opens the cameras that may watch its lane, all of them where no lane is named', t => {
  const board = new CueBoard()
  const looked: string[] = []
  const lanes = (...names: string[]) => names.map((name, index) => ({ name, from: index / 4, to: (index + 1) / 4 }))
  for (const [name, lane, parts] of [
    ['one', '1', []],
    ['both', null, lanes('1', '2')],
    ['two', '2', []],
    ['unknown', null, []],
  ] as const)
    board.add({ lane, lanes: [...parts] }, time => looked.push(`${name} ${time}`))
  board.give({ lane: '1', time: 100, seconds: 3 })
  t.same(looked.splice(0), ['one 103', 'both 103', 'unknown 103'])
  board.give({ lane: null, time: 100, seconds: 30 })
  t.same(looked, ['one 130', 'both 130', 'two 130', 'unknown 130'])
  t.end()
})

test('a reader that floods asks once a second, and of no more lanes than a gateway can have', t => {
  const cues: Cue[] = []
  const reader = new ReaderCues(cue => cues.push(cue))
  for (let index = 0; index < 5000; index += 1) reader.read('1', 100 + index / 1000)
  t.same(
    cues.map(({ time }) => time),
    [100, 101, 102, 103, 104],
  )
  for (let index = 0; index < 5000; index += 1) reader.read(`invented ${index}`, 200)
  t.equal(cues.length, 5 + 63)
  t.end()
})

function rolesIn(t: Test) {
  const folder = t.testdir()
  mkdirSync(join(folder, 'run'))
  const example = readFileSync(join(process.cwd(), 'firmware-config', 'polewatch.example.yaml'), 'utf8')
  const text = editConfiguration(example, [
    { path: ['paths'], value: { state: join(folder, 'state'), runtime: join(folder, 'run') } },
    { path: ['uplink'], value: { brokers: ['mqtt://127.0.0.1:1'], acknowledge: 'broker' } },
  ])
  const configuration = parseConfiguration(text, join(folder, 'gateway.yaml'))
  const [sensing, uplink, vision] = (['sensing', 'uplink', 'vision'] as const).map(name => {
    const role = new Role(name, configuration)
    t.teardown(() => role.close())
    return role
  })
  if (sensing === undefined || uplink === undefined || vision === undefined) throw new Error('three roles')
  return { sensing, uplink, vision, gateway: configuration.gateway.id }
}

/** The golden claim as another gateway's, with changes. */
function claim(change: Record<string, unknown>): Uint8Array {
  const event = parseJsonObject(readFileSync(join(process.cwd(), 'test/golden/messages/claim.json')))
  if (!isJsonObject(event.data)) throw new Error('no data')
  return Buffer.from(JSON.stringify({ ...event, data: { ...event.data, ...change } }))
}

test('sensing asks for a look by its reads and by the shots that this gateway heard, over the exchange', async t => {
  const { sensing, uplink, vision, gateway } = rolesIn(t)
  const heard = [`${gateway}/5c2e/7`, 'elsewhere/5c2e/1']
  sensing.exchange.post('claim', claim({ reporter: gateway, arrivals: heard }))
  const given: Cue[] = []
  const controller = new AbortController()
  const following = followCues(vision, cue => given.push(cue), controller.signal)
  const ends = () => given.map(({ lane, seconds }) => `${lane} ${seconds}`)

  // What was there before it began is over, so that it has to have begun.
  const began = Date.now() / 1000
  const reads = new ReaderCues(cue => postReaderCue(sensing, cue))
  await until(() => {
    reads.read('1', Date.now() / 1000)
    return given.length > 0
  }, 'the cue of a read')
  t.same(new Set(ends()), new Set(['1 3']))
  t.ok((given[0]?.time ?? 0) >= began)

  given.length = 0
  uplink.exchange.post('claim', claim({ reporter: 'elsewhere', arrivals: ['elsewhere/5c2e/1'] }))
  sensing.exchange.post('claim', claim({ reporter: gateway, arrivals: heard, state: 'withdrawn' }))
  sensing.exchange.post('claim', claim({ reporter: gateway, arrivals: heard }))
  await until(() => given.length > 0, 'the cue of a shot')
  uplink.exchange.post('claim', Buffer.from('no event'))
  uplink.exchange.post('claim', claim({ reporter: 'elsewhere', arrivals: heard }))
  await until(() => given.length > 1, 'the cue of a shot that another gateway reports')
  t.same(ends(), ['null 30', 'null 30'])
  t.ok(given.every(({ time }) => time >= began))
  controller.abort()
  await following
})
