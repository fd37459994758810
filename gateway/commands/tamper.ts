import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { writeDurably } from '../hotlist/generations.js'
import { formatTime } from '../messages/time.js'
import { messageOf, type Role } from './role.js'

const saved = z.record(z.string(), z.number())

/** What somebody does to the pole, told as alerts of their own: each once when it begins and once when it is over. */
export class Tampers {
  readonly #role: Role
  /** Where it is kept over a restart, so that nothing is told twice or never cleared. */
  readonly #file: string
  /** When it began, seconds since 1970 UTC, by part and name. */
  readonly #raised: Map<string, number>

  /** @param watch who watches: each keeps a file of its own */
  constructor(role: Role, watch: string) {
    this.#role = role
    this.#file = `tampers-${watch}.json`
    this.#raised = this.#load()
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

  #load(): Map<string, number> {
    try {
      const text = readFileSync(join(this.#role.configuration.paths.state, this.#file), 'utf8')
      return new Map(Object.entries(saved.parse(JSON.parse(text))))
    } catch (error) {
      const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
      if (!absent) this.#role.log.warn({ error: messageOf(error) }, 'what was told of tampering before cannot be read')
      return new Map()
    }
  }

  #save(): void {
    try {
      writeDurably(
        this.#role.configuration.paths.state,
        this.#file,
        `${JSON.stringify(Object.fromEntries(this.#raised))}\n`,
      )
    } catch (error) {
      this.#role.log.warn({ error: messageOf(error) }, 'what was told of tampering cannot be saved')
    }
  }
}
