import * as z from 'zod'
import type { SensitivityHistory } from '../acoustics/microphone-watch.js'
import { KeptFile } from './kept-file.js'

const saved = z.strictObject({ geometry: z.string(), usual: z.array(z.number().nullable()) })

/** How sensitive the microphones of an array have been, kept over restarts as long as its geometry stays the same. */
export class SensitivityMemory {
  readonly #file: KeptFile<z.output<typeof saved>>
  readonly #geometry: string

  /** @param folder the unit's state folder @param warn told when the file cannot be read or written */
  constructor(folder: string, array: string, geometry: string, warn: (message: string) => void) {
    this.#file = new KeptFile(folder, `sensing.sensitivity.${array}.json`, saved, warn)
    this.#geometry = geometry
  }

  /** Undefined where nothing is known of these microphones. */
  load(): SensitivityHistory | undefined {
    const known = this.#file.load()
    return known?.geometry === this.#geometry ? { usual: known.usual } : undefined
  }

  save({ usual }: SensitivityHistory): void {
    this.#file.save({ geometry: this.#geometry, usual })
  }
}
