import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { z } from 'zod'
import { City } from '../../scripts/simulator/buildings.js'
import { drawCity } from '../../scripts/simulator/city.js'
import { blocks, drawDay } from '../../scripts/simulator/day.js'
import { depthInside, hullOf } from '../../scripts/simulator/placements.js'
import { GatewayRenderer } from '../../scripts/simulator/render.js'
import { plainGateway, plainScene } from '../../scripts/simulator/scene.js'
import { sourceKinds } from '../../scripts/simulator/source.js'
import { peakOf } from '../../scripts/simulator/waveform.js'
import { encode, writeRecordingSet } from '../../scripts/simulator/write.js'

const command = fileURLToPath(new URL('../../scripts/simulator/simulate.js', import.meta.url))
const position = z.object({ east: z.number(), north: z.number(), up: z.number() })
const time = z.iso.datetime()
/** The recording set of the design, with what the simulator adds. */
const recordingSet = z.object({
  origin: z.object({ latitude: z.number(), longitude: z.number(), altitude: z.number() }),
  weather: z.object({ temperature: z.number(), humidity: z.number(), windSpeed: z.number(), windFrom: z.number() }),
  gateways: z.array(
    z.object({
      id: z.string(),
      position,
      positionError: z.number(),
      timeError: z.number(),
      array: z.string(),
      heading: z.number(),
      audio: z.string(),
      startTime: time,
    }),
  ),
  truth: z.object({
    shots: z.array(z.object({ time, position, kind: z.literal('gun') })),
    others: z.array(z.object({ time, position, kind: z.string() })),
  }),
})
const readSet = (directory: string) =>
  recordingSet.parse(JSON.parse(readFileSync(join(directory, 'recording.json'), 'utf8')))
const digest = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')

test('the command writes a recording set with truth, the same bytes for a seed and others for another', async t => {
  const options = ['--gateways', '3', '--class', 'edge', '--shots', '2', '--rate', '8000', '--sources', 'slam,bark']
  const folder = t.testdir({})
  const directories = [5, 5, 6].map((seed, n) => {
    const directory = join(folder, `set-${n}`)
    execFileSync(process.execPath, [command, '--seed', String(seed), ...options, '--out', directory], { stdio: 'pipe' })
    return directory
  })
  const sets = directories.map(readSet)
  const [first, again, other] = directories.map((directory, n) =>
    sets[n]!.gateways.map(({ audio }) => digest(join(directory, audio))),
  )
  t.same(first, again)
  t.same(sets[0], sets[1])
  t.notSame(first, other)
  const { gateways, truth } = sets[0]!
  t.equal(gateways.length, 3)
  t.same(
    truth.shots.map(({ kind }) => kind),
    ['gun', 'gun'],
  )
  t.same(truth.others.map(({ kind }) => kind).sort(), ['bark', 'slam'])
  const wave = readFileSync(join(directories[0]!, gateways[0]!.audio))
  t.equal(wave.toString('latin1', 0, 4) + wave.toString('latin1', 8, 16), 'RIFFWAVEfmt ')
  t.same([wave.readUInt16LE(20), wave.readUInt16LE(22), wave.readUInt32LE(24), wave.readUInt16LE(34)], [1, 1, 8000, 16])
  t.equal(wave.readUInt32LE(40), wave.length - 44)
})

test('the command explains itself and refuses what it does not understand', async t => {
  const run = (...args: string[]) => spawnSync(process.execPath, [command, ...args], { encoding: 'utf8' })
  const help = run('--help')
  t.equal(help.status, 0)
  for (const option of ['--seed', '--class', '--snr', '--array']) t.match(help.stdout, option)
  const wrong = [
    ['--out', 'x', '--sources', 'trumpet'],
    ['--out', 'x', '--class', 'nowhere'],
    ['--out', 'x', '--array', 'none'],
    [],
  ]
  for (const args of wrong) {
    const { status, stderr } = run(...args)
    t.equal(status, 2, args.join(' '))
    t.match(stderr, args.at(-1) ?? '--out')
  }
})

