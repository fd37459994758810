import { closeSync, openSync, readSync } from 'node:fs'
import type { DriverClock } from '../driver.js'
import { bothClocks, systemClock } from '../system-clock.js'

/** A look at the device that took longer may have been interrupted, and another is taken; seconds. */
const swiftLook = 0.0003
const mostLooks = 3

/**
 * As in `CapturePacket`: seconds since 1970 UTC, early by at most half the time that the swiftest look has taken, and late by at most the
 * step in which the device counts and what a look took longer.
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
  /** So long the swiftest look has taken, seconds. */
  #swiftest = Number.POSITIVE_INFINITY
  readonly #buffer = Buffer.alloc(1024)

  /** @param folder where the kernel tells of the device, unless that follows from its name */
  constructor(device: string, sampleRate: number, clock: DriverClock = systemClock, folder = folderOf(device)) {
    this.#clock = clock
    this.#folder = folder
    this.#sampleRate = sampleRate
  }

  /** Hertz; null where the kernel does not say. */
  sampleRate(): number | null {
    const rate = field(this.#text('hw_params').text, 'rate')
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

  /**
   * The kernel asks the device while its file is read, which had then counted no more than it says. Who was interrupted before that or
   * after it cannot be told, so a slow look counts as late, which is evened out, and never as early, which is not.
   */
  #look(): { monotonic: number; arrived: number; taken: number } | null {
    let best: { monotonic: number; arrived: number; taken: number } | null = null
    let quickest = Number.POSITIVE_INFINITY
    for (let look = 0; look < mostLooks && quickest > swiftLook; look += 1) {
      const { text, after, took } = this.#text('status')
      const [arrived, taken] = [field(text, 'hw_ptr'), field(text, 'appl_ptr')]
      if (arrived === null || taken === null) return null
      this.#swiftest = Math.min(this.#swiftest, took)
      if (took >= quickest) continue
      quickest = took
      best = { monotonic: after - this.#swiftest / 2, arrived, taken }
    }
    return best
  }

  /** What the kernel says in a file of the device, when it had said it, monotonic, and how long that took; seconds. */
  #text(file: string): { text: string; after: number; took: number } {
    try {
      const opened = openSync(`${this.#folder}/${file}`, 'r')
      try {
        const before = this.#clock.monotonic()
        const length = readSync(opened, this.#buffer, 0, this.#buffer.length, 0)
        const after = this.#clock.monotonic()
        return { text: this.#buffer.toString('latin1', 0, length), after, took: after - before }
      } finally {
        closeSync(opened)
      }
    } catch {
      return { text: '', after: 0, took: 0 }
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
