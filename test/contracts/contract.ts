import { appendFileSync, readdirSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Test } from 'tap'
import type { Driver } from '../../drivers/driver.js'
import { type CaseOutcome, type ContractCase, contractCases } from '../../scripts/contracts/cases.js'

/** Cases that an implementation cannot have, each with its reason. */
export type Excuses = Partial<Record<ContractCase, string>>

/** Whether all of it is wanted, however long it takes: `npm run contracts` does, but not of what a translated machine runs. */
const thorough = process.env.POLEWATCH_CONTRACTS !== undefined && process.env.POLEWATCH_MACHINE === undefined

/** One implementation's way through its kind's contract. A case that is neither run nor excused fails it. */
export class Contract {
  readonly #t: Test
  readonly #of: Pick<CaseOutcome, 'kind' | 'implementation'>
  readonly #excused: Excuses
  readonly #failed = new Set<ContractCase>()
  readonly #run = new Set<ContractCase>()
  #times: number | null = null

  constructor(t: Test, kind: string, implementation: string, excused: Excuses = {}) {
    this.#t = t
    this.#of = { kind, implementation }
    this.#excused = excused
  }

  /** A test of some cases; it is left out when all of them are excused. */
  test(cases: readonly ContractCase[], title: string, body: (t: Test) => Promise<void>): void {
    const due = cases.filter(name => this.#excused[name] === undefined)
    if (due.length === 0) return
    void this.#t.test(title, async t => {
      t.teardown(() => {
        if (!t.passing()) for (const name of due) this.#failed.add(name)
      })
      for (const name of due) this.#run.add(name)
      await body(t)
    })
  }

  /**
   * A test of the case `reopened`.
   *
   * @param quick how often it is opened again; a thousand times where all of it is wanted
   */
  reopened(quick: number, body: (t: Test, times: number) => Promise<void>): void {
    const times = thorough ? 1000 : quick
    this.#times = times
    const title = `opened again and again, ${times} times, it leaves nothing open and the heap as it was`
    this.test(['reopened'], title, t => body(t, times))
  }

  /** To be called last. */
  end(): void {
    void this.#t.test('every case was run, or is excused', async t => {
      for (const name of namesOfCases) {
        const reason = this.#excused[name]
        const run = this.#run.has(name)
        t.ok(run !== (reason !== undefined), `${contractCases[name]}${reason === undefined ? '' : `: ${reason}`}`)
        const outcome = !run
          ? reason === undefined
            ? 'failed'
            : 'excused'
          : this.#failed.has(name)
            ? 'failed'
            : 'passed'
        const times = name === 'reopened' ? this.#times : null
        note({ ...this.#of, case: name, outcome, reason: run ? '' : (reason ?? 'it was not run'), times })
      }
    })
  }
}

/** An implementation whose device this machine lacks: the matrix names it with the reason, and where it is run. */
export function contractElsewhere(t: Test, kind: string, implementation: string, reason: string): void {
  void t.test(`${implementation} is not run here`, { skip: reason }, async () => {})
  for (const name of namesOfCases) note({ kind, implementation, case: name, outcome: 'elsewhere', reason, times: null })
}

const namesOfCases = Object.keys(contractCases).filter(isCase)

function isCase(name: string): name is ContractCase {
  return name in contractCases
}

function note(outcome: CaseOutcome): void {
  const file = process.env.POLEWATCH_CONTRACTS
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(outcome)}\n`)
}

/** Open files, sockets and pipes of this process. */
export function openFiles(): number {
  return readdirSync('/proc/self/fd').length
}

/**
 * Timers, sockets, children and whatever else keeps Node.js from ending. Reads of a file are left out: the far end of a pseudo-terminal
 * is read by the test itself, now waiting and now not, and who waits for one has the file open, which is counted.
 */
function activeResources(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter(resource => resource !== 'FSReqPromise')
    .sort()
}

/** A leak of a kilobyte at each opening is found. Bytes. */
const grownAtMost = 1024 * 1024
/** What is closed without anybody waiting for it, and the far end in the test, which goes on calling, have so long. Milliseconds. */
const settling = 3000

/**
 * Opens a driver again and again, reading until an item says `enough`, and looks whether open files, whatever keeps Node.js alive, or
 * the heap have grown. A leak shows as a count, never as a time.
 */
export async function leavesNothing(
  t: Test,
  driver: Driver<{ readonly kind: string }>,
  enough: (item: { readonly kind: string }) => boolean,
  { times = 1000, held = openFiles }: { readonly times?: number; readonly held?: () => number } = {},
): Promise<void> {
  const collectGarbage = garbageCollector()
  const open = async () => {
    for await (const item of driver.readings(new AbortController().signal)) if (enough(item)) return
  }
  for (let round = 0; round < Math.min(200, times); round += 1) await open()
  await pause(50)
  await collectGarbage()
  const before = { held: held(), active: activeResources(), heap: process.memoryUsage().heapUsed }
  for (let round = 0; round < times; round += 1) await open()
  const heldMore = () => held() - before.held
  const activeMore = () => activeResources().length - before.active.length
  const grown = () => process.memoryUsage().heapUsed - before.heap
  await collectGarbage()
  const until = Date.now() + settling
  while (Date.now() < until && (heldMore() > 0 || activeMore() > 0 || grown() >= grownAtMost)) {
    await pause(50)
    await collectGarbage()
  }
  t.ok(heldMore() <= 0, `${before.held} handles before, ${held()} after ${times} openings`)
  t.ok(activeMore() <= 0, `active before: ${before.active}; after: ${activeResources()}`)
  t.ok(grown() < grownAtMost, `the heap has grown by ${Math.round(grown() / 1024)} KiB`)
}

function garbageCollector(): () => Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect !== 'function') throw new Error('this Node.js has no garbage collector to call')
  return async () => {
    // What finalizers let go of is collected the next time.
    for (let time = 0; time < 3; time += 1) {
      collect()
      await pause(1)
    }
  }
}
