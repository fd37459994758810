import { execFile } from 'node:child_process'
import { bothClocks } from '../../drivers/system-clock.js'
import { PolewatchError } from '../errors.js'
import { parseTracking } from '../timebase/chrony.js'
import { ClockKeeper, ClockReporter, type KeptClock } from '../timebase/clock-keeper.js'
import { clockKey } from './follow-clock.js'
import type { Role } from './role.js'

/** Seconds between two questions. */
const askEvery = 5
/** chrony answers at once or not at all, milliseconds. */
const patience = 3000
/** A clock may be without a source for so long, as after a start, before people are told, seconds. */
const tellAfter = 60

/** Asks chrony on behalf of the whole gateway, and tells people when the clock cannot be relied on. */
export class ChronyAsker {
  readonly #role: Role
  /** What chrony says of its tracking; null where nobody is asked. */
  readonly #question: ((signal: AbortSignal) => Promise<string>) | null
  readonly #keeper = new ClockKeeper()
  #badSince: number | null = null

  /** @param question gives what `chronyc -c -n tracking` prints, empty where it fails; the configured program is asked unless given */
  constructor(role: Role, question?: (signal: AbortSignal) => Promise<string>) {
    this.#role = role
    const { clock, gateway } = role.configuration
    const program = clock.chronyc === null ? null : chronyc(clock.chronyc)
    this.#question = gateway.timeError === null ? (question ?? program) : null
  }

  /** What is known of the clock; null where nobody is asked. */
  current(): KeptClock | null {
    if (this.#question === null) {
      const { timeError } = this.#role.configuration.gateway
      if (timeError === null) return null
      return { offset: 0, error: timeError, condition: 'synchronised', source: 'configuration', age: null }
    }
    const { system, monotonic } = bothClocks(this.#role.clock)
    return this.#keeper.look(system, monotonic)
  }

  /** Asks until the signal aborts. Sensing follows what is set in the exchange. */
  async ask(signal: AbortSignal): Promise<void> {
    if (this.#question === null) return
    const { clock } = this.#role
    const reporter = new ClockReporter()
    while (!signal.aborted) {
      const asked = clock.monotonic()
      const report = reporter.report(parseTracking(await this.#question(signal)), asked)
      if (signal.aborted) return
      this.#keeper.take(report)
      this.#role.exchange.set(clockKey, JSON.stringify(report))
      const kept = this.current()
      if (kept !== null) this.#tell(kept)
      await clock.sleep(askEvery, signal)
    }
  }

  #tell(clock: KeptClock): void {
    if (clock.condition === 'synchronised') {
      this.#badSince = null
      this.#role.ready('clock', `The clock follows ${clock.source}.`)
      return
    }
    const now = this.#role.clock.monotonic()
    this.#badSince ??= now
    if (clock.condition !== 'stepped' && now - this.#badSince < tellAfter) return
    const error = clockError(clock)
    this.#role.raise('clock', 'faulty', `clock-${clock.condition}`, error.message, error.code)
  }
}

function clockError({ condition, error, age }: KeptClock): PolewatchError {
  const milliseconds = (error * 1000).toFixed(1)
  if (condition === 'stepped') return new PolewatchError('PW_CLOCK_STEPPED', { error: milliseconds })
  if (condition === 'unknown') return new PolewatchError('PW_CLOCK_UNKNOWN')
  return new PolewatchError('PW_CLOCK_HOLDOVER', { age: (age ?? 0).toFixed(0), error: milliseconds })
}

function chronyc(program: string): (signal: AbortSignal) => Promise<string> {
  return signal =>
    new Promise(resolve => {
      const options = { timeout: patience, signal, maxBuffer: 65_536 }
      execFile(program, ['-c', '-n', 'tracking'], options, (error, output) => resolve(error === null ? output : ''))
    })
}
