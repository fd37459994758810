import type { DriverClock, StateReport } from '../driver.js'
import type { Camera, CameraFrame } from './camera.js'
import { glyphColumns, glyphRows, hasInk } from './plate-font.js'

/** A car that drives towards the simulated camera. */
export interface SimulatedPassage {
  /** When it appears, seconds since the stream began. */
  readonly at: number
  /** Letters and digits on its plate. */
  readonly text: string
  /** How long it is in sight, seconds; 2 unless given. */
  readonly seconds?: number
  /** Middle of its way across the picture, 0 at the left to 1; the middle unless given. */
  readonly across?: number
}

/** A stretch of the stream in which the simulated camera is not as it should be. */
export interface SimulatedCameraFault {
  /** Seconds since the stream began. */
  readonly from: number
  readonly until: number
  /**
   * `absent`: unplugged. `frozen`: the last picture again and again. `black`: no light at all. `covered`: a bag over the lens.
   * `turned`: it looks the other way.
   */
  readonly fault: 'absent' | 'frozen' | 'black' | 'covered' | 'turned'
}

export interface SimulatedCameraOptions {
  readonly name: string
  readonly clock: DriverClock
  /** Pixels; 960 by 540 unless given. */
  readonly width?: number
  readonly height?: number
  /** 5 unless given. */
  readonly framesPerSecond?: number
  readonly passages?: readonly SimulatedPassage[]
  readonly faults?: readonly SimulatedCameraFault[]
}

/** A camera over a drawn street in which cars drive by, in real time by the clock that it is given. */
export class SimulatedCamera implements Camera {
  readonly name: string
  readonly #options: SimulatedCameraOptions

  constructor(options: SimulatedCameraOptions) {
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<CameraFrame | StateReport, void, void> {
    const { clock, width = 960, height = 540, framesPerSecond = 5 } = this.#options
    const street = drawStreet(width, height)
    const systemStart = clock.system()
    const start = clock.monotonic()
    let present: boolean | null = null
    let last = street
    for (let number = 0, dropped = 0; !signal.aborted; number += 1) {
      const at = number / framesPerSecond
      const behind = clock.monotonic() - start - at
      if (behind > 2 / framesPerSecond) {
        dropped += 1
        continue
      }
      const fault = this.#fault(at)
      if (present !== (fault !== 'absent')) {
        present = fault !== 'absent'
        yield present
          ? { kind: 'state', state: 'ready', fault: null, detail: 'The simulated camera delivers.' }
          : { kind: 'state', state: 'absent', fault: 'device-absent', detail: 'The simulated camera is unplugged.' }
      }
      if (behind < 0) await clock.sleep(-behind, signal)
      if (signal.aborted) return
      if (fault === 'absent') continue
      if (fault !== 'frozen') last = seen(this.#draw(street, at, number), width, fault)
      yield {
        ...{ kind: 'frame' as const, width, height, data: last.slice(), dropped },
        systemTime: systemStart + at,
        systemTimeError: 0,
      }
      dropped = 0
    }
  }

  #fault(seconds: number): SimulatedCameraFault['fault'] | null {
    return this.#options.faults?.find(fault => fault.from <= seconds && seconds < fault.until)?.fault ?? null
  }

  #draw(street: Uint8Array, at: number, number: number): Uint8Array {
    const { width = 960, height = 540, passages = [] } = this.#options
    const data = street.slice()
    for (const { at: begin, text, seconds = 2, across = 0.5 } of passages) {
      const share = (at - begin) / seconds
      if (share < 0 || share > 1) continue
      drawCar(data, width, height, text, {
        x: across * width,
        y: (0.3 + 0.45 * share) * height,
        size: 0.6 + 0.4 * share,
      })
    }
    addGrain(data, number)
    return data
  }
}

