import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import type { Camera, CameraFrame } from '../../drivers/camera/camera.js'
import { FrameClock } from '../../drivers/camera/frame-clock.js'
import { RtspCamera } from '../../drivers/camera/rtsp.js'
import { SimulatedCamera } from '../../drivers/camera/simulator.js'
import { VideoFile } from '../../drivers/camera/video-file.js'
import type { StateReport } from '../../drivers/driver.js'
import { systemClock } from '../../drivers/system-clock.js'
import { cameraContract, cameraScene } from '../contracts/camera.js'
import { writeVideo } from '../contracts/camera-video.js'
import { contractElsewhere } from '../contracts/contract.js'
import { collect, states } from '../contracts/driver.js'
import { VirtualClock } from '../contracts/virtual-clock.js'
import { RtspStandIn } from './rtsp-stand-in.js'

const size = { width: 160, height: 90, framesPerSecond: 10 }
const rtspServer = join(process.cwd(), 'test/drivers/rtsp_server.py')
const python = '/usr/bin/python3'
const bindings = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
const hasRtspServer = existsSync(python) && spawnSync(python, ['-c', bindings]).status === 0

/** Pictures of one brightness each, growing from frame to frame, so that every frame can be told by its first pixel. */
function pictures(seconds: number): Uint8Array[] {
  return Array.from({ length: seconds * size.framesPerSecond }, (_, index) =>
    new Uint8Array(3 * size.width * size.height).fill(20 + (index % 200)),
  )
}

function framesOf(items: readonly { readonly kind: string }[]): CameraFrame[] {
  return items.filter((item): item is CameraFrame => item.kind === 'frame')
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Starts the server and resolves when it listens. */
async function serve(port: number, video: string): Promise<ChildProcess> {
  const server = spawn(python, [rtspServer, String(port), video], { stdio: ['ignore', 'pipe', 'ignore'] })
  await new Promise(resolve => server.stdout.once('data', resolve))
  return server
}

async function stop(server: ChildProcess | null): Promise<void> {
  if (server === null || server.exitCode !== null || server.signalCode !== null) return
  server.kill('SIGKILL')
  await new Promise(resolve => server.once('exit', resolve))
}

async function videoIn(t: Test, seconds: number): Promise<string> {
  const video = join(t.testdir({}), 'street.mkv')
  await writeVideo(video, size, pictures(seconds))
  return video
}

test('camera contract', async t => {
  const video = await videoIn(t, 30)
  cameraContract(t, {
    title: 'simulator',
    reopenings: 1000,
    excused: {
      renamed: 'it has no name on a bus',
      silent: 'its frozen and black pictures are the camera watch’s to name (test/vision/camera-watch)',
      wrong: 'it draws its own pictures',
    },
    make: async plugged => {
      const { unplugged, pluggedAgain, plugged: first } = cameraScene
      const absences = [
        { from: 0, until: first, fault: 'absent' as const },
        { from: unplugged, until: pluggedAgain, fault: 'absent' as const },
      ]
      const camera = new SimulatedCamera({ name: 'c', clock: systemClock, ...size, faults: plugged ? [] : absences })
      const nothing = async () => {}
      return { camera, plug: nothing, unplug: nothing, end: nothing }
    },
  })
  let files = 0
  cameraContract(t, {
    title: 'video file',
    reopenings: 50,
    wrong: async t => {
      const file = join(t.testdir({ 'street.mkv': 'no video at all' }), 'street.mkv')
      const camera = new VideoFile({ name: 'c', file, pace: 'real-time', clock: systemClock, random: () => 0 })
      return { camera, state: { state: 'faulty', fault: 'recording-not-video' } }
    },
    excused: {
      unplugged: 'a file that is being played stays open',
      renamed: 'a file has one name',
      silent: 'a file gives its frames or ends',
    },
    make: async plugged => {
      files += 1
      const file = plugged ? video : `${video}.${files}`
      return {
        camera: new VideoFile({ name: 'c', file, pace: 'real-time', clock: systemClock, random: () => 0 }),
        plug: async () => renameSync(await copyOf(video, files), file),
        unplug: null,
        end: async () => {},
      }
    },
  })
  const copyOf = async (file: string, number: number): Promise<string> => {
    const copy = `${file}.copy${number}`
    await writeVideo(copy, size, pictures(3))
    return copy
  }
  const stream = `${video}.h264`
  await writeVideo(stream, size, pictures(30), 'h264')
  const servers = {
    'RTSP, a stand-in': (port: number) => RtspStandIn.on(port, stream, size.framesPerSecond),
    'RTSP, GStreamer': async (port: number) => {
      const server = await serve(port, video)
      return { close: () => stop(server) }
    },
  }
  for (const [title, open] of Object.entries(servers)) {
    if (title === 'RTSP, GStreamer' && !hasRtspServer) {
      contractElsewhere(t, 'camera', title, 'its server is not installed here (gir1.2-gst-rtsp-server-1.0)')
      continue
    }
    cameraContract(t, {
      title,
      reopenings: 10,
      silent: t => answering(t, null, { state: 'faulty', fault: 'silent-stream' }),
      wrong: t => answering(t, '401 Unauthorized', { state: 'faulty', fault: 'device-refused' }),
      excused: { renamed: 'it is known by its address' },
      make: async plugged => {
        const port = await freePort()
        let server = plugged ? await open(port) : null
        const unplug = async () => {
          await server?.close()
          server = null
        }
        t.teardown(unplug)
        const url = `rtsp://127.0.0.1:${port}/lane`
        const plug = async () => {
          server = await open(port)
        }
        return {
          camera: new RtspCamera({ name: 'c', url, clock: systemClock, random: () => 0 }),
          plug,
          unplug,
          end: unplug,
        }
      },
    })
  }
  contractElsewhere(t, 'camera', 'Video4Linux', 'the kernel’s virtual camera: ./scripts/test-machine')
})

/** A camera that answers everything with one status, or with nothing. */
async function answering(t: Test, status: string | null, state: Partial<StateReport>) {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', data => {
      const sequence = /CSeq: (\d+)/.exec(data.toString())?.[1]
      if (status !== null) socket.end(`RTSP/1.0 ${status}\r\nCSeq: ${sequence}\r\n\r\n`)
    })
    t.teardown(() => socket.destroy())
  })
  t.teardown(() => server.close())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const url = `rtsp://127.0.0.1:${port}/lane`
  return { camera: new RtspCamera({ name: 'c', url, clock: systemClock, stallSeconds: 1, random: () => 0 }), state }
}

