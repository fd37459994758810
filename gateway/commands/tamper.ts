import { z } from 'zod'
import { formatTime } from '../messages/time.js'
import { KeptFile } from './kept-file.js'
import type { Role } from './role.js'

const saved = z.record(z.string(), z.number())

/** What somebody does to the pole, told as alerts of their own: each once when it begins and once when it is over. */
export class Tampers {
  readonly #role: Role
  /** Where it is kept over a restart, so that nothing is told twice or never cleared. */
  readonly #file: KeptFile<Record<string, number>>
  /** When it began, seconds since 1970 UTC, by part and name. */
  readonly #raised: Map<string, number>

  /** @param watch who watches: each keeps a file of its own */
  constructor(role: Role, watch: string) {
    this.#role = role
    const { state } = role.configuration.paths
    this.#file = new KeptFile(state, `tampers-${watch}.json`, saved, message => role.log.warn(message))
    this.#raised = new Map(Object.entries(this.#file.load() ?? {}))
  }

  /** @param since when it began, seconds since 1970 UTC */
  raise(part: string, tamper: string, detail: string, since = this.#role.clock.system()): void {
    const key = `${part} ${tamper}`
    if (this.#raised.has(key)) return
    this.#raised.set(key, since)
    this.#save()
    this.#role.log.warn({ part, tamper }, detail)
    this.#tell(part, tamper, 'raised', detail, since)
  }

  clear(part: string, tamper: string, detail: string): void {
    const key = `${part} ${tamper}`
    const since = this.#raised.get(key)
    if (since === undefined) return
    this.#raised.delete(key)
    this.#save()
    this.#role.log.info({ part, tamper }, detail)
    this.#tell(part, tamper, 'cleared', detail, since)
  }

  #tell(part: string, tamper: string, state: 'raised' | 'cleared', detail: string, since: number): void {
    const { exercise } = this.#role.configuration
    const data = { tamper, part, state, detail, since: formatTime(since) }
    // Logged by the role; what cannot be told must not end it.
    this.#role
      .append({ name: 'tamper', time: this.#role.clock.system(), exercise, subject: part, data })
      .catch(() => {})
  }

  #save(): void {
    this.#file.save(Object.fromEntries(this.#raised))
  }
}
