import { execFile } from 'node:child_process'
import { kernelMonotonic, systemClock } from '../../drivers/system-clock.js'
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
  readonly #program: string | null
  readonly #keeper = new ClockKeeper()
  #badSince: number | null = null

  constructor(role: Role) {
    this.#role = role
    const { clock, gateway } = role.configuration
    this.#program = gateway.timeError === null ? clock.chronyc : null
  }

  /** What is known of the clock; null where nobody is asked. */
  current(): KeptClock | null {
    if (this.#program === null) {
      const { timeError } = this.#role.configuration.gateway
      if (timeError === null) return null
      return { offset: 0, error: timeError, condition: 'synchronised', source: 'configuration', age: null }
    }
    return this.#keeper.look(systemClock.system(), kernelMonotonic())
  }

  /** Asks until the signal aborts. Sensing follows what is set in the exchange. */
  async ask(signal: AbortSignal): Promise<void> {
    if (this.#program === null) return
    const reporter = new ClockReporter()
    while (!signal.aborted) {
      const asked = kernelMonotonic()
      const report = reporter.report(parseTracking(await answerOf(this.#program, signal)), asked)
      if (signal.aborted) return
      this.#keeper.take(report)
      this.#role.exchange.set(clockKey, JSON.stringify(report))
      const kept = this.current()
      if (kept !== null) this.#tell(kept)
      await systemClock.sleep(askEvery, signal)
    }
  }

  #tell(clock: KeptClock): void {
    if (clock.condition === 'synchronised') {
      this.#badSince = null
      this.#role.ready('clock', `The clock follows ${clock.source}.`)
      return
    }
    this.#badSince ??= kernelMonotonic()
    if (clock.condition !== 'stepped' && kernelMonotonic() - this.#badSince < tellAfter) return
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

/** What `chronyc -c -n tracking` prints; empty where it fails. */
function answerOf(program: string, signal: AbortSignal): Promise<string> {
  return new Promise(resolve => {
    const options = { timeout: patience, signal, maxBuffer: 65_536 }
    execFile(program, ['-c', '-n', 'tracking'], options, (error, output) => resolve(error === null ? output : ''))
  })
}