test('samples are written as integers of 16 and 24 bits, channel by channel, and never wrap', async t => {
  const channels = [Float32Array.of(0, 0.5, 1, -1), Float32Array.of(-0.5, 2, -2, 0)]
  const short = encode(channels, 16)
  t.same(
    [0, 1, 2, 3, 4, 5, 6, 7].map(i => short.readInt16LE(2 * i)),
    [0, -16384, 16384, 32767, 32767, -32768, -32768, 0],
  )
  const long = encode(channels, 24)
  t.same(
    [0, 1, 2, 3].map(i => long.readIntLE(3 * i, 3)),
    [0, -4194304, 4194304, 8388607],
  )
})

test('what a gateway believes is kept apart from what is true', async t => {
  const scene = plainScene({
    duration: 0.2,
    sampleRate: 8000,
    gateways: [
      {
        ...plainGateway('pole-1', { east: 1, north: 2, up: 6 }),
        statedPosition: { east: 4, north: 2, up: 6 },
        clockOffset: 0.25,
        startDelay: 0.5,
      },
    ],
  })
  const directory = join(t.testdir({}), 'set')
  writeRecordingSet(scene, directory, 24)
  const [gateway] = readSet(directory).gateways
  t.same(gateway!.position, { east: 4, north: 2, up: 6 })
  t.equal(gateway!.startTime, '2023-11-14T22:13:20.750000Z')
  t.equal(readFileSync(join(directory, gateway!.audio)).length, 44 + 1600 * 3)
})

test('guns stand inside, at the edge and outside as asked, in no house, and poles on roofs where houses stand', async t => {
  for (const geometry of ['inside', 'edge', 'outside'] as const) {
    for (let seed = 1; seed <= 8; seed++) {
      const scene = drawCity({ seed, geometry, guns: 2, shots: 1 })
      const hull = hullOf(scene.gateways.map(({ position }) => position))
      const city = new City(scene.buildings)
      for (const { position } of scene.sources) {
        const depth = depthInside(position, hull)
        t.ok(geometry === 'inside' ? depth > 0 : geometry === 'outside' ? depth < 0 : Math.abs(depth) < 60, geometry)
        t.equal(city.buildingAt(position, 0), -1)
      }
      for (const { position } of scene.gateways) {
        const house = scene.buildings[city.buildingAt(position, 0)]
        t.ok(house === undefined || position.up > house.height)
      }
    }
  }
})

test('every kind of sound can be heard, is free of NaN, and a gunshot stands out in the city', async t => {
  for (const kind of sourceKinds) {
    const start = 1_700_000_000
    const far = kind === 'thunder' ? 1500 : 25
    const source = { kind, time: start + 2, position: { east: far, north: 0, up: 2 }, duration: 3 }
    const gateway = plainGateway('g', { east: 0, north: 0, up: 6 })
    const scene = plainScene({ start, duration: 12, sampleRate: 16_000, sources: [source], gateways: [gateway] })
    const samples = new GatewayRenderer(scene, gateway).samples(0, 12 * 16_000)[0]!
    t.ok(samples.every(Number.isFinite), kind)
    const quiet = peakOf(samples.subarray(0, 8000))
    t.ok(peakOf(samples.subarray(16_000)) > 10 * quiet, `${kind}: ${peakOf(samples)} over ${quiet}`)
  }
  const scene = drawCity({ seed: 2, shots: 1, sampleRate: 12_000 })
  const heard = scene.gateways.filter(gateway => {
    const [samples] = new GatewayRenderer(scene, gateway).samples(0, scene.duration * 12_000)
    return peakOf(samples!.subarray(24_000)) > 2 * peakOf(samples!.subarray(0, 18_000))
  })
  t.ok(heard.length >= 4, `${heard.length} of six gateways`)
})

test('a day has its shots and its noises, and any hour of it can be heard in pieces', async t => {
  const day = drawDay({ seed: 2, hours: 24, shots: 200 })
  const count = (kind: string) => day.sources.filter(source => source.kind === kind).length
  t.equal(count('gun'), 200)
  for (const kind of sourceKinds) t.ok(count(kind) > 0, kind)
  t.ok(day.sources.every((source, i) => i === 0 || source.time >= day.sources[i - 1]!.time))
  t.same(drawDay({ seed: 2 }).sources, day.sources)
  const short = drawDay({ seed: 2, hours: 0.01, shots: 2 })
  const renderer = new GatewayRenderer(short, short.gateways[0]!)
  let next = 0
  for (const { firstSample, channels } of blocks(renderer, 6000)) {
    t.equal(firstSample, next)
    next += channels[0]!.length
  }
  t.equal(next, 36 * 12_000)
})
