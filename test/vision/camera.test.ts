import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'tap'
import { SimulatedCamera, type SimulatedCameraOptions } from '../../drivers/camera/simulator.js'
import { VideoFile } from '../../drivers/camera/video-file.js'
import { systemClock } from '../../drivers/system-clock.js'
import { CueBoard } from '../../gateway/commands/cues.js'
import { PlateDesk } from '../../gateway/commands/plate-desk.js'
import type { PlateHit } from '../../gateway/commands/plate-hit.js'
import { Role } from '../../gateway/commands/role.js'
import { watchCamera, watchCameras } from '../../gateway/commands/watch-camera.js'
import { editConfiguration } from '../../gateway/config/edit.js'
import { parseConfiguration } from '../../gateway/config/load.js'
import { PolewatchError } from '../../gateway/errors.js'
import { Hotlist } from '../../gateway/hotlist/hotlist.js'
import { importHotlist } from '../../gateway/hotlist/import.js'
import { Verdicts } from '../../gateway/hotlist/verdicts.js'
import { EvidenceStore } from '../../gateway/journal/evidence-store.js'
import { Tally } from '../../gateway/plates/tally.js'
import { builtInPolicy } from '../../gateway/policy/policy.js'
import { readPicture } from '../../gateway/vision/picture.js'
import { writeVideo } from '../contracts/camera-video.js'
import { VirtualClock } from '../contracts/virtual-clock.js'
import { until } from '../uplink/gateway.js'

interface PassageReads {
  readonly passage: string | undefined
  readonly text: string
  readonly confidence: number | null
}

const now = Date.UTC(2026, 2, 1, 12) / 1000
const example = join(process.cwd(), 'firmware-config', 'polewatch.example.yaml')
const size = { width: 960, height: 540, framesPerSecond: 3 }

/** The first seconds of a drawn street. */
async function drawn(seconds: number, options: Partial<SimulatedCameraOptions>): Promise<Uint8Array[]> {
  const camera = new SimulatedCamera({ name: 'street', clock: new VirtualClock(), ...size, ...options })
  const pictures: Uint8Array[] = []
  const controller = new AbortController()
  for await (const reading of camera.readings(controller.signal)) {
    if (reading.kind === 'frame') pictures.push(reading.data)
    if (pictures.length >= seconds * size.framesPerSecond) controller.abort()
  }
  return pictures
}

/** Files below a folder. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(path => join(folder, path))
    .filter(path => statSync(path).isFile())
}

/** A vision role with one camera over a list of one plate, its desk keeping the time of the frames. */
async function gatewayIn(folder: string) {
  mkdirSync(join(folder, 'run'))
  const state = join(folder, 'state')
  const text = editConfiguration(readFileSync(example, 'utf8'), [
    { path: ['paths'], value: { state, runtime: join(folder, 'run') } },
    { path: ['cameras'], value: [{ name: 'street', driver: 'video', file: 'street.mkv', lane: '2' }] },
    { path: ['hotlist', 'lists'], value: [{ name: 'wanted' }] },
    { path: ['uplink'], value: { brokers: ['mqtt://127.0.0.1:1'], acknowledge: 'broker' } },
  ])
  const configuration = parseConfiguration(text, join(folder, 'gateway.yaml'))
  const directory = join(state, 'hotlist')
  mkdirSync(directory, { recursive: true })
  const rows = 'plate,state,purpose,expires,id\nKLM4827,PA,stolen-vehicle,2035-01-01T00:00:00Z,entry-1\n'
  await importHotlist({
    listName: 'wanted',
    directory,
    mapping: 'plain',
    now,
    source: Readable.from([Buffer.from(rows)]),
  })
  const role = new Role('vision', configuration)
  const list = Hotlist.open(directory, 'wanted', { maximumAge: 86_400, mayBeUnusable: true })
  const clock = { now }
  const hits: PlateHit[] = []
  const desk = new PlateDesk({
    ...{ gateway: 'pole-17', exercise: true, policy: '0'.repeat(64), permits: () => true, lists: [list] },
    verdicts: Verdicts.open(join(state, 'verdicts.json')),
    tally: new Tally(),
    confirmedConfidence: 0.9,
    clock: () => clock.now,
    append: async draft => {
      hits.push(draft.data)
      await role.append(draft)
    },
    ...{ listState: () => {}, listChanged: () => {} },
  })
  const [settings] = configuration.cameras
  if (settings === undefined) throw new Error('there is no camera')
  const pictures = new EvidenceStore({
    folder: join(state, 'pictures'),
    format: 'jpg',
    keepSeconds: 86_400,
    clock: () => clock.now,
  })
  const close = () => {
    list.close()
    role.close()
  }
  return { role, desk, settings, pictures, hits, clock, state, close }
}