test('a video played fast gives every frame at its time and ends; a cut one gives what it holds', async t => {
  const video = await videoIn(t, 2)
  const play = (file: string): Camera =>
    new VideoFile({ name: 'c', file, pace: 'fast', startTime: 1000, timeError: 0.5, clock: systemClock })
  const frames = framesOf(await collect(play(video), () => false))
  t.equal(frames.length, 20)
  for (const [index, { systemTime, systemTimeError, data, dropped }] of frames.entries()) {
    t.ok(Math.abs(systemTime - 1000 - index / 10) < 0.002)
    t.ok(Math.abs((data[0] ?? 0) - 20 - index) <= 3, 'the picture of that time')
    t.same([systemTimeError, dropped], [0.5, 0])
  }
  const bytes = readFileSync(video)
  writeFileSync(`${video}.cut`, bytes.subarray(0, bytes.length / 2))
  const cut = framesOf(await collect(play(`${video}.cut`), () => false))
  t.ok(cut.length > 0 && cut.length < 20)
  writeFileSync(`${video}.text`, 'no video at all')
  t.same(states(await collect(play(`${video}.text`), () => false)), ['faulty recording-not-video'])
  t.same(states(await collect(play(`${video}.nowhere`), () => false)), ['absent recording-missing'])
  const slower = new VideoFile({ name: 'c', file: video, pace: 'fast', framesPerSecond: 5, clock: systemClock })
  t.equal(framesOf(await collect(slower, () => false)).length, 10, 'no more frames a second than were asked for')
})

test('a video that is far ahead of its time lets its process sleep', async t => {
  const file = await videoIn(t, 20)
  const stop = new AbortController()
  // Time stands still: the second frame is never due.
  const clock = { ...systemClock, monotonic: () => 0, system: () => 1000 }
  const readings = new VideoFile({ name: 'c', file, pace: 'real-time', clock }).readings(stop.signal)
  for (let item = await readings.next(); !item.done && item.value.kind !== 'frame'; item = await readings.next()) {}
  const sleep = clock.sleep
  clock.sleep = (_, signal) => sleep(3600, signal)
  const waiting = readings.next()
  await sleep(0.5, stop.signal)
  const turns = performance.nodeTiming.uvMetricsInfo.loopCount
  await sleep(0.5, stop.signal)
  const more = performance.nodeTiming.uvMetricsInfo.loopCount - turns
  stop.abort()
  await waiting
  t.ok(more < 100, `${more} turns of the event loop in half a second`)
})

