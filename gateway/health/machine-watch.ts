import type { MachineState } from './machine.js'

/** What can be wrong with the machine itself. */
export const machineFaults = ['undervoltage', 'throttled', 'hot', 'storage-full', 'flash-worn', 'memory-short'] as const
export type MachineFault = (typeof machineFaults)[number]

export interface MachineChange {
  readonly fault: MachineFault
  readonly state: 'raised' | 'cleared'
}

/** A fault begins where its value reaches the first limit and ends only beyond the second, so that it does not flap. */
interface Limits {
  readonly begins: boolean
  readonly over: boolean
}

/** Celsius. The Raspberry Pi slows down at 80 (soft limit) and 85. */
const hot = { begins: 80, over: 72 }
/** Shares that are free. */
const storage = { begins: 0.05, over: 0.08 }
const memory = { begins: 0.05, over: 0.1 }
/** Share of the time that something waits for memory. */
const pressure = { begins: 0.2, over: 0.05 }
/** Share of the flash's life. It never gets better. */
const worn = 0.9
/** A supply that sags comes back for moments; it counts as well again after so many looks in a row. */
const looksToClear = 60

/** Tells each fault of the machine once when it begins and once when it is over. What is not measured changes nothing. */
export class MachineWatch {
  readonly #raised = new Set<MachineFault>()
  readonly #calm = new Map<MachineFault, number>()

  get raised(): readonly MachineFault[] {
    return [...this.#raised]
  }

  /** To be given the state about once a second. */
  look(machine: MachineState): MachineChange[] {
    const found = limits(machine)
    return machineFaults.flatMap(fault => {
      const at = found[fault]
      return at === null ? [] : this.#judge(fault, at)
    })
  }

  #judge(fault: MachineFault, { begins, over }: Limits): MachineChange[] {
    if (!this.#raised.has(fault)) {
      if (!begins) return []
      this.#raised.add(fault)
      this.#calm.set(fault, 0)
      return [{ fault, state: 'raised' }]
    }
    const calm = over ? (this.#calm.get(fault) ?? 0) + 1 : 0
    this.#calm.set(fault, calm)
    if (calm < looksToClear) return []
    this.#raised.delete(fault)
    return [{ fault, state: 'cleared' }]
  }
}

function limits(machine: MachineState): Record<MachineFault, Limits | null> {
  const { temperature, undervoltage, throttled, flashWear, flashEnding } = machine
  return {
    undervoltage: flag(undervoltage),
    throttled: flag(throttled),
    hot: temperature === null ? null : { begins: temperature >= hot.begins, over: temperature < hot.over },
    'storage-full': share(machine.storageFree, machine.storageTotal, storage),
    'flash-worn':
      flashWear === null && flashEnding === null ? null : flag((flashWear ?? 0) > worn || flashEnding === true),
    'memory-short': either(share(machine.memoryFree, machine.memoryTotal, memory), waiting(machine.memoryPressure)),
  }
}

function flag(value: boolean | null): Limits | null {
  return value === null ? null : { begins: value, over: !value }
}

function share(free: number | null, total: number | null, { begins, over }: { begins: number; over: number }) {
  if (free === null || total === null || total === 0) return null
  return { begins: free / total < begins, over: free / total > over }
}

function waiting(share: number | null): Limits | null {
  return share === null ? null : { begins: share > pressure.begins, over: share < pressure.over }
}

function either(one: Limits | null, other: Limits | null): Limits | null {
  if (one === null || other === null) return one ?? other
  return { begins: one.begins || other.begins, over: one.over && other.over }
}
