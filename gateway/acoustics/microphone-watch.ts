import type { Microphone } from './array-shape.js'
import { type ImpulseFront, judgeOrder, type OrderVerdict } from './channel-order.js'
import { ChannelSpectra, type ChannelWindow, windowSeconds } from './channel-spectra.js'
import type { FourierOfSize } from './fourier.js'

/** What can be wrong with a microphone. */
export const microphoneFaults = [
  'dead',
  'stuck',
  'reversed',
  'swapped',
  'clipped',
  'muffled',
  'wind-blown',
  'buzzing',
  'insensitive',
] as const
export type MicrophoneFault = (typeof microphoneFaults)[number]

/** A fault of one channel that began or is over. */
export interface MicrophoneChange {
  /** Counted from 0. */
  readonly channel: number
  readonly fault: MicrophoneFault
  readonly state: 'raised' | 'cleared'
  /** The channel that it was exchanged with; null for other faults. */
  readonly swappedWith: number | null
}

/** How each channel's level lies against its array's, to be kept over restarts. */
export interface SensitivityHistory {
  /** Decibel, a channel each; null before the first hour. */
  readonly usual: readonly (number | null)[]
}

/** Between two windows, seconds. */
const every = 1
/** A fault begins when it shows in most of so many windows, and ends when it shows in almost none. */
const remembered = 12
const toRaise = 9
const toClear = 2
/** Windows over which a level is averaged before it counts as one look at the sensitivity: about an hour. */
const lookLength = 3600
/** Share by which a look moves what is usual: about a fortnight of looks. */
const forgetting = 1 / 336
/** A channel lost sensitivity when it is so far below its usual level among the others, decibel. */
const lostSensitivity = 6
/** Impulses whose verdict on the order of channels is kept, and how clear they have to be together. */
const impulsesKept = 8
const clearMargin = 6

const silent = 1e-12

/**
 * Watches the microphones of one array by what they deliver. A second of sound is looked at through one window of a sixth of a
 * second; impulses tell exchanged and reversed channels. Comparisons need two channels, majorities three; of a single
 * microphone only `dead`, `stuck`, `clipped`, `wind-blown` and `buzzing` can be told.
 */
export class MicrophoneWatch {
  readonly #microphones: readonly Microphone[]
  readonly #spectra: ChannelSpectra
  readonly #sampleRate: number
  readonly #signs: Map<MicrophoneFault, boolean[]>[]
  readonly #raised: Set<MicrophoneFault>[]
  readonly #usual: (number | null)[]
  /** Of each channel's present look: how many windows, and the sum of its levels among the others, decibel. */
  readonly #looks: { windows: number; levels: number }[]
  readonly #window: Float32Array[]
  #filled = 0
  #expected = Number.NaN
  readonly #verdicts: OrderVerdict[] = []
  #swapped: readonly [number, number] | null = null
  #nextWindow = Number.NEGATIVE_INFINITY

  constructor(options: {
    readonly microphones: readonly Microphone[]
    /** Hertz. */
    readonly sampleRate: number
    readonly fourier: FourierOfSize
    readonly history?: SensitivityHistory
  }) {
    const { microphones, sampleRate, fourier, history } = options
    this.#microphones = microphones
    this.#sampleRate = sampleRate
    this.#spectra = new ChannelSpectra(sampleRate, apertureOf(microphones), fourier)
    this.#signs = microphones.map(() => new Map(microphoneFaults.map(fault => [fault, []])))
    this.#raised = microphones.map(() => new Set())
    this.#usual = microphones.map((_, channel) => history?.usual[channel] ?? null)
    this.#looks = microphones.map(() => ({ windows: 0, levels: 0 }))
    this.#window = microphones.map(() => new Float32Array(this.#spectra.size))
  }

