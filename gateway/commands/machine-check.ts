import { PolewatchError } from '../errors.js'
import { type MachineState, readMachine } from '../health/machine.js'
import { type MachineFault, MachineWatch } from '../health/machine-watch.js'
import type { Role } from './role.js'

/** By fault: the part it is told of, what it is, and what a technician does about it. */
const sentences: Readonly<
  Record<MachineFault, { readonly part: string; readonly what: string; readonly todo: string }>
> = {
  undervoltage: {
    part: 'machine supply',
    what: 'its supply sags below what it needs',
    todo: 'exchange the power supply or shorten its cable; sound and files may be damaged until then',
  },
  throttled: {
    part: 'machine speed',
    what: 'its processor is slowed down by heat or a weak supply',
    todo: 'look at its temperature and its supply',
  },
  hot: {
    part: 'machine temperature',
    what: 'its processor is as hot as it may get',
    todo: 'give it shade and air, and look whether its heat sink sits well',
  },
  'storage-full': {
    part: 'machine storage',
    what: 'its disk is nearly full',
    todo: 'delete what is not polewatch, whose own files have limits, or give it a larger disk',
  },
  'flash-worn': {
    part: 'machine flash',
    what: 'its flash has nearly been written to death',
    todo: 'exchange the card at the next visit; nothing that was committed is lost before',
  },
  'memory-short': {
    part: 'machine memory',
    what: 'its memory is nearly used up',
    todo: 'look at what else runs on it, and restart it',
  },
}

/** Watches the machine that the role runs on. Uplink does, which makes the health message: files of the kernel are no devices. */
export class MachineCheck {
  readonly #role: Role
  readonly #watch = new MachineWatch()
  readonly #read: () => MachineState

  constructor(role: Role, read: () => MachineState = readHere(role.configuration.paths.state)) {
    this.#role = role
    this.#read = read
  }

  /** To be called about once a second. */
  look(): void {
    for (const { fault, state } of this.#watch.look(this.#read())) {
      const { part, what, todo } = sentences[fault]
      if (state === 'cleared') {
        this.#role.ready(part, 'It is as it should be again.')
        continue
      }
      const error = new PolewatchError('PW_MACHINE', { what, todo })
      this.#role.raise(part, 'faulty', `machine-${fault}`, `${error.message} ${error.advice}`, error.code)
    }
  }

  /** How it stands now. */
  current(): MachineState {
    return this.#read()
  }
}

function readHere(state: string): () => MachineState {
  return () => readMachine({ system: '/sys', memory: '/proc/meminfo', state })
}
