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

/** What a part has to do so that it is not taken for hanging. */
interface Expectation {
  /** Seconds of the monotonic clock. */
  last: number
  /** Seconds. */
  readonly limit: number
  /** Whether readings have to come all the time; else it is enough that it has said how it is. */
  readonly steady: boolean
}

/** The parts of a role: what each says of itself, which fault it has, and whether it delivers. */
export class Parts {
  readonly #role: GatewayRole
  readonly #clock: { system(): number; monotonic(): number }
  readonly #tell: (notice: FaultNotice) => void
  readonly #parts = new Map<string, PartCondition>()
  readonly #expected = new Map<string, Expectation>()
  #faults = 0

  /**
   * @param clock system: seconds since 1970 UTC; monotonic: seconds of a clock that never steps
   * @param tell told each fault once when it begins and once when it is over
   */
  constructor(
    role: GatewayRole,
    clock: { system(): number; monotonic(): number },
    tell: (notice: FaultNotice) => void,
  ) {
    this.#role = role
    this.#clock = clock
    this.#tell = tell
  }

  get all(): PartCondition[] {
    return [...this.#parts.values()]
  }

  /** Faults raised so far. */
  get faults(): number {
    return this.#faults
  }

  has(part: string): boolean {
    return this.#parts.has(part)
  }

  /** A part works: whatever fault it had is over. */
  ready(part: string, detail = 'It works.'): void {
    const known = this.#parts.get(part)
    if (known?.state === 'ready') return
    this.#set({ part, state: 'ready', fault: null, detail, code: null })
    // It was not expected to deliver while it could not.
    this.delivered(part)
    if (known?.fault == null) return
    this.#tell({ part, fault: known.fault, state: 'cleared', detail, code: null, since: parseTime(known.since) })
  }

  /** A part does not work; each fault is told once until it is another or over. */
  raise(part: string, state: 'absent' | 'faulty', fault: string, detail: string, code: string | null): void {
    const known = this.#parts.get(part)
    if (known?.fault === fault) return
    if (known?.fault != null) this.ready(part, 'Another fault has taken its place.')
    const { since } = this.#set({ part, state, fault, detail, code })
    this.#faults++
    this.#tell({ part, fault, state: 'raised', detail, code, since: parseTime(since) })
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

  #set(part: Pick<PartCondition, 'part' | 'state' | 'fault' | 'detail' | 'code'>): PartCondition {
    const known = this.#parts.get(part.part)
    const full = {
      counters: known?.counters ?? {},
      ...(known?.values === undefined ? {} : { values: known.values }),
      ...part,
      role: this.#role,
      since: formatTime(this.#clock.system()),
    }
    this.#parts.set(part.part, full)
    return full
  }
}