/** What a faulty camera makes of the picture that it should give. */
function seen(picture: Uint8Array, width: number, fault: SimulatedCameraFault['fault'] | null): Uint8Array {
  const row = 3 * width
  switch (fault) {
    case 'black':
      return picture.fill(0)
    case 'covered':
      return picture.map((value, index) => 40 + ((value * 7 + index) % 3))
    case 'turned':
      return picture.map((_, index) => picture[index - (index % row) + row - 3 - (index % row) + 2 * (index % 3)] ?? 0)
    default:
      return picture
  }
}

/** Sky, houses and a road with marks, so that there is something to see which stays where it is. */
function drawStreet(width: number, height: number): Uint8Array {
  const data = new Uint8Array(3 * width * height)
  const horizon = Math.round(0.25 * height)
  fill(data, width, { left: 0, top: 0, right: width, bottom: horizon }, 150)
  fill(data, width, { left: 0, top: horizon, right: width, bottom: height }, 85)
  for (let house = 0; house < 8; house += 1) {
    const left = Math.round((house / 8) * width)
    const top = Math.round(horizon * (0.3 + 0.08 * ((house * 5) % 7)))
    fill(data, width, { left, top, right: left + Math.round(width / 9), bottom: horizon }, 60 + 12 * ((house * 3) % 8))
  }
  for (let mark = 0; mark < 6; mark += 1) {
    const top = horizon + Math.round((mark / 6) * (height - horizon))
    for (const x of [0.08, 0.92]) {
      const left = Math.round(x * width)
      fill(data, width, { left, top, right: left + Math.round(width / 80), bottom: top + Math.round(height / 18) }, 190)
    }
  }
  return data
}

/** `y` is the middle of the plate; `size` 1 is the largest that a car gets. */
function drawCar(
  data: Uint8Array,
  width: number,
  height: number,
  text: string,
  { x, y, size }: { x: number; y: number; size: number },
): void {
  const plateHeight = Math.round(0.13 * height * size)
  const pitch = plateHeight / (glyphRows + 4)
  const plateWidth = Math.round(pitch * (text.length * (glyphColumns + 1) + 3))
  const box = (across: number, above: number, below: number) => ({
    left: Math.round(x - across / 2),
    right: Math.round(x + across / 2),
    top: Math.round(y - above),
    bottom: Math.round(y + below),
  })
  fill(data, width, box(2.4 * plateWidth, 3 * plateHeight, 1.2 * plateHeight), 40)
  fill(data, width, box(1.9 * plateWidth, 2.8 * plateHeight, -1.2 * plateHeight), 120)
  const plate = box(plateWidth, plateHeight / 2, plateHeight / 2)
  fill(data, width, plate, 235)
  for (let row = Math.max(0, plate.top); row < Math.min(height, plate.bottom); row += 1) {
    for (let column = Math.max(0, plate.left); column < Math.min(width, plate.right); column += 1) {
      const along = (column - plate.left) / pitch - 2
      const index = Math.floor(along / (glyphColumns + 1))
      const glyphColumn = Math.floor(along - index * (glyphColumns + 1))
      const glyphRow = Math.floor((row - plate.top) / pitch - 2)
      if (!hasInk(text[index] ?? '', glyphColumn, glyphRow)) continue
      data.fill(25, 3 * (row * width + column), 3 * (row * width + column) + 3)
    }
  }
}

interface Box {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

function fill(data: Uint8Array, width: number, { left, top, right, bottom }: Box, grey: number): void {
  const height = data.length / 3 / width
  const from = Math.max(0, left)
  const to = Math.min(width, right)
  if (to <= from) return
  for (let row = Math.max(0, top); row < Math.min(height, bottom); row += 1) {
    data.fill(grey, 3 * (row * width + from), 3 * (row * width + to))
  }
}

/** The grain of a sensor: no two pictures of a living camera are the same. */
function addGrain(data: Uint8Array, number: number): void {
  let state = (number * 2654435761 + 1) >>> 0 || 1
  for (let index = 0; index < data.length; index += 7) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    data[index] = Math.max(0, Math.min(255, (data[index] ?? 0) + ((state >>> 0) % 7) - 3))
  }
}
