import type { Test } from 'tap'
import type { AudioBlock, MicrophoneArray } from '../../drivers/microphone-array/microphone-array.js'
import { Contract, type Excuses, leavesNothing } from './contract.js'
import { collect, endingContract, isState, states } from './driver.js'
import { VirtualClock } from './virtual-clock.js'

/** An implementation of the microphone-array contract, as the suite needs it. */
export interface MicrophoneArraySubject {
  readonly title: string
  readonly channels: number
  /** Hertz. */
  readonly sampleRate: number
  /** Healthy from the first moment and for at least 20 blocks. Devices of the kernel take no clock but their own. */
  make(clock: VirtualClock): MicrophoneArray
  /** Not there, then there, then gone and, where the device can come back, there again. */
  makeInterrupted(clock: VirtualClock): MicrophoneArray
  /** States that the interrupted array reports, in order. */
  readonly interruptedStates: readonly string[]
  /** Its times may be late by so much, seconds, where the device counts in steps; 0 unless given. */
  readonly step?: number
  /** Open but without a sound for a while, then well again, and the states that it reports. */
  readonly silent?: { make(clock: VirtualClock): MicrophoneArray; readonly states: readonly string[] }
  /** It gives what is no sound of this array, and the state that it reports. */
  readonly wrong?: { make(clock: VirtualClock): MicrophoneArray; readonly state: string }
  /** It has gone and come back under another number, and the names that it was asked for by. */
  readonly renamed?: { make(clock: VirtualClock): MicrophoneArray; asked(): readonly string[] }
  /** More sound waits than anybody has asked for, and some was lost before: how many seconds, where that is known. */
  readonly flooding?: { make(clock: VirtualClock): MicrophoneArray; readonly lost: number | null }
  /** How often it is opened again in a quick run; a thousand times unless given. */
  readonly reopenings?: number
  readonly excused: Excuses
}

