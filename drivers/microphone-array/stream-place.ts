import { readFileSync } from 'node:fs'
import type { DriverClock } from '../driver.js'
import { bothClocks, systemClock } from '../system-clock.js'

/** A look at the device that took longer may have been interrupted, and another is taken; seconds. */
const swiftLook = 0.0003
const mostLooks = 3

/**
 * As in `CapturePacket`: seconds since 1970 UTC, early by at most half the time that a look takes, and late by at most the step in which the
 * device counts.
 */
export interface SamplePlace {
  readonly captureTime: number
  readonly follows: boolean
}

/** Where in the device's stream a reader of its samples is, by what the kernel says of the device. */
export class StreamPlace {
  readonly #folder: string
  readonly #clock: DriverClock
  #sampleRate: number
  /** Samples a channel that the reader has, counted as the kernel counts those it has given away. */
  #read = 0
  #taken = 0
  #restarted = false
  #follows = false

  /** @param folder where the kernel tells of the device, unless that follows from its name */
  constructor(device: string, sampleRate: number, clock: DriverClock = systemClock, folder = folderOf(device)) {
    this.#clock = clock
    this.#folder = folder
    this.#sampleRate = sampleRate
  }

  /** Hertz; null where the kernel does not say. */
  sampleRate(): number | null {
    const rate = field(this.#text('hw_params'), 'rate')
    if (rate !== null) this.#sampleRate = rate
    return rate
  }

  /**
   * Where samples belong that the reader has just been given, `count` a channel. Null where the kernel does not say;
   * `unknown` after an overrun, for samples from a pipe of which nobody knows on which side of it they were taken.
   *
   * @param pipe whether the reader has emptied the pipe through which the samples come; `none` for who reads the device itself
   */
  of(count: number, pipe: 'none' | 'emptied' | 'full' = 'none'): SamplePlace | null | 'unknown' {
    this.#read += count
    const look = this.#look()
    if (look === null) return null
    // After an overrun the kernel begins to count anew.
    if (look.taken < this.#taken) {
      this.#restarted = true
      this.#follows = false
    }
    this.#taken = look.taken
    if (this.#restarted) {
      if (pipe === 'full') return 'unknown'
      this.#restarted = false
      this.#read = look.taken
      if (pipe === 'emptied') return 'unknown'
    }
    // What went into the pipe just after it was emptied is counted with it at first.
    this.#read = Math.min(this.#read, look.taken)
    const now = bothClocks(this.#clock)
    const age = now.monotonic - look.monotonic + (look.arrived - this.#read + count) / this.#sampleRate
    const follows = this.#follows
    this.#follows = true
    return { captureTime: now.system - age, follows }
  }

  /** The kernel asks the device while its file is read, which has then counted at least so many. */
  #look(): { monotonic: number; arrived: number; taken: number } | null {
    let best: { monotonic: number; arrived: number; taken: number } | null = null
    let quickest = Number.POSITIVE_INFINITY
    for (let look = 0; look < mostLooks && quickest > swiftLook; look += 1) {
      const before = this.#clock.monotonic()
      const text = this.#text('status')
      const after = this.#clock.monotonic()
      const [arrived, taken] = [field(text, 'hw_ptr'), field(text, 'appl_ptr')]
      if (arrived === null || taken === null) return null
      if (after - before >= quickest) continue
      quickest = after - before
      best = { monotonic: (before + after) / 2, arrived, taken }
    }
    return best
  }

  #text(file: string): string {
    try {
      return readFileSync(`${this.#folder}/${file}`, 'utf8')
    } catch {
      return ''
    }
  }
}

/** Of an ALSA `hw:` name. */
function folderOf(device: string): string {
  const [card = '0', number = '0', part = '0'] = device
    .slice('hw:'.length)
    .split(',')
    .map(name => name.replace(/^(CARD|DEV|SUBDEV)=/, ''))
  return `/proc/asound/${/^\d+$/.test(card) ? `card${card}` : card}/pcm${number}c/sub${part}`
}

function field(text: string, name: string): number | null {
  const found = new RegExp(`^${name}\\s*:\\s*([0-9.]+)`, 'm').exec(text)?.[1]
  return found === undefined ? null : Number(found)
}