  /** What to keep over a restart. */
  get history(): SensitivityHistory {
    return { usual: [...this.#usual] }
  }

  /** The stream begins anew: its samples are counted from the beginning again. What is known of the microphones stays. */
  begin(): void {
    this.#expected = Number.NaN
    this.#nextWindow = Number.NEGATIVE_INFINITY
  }

  /** Takes a block of sound, one array a channel; `firstSample` counts from the start of the stream. */
  hear(channels: readonly Float32Array[], firstSample: number): MicrophoneChange[] {
    if (firstSample !== this.#expected) this.#filled = 0
    const length = channels[0]?.length ?? 0
    this.#expected = firstSample + length
    const from = this.#filled > 0 ? 0 : Math.max(0, this.#nextWindow - firstSample)
    const count = Math.min(length - from, this.#spectra.size - this.#filled)
    if (count <= 0) return []
    for (const [channel, window] of this.#window.entries()) {
      const samples = channels[channel]?.subarray(from, from + count)
      if (samples !== undefined) window.set(samples, this.#filled)
    }
    this.#filled += count
    if (this.#filled < this.#spectra.size) return []
    this.#filled = 0
    this.#nextWindow = firstSample + from + count + Math.round((every - windowSeconds) * this.#sampleRate)
    const windows = this.#spectra.window(this.#window, 0)
    return [
      ...windows.flatMap((window, channel) => this.#judge(window, channel, windows)),
      ...this.#sensitivity(windows),
    ]
  }

  /** Takes the front of an impulse that stood out well above the noise. */
  impulse(front: ImpulseFront): MicrophoneChange[] {
    const usable = this.#raised.flatMap((faults, channel) =>
      faults.has('dead') || faults.has('stuck') ? [] : [channel],
    )
    const verdict = judgeOrder(front, this.#microphones, usable)
    if (verdict === null) return []
    this.#verdicts.push(verdict)
    if (this.#verdicts.length > impulsesKept) this.#verdicts.shift()
    const changes: MicrophoneChange[] = []
    for (const channel of this.#microphones.keys()) {
      const opposite = this.#verdicts.filter(({ reversed }) => reversed.includes(channel)).length
      if (opposite > this.#verdicts.length / 2) changes.push(...this.#set(channel, 'reversed', true))
      // Sound that all microphones share clears it as well; see `#judge`.
      else if (opposite === 0 && this.#verdicts.length >= impulsesKept / 2)
        changes.push(...this.#set(channel, 'reversed', false))
    }
    return [...changes, ...this.#order()]
  }

  #judge(window: ChannelWindow, channel: number, all: readonly ChannelWindow[]): MicrophoneChange[] {
    const others = all.filter((other, index) => index !== channel && other.power > silent)
    const louder = medianOf(others.map(({ power }) => power))
    const constant = window.power <= silent
    const stuck = constant && Math.abs(window.offset) > 1e-4
    const rumbling = decibel(window.rumble / window.middle)
    const shows: Partial<Record<MicrophoneFault, boolean>> = {
      stuck,
      dead: !stuck && (constant || (others.length > 0 && decibel(louder / window.power) > 40)),
      clipped: window.clipped > 0.002,
      // Turbulence differs from microphone to microphone, the rumble of a lorry does not.
      'wind-blown':
        window.rumble > 1e-5 &&
        (others.length === 0 ? rumbling > 30 : rumbling > 20 && Math.abs(window.agreement) < 0.5),
      buzzing: window.hum > 12 && (others.length === 0 || window.hum > medianOf(others.map(({ hum }) => hum)) + 8),
    }
    if (others.length >= 2) {
      const treble = medianOf(others.map(other => decibel(other.treble / other.middle)))
      const alike = medianOf(others.map(({ agreement }) => Math.abs(agreement)))
      // The hum of the mains is no more than low sound added.
      shows.muffled =
        shows.buzzing !== true &&
        decibel(window.treble / window.middle) < treble - 12 &&
        decibel(window.middle / medianOf(others.map(({ middle }) => middle))) > -12
      // Only where the others do agree with each other does disagreeing mean anything.
      if (alike > 0.5 && !constant) shows.reversed = window.agreement < -0.4
    }
    return microphoneFaults.flatMap(fault => {
      const shown = constant && fault !== 'dead' && fault !== 'stuck' ? false : shows[fault]
      return shown === undefined ? [] : this.#count(channel, fault, shown)
    })
  }

  #count(channel: number, fault: MicrophoneFault, shown: boolean): MicrophoneChange[] {
    const signs = this.#signs[channel]?.get(fault) ?? []
    signs.push(shown)
    if (signs.length > remembered) signs.shift()
    const count = signs.filter(sign => sign).length
    if (count >= toRaise) return this.#set(channel, fault, true)
    return count <= toClear && signs.length >= toRaise ? this.#set(channel, fault, false) : []
  }

  #set(
    channel: number,
    fault: MicrophoneFault,
    raised: boolean,
    swappedWith: number | null = null,
  ): MicrophoneChange[] {
    const faults = this.#raised[channel]
    if (faults === undefined || faults.has(fault) === raised) return []
    if (raised) faults.add(fault)
    else faults.delete(fault)
    return [{ channel, fault, state: raised ? 'raised' : 'cleared', swappedWith }]
  }

  // Against the others, since how loud the street is says nothing of the microphone, and only while nothing else is wrong with either: a
  // quarter of an hour of a broken wire would be what is usual for a fortnight.
  #sensitivity(windows: readonly ChannelWindow[]): MicrophoneChange[] {
    const well = windows.flatMap((window, channel) => (this.#isWell(channel) ? [{ channel, window }] : []))
    if (well.length < 2) return []
    const typical = medianOf(well.map(({ window }) => decibel(window.power)))
    return well.flatMap(({ channel, window }) => {
      const look = this.#looks[channel]
      if (look === undefined) return []
      look.windows += 1
      look.levels += decibel(window.power) - typical
      if (look.windows < lookLength) return []
      const level = look.levels / look.windows
      this.#looks[channel] = { windows: 0, levels: 0 }
      const usual = this.#usual[channel] ?? level
      const lost = level < usual - lostSensitivity
      // A microphone that lost sensitivity must not become what is usual.
      this.#usual[channel] = lost ? usual : usual + forgetting * (level - usual)
      return this.#set(channel, 'insensitive', lost)
    })
  }

  /** Whether no fault but lost sensitivity is raised or shows just now. */
  #isWell(channel: number): boolean {
    const signs = [...(this.#signs[channel] ?? [])]
    const raised = [...(this.#raised[channel] ?? [])]
    return signs.every(([, shown]) => shown.at(-1) !== true) && raised.every(fault => fault === 'insensitive')
  }

  #order(): MicrophoneChange[] {
    const evidence = new Map<string, { pair: readonly [number, number]; margin: number }>()
    let inOrder = 0
    for (const { swapped, margin } of this.#verdicts) {
      if (swapped === null) inOrder += margin
      else {
        const known = evidence.get(swapped.join())
        evidence.set(swapped.join(), { pair: swapped, margin: (known?.margin ?? 0) + margin })
      }
    }
    const [best] = [...evidence.values()].sort((a, b) => b.margin - a.margin)
    const swapped = best !== undefined && best.margin > inOrder + clearMargin ? best.pair : null
    if (swapped?.join() === this.#swapped?.join()) return []
    const former = this.#swapped
    // In an array that looks the same from two sides nothing speaks for the order as it is, but much against an exchange that is mended.
    const mended = sum(this.#verdicts.map(({ against }) => against.get(former?.join() ?? '') ?? 0))
    if (swapped === null && mended < clearMargin) return []
    this.#swapped = swapped
    return [
      ...(former ?? []).flatMap(channel => this.#set(channel, 'swapped', false)),
      ...(swapped ?? []).flatMap((channel, index) => this.#set(channel, 'swapped', true, swapped?.[1 - index] ?? null)),
    ]
  }
}

function apertureOf(microphones: readonly Microphone[]): number {
  const widest = microphones.flatMap(a =>
    microphones.map(b => Math.hypot(a.right - b.right, a.forward - b.forward, a.up - b.up)),
  )
  return Math.max(1e-3, ...widest)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function decibel(ratio: number): number {
  return 10 * Math.log10(Math.max(ratio, 1e-20))
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2
}
