import { PolewatchError } from '../errors.js'
import { type CameraFault, CameraWatch } from '../vision/camera-watch.js'
import type { Glance } from '../vision/glance.js'
import type { Role } from './role.js'

/** What a fault looks like from outside, and what a technician does about it. */
const sentences: Readonly<Record<CameraFault, { readonly what: string; readonly todo: string }>> = {
  blind: {
    what: 'its picture is black',
    todo: 'take off the lens cap, and at night see to the infrared light of the camera',
  },
  covered: { what: 'something covers its lens', todo: 'clean the lens and its window and take away what is before it' },
  frozen: {
    what: 'it gives one and the same picture again and again',
    todo: 'start the camera anew, and renew its firmware if that comes back',
  },
  unfocused: {
    what: 'nothing in its picture is sharp',
    todo: 'clean the lens, then focus it on the place of the plates',
  },
  turned: {
    what: 'it looks elsewhere than it used to',
    todo: 'aim it again; a new view that is meant is accepted after half an hour or at the next start',
  },
}

/** Watches the picture of one camera and tells the role what is wrong with it. */
export class CameraCheck {
  readonly #part: string
  readonly #role: Pick<Role, 'raise' | 'ready'>
  readonly #watch = new CameraWatch()
  readonly #faults = new Set<CameraFault>()

  constructor(name: string, role: Pick<Role, 'raise' | 'ready'>) {
    this.#part = `${name} picture`
    this.#role = role
  }

  /** @param time of the picture, seconds from any zero */
  see(glance: Glance, time: number): void {
    for (const { fault, state } of this.#watch.see(glance, time)) {
      if (state === 'raised') this.#faults.add(fault)
      else this.#faults.delete(fault)
      this.#tell()
    }
  }

  #tell(): void {
    const [first] = this.#faults
    if (first === undefined) {
      this.#role.ready(this.#part, 'It sees what it should.')
      return
    }
    const error = new PolewatchError('PW_CAMERA', { part: this.#part, ...sentences[first] })
    this.#role.raise(this.#part, 'faulty', `camera-${first}`, `${error.message} ${error.advice}`, error.code)
  }
}