/** Every implementation of the microphone-array contract has to pass this. */
export function microphoneArrayContract(t: Test, subject: MicrophoneArraySubject): void {
  t.test(subject.title, async t => {
    const contract = new Contract(t, 'microphone-array', subject.title, subject.excused)
    // Whoever looks at a device that counts in steps may be held up for many of them.
    const held = 20 * (subject.step ?? 0)
    const audio = async (count: number) => {
      const items = await collect(subject.make(new VirtualClock()), all => blocksOf(all).length >= count)
      return { items, blocks: blocksOf(items) }
    }

    t.test('says that it is ready before its first block, and says it once', async t => {
      const { items } = await audio(10)
      t.ok(isState(items[0]!))
      t.same(states(items), ['ready'])
    })

    t.test('gives blocks of one shape whose indices and times run on without a gap', async t => {
      const { blocks } = await audio(20)
      const first = blocks[0]!
      let next = first.firstSample
      for (const block of blocks) {
        t.equal(block.sampleRate, subject.sampleRate)
        t.equal(block.channels.length, subject.channels)
        t.same(new Set(block.channels.map(channel => channel.length)).size, 1)
        t.ok(block.channels[0]!.length > 0)
        t.ok(block.channels.every(channel => channel.every(sample => Math.abs(sample) <= 1)))
        // A real device goes on while its reader is held up, and what it then lost is missing.
        if (subject.step === undefined) t.equal(block.firstSample, next)
        else t.ok(block.firstSample >= next)
        t.ok(block.systemTimeError >= 0)
        const expected = first.systemTime + (block.firstSample - first.firstSample) / subject.sampleRate
        t.ok(Math.abs(block.systemTime - expected) <= 1e-6 + held + 3 * block.systemTimeError)
        next += block.channels[0]!.length
      }
    })

    contract.test(['buffers'], 'never writes to a block that it has handed over', async t => {
      const clock = new VirtualClock()
      const controller = new AbortController()
      const kept: { readonly block: AudioBlock; readonly copy: number[][] }[] = []
      for await (const item of subject.make(clock).readings(controller.signal)) {
        if (item.kind !== 'audio') continue
        kept.push({ block: item, copy: item.channels.map(channel => [...channel]) })
        if (kept.length === 20) controller.abort()
      }
      for (const { block, copy } of kept)
        t.same(
          block.channels.map(channel => [...channel]),
          copy,
        )
      const [first] = kept
      for (const channel of first!.block.channels) channel.fill(7)
      t.notOk(kept.slice(1).some(({ block }) => block.channels.some(channel => channel.includes(7))))
    })

    contract.test(['absent', 'appears', 'unplugged'], 'reports absence and return once each, and goes on', async t => {
      const clock = new VirtualClock()
      const items = await collect(
        subject.makeInterrupted(clock),
        all =>
          states(all).length >= subject.interruptedStates.length &&
          (isReady(all) ? all.at(-1)!.kind === 'audio' : true),
      )
      t.same(states(items), subject.interruptedStates)
      const silent = items.filter((item, index) => item.kind === 'audio' && !isReady(items.slice(0, index)))
      t.same(silent, [], 'no sound comes from a device that is not ready')
      const blocks = blocksOf(items)
      for (const [index, block] of blocks.entries()) {
        const before = blocks[index - 1]
        if (before === undefined) continue
        const elapsed = (block.firstSample - before.firstSample) / block.sampleRate
        t.ok(
          Math.abs(block.systemTime - before.systemTime - elapsed) < 0.02 + held,
          'lost sound is a gap in the indices',
        )
      }
    })

    const { silent, wrong, renamed, flooding } = subject
    if (silent !== undefined) {
      contract.test(['silent'], 'without sound it says so once, and once when it is well again', async t => {
        const items = await collect(
          silent.make(new VirtualClock()),
          all => states(all).length === silent.states.length && isReady(all) && all.at(-1)?.kind === 'audio',
        )
        t.same(states(items), silent.states)
      })
    }
    if (wrong !== undefined) {
      contract.test(['wrong'], 'of what is not its sound it gives nothing but the name of the fault', async t => {
        const items = await collect(wrong.make(new VirtualClock()), all => all.length === 1)
        t.same(states(items), [wrong.state])
      })
    }
    if (renamed !== undefined) {
      contract.test(['renamed'], 'comes back by its own name, whatever its number', async t => {
        const items = await collect(renamed.make(new VirtualClock()), all => blocksOf(all).length === 60)
        t.ok(states(items).filter(state => state === 'ready').length >= 2)
        t.ok(renamed.asked().length >= 2)
        t.equal(new Set(renamed.asked()).size, 1)
      })
    }
    if (flooding !== undefined) {
      contract.test(
        ['flooding', 'queue'],
        'what nobody took in time is a gap in the indices, as long as what is missing',
        async t => {
          const blocks = blocksOf(await collect(flooding.make(new VirtualClock()), all => blocksOf(all).length === 40))
          const [first, last] = [blocks[0]!, blocks.at(-1)!]
          let next = first.firstSample
          let lost = 0
          for (const { firstSample, channels } of blocks) {
            t.ok(firstSample >= next, 'no sample comes twice')
            lost += firstSample - next
            next = firstSample + channels[0]!.length
          }
          const missing = lost / subject.sampleRate
          if (flooding.lost === null) t.ok(missing > 0, 'sound is missing')
          else t.ok(Math.abs(missing - flooding.lost) < 0.03, `${missing} s are missing`)
          const apart = last.systemTime - first.systemTime - (last.firstSample - first.firstSample) / subject.sampleRate
          t.ok(
            Math.abs(apart) < 0.03 + held,
            `the indices keep up with the clock (${apart} s apart, ${missing} s missing)`,
          )
        },
      )
    }

    contract.test(['abort'], 'ending', async t => {
      endingContract(t, () => subject.make(new VirtualClock()), 6)
      t.test('interrupted', async t => endingContract(t, () => subject.makeInterrupted(new VirtualClock()), 3))
    })
    contract.reopened(subject.reopenings ?? 1000, async (t, times) => {
      await leavesNothing(t, subject.make(new VirtualClock()), ({ kind }) => kind === 'audio', { times })
    })
    contract.end()
  })
}

function blocksOf(items: readonly { readonly kind: string }[]): AudioBlock[] {
  return items.filter(isBlock)
}

function isBlock(item: { readonly kind: string }): item is AudioBlock {
  return item.kind === 'audio'
}

function isReady(items: readonly { readonly kind: string }[]): boolean {
  return items.findLast(isState)?.state === 'ready'
}
