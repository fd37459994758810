import { formatTime } from '../messages/time.js'
import { type Role, systemTime } from './role.js'

/** What somebody does to the pole, told as alerts of their own: each once when it begins and once when it is over. */
export class Tampers {
  readonly #role: Role
  /** When it began, by part and name. */
  readonly #raised = new Map<string, number>()

  constructor(role: Role) {
    this.#role = role
  }

  raise(part: string, tamper: string, detail: string): void {
    const key = `${part} ${tamper}`
    if (this.#raised.has(key)) return
    const now = systemTime()
    this.#raised.set(key, now)
    this.#role.log.warn({ part, tamper }, detail)
    this.#tell(part, tamper, 'raised', detail, now)
  }

  clear(part: string, tamper: string, detail: string): void {
    const key = `${part} ${tamper}`
    const since = this.#raised.get(key)
    if (since === undefined) return
    this.#raised.delete(key)
    this.#role.log.info({ part, tamper }, detail)
    this.#tell(part, tamper, 'cleared', detail, since)
  }

  #tell(part: string, tamper: string, state: 'raised' | 'cleared', detail: string, since: number): void {
    const { exercise } = this.#role.configuration
    const data = { tamper, part, state, detail, since: formatTime(since) }
    // Logged by the role; what cannot be told must not end it.
    this.#role.append({ name: 'tamper', time: systemTime(), exercise, subject: part, data }).catch(() => {})
  }
}
