import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { test } from 'tap'
import { SimulatedCamera, type SimulatedCameraOptions } from '../../drivers/camera/simulator.js'
import { CameraCheck } from '../../gateway/commands/camera-check.js'
import type { CameraFault } from '../../gateway/vision/camera-watch.js'
import { CameraWatch } from '../../gateway/vision/camera-watch.js'
import { glanceAt } from '../../gateway/vision/glance.js'
import { type Area, MotionGate } from '../../gateway/vision/motion.js'
import type { Picture } from '../../gateway/vision/picture.js'
import { readPicture } from '../../gateway/vision/picture.js'
import { VirtualClock } from '../contracts/virtual-clock.js'

const size = { width: 320, height: 180 }
const framesPerSecond = 1

/** Frames of a drawn street, on a clock that takes no time. */
async function* street(seconds: number, options: Partial<SimulatedCameraOptions> = {}) {
  const camera = new SimulatedCamera({ name: 'c', clock: new VirtualClock(), ...size, framesPerSecond, ...options })
  const controller = new AbortController()
  let frames = 0
  for await (const reading of camera.readings(controller.signal)) {
    if (reading.kind !== 'frame') continue
    yield { picture: reading, time: frames / framesPerSecond }
    frames += 1
    if (frames >= seconds * framesPerSecond) controller.abort()
  }
}

/** What the watch says while the picture is changed by `spoil` from a time on until another. */
async function faultsOf(
  seconds: number,
  spoil: (picture: Picture) => Promise<Picture> | Picture,
  [from, until]: readonly [number, number],
): Promise<string[]> {
  const watch = new CameraWatch()
  const said: string[] = []
  for await (const { picture, time } of street(seconds)) {
    const seen = from <= time && time < until ? await spoil(picture) : picture
    for (const { fault, state } of watch.see(glanceAt(seen), time)) said.push(`${fault} ${state}`)
  }
  return said
}

const raw = ({ width, height }: Picture) => ({ raw: { width, height, channels: 3 as const } })

async function blurred(picture: Picture): Promise<Picture> {
  const data = await sharp(picture.data, raw(picture)).blur(2.5).raw().toBuffer()
  return { ...picture, data }
}

function shifted({ width, height, data }: Picture, columns: number, rows: number): Picture {
  const moved = new Uint8Array(data.length)
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const from = 3 * (((row + rows) % height) * width + ((column + columns) % width))
      moved.set(data.subarray(from, from + 3), 3 * (row * width + column))
    }
  }
  return { width, height, data: moved }
}

test('each fault of a camera is named when it lasts, and is over when the picture is good again', async t => {
  const grain = (level: number) => (picture: Picture) => ({
    ...picture,
    data: picture.data.map((_, index) => level + (index % 3)),
  })
  const during = [40, 80] as const
  t.same(await faultsOf(100, picture => picture, during), [])
  t.same(await faultsOf(100, grain(4), during), ['blind raised', 'blind cleared'])
  t.same(await faultsOf(100, grain(120), during), ['covered raised', 'covered cleared'])
  t.same(await faultsOf(100, blurred, during), ['unfocused raised', 'unfocused cleared'])
  t.same(await faultsOf(100, picture => shifted(picture, 115, 65), during), ['turned raised', 'turned cleared'])
  let held: Picture | null = null
  const freeze = (picture: Picture) => {
    held ??= picture
    return held
  }
  t.same(await faultsOf(100, freeze, during), ['frozen raised', 'frozen cleared'])
})

test('a picture so blurred that no edge is steep is unfocused too', t => {
  const [columns, rows] = [64, 36]
  const cells = (value: (cell: number) => number) =>
    Float32Array.from({ length: columns * rows }, (_, cell) => value(cell))
  const levels = cells(cell => 60 + (cell % columns))
  const watch = new CameraWatch()
  const changes = Array.from({ length: 30 }, (_, time) =>
    watch.see({ columns, rows, levels, coarse: cells(() => 12), fine: cells(() => 3), digest: time }, time),
  )
  t.same(changes.flat(), [{ fault: 'unfocused', state: 'raised' }])
  t.end()
})

