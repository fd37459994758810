import type { RelayCause } from '../config/digital-io.js'
import type { OutputSettings } from '../config/schema.js'

export type RelaySettings = Extract<OutputSettings, { use: 'relay' }>

/** Whether a relay is to work. What it may follow is `RelayCause`, and no plate is among that. */
export class Relay {
  readonly #settings: RelaySettings
  #wanted = false
  #began = Number.NEGATIVE_INFINITY

  constructor(settings: RelaySettings) {
    this.#settings = settings
  }

  /** @param now seconds of a clock that never steps */
  works(causes: readonly RelayCause[], now: number): boolean {
    const { follows, atLeastSeconds, atMostSeconds } = this.#settings
    const wanted = causes.some(cause => follows.includes(cause))
    if (wanted && !this.#wanted) this.#began = now
    this.#wanted = wanted
    const since = now - this.#began
    return (wanted && since < (atMostSeconds ?? Number.POSITIVE_INFINITY)) || since < atLeastSeconds
  }
}
