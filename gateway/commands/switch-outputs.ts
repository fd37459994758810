import type { DigitalIo } from '../../drivers/digital-io/digital-io.js'
import { type Drive, opposite, sameDrive } from '../../drivers/digital-io/drive.js'
import type { RelayCause } from '../config/digital-io.js'
import type { OutputSettings } from '../config/schema.js'
import { lampChanges, type StatusName } from '../health/status-lamp.js'
import { Relay } from './relay.js'

/** Drives the lamps and relays of one chip. */
export class SwitchOutputs {
  readonly #io: DigitalIo
  readonly #outputs: { settings: OutputSettings; relay: Relay | null }[]
  readonly #driven = new Map<number, Drive>()
  #ready = false

  constructor(io: DigitalIo, outputs: readonly OutputSettings[]) {
    this.#io = io
    this.#outputs = outputs.map(settings => ({
      settings,
      relay: settings.use === 'relay' ? new Relay(settings) : null,
    }))
  }

  /** The chip has come, with its outputs released, or has gone. */
  begin(ready: boolean): void {
    this.#ready = ready
    this.#driven.clear()
  }

  /** @param now seconds of a clock that never steps */
  show(status: StatusName, causes: readonly RelayCause[], now: number): void {
    for (const { settings, relay } of this.#outputs) {
      const changes = relay === null ? lampChanges(status) : []
      const on = relay === null ? changes.length > 0 : relay.works(causes, now)
      const drive = { level: on ? settings.active : opposite(settings.active), changes }
      const driven = this.#driven.get(settings.line)
      if (!this.#ready || (driven !== undefined && sameDrive(drive, driven))) continue
      this.#driven.set(settings.line, drive)
      this.#io.set(settings.line, drive)
    }
  }
}
