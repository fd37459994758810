import type { Test } from 'tap'
import type { GnssReceiver } from '../../drivers/gnss/gnss.js'
import { Contract, type Excuses, leavesNothing } from './contract.js'
import { endingContract, isState } from './driver.js'

/** A receiver and the hands that plug it in and move it under the sky. */
export interface GnssScene {
  readonly receiver: GnssReceiver
  plug(): Promise<void>
  unplug(): Promise<void>
  /** The receiver is at this place, degrees. */
  fix(latitude: number, longitude: number): Promise<void>
  /** The receiver sees no sky, and says so. */
  lose(): Promise<void>
  /** Noise that is no word of the receiver's language; null where the implementation has no line. */
  readonly noise: (() => Promise<void>) | null
  /** Unplugs it and plugs it in as another device, below the name that stays; null where it has but one. */
  readonly rename: (() => Promise<void>) | null
  /** Lets go of everything. */
  end(): Promise<void>
}

/** An implementation of the gnss contract, as the suite needs it: not plugged in. */
export interface GnssSubject {
  readonly title: string
  /** At most `capacity` fixes may wait. A receiver of which nothing comes for so many seconds is silent. */
  make(options: { readonly capacity: number; readonly silentSeconds: number }): Promise<GnssScene>
  readonly excused: Excuses
  /** How often it is opened again; a thousand times unless given. */
  readonly reopenings?: number
}

const usual = { capacity: 64, silentSeconds: 60 }

/** Every implementation of the gnss contract has to pass this. */
export function gnssContract(t: Test, subject: GnssSubject): void {
  t.test(subject.title, async t => {
    const contract = new Contract(t, 'gnss', subject.title, subject.excused)
    const told = ['absent', 'appears', 'unplugged', 'wrong', 'buffers'] as const
    contract.test(told, 'reports absence, loss of the sky and return once each, and gives every position', async t => {
      const scene = await subject.make(usual)
      const controller = new AbortController()
      const readings = scene.receiver.readings(controller.signal)[Symbol.asyncIterator]()
      const expect = async (wanted: Record<string, unknown>) => t.match((await readings.next()).value, wanted)
      const place = async (latitude: number, longitude: number) => {
        await scene.fix(latitude, longitude)
        const { value } = await readings.next()
        if (value?.kind !== 'fix') throw new Error(`a fix was expected, not ${JSON.stringify(value)}`)
        t.ok(Math.abs(value.latitude - latitude) < 1e-6 && Math.abs(value.longitude - longitude) < 1e-6)
        t.ok(value.horizontalError > 0 && Number.isFinite(value.horizontalError))
        t.ok(Number.isFinite(value.systemTime))
        t.equal(value.dropped, 0)
        kept.push({ value, copy: structuredClone(value) })
      }
      const kept: { readonly value: unknown; readonly copy: unknown }[] = []
      await expect({ kind: 'state', state: 'absent', fault: 'device-absent' })
      for (const latitude of [40.4412, -33.86]) {
        await scene.plug()
        await scene.lose()
        await expect({ kind: 'state', state: 'faulty', fault: 'no-fix' })
        if (scene.noise !== null) await scene.noise()
        await scene.lose()
        await scene.fix(latitude, -79.9931)
        await expect({ kind: 'state', state: 'ready', fault: null })
        t.match((await readings.next()).value, { kind: 'fix' })
        await place(latitude, 151.21)
        await place(latitude, -0.25)
        await scene.unplug()
        await expect({ kind: 'state', state: 'absent', fault: 'device-absent' })
      }
      const pending = readings.next()
      controller.abort()
      t.ok((await pending).done)
      for (const { value, copy } of kept) t.same(value, copy, 'what was handed over stays as it was')
      await scene.end()
    })

    contract.test(['renamed'], 'comes back as another device under the name that stays', async t => {
      const scene = await subject.make(usual)
      const readings = scene.receiver.readings(new AbortController().signal)[Symbol.asyncIterator]()
      t.match((await readings.next()).value, { state: 'absent' })
      await scene.plug()
      await scene.lose()
      t.match((await readings.next()).value, { fault: 'no-fix' })
      await scene.rename?.()
      t.match((await readings.next()).value, { state: 'absent', fault: 'device-absent' })
      await scene.lose()
      t.match((await readings.next()).value, { fault: 'no-fix' })
      await readings.return?.()
      await scene.end()
    })

    contract.test(['silent'], 'is at fault when nothing comes from it, and well again when something does', async t => {
      const scene = await subject.make({ ...usual, silentSeconds: 0.2 })
      await scene.plug()
      const readings = scene.receiver.readings(new AbortController().signal)[Symbol.asyncIterator]()
      for (let item = await readings.next(); ; item = await readings.next()) {
        if (item.done === true) throw new Error('the readings have ended')
        if (item.value.kind === 'state' && item.value.fault === 'silent') break
      }
      await scene.lose()
      t.match((await readings.next()).value, { state: 'faulty', fault: 'no-fix' })
      await readings.return?.()
      await scene.end()
    })

    contract.test(
      ['flooding', 'queue'],
      'floods a slow reader with the newest fixes, and counts the others',
      async t => {
        const scene = await subject.make({ ...usual, capacity: 16 })
        await scene.plug()
        await scene.lose()
        const readings = scene.receiver.readings(new AbortController().signal)[Symbol.asyncIterator]()
        t.match((await readings.next()).value, { fault: 'no-fix' })
        const total = 500
        for (let fix = 1; fix <= total; fix += 1) await scene.fix(fix / 10, 7)
        let [received, dropped, last] = [0, 0, 0]
        while (last < total / 10 - 1e-6) {
          const { value } = await readings.next()
          if (value === undefined) throw new Error('the readings have ended')
          if (isState(value)) continue
          received += 1
          dropped += value.dropped
          last = value.latitude
        }
        t.equal(received + dropped, total)
        t.ok(dropped > 0, `${dropped} dropped`)
        await readings.return?.()
        await scene.end()
      },
    )

    contract.test(['abort'], 'ending', async t => {
      const scene = await subject.make(usual)
      await t.test('absent', async t => endingContract(t, () => scene.receiver, 1))
      await scene.plug()
      await scene.lose()
      await t.test('plugged in', async t => endingContract(t, () => scene.receiver, 1))
      await scene.end()
    })

    contract.reopened(subject.reopenings ?? 1000, async (t, times) => {
      const scene = await subject.make(usual)
      await scene.plug()
      await scene.lose()
      await leavesNothing(t, scene.receiver, item => isState(item), { times })
      await scene.end()
    })
    contract.end()
  })
}