test('a camera that cannot be made for want of its password is told alone, and is tried again until it can', async t => {
  const { role, desk, close } = await gatewayIn(t.testdir({}))
  const controller = new AbortController()
  t.teardown(close)
  let tries = 0
  const open = () => {
    tries += 1
    if (tries === 1)
      throw new PolewatchError('PW_CAMERA_PASSWORD', { part: 'street', file: 'lane.password', why: 'it is not there' })
    return new SimulatedCamera({ name: 'street', clock: systemClock, ...size })
  }
  const watching = watchCameras(role, desk, builtInPolicy, new CueBoard(), controller.signal, open)
  const street = () => role.conditions.find(({ part }) => part === 'street')
  await until('it is told', () => street() !== undefined)
  t.match(street(), { state: 'faulty', fault: 'device-refused', code: 'PW_CAMERA_PASSWORD' })
  await until('it sees', () => street()?.state === 'ready', 20)
  t.same([tries, role.conditions.map(({ part }) => part)], [2, ['street']], 'nothing failed for good')
  controller.abort()
  await watching
})

test('of the cars in a video the wanted one is one hit with its picture, and the others leave no byte', {
  timeout: 300_000,
}, async t => {
  const folder = t.testdir({})
  const video = join(folder, 'street.mkv')
  const passages = [
    { at: 1, text: 'HPS5196', seconds: 1 },
    { at: 3, text: 'KLM4827', seconds: 1.3 },
  ]
  await writeVideo(video, size, await drawn(5, { passages }))
  const { role, desk, settings, pictures, hits, clock, state, close } = await gatewayIn(folder)
  const camera = new VideoFile({ name: 'street', file: video, pace: 'fast', startTime: now, clock: systemClock })
  const told: PassageReads[] = []
  const listening = {
    take: (...[read, reader, sight]: Parameters<PlateDesk['take']>) => {
      if (read.kind === 'plate') told.push({ passage: sight?.passage, text: read.text, confidence: read.confidence })
      clock.now = read.systemTime
      return desk.take(read, reader, sight)
    },
  }
  await watchCamera(role, listening, { settings, camera, pictures, cues: new CueBoard() }, new AbortController().signal)
  clock.now += 11
  desk.advance()
  close()

  const [first] = hits
  t.equal(new Set(hits.map(({ hit }) => hit)).size, 1)
  t.equal(first?.state, 'new')
  t.ok(hits.length >= 2 && hits.slice(1).every(({ state }) => state === 'updated'))
  t.match(hits.at(-1), {
    ...{ plate: 'KLM4827', tier: 'possible', match: { kind: 'exact' }, unverified: true },
    read: { text: 'KLM4827', lane: '2', direction: 'approaching', reader: 'street', state: null },
  })
  const named = hits.at(-1)?.pictures ?? []
  t.ok(named.length >= 1 && named.length <= 3)
  const kept = readdirSync(join(state, 'pictures'))
  t.same(
    kept.map(name => name.replace(/^\d+-|\.jpg$/g, '')).sort(),
    [...named].sort(),
    'no picture but those of the hit',
  )
  const { width, height } = await readPicture(join(state, 'pictures', kept[0] ?? ''))
  t.ok(width < size.width && height < size.height, 'a piece of the street, not the whole')

  const written = filesBelow(folder)
    .filter(path => path !== video)
    .map(path => readFileSync(path, 'latin1'))
  t.ok(
    written.some(text => text.includes('KLM4827')),
    'the search finds what is there',
  )
  for (const { text } of told.filter(({ text }) => text !== 'KLM4827'))
    t.notOk(
      written.some(file => file.includes(text)),
      'a read that matched nothing is nowhere',
    )
  t.ok(
    told.some(({ text }) => text !== 'KLM4827'),
    'the other car was read',
  )
  const wanted = told.filter(({ text }) => text === 'KLM4827')
  t.equal(new Set(wanted.map(({ passage }) => passage)).size, 1, 'all frames of a car are one passage')
  t.ok(wanted.length < 6, 'told when there is more to tell, not with every frame')
})
