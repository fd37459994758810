import type { InputLevel, SwitchEdge } from './digital-io.js'
import type { Level } from './drive.js'

/** What a contact has come to. A level holds for as long as the contact was quiet; `restless` is a contact that does not come to rest. */
export interface SettledLevel {
  readonly kind: 'settled'
  readonly line: number
  readonly level: Level | 'restless'
  /** Of the first edge of the bouncing, when the contact began to move. */
  readonly monotonic: number
  readonly systemTime: number
  /** Edges that were no change of their own: bounces and glitches. */
  readonly bounces: number
}

/** A contact that has bounced for so many seconds and does not rest is told as restless. */
export const longestBouncing = 2

/**
 * Makes changes of edges: a level counts once the line has kept it for its time, and is told with the time of the first edge. A
 * glitch that ends where it began is no change. Knows time by the edges' stamps and by what `due` is told only.
 */
export class Debounce {
  /** Quiet time by line, seconds. */
  readonly #quiet: ReadonlyMap<number, number>
  readonly #lines = new Map<number, LineState>()

  constructor(quiet: ReadonlyMap<number, number>) {
    this.#quiet = quiet
  }

  /** What the lines had come to by the time of this edge, and a level that is known at once. */
  take(reading: InputLevel | SwitchEdge): SettledLevel[] {
    const quiet = this.#quiet.get(reading.line)
    if (quiet === undefined) return []
    const before = this.#lines.get(reading.line)
    if (reading.kind === 'level') {
      this.#lines.set(reading.line, { settled: reading.level, burst: null })
      // After an absence the same level is nothing new.
      return before?.settled === reading.level ? [] : [settled(reading.level, reading, 0)]
    }
    const state = before ?? { settled: null, burst: null }
    this.#lines.set(reading.line, state)
    const told = this.due(reading.monotonic)
    const { burst } = state
    if (burst === null) state.burst = { first: reading, last: reading, edges: 1, restless: false }
    else {
      burst.last = reading
      burst.edges += 1
      if (!burst.restless && reading.monotonic - burst.first.monotonic > longestBouncing) {
        burst.restless = true
        state.settled = 'restless'
        told.push(settled('restless', burst.first, burst.edges))
      }
    }
    return told
  }

  /** What has come to rest by a time of the kernel's monotonic clock, seconds. */
  due(monotonic: number): SettledLevel[] {
    return [...this.#lines].flatMap(([line, state]) => this.#settle(line, state, monotonic))
  }

  /** How long nothing may come before `due` has something to tell, seconds; null while every line rests. */
  get pending(): number | null {
    const waits = [...this.#lines].flatMap(([line, { burst }]) => (burst === null ? [] : [this.#quiet.get(line) ?? 0]))
    return waits.length === 0 ? null : Math.min(...waits)
  }

  #settle(line: number, state: LineState, now: number): SettledLevel[] {
    const { burst } = state
    if (burst === null || now - burst.last.monotonic < (this.#quiet.get(line) ?? 0)) return []
    state.burst = null
    const { level } = burst.last
    if (level === state.settled) return []
    const wasRestless = state.settled === 'restless'
    state.settled = level
    return [settled(level, wasRestless ? burst.last : burst.first, burst.edges - 1)]
  }
}

interface LineState {
  settled: SettledLevel['level'] | null
  burst: { readonly first: SwitchEdge; last: SwitchEdge; edges: number; restless: boolean } | null
}

function settled(level: SettledLevel['level'], at: InputLevel | SwitchEdge, bounces: number): SettledLevel {
  const { line, monotonic, systemTime } = at
  return { kind: 'settled', line, level, monotonic, systemTime, bounces }
}
