import { setImmediate as turn } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { Role } from '../../gateway/commands/role.js'
import type { EventDraft } from '../../gateway/messages/table.js'
import { uplinkConfiguration } from '../commands/polewatch.js'
import { type ClockScene, clockContract } from '../contracts/clock.js'
import { EventTime } from '../simulations/fault-day/event-time.js'

/** Notes what is told of the clock. */
class NotedRole extends Role {
  readonly told: string[] = []

  override async append(draft: EventDraft) {
    if (draft.name === 'fault' && draft.data.part === 'clock') this.told.push(`${draft.data.fault} ${draft.data.state}`)
    return super.append(draft)
  }
}

/** A chrony that measures every 16 seconds while its source speaks, by a clock that is turned. */
async function turned(t: Test): Promise<ClockScene> {
  const time = new EventTime(1_772_340_000)
  const role = new NotedRole('uplink', { ...uplinkConfiguration(t.testdir({})), clock: { chronyc: 'chronyc' } }, time)
  let state: 'none' | 'follows' | 'silent' | 'babbles' = 'none'
  let source = ''
  let measured = { at: Number.NEGATIVE_INFINITY, utc: 0, correction: 0 }
  const question = async (): Promise<string> => {
    if (state === 'none') return ''
    if (state === 'babbles') return '506 Cannot talk to daemon\n\u0000,,,,\n'
    const now = time.monotonic()
    if (state === 'follows' && now - measured.at >= 16) {
      const utc = time.trueTime(now)
      measured = { at: now, utc, correction: utc - time.system() }
    }
    const { utc, correction } = measured
    return `50505300,${source},1,${utc},${correction},0,0,1.5,0.01,0.5,0.0004,0.0001,16.0,Normal\n`
  }
  return {
    role,
    question,
    told: role.told,
    async begin(name) {
      state = 'follows'
      source = name
    },
    async silence() {
      state = 'silent'
    },
    async babble() {
      state = 'babbles'
    },
    async step(seconds) {
      time.stepSystem(seconds)
    },
    async end() {
      state = 'none'
    },
    async until(holds, what) {
      const from = time.monotonic()
      while (!holds()) {
        if (time.monotonic() > from + 1000) throw new Error(`never came: ${what}`)
        await time.runUntil(time.monotonic() + 1)
        await turn()
      }
    },
    async close() {
      await time.runUntil(time.monotonic() + 1)
      await role.faultsTold()
      role.close()
    },
  }
}

test('clock contract', t => {
  clockContract(t, {
    title: 'chrony, a stand-in',
    make: () => turned(t),
    reopenings: 1000,
    excused: {
      flooding: 'it is asked, and answers once',
      buffers: 'what it says is a line of text',
      queue: 'nothing waits: it is asked when it is due',
    },
  })
  t.end()
})
