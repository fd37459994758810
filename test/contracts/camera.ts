import type { Test } from 'tap'
import type { Camera, CameraFrame } from '../../drivers/camera/camera.js'
import type { StateReport } from '../../drivers/driver.js'
import { Contract, type Excuses, leavesNothing } from './contract.js'
import { endingContract, isState } from './driver.js'

/** A camera and the hands that plug it in and out. */
export interface CameraScene {
  readonly camera: Camera
  /** Where it can be renamed, it comes under another name each time, below the one that stays. */
  plug(): Promise<void>
  /** Null for what cannot go away, such as a file that is being played. */
  readonly unplug: (() => Promise<void>) | null
  /** Lets go of everything. */
  end(): Promise<void>
}

/** A camera that is at fault, the state that it reports, and the hands that make it well again, where anybody can. */
export interface Faulty {
  readonly camera: Camera
  readonly state: Partial<StateReport>
  readonly heal?: () => Promise<void>
}

/** An implementation of the camera contract, as the suite needs it. */
export interface CameraSubject {
  readonly title: string
  /** Not plugged in, or plugged in from the first moment. */
  make(plugged: boolean): Promise<CameraScene>
  /** How often it is opened again in a quick run. */
  readonly reopenings: number
  /** Open, but not a picture comes, and the state that it reports. */
  readonly silent?: (t: Test) => Promise<Faulty>
  /** What comes is no video, and the state that it reports. */
  readonly wrong?: (t: Test) => Promise<Faulty>
  readonly excused: Excuses
}

/** When the simulated camera of this suite goes and comes, seconds; others are plugged in and out by hand. */
export const cameraScene = { plugged: 1, unplugged: 2, pluggedAgain: 3 }

/** Every implementation of the camera contract has to pass this. */
export function cameraContract(t: Test, subject: CameraSubject): void {
  t.test(subject.title, async t => {
    const contract = new Contract(t, 'camera', subject.title, subject.excused)
    const told = ['absent', 'appears', 'unplugged', 'renamed', 'buffers'] as const
    contract.test(
      told,
      'absent at the start it says so once; it appears, goes in the middle, and comes back',
      async t => {
        const scene = await subject.make(false)
        const controller = new AbortController()
        const readings = scene.camera.readings(controller.signal)[Symbol.asyncIterator]()
        t.match(await nextState(readings), { state: 'absent', fault: /^(?:device-absent|recording-missing)$/ })
        await scene.plug()
        t.match(await nextState(readings), { state: 'ready', fault: null })
        await checkFrames(t, readings, 3)
        if (scene.unplug !== null) {
          await scene.unplug()
          t.match(await nextState(readings), { state: 'absent', fault: 'device-absent' })
          await scene.plug()
          t.match(await nextState(readings), { state: 'ready' })
          await checkFrames(t, readings, 1)
        }
        controller.abort()
        await readings.return?.()
        await scene.end()
      },
    )

    contract.test(
      ['flooding', 'queue'],
      'who is slow gets fresh frames, a bounded number of old ones, and is told how many were dropped',
      async t => {
        const scene = await subject.make(true)
        const controller = new AbortController()
        const frames: CameraFrame[] = []
        for await (const reading of scene.camera.readings(controller.signal)) {
          if (reading.kind === 'state') continue
          frames.push(reading)
          if (frames.length === 1) await new Promise(resolve => setTimeout(resolve, 1500))
          if (frames.length === 5) controller.abort()
        }
        t.ok(
          frames.some(({ dropped }) => dropped > 0),
          'drops are counted',
        )
        const times = frames.map(({ systemTime }) => systemTime)
        t.same(times, [...times].sort(), 'in order')
        t.ok((times.at(-1) ?? 0) - (times[0] ?? 0) > 0.8, 'what has waited for long is not delivered')
        await scene.end()
      },
    )

    const { silent, wrong } = subject
    for (const [name, faulty] of [
      ['silent', silent],
      ['wrong', wrong],
    ] as const) {
      if (faulty === undefined) continue
      contract.test(
        [name],
        name === 'silent' ? 'open but without a picture it is at fault' : 'what is no video is a fault',
        async t => {
          const { camera, state, heal } = await faulty(t)
          const readings = camera.readings(new AbortController().signal)[Symbol.asyncIterator]()
          t.match(await nextState(readings), state)
          if (heal !== undefined) {
            // Long enough that it has been opened again, in vain.
            await new Promise(resolve => setTimeout(resolve, 5000))
            await heal()
            t.match(await nextState(readings), { state: 'ready' }, 'it says so once, and is ready when it is well')
            await checkFrames(t, readings, 1)
          }
          await readings.return?.()
        },
      )
    }

    contract.test(['abort'], 'ending', async t => {
      const scene = await subject.make(true)
      endingContract(t, () => scene.camera, 1)
      t.teardown(() => scene.end())
    })

    contract.reopened(subject.reopenings, async (t, times) => {
      const scene = await subject.make(true)
      await leavesNothing(t, scene.camera, ({ kind }) => kind === 'frame', { times })
      await scene.end()
    })
    contract.end()
  })
}

async function nextState(readings: AsyncIterator<CameraFrame | StateReport>): Promise<StateReport | undefined> {
  for (;;) {
    const { value, done } = await readings.next()
    if (done) return undefined
    if (isState(value)) return value
  }
}

async function checkFrames(t: Test, readings: AsyncIterator<CameraFrame | StateReport>, count: number): Promise<void> {
  const seen: CameraFrame[] = []
  while (seen.length < count) {
    const { value } = await readings.next()
    if (value?.kind !== 'frame') {
      t.fail('a frame was expected', { found: value })
      return
    }
    seen.push(value)
  }
  for (const { width, height, data, systemTime, systemTimeError, dropped } of seen) {
    t.equal(data.length, 3 * width * height)
    t.ok(Number.isFinite(systemTime) && systemTimeError >= 0 && dropped >= 0)
  }
  t.ok(
    seen.every(({ data }, index) => data !== seen[index - 1]?.data),
    'each frame has memory of its own',
  )
  const times = seen.map(({ systemTime }) => systemTime)
  t.ok(
    times.every((time, index) => index === 0 || time > (times[index - 1] ?? 0)),
    'time goes on',
  )
}
