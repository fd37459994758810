import type { Test } from 'tap'
import { ChronyAsker } from '../../gateway/commands/ask-chrony.js'
import type { Role } from '../../gateway/commands/role.js'
import type { KeptClock } from '../../gateway/timebase/clock-keeper.js'
import { Contract, type Excuses, openFiles } from './contract.js'

/** What keeps the system clock, and the hands that take it away. There is none at first. */
export interface ClockScene {
  readonly role: Role
  /** Asks it; the configured program unless given. */
  readonly question: ((signal: AbortSignal) => Promise<string>) | undefined
  /** It is there and follows a source. @param name of the source */
  begin(name: string): Promise<void>
  /** Its source says nothing any more. */
  silence(): Promise<void>
  /** It answers what is no answer; null where it cannot be made to. */
  readonly babble: (() => Promise<void>) | null
  /** Sets the system clock; null where it cannot be set. */
  readonly step: ((seconds: number) => Promise<void>) | null
  /** There is none any more. */
  end(): Promise<void>
  /** Lets time pass until that is so. */
  until(holds: () => boolean, what: string): Promise<void>
  /** What was told of faults of the clock, such as `clock-unknown raised`. */
  readonly told: readonly string[]
  close(): Promise<void>
}

export interface ClockSubject {
  readonly title: string
  make(): Promise<ClockScene>
  readonly excused: Excuses
  /** How often it is asked in a quick run. */
  readonly reopenings: number
}

/** Whatever keeps the system clock has to be followed like this. */
export function clockContract(t: Test, subject: ClockSubject): void {
  t.test(subject.title, async t => {
    const contract = new Contract(t, 'clock', subject.title, subject.excused)
    const asked = async (work: (scene: ClockScene, clock: () => KeptClock) => Promise<void>) => {
      const scene = await subject.make()
      const asker = new ChronyAsker(scene.role, scene.question)
      const controller = new AbortController()
      const asking = asker.ask(controller.signal)
      const clock = (): KeptClock => {
        const known = asker.current()
        if (known === null) throw new Error('nobody is asked')
        return known
      }
      try {
        await work(scene, clock)
      } finally {
        controller.abort()
        await asking
        await scene.close()
      }
    }
    const becomes = (scene: ClockScene, clock: () => KeptClock, condition: KeptClock['condition']) =>
      scene.until(() => clock().condition === condition, condition)

    contract.test(
      ['absent', 'appears', 'unplugged', 'renamed'],
      'without it nothing is known, with it the time and whose it is, and the error of what is known is finite',
      async t => {
        await asked(async (scene, clock) => {
          t.match(clock(), { condition: 'unknown', source: 'none', error: Number.POSITIVE_INFINITY })
          await scene.until(() => scene.told.includes('clock-unknown raised'), 'people to be told')
          for (const [index, name] of ['FIRST', 'OTHER'].entries()) {
            await scene.begin(name)
            await becomes(scene, clock, 'synchronised')
            t.match(clock(), { source: subject.excused.renamed === undefined ? name : /./ })
            t.ok(clock().error < 0.01, `stated ${clock().error} s`)
            await scene.end()
            await becomes(scene, clock, 'unknown')
            t.equal(clock().error, Number.POSITIVE_INFINITY)
            const times = scene.told.filter(each => each === 'clock-unknown raised').length
            t.ok(times <= index + 2, 'each time is told once')
          }
        })
      },
    )

    contract.test(['silent'], 'whose source is silent it is in holdover, and the error grows', async t => {
      await asked(async (scene, clock) => {
        await scene.begin('FIRST')
        await becomes(scene, clock, 'synchronised')
        await scene.silence()
        await becomes(scene, clock, 'holdover')
        const { error } = clock()
        await scene.until(() => clock().error > error, 'a larger error')
        t.equal(clock().condition, 'holdover')
        await scene.until(() => scene.told.includes('clock-holdover raised'), 'people to be told')
      })
    })

    contract.test(
      ['wrong'],
      'of what is no answer nothing is believed, and a clock that was set not either',
      async t => {
        await asked(async (scene, clock) => {
          await scene.begin('FIRST')
          await becomes(scene, clock, 'synchronised')
          for (const seconds of [1, -1]) {
            await scene.step?.(seconds)
            if (scene.step !== null) t.ok(clock().error >= 1, `stated ${clock().error} s after a step of ${seconds} s`)
            await becomes(scene, clock, 'synchronised')
          }
          await scene.babble?.()
          await becomes(scene, clock, 'unknown')
        })
      },
    )

    contract.test(['abort'], 'whoever asks can be told to stop at any moment', async t => {
      const scene = await subject.make()
      const asker = new ChronyAsker(scene.role, scene.question)
      await asker.ask(AbortSignal.abort())
      await scene.begin('FIRST')
      const controller = new AbortController()
      const asking = asker.ask(controller.signal)
      controller.abort()
      await asking
      await scene.close()
      t.pass('it has stopped')
    })

    contract.reopened(subject.reopenings, async (t, times) => {
      const scene = await subject.make()
      await scene.begin('FIRST')
      const ask = async () => {
        const asker = new ChronyAsker(scene.role, scene.question)
        const controller = new AbortController()
        const asking = asker.ask(controller.signal)
        await scene.until(() => asker.current()?.condition === 'synchronised', 'an answer')
        controller.abort()
        await asking
      }
      await ask()
      const before = openFiles()
      for (let time = 0; time < times; time += 1) await ask()
      t.ok(openFiles() <= before, `${before} open files before, ${openFiles()} after`)
      await scene.close()
    })
    contract.end()
  })
}
