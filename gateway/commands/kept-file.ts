import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type * as z from 'zod'
import { messageOf } from '../errors.js'
import { writeDurably } from '../hotlist/generations.js'

/** A small file in the unit's state folder that is kept over restarts: JSON, written whole and synced. Its loss is no fault. */
export class KeptFile<Value> {
  readonly #folder: string
  readonly #name: string
  readonly #schema: z.ZodType<Value>
  readonly #warn: (message: string) => void

  /** @param warn told when the file cannot be read or written */
  constructor(folder: string, name: string, schema: z.ZodType<Value>, warn: (message: string) => void) {
    this.#folder = folder
    this.#name = name
    this.#schema = schema
    this.#warn = warn
  }

  /** Undefined where there is none, or none that can be read. */
  load(): Value | undefined {
    try {
      return this.#schema.parse(JSON.parse(readFileSync(join(this.#folder, this.#name), 'utf8')))
    } catch (error) {
      const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
      if (!absent) this.#warn(`${this.#name} cannot be read, and is begun anew: ${messageOf(error)}`)
      return undefined
    }
  }

  /** @param value what `load` is to give, or what becomes that in JSON */
  save(value: unknown): void {
    try {
      writeDurably(this.#folder, this.#name, `${JSON.stringify(value)}\n`)
    } catch (error) {
      this.#warn(`${this.#name} cannot be saved: ${messageOf(error)}`)
    }
  }
}
