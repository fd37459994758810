import type { Test } from 'tap'
import type { GnssReceiver } from '../../drivers/gnss/gnss.js'
import { endingContract } from './driver.js'

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
  /** Lets go of everything. */
  end(): Promise<void>
}

/** An implementation of the gnss contract, as the suite needs it: not plugged in. */
export interface GnssSubject {
  readonly title: string
  make(): Promise<GnssScene>
}

/** Every implementation of the gnss contract has to pass this. */
export function gnssContract(t: Test, subject: GnssSubject): void {
  t.test(subject.title, async t => {
    const scene = await subject.make()
    await t.test('absent', async t => endingContract(t, () => scene.receiver, 1))
    await scene.end()

    t.test('reports absence, loss of the sky and return once each, and gives every position between them', async t => {
      const scene = await subject.make()
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
      }
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
      await scene.end()
    })
  })
}
