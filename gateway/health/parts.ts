import type { GatewayRole } from '../messages/stream.js'
import type { MessageData } from '../messages/table.js'
import { formatTime, parseTime } from '../messages/time.js'

export type PartHealth = MessageData<'health'>['parts'][number]

/** How a part fares, as its role said last, with the code of its fault. */
export type PartCondition = PartHealth & { readonly code: string | null }

/** A fault that began or is over. */
export interface FaultNotice {
  readonly part: string
  readonly fault: string
  readonly state: 'raised' | 'cleared'
  readonly detail: string
  readonly code: string | null
  /** When it began, seconds since 1970 UTC. */
  readonly since: number
}

/** A fault that was told and not yet told as over. */
export interface KeptFault {
  readonly part: string
  readonly fault: string
  /** When it began, RFC 3339 UTC. */
  readonly since: string
}

/** By then every part that runs has said how it is, seconds: devices are looked for at once, and what is measured within minutes. */
const keptFor = 600

/** What a part has to do so that it is not taken for hanging. */
interface Expectation {
  /** Seconds of the monotonic clock. */
  last: number
  /** Seconds. */
  readonly limit: number
  /** Whether readings have to come all the time; else it is enough that it has said how it is. */
  readonly steady: boolean
}

/**
 * The parts of a role: what each says of itself, which fault it has, and whether it delivers. Faults outlive the role's process: one that
 * was told before goes on when its part raises it again, and is over when the part says otherwise or nothing at all.
 */
export class Parts {
  readonly #role: GatewayRole
  readonly #clock: { system(): number; monotonic(): number }
  readonly #tell: (notice: FaultNotice) => void
  readonly #parts = new Map<string, PartCondition>()
  readonly #expected = new Map<string, Expectation>()
  readonly #began: number
  /** Told by a process before this one; of their parts nobody has said a word since. */
  #kept: readonly KeptFault[]
  #faults = 0

  /**
   * @param clock system: seconds since 1970 UTC; monotonic: seconds of a clock that never steps
   * @param tell told each fault once when it begins and once when it is over
   * @param kept what was told by a process before this one and not yet told as over
   */
  constructor(
    role: GatewayRole,
    clock: { system(): number; monotonic(): number },
    tell: (notice: FaultNotice) => void,
    kept: readonly KeptFault[] = [],
  ) {
    this.#role = role
    this.#clock = clock
    this.#tell = tell
    this.#began = clock.monotonic()
    this.#kept = kept
  }

  /**
   * Parts that have spoken. One whose fault was told by an earlier process is not among them before it speaks: nobody knows whether the
   * fault is still there, and an upgrade that mends it must not be judged by it, nor the lamp show it. The hub has it as raised until then.
   */
  get all(): PartCondition[] {
    return [...this.#parts.values()]
  }

  /** Faults raised so far. */
  get faults(): number {
    return this.#faults
  }

  /** Whether it has spoken, or has a fault of an earlier process. */
  has(part: string): boolean {
    return this.#parts.has(part) || this.#kept.some(each => each.part === part)
  }

  /** A part works: whatever fault it had is over. */
  ready(part: string, detail = 'It works.'): void {
    const known = this.#parts.get(part)
    if (known?.state === 'ready') return
    this.#set({ part, state: 'ready', fault: null, detail, code: null })
    // It was not expected to deliver while it could not.
    this.delivered(part)
    if (known?.fault != null) this.#tellOver({ part, fault: known.fault, since: known.since }, detail)
    this.forget(each => each.part === part, detail)
  }

  /** A part does not work; each fault is told once until it is another or over. */
  raise(part: string, state: 'absent' | 'faulty', fault: string, detail: string, code: string | null): void {
    const known = this.#parts.get(part)
    if (known?.fault === fault) return
    const before = this.#kept.find(each => each.part === part && each.fault === fault)
    this.#kept = this.#kept.filter(each => each !== before)
    if (known?.fault != null) this.ready(part, 'Another fault has taken its place.')
    this.forget(each => each.part === part, 'Another fault has taken its place.')
    const { since } = this.#set({ part, state, fault, detail, code }, before?.since)
    if (before !== undefined) return
    this.#faults++
    this.#tell({ part, fault, state: 'raised', detail, code, since: parseTime(since) })
  }

  /** To be called now and then: what was kept of parts that say nothing, or are no more, is over when they have had time to speak. */
  sweep(): void {
    if (this.#clock.monotonic() - this.#began < keptFor) return
    this.forget(() => true, `Nothing was said of it in the ${keptFor / 60} minutes since ${this.#role} began again.`)
  }

  /** Tells what was kept and not raised again as over. @param over of which faults */
  forget(over: (fault: KeptFault) => boolean, detail: string): void {
    const gone = this.#kept.filter(over)
    this.#kept = this.#kept.filter(each => !gone.includes(each))
    for (const each of gone) this.#tellOver(each, detail)
  }

  /** Sets what a part has counted since it began; such figures only grow. */
  count(part: string, counters: Readonly<Record<string, number>>): void {
    const known = this.#parts.get(part)
    if (known !== undefined) this.#parts.set(part, { ...known, counters })
  }

  /** Sets figures of a part that rise and fall. */
  measure(part: string, values: Readonly<Record<string, number>>): void {
    const known = this.#parts.get(part)
    if (known !== undefined) this.#parts.set(part, { ...known, values })
  }

  /**
   * A part must deliver a reading at least so often, seconds, from here on, unless it has said that it cannot. One of which
   * nothing may come for long although it works (`steady: false`: no car passes) has to say within that time how it is.
   */
  expect(part: string, limit: number, { steady = true }: { readonly steady?: boolean } = {}): void {
    this.#expected.set(part, { last: this.#clock.monotonic(), limit, steady })
  }

  /** A part that does not run now need not deliver, until it is expected to again. */
  excuse(part: string): void {
    this.#expected.delete(part)
  }

  /** A part has delivered what it is there for. */
  delivered(part: string): void {
    const expected = this.#expected.get(part)
    if (expected !== undefined) expected.last = this.#clock.monotonic()
  }

  /** Parts that are silent for longer than they may be and have not said why: only a new process helps them. */
  get overdue(): string[] {
    const now = this.#clock.monotonic()
    return [...this.#expected]
      .filter(([part, { last, limit, steady }]) => {
        const known = this.#parts.get(part)
        const excused = known !== undefined && (known.fault !== null || !steady)
        return !excused && now - last > limit
      })
      .map(([part]) => part)
  }

  #tellOver({ part, fault, since }: KeptFault, detail: string): void {
    this.#tell({ part, fault, state: 'cleared', detail, code: null, since: parseTime(since) })
  }

  #set(
    part: Pick<PartCondition, 'part' | 'state' | 'fault' | 'detail' | 'code'>,
    since = formatTime(this.#clock.system()),
  ): PartCondition {
    const known = this.#parts.get(part.part)
    const full = {
      counters: known?.counters ?? {},
      ...(known?.values === undefined ? {} : { values: known.values }),
      ...part,
      role: this.#role,
      since,
    }
    this.#parts.set(part.part, full)
    return full
  }
}
