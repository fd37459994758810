import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import type { SensitivityHistory } from '../acoustics/microphone-watch.js'
import { writeDurably } from '../hotlist/generations.js'
import { messageOf } from './role.js'

const saved = z.strictObject({ geometry: z.string(), usual: z.array(z.number().nullable()) })

/** How sensitive the microphones of an array have been, kept over restarts as long as its geometry stays the same. */
export class SensitivityMemory {
  readonly #folder: string
  readonly #file: string
  readonly #geometry: string
  readonly #warn: (message: string) => void

  /** @param folder the unit's state folder @param warn told when the file cannot be read or written */
  constructor(folder: string, array: string, geometry: string, warn: (message: string) => void) {
    this.#folder = folder
    this.#file = `sensing.sensitivity.${array}.json`
    this.#geometry = geometry
    this.#warn = warn
  }

  /** Undefined where nothing is known of these microphones. */
  load(): SensitivityHistory | undefined {
    try {
      const text = readFileSync(join(this.#folder, this.#file), 'utf8')
      const { geometry, usual } = saved.parse(JSON.parse(text))
      return geometry === this.#geometry ? { usual } : undefined
    } catch (error) {
      const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
      if (!absent) this.#warn('what is known of the microphones cannot be read; it is learnt anew')
      return undefined
    }
  }

  save({ usual }: SensitivityHistory): void {
    try {
      writeDurably(this.#folder, this.#file, `${JSON.stringify({ geometry: this.#geometry, usual })}\n`)
    } catch (error) {
      this.#warn(`what is known of the microphones cannot be saved: ${messageOf(error)}`)
    }
  }
}
