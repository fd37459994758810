import type { SettledLevel } from '../../drivers/digital-io/debounce.js'
import type { RelayCause } from '../config/digital-io.js'
import type { InputSettings } from '../config/schema.js'
import { PolewatchError } from '../errors.js'
import { postReaderCue, ReaderCues } from './cues.js'
import type { Role } from './role.js'
import { Tampers } from './tamper.js'

/** What each switch says becomes: an alert, a fault or a cue, and what relays may follow. */
export class SwitchBoard {
  readonly #role: Role
  readonly #tampers: Tampers
  readonly #cues: ReaderCues | null
  /** Active inputs by name. */
  readonly #active = new Map<string, InputSettings['use']>()

  constructor(role: Role) {
    this.#role = role
    this.#tampers = new Tampers(role, 'switches')
    const sees = role.configuration.cameras.length > 0
    this.#cues = sees ? new ReaderCues(cue => postReaderCue(role, cue)) : null
  }

  get enclosureOpen(): boolean {
    return this.#isActive('enclosure')
  }

  get powerFailed(): boolean {
    return this.#isActive('power-fail')
  }

  /** What relays may follow, as far as switches tell it. */
  get causes(): RelayCause[] {
    const causes = {
      enclosure: 'enclosure-opened',
      'power-fail': 'power-failed',
      'reader-trigger': 'reader-trigger',
    } as const
    return [...new Set(this.#active.values())].map(use => causes[use])
  }

  take(input: InputSettings, { level, systemTime }: Pick<SettledLevel, 'level' | 'systemTime'>): void {
    const { name, use } = input
    if (level === 'restless') {
      // What it said last stays in force: who rattles at a contact must not silence it.
      const { code, message } = new PolewatchError('PW_SWITCH_RESTLESS', { part: name })
      this.#role.raise(name, 'faulty', 'switch-restless', message, code)
      return
    }
    const active = level === input.active
    if (active) this.#active.set(name, use)
    else this.#active.delete(name)
    if (use === 'power-fail' && active) {
      const { code, message } = new PolewatchError('PW_POWER_FAILED', { part: name })
      this.#role.raise(name, 'faulty', 'power-failed', message, code)
      return
    }
    this.#role.ready(name, use === 'power-fail' ? 'There is power.' : 'The switch works.')
    if (use === 'enclosure' && active)
      this.#tampers.raise(name, 'enclosure-opened', 'The enclosure is open.', systemTime)
    if (use === 'enclosure' && !active) this.#tampers.clear(name, 'enclosure-opened', 'The enclosure is closed.')
    if (use === 'reader-trigger' && active) this.#cues?.read(input.lane, systemTime)
  }

  #isActive(use: InputSettings['use']): boolean {
    return [...this.#active.values()].includes(use)
  }
}