test('what passes is no fault: a lorry before the lens, dusk, a shadow, cars', async t => {
  const near = [40, 46] as const
  t.same(await faultsOf(60, picture => ({ ...picture, data: picture.data.map(() => 90) }), near), [])
  t.same(await faultsOf(60, blurred, near), [])
  const watch = new CameraWatch()
  const passages = Array.from({ length: 20 }, (_, index) => ({ at: 2 + index * 3, text: 'KLM4827', seconds: 2 }))
  for await (const { picture, time } of street(60, { passages })) {
    const light = 1 - (0.75 * time) / 60
    const dusk = { ...picture, data: picture.data.map(value => value * light) }
    t.same(watch.see(glanceAt(dusk), time), [])
  }
})

test('a picture that was turned on purpose is the usual one after half an hour', async t => {
  const watch = new CameraWatch()
  const said: string[] = []
  let time = 0
  for await (const { picture } of street(80)) {
    time += time < 40 ? 1 : 60
    const seen = time < 40 ? picture : shifted(picture, 115, 65)
    for (const { fault, state } of watch.see(glanceAt(seen), time)) said.push(`${fault} ${state}`)
  }
  t.same(said, ['turned raised', 'turned cleared'])
})

const pictureFolders = ['us', 'eu'].map(name => join(process.cwd(), '../shared/data/plates', name))

test('no real picture of a street has a fault', {
  skip: pictureFolders.every(existsSync) ? false : 'the pictures are not there',
}, async t => {
  const files = pictureFolders.flatMap(folder => readdirSync(folder).map(file => join(folder, file)))
  for (const file of files) {
    const picture = await readPicture(file)
    const watch = new CameraWatch()
    const glance = glanceAt(picture)
    // The grain of a living camera, as it shows in the digest.
    const said: CameraFault[] = []
    for (const second of [0, 20, 40, 60]) {
      for (const { fault } of watch.see({ ...glance, digest: second }, second)) said.push(fault)
    }
    t.same(said, [], file.split('/').at(-1) ?? file)
  }
})

test('a fault is told with what to do, and the next when that is over', t => {
  const said: string[] = []
  const check = new CameraCheck('street', {
    raise: (part, _, fault, detail, code) => said.push([part, fault, code, detail].join(' | ')),
    ready: part => said.push(`${part} | ready`),
  })
  const black = glanceAt({ ...size, data: new Uint8Array(3 * size.width * size.height) })
  for (let second = 0; second <= 40; second += 1) check.see(black, second)
  t.equal(said.length, 1)
  t.match(
    said[0],
    /^street picture \| camera-blind \| PW_CAMERA \| street picture: its picture is black\. It helps to /,
  )
  const white = {
    ...black,
    levels: black.levels.map((_, index) => 100 + 90 * (index % 2)),
    coarse: black.coarse.map(() => 90),
    fine: black.fine.map(() => 90),
  }
  for (let second = 41; second <= 60; second += 1) check.see({ ...white, digest: second }, second)
  t.equal(said.at(-1), 'street picture | ready')
  t.end()
})

test('the gate opens where something moves, and not for grain, light or what stands still', async t => {
  const gate = new MotionGate()
  const areas: { time: number; area: Area | null }[] = []
  const passages = [{ at: 10, text: 'KLM4827', seconds: 4 }]
  for await (const { picture, time } of street(60, { passages })) {
    const light = time > 30 ? 0.8 : 1
    const lit = { ...picture, data: picture.data.map(value => value * light) }
    areas.push({ time, area: gate.look(glanceAt(lit), time) })
  }
  const open = areas.filter(({ area }) => area !== null)
  t.ok(
    open.every(({ time }) => time >= 10 && time < 30),
    'while the car drives and shortly after',
  )
  for (const { time, area } of areas.filter(({ time }) => time > 11 && time <= 14)) {
    t.ok(area !== null && area.left < 0.5 && area.right > 0.5, `the car is in the area at ${time} s`)
  }
})
