import { z } from 'zod'
import type { KeptFault } from '../health/parts.js'
import { epoch } from '../messages/fields.js'
import { type MessageData, messageTypes } from '../messages/table.js'
import { KeptFile } from './kept-file.js'

const saved = z.array(messageTypes.fault.data.pick({ part: true, fault: true, since: true }).extend({ epoch }))

/**
 * The faults of a role that the hub is told of as raised and not yet as over, kept so that the role's next process goes on with them. They
 * are noted when the alert is committed and not before: after a loss of power in between one may be told twice, never not at all.
 */
export class KeptFaults {
  readonly #file: KeptFile<z.output<typeof saved>>
  readonly #faults: Map<string, KeptFault & { readonly epoch: string }>
  #due = false

  /** @param warn told what is wrong with the file, once as long as that does not change: a full disk is full for every fault */
  constructor(folder: string, role: string, warn: (message: string) => void) {
    let last = ''
    const warnOnce = (message: string): void => {
      if (message !== last) warn(message)
      last = message
    }
    this.#file = new KeptFile(folder, `${role}.faults.json`, saved, warnOnce)
    this.#faults = new Map((this.#file.load() ?? []).map(each => [keyOf(each), each]))
  }

  get all(): readonly KeptFault[] {
    return [...this.#faults.values()]
  }

  /** Of the journal that holds its alert. */
  epochOf(fault: KeptFault): string | undefined {
    return this.#faults.get(keyOf(fault))?.epoch
  }

  /** A fault's alert is committed to the journal of an epoch. */
  committed({ part, fault, since, state }: MessageData<'fault'>, epoch: string): void {
    if (state === 'raised') this.#faults.set(keyOf({ part, fault }), { part, fault, since, epoch })
    else this.#faults.delete(keyOf({ part, fault }))
    if (this.#due) return
    this.#due = true
    // Those of one commit are written once.
    queueMicrotask(() => {
      this.#due = false
      this.#file.save(this.all)
    })
  }
}

function keyOf({ part, fault }: Pick<KeptFault, 'part' | 'fault'>): string {
  return `${fault} ${part}`
}
