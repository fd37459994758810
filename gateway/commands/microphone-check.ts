import type { ArrayGeometry } from '../../drivers/microphone-array/geometry.js'
import type { AudioBlock } from '../../drivers/microphone-array/microphone-array.js'
import type { ImpulseFront } from '../acoustics/channel-order.js'
import type { Snippet } from '../acoustics/listener.js'
import {
  type MicrophoneChange,
  type MicrophoneFault,
  MicrophoneWatch,
  type SensitivityHistory,
} from '../acoustics/microphone-watch.js'
import { PolewatchError } from '../errors.js'
import { loadFourier } from './fourier.js'
import type { Role } from './role.js'

/** What a fault looks like from outside, and what a technician does about it. */
const sentences: Readonly<Record<MicrophoneFault, { readonly what: string; readonly todo: string }>> = {
  dead: { what: 'it gives no sound', todo: 'check its cable and its power, and exchange it if they are good' },
  stuck: { what: 'it gives one and the same value', todo: 'check its cable, then exchange it' },
  reversed: { what: 'its sound is upside down against the others', todo: 'exchange the two wires of its line' },
  swapped: {
    what: 'its channel is exchanged with another',
    todo: 'exchange the two plugs, or correct the order in the device file',
  },
  clipped: { what: 'its sound reaches the end of the scale all the time', todo: 'lower its gain' },
  muffled: { what: 'it hears high sounds less than the others', todo: 'clean its opening and its membrane' },
  'wind-blown': { what: 'wind blows on it', todo: 'put a wind screen on it, or wait for the wind to drop' },
  buzzing: { what: 'it hums with the mains', todo: 'check its shield and ground, and keep its cable away from mains' },
  insensitive: { what: 'it hears less than it used to', todo: 'clean it, and exchange it if that does not help' },
}

/** Seconds before and after an onset within which the direct sound reaches every microphone and few echoes do. */
const before = 0.003
const after = 0.007

/** The first wave front of an impulse. */
export function frontOf({ channels, sampleRate, onset }: Snippet): ImpulseFront {
  const from = Math.max(0, Math.round(onset - before * sampleRate))
  const to = Math.round(onset + after * sampleRate)
  return { channels: channels.map(channel => channel.subarray(from, to)), sampleRate }
}

/** Where the sensitivity of an array's microphones is kept over restarts. */
export interface KeptSensitivity {
  load(): SensitivityHistory | undefined
  save(history: SensitivityHistory): void
}

/** What the microphones usually hear is learnt over hours, and kept so often, seconds of sound. */
const saveEvery = 3600

/** Watches the microphones of one array and tells the role of each that is not well, by its number from 1. */
export class MicrophoneCheck {
  readonly #name: string
  readonly #role: Pick<Role, 'ready' | 'raise'>
  readonly #faults = new Map<number, Set<MicrophoneFault>>()
  readonly #geometry: ArrayGeometry
  readonly #fourier: Awaited<ReturnType<typeof loadFourier>>
  readonly #kept: KeptSensitivity | null
  #watch: MicrophoneWatch | null = null
  #sampleRate = 0
  #unsaved = 0

  private constructor(
    name: string,
    role: Pick<Role, 'ready' | 'raise'>,
    geometry: ArrayGeometry,
    fourier: Awaited<ReturnType<typeof loadFourier>>,
    kept: KeptSensitivity | null,
  ) {
    this.#name = name
    this.#role = role
    this.#geometry = geometry
    this.#fourier = fourier
    this.#kept = kept
  }

  static async of(
    name: string,
    role: Pick<Role, 'ready' | 'raise'>,
    geometry: ArrayGeometry,
    kept: KeptSensitivity | null = null,
  ): Promise<MicrophoneCheck> {
    return new MicrophoneCheck(name, role, geometry, await loadFourier(), kept)
  }

  /** The stream begins anew. */
  begin(): void {
    this.#watch?.begin()
  }

  hear({ channels, firstSample, sampleRate }: Pick<AudioBlock, 'channels' | 'firstSample' | 'sampleRate'>): void {
    if (this.#watch === null || sampleRate !== this.#sampleRate) {
      this.#sampleRate = sampleRate
      const history = this.#watch?.history ?? this.#kept?.load()
      const known = history === undefined ? {} : { history }
      this.#watch = new MicrophoneWatch({ ...this.#geometry, sampleRate, fourier: this.#fourier, ...known })
    }
    for (const change of this.#watch.hear(channels, firstSample)) this.#tell(change)
    this.#unsaved += (channels[0]?.length ?? 0) / sampleRate
    if (this.#unsaved < saveEvery) return
    this.#unsaved = 0
    this.#kept?.save(this.#watch.history)
  }

  /** Takes the front of an impulse that stood out well. */
  impulse(front: ImpulseFront): void {
    for (const change of this.#watch?.impulse(front) ?? []) this.#tell(change)
  }

  #tell({ channel, fault, state, swappedWith }: MicrophoneChange): void {
    const faults = this.#faults.get(channel) ?? new Set()
    this.#faults.set(channel, faults)
    if (state === 'raised') faults.add(fault)
    else faults.delete(fault)
    const part = `${this.#name} microphone ${channel + 1}`
    const [first] = faults
    if (first === undefined) {
      this.#role.ready(part, 'It sounds as it should.')
      return
    }
    const { what, todo } = sentences[first]
    const which = swappedWith === null ? what : `${what}, that of microphone ${swappedWith + 1}`
    const error = new PolewatchError('PW_MICROPHONE', { part, what: which, todo })
    this.#role.raise(part, 'faulty', `microphone-${first}`, `${error.message} ${error.advice}`, error.code)
  }
}