test('a simulated camera freezes and goes black, and its frames go on', async t => {
  const faults = [
    { from: 1, until: 2, fault: 'frozen' as const },
    { from: 2, until: 3, fault: 'black' as const },
  ]
  const camera = new SimulatedCamera({ name: 'c', clock: new VirtualClock(), ...size, faults })
  const frames = framesOf(await collect(camera, items => framesOf(items).length === 40))
  const same = frames.map(({ data }, index) => Buffer.compare(data, frames[index - 1]?.data ?? new Uint8Array()) === 0)
  t.notOk(same.slice(0, 10).some(Boolean), 'no two pictures of a living camera are the same')
  t.ok(same.slice(10, 20).every(Boolean))
  t.ok(frames.slice(20, 30).every(({ data }) => data.every(value => value === 0)))
  t.notOk(same.slice(31).some(Boolean))
})

test('frames are placed in time by the stream, however late each of them arrives', t => {
  const clock = new VirtualClock(5000)
  const frameClock = new FrameClock(clock, { mean: 0.3, error: 0.2 })
  const signal = new AbortController().signal
  for (let frame = 0; frame < 200; frame += 1) {
    const taken = frame / 10
    // An early frame among the first ties the two clocks together, later ones are up to 80 ms late.
    const late = frame === 0 ? 0 : ((frame * 7919) % 80) / 1000
    void clock.sleep(taken + late - clock.monotonic(), signal)
    if (frame === 100) clock.stepSystem(30)
    const { systemTime, systemTimeError } = frameClock.place(42 + taken)
    const expected = 5000 + taken - 0.3 + (frame >= 100 ? 30 : 0)
    t.ok(Math.abs(systemTime - expected) < 0.02, `frame ${frame}`)
    t.equal(systemTimeError, 0.2)
  }
  void clock.sleep(1, signal)
  const began = clock.system()
  t.ok(Math.abs(frameClock.place(0).systemTime - (began - 0.3)) < 1e-6, 'a stream that begins anew is tied anew')
  t.equal(frameClock.place(null).systemTime, began - 0.3)
  t.end()
})

test('a camera that refuses or hangs is named without its password', async t => {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', data => {
      const sequence = /CSeq: (\d+)/.exec(data.toString())?.[1]
      socket.end(`RTSP/1.0 401 Unauthorized\r\nCSeq: ${sequence}\r\n\r\n`)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const camera = new RtspCamera({
    ...{ name: 'c', url: `rtsp://127.0.0.1:${port}/lane`, user: 'technician', password: 'a:secret@/' },
    ...{ clock: systemClock, random: () => 0 },
  })
  const [refused] = await collect(camera, items => items.length === 1)
  t.match(refused, { kind: 'state', state: 'faulty', fault: 'device-refused' })
  t.notMatch(JSON.stringify(refused), /secret|technician/)
  server.close()

  const stream = join(t.testdir({}), 'street.h264')
  await writeVideo(stream, size, pictures(3), 'h264')
  const guardedPort = await freePort()
  const guarded = await RtspStandIn.on(guardedPort, stream, size.framesPerSecond, { login: 'technician:a:secret@/' })
  t.teardown(() => guarded.close())
  const known = (password: string) =>
    new RtspCamera({
      ...{ name: 'c', url: `rtsp://127.0.0.1:${guardedPort}/lane`, user: 'technician', password },
      ...{ clock: systemClock, random: () => 0 },
    })
  t.ok(framesOf(await collect(known('a:secret@/'), items => framesOf(items).length === 1)).length, 'who knows it sees')
  t.match(await collect(known('guessed'), items => items.length === 1), [{ fault: 'device-refused' }])

  const silent = createServer(socket => socket.on('error', () => {}))
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
  const at = silent.address()
  const hanging = new RtspCamera({
    ...{ name: 'c', url: `rtsp://127.0.0.1:${typeof at === 'object' && at !== null ? at.port : 0}/lane` },
    ...{ clock: systemClock, stallSeconds: 0.3, random: () => 0 },
  })
  t.match(await collect(hanging, items => items.length === 1), [{ state: 'faulty', fault: 'silent-stream' }])
  silent.close()
})
