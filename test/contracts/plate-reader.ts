import type { Test } from 'tap'
import type { PlateRead, PlateReader } from '../../drivers/plate-reader/plate-reader.js'
import { endingContract, isState } from './driver.js'

/** A reader and the hands that plug it in and drive cars past it. */
export interface PlateReaderScene {
  readonly reader: PlateReader
  plug(): Promise<void>
  unplug(): Promise<void>
  send(text: string): Promise<void>
  /** Lets go of everything. */
  end(): Promise<void>
}

/** An implementation of the plate-reader contract, as the suite needs it. */
export interface PlateReaderSubject {
  readonly title: string
  /** Not plugged in. What will be sent, and when the reader will be plugged in and out, is `plateReaderScene`. */
  make(): Promise<PlateReaderScene>
}

/** What happens in the suite's scene, for implementations that have to know beforehand. */
export const plateReaderScene = [
  { do: 'plug' },
  { do: 'send', text: 'ABC1234' },
  { do: 'send', text: '46HVR9' },
  { do: 'unplug' },
  { do: 'plug' },
  { do: 'send', text: 'XYZ987' },
] as const

/** Every implementation of the plate-reader contract has to pass this. */
export function plateReaderContract(t: Test, subject: PlateReaderSubject): void {
  t.test(subject.title, async t => {
    t.test('reports absence and return once each, and gives every plate between them, in order', async t => {
      const scene = await subject.make()
      const controller = new AbortController()
      const readings = scene.reader.readings(controller.signal)[Symbol.asyncIterator]()
      const expectState = async (state: string, fault: string | null) => {
        const { value } = await readings.next()
        t.match(value, { kind: 'state', state, fault })
      }
      await expectState('absent', 'device-absent')
      let reads = 0
      for (const step of plateReaderScene) {
        if (step.do === 'plug') {
          await scene.plug()
          await expectState('ready', null)
        } else if (step.do === 'unplug') {
          await scene.unplug()
          await expectState('absent', 'device-absent')
        } else {
          await scene.send(step.text)
          const { value } = await readings.next()
          checkRead(t, value, step.text)
          reads += 1
        }
      }
      t.equal(reads, 3)
      const pending = readings.next()
      controller.abort()
      t.ok((await pending).done)
      await scene.end()
    })

    const scene = await subject.make()
    await t.test('absent', async t => endingContract(t, () => scene.reader, 1))
    await scene.plug()
    await t.test('plugged in', async t => endingContract(t, () => scene.reader, 1))
    await scene.end()
  })
}

function checkRead(t: Test, value: unknown, text: string): void {
  if (!isReading(value)) {
    t.fail('a read was expected', { found: value })
    return
  }
  t.equal(value.text, text)
  t.same(value.discarded, { frames: 0, bytes: 0, reads: 0 })
  t.ok(Number.isFinite(value.systemTime))
  t.ok(value.confidence === null || (value.confidence >= 0 && value.confidence <= 1))
  const known = [value.country, value.state, value.lane, value.direction]
  t.ok(
    known.every(field => field === null || field.length > 0),
    'what is not known is null, not empty',
  )
}

function isReading(value: unknown): value is PlateRead {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    typeof value.kind === 'string' &&
    !isState({ kind: value.kind })
  )
}
