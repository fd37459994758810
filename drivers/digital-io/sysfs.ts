import { constants, existsSync } from 'node:fs'
import { access, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type BinaryValue, Gpio } from 'onoff'
import { BoundedQueue } from '../bounded-queue.js'
import type { DriverClock, StateReport } from '../driver.js'
import { kernelMonotonic } from '../system-clock.js'
import { sysfsBase } from './chip.js'
import { type ChipLines, type DigitalIo, type InputLevel, mustBeOutput, type SwitchEdge } from './digital-io.js'
import type { Drive, Level } from './drive.js'
import { keepHolding, type NotHeld } from './hold.js'
import { ReleaseGuard } from './kept-child.js'
import { wallTimeOf } from './kernel-stamp.js'
import { PlayedOutputs } from './played-outputs.js'

export interface SysfsIoOptions extends ChipLines {
  readonly name: string
  /** Label of the chip or name of its device, such as `pinctrl-bcm2711` or `gpiochip0`. */
  readonly chip: string
  readonly clock: DriverClock
  /** Edges that may wait for the receiver; 4096 unless given. */
  readonly capacity?: number
  /** 0 to 1, for the spread of the back-off. */
  readonly random?: () => number
}

/** How often it is looked whether the lines are still there, seconds: nothing wakes who waits for a line that has gone. */
const lookEvery = 1
/** udev hands a line over within so many seconds, or not at all: it has much to do while a unit starts. */
const longestWait = 10

/**
 * Lines of the kernel's old sysfs interface, by onoff, for systems whose libgpiod is older than 2. The kernel gives no time stamps there:
 * an edge has the time at which this process woke up, and of pulses shorter than that nothing is seen. Lines stay as they are when the
 * process dies; a guard of its own releases the outputs then. Faults: `device-absent` while the chip is not there,
 * `device-busy` while somebody else has a line, `device-refused`.
 */
export class SysfsIo implements DigitalIo {
  readonly name: string
  readonly #options: SysfsIoOptions
  #outputs: PlayedOutputs | null = null

  constructor(options: SysfsIoOptions) {
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<InputLevel | SwitchEdge | StateReport, void, void> {
    const queue = new BoundedQueue<InputLevel | SwitchEdge>(this.#options.capacity ?? 4096)
    const hold = (stop: AbortSignal) => this.#hold(queue, stop)
    for await (const item of queue.takeFrom(stop => keepHolding(this.#options, queue, hold, stop), signal)) {
      yield item.kind === 'edge' ? { ...item, dropped: queue.takeDropped() } : item
    }
  }

  set(line: number, drive: Drive): void {
    mustBeOutput(this.#options, line)
    this.#outputs?.set(line, drive)
  }

  /** Resolves with the reason when the lines cannot be held any longer, or the signal has aborted. */
  async #hold(queue: BoundedQueue<InputLevel | SwitchEdge>, signal: AbortSignal): Promise<NotHeld> {
    const { chip, inputs, outputs, clock } = this.#options
    const absent: NotHeld = { fault: 'device-absent', why: 'there is no such chip in /sys/class/gpio.' }
    const base = await sysfsBase(chip)
    if (base === null || signal.aborted) return absent
    const held = new Map<number, HeldLine>()
    let guard: ReleaseGuard | null = null
    try {
      // `low` and `high` make an output with that level at once.
      for (const { line, released } of outputs)
        held.set(line, await HeldLine.open(base + line, released, clock, signal))
      for (const line of inputs) held.set(line, await HeldLine.open(base + line, 'in', clock, signal))
      const writes = outputs.map(({ line, released }) => `echo ${bit(released)} >${valueFile(base + line)}`)
      if (outputs.length > 0) guard = new ReleaseGuard(['sh', '-c', writes.join('; ')])
      this.#outputs = new PlayedOutputs(this.#options, (line, level) => held.get(line)?.write(level), clock)
      queue.report('ready', null, `The lines of ${chip} are held.`)
      for (const line of inputs) this.#watch(line, held.get(line), queue)
      while (!signal.aborted && [...held.values()].every(line => line.isThere)) await clock.sleep(lookEvery, signal)
      return { ...absent, why: 'the chip has gone.' }
    } catch (error) {
      return notHeld(error)
    } finally {
      this.#outputs?.release()
      this.#outputs = null
      await guard?.release()
      for (const line of held.values()) line.letGo()
    }
  }

  #watch(line: number, held: HeldLine | undefined, queue: BoundedQueue<InputLevel | SwitchEdge>): void {
    const { clock } = this.#options
    const stamp = () => wallTimeOf(kernelMonotonic(), clock)
    const level = held?.read()
    if (held === undefined || level === undefined) return
    queue.push({ kind: 'level', line, level, ...stamp() })
    held.watch(level => queue.push({ kind: 'edge', line, level, ...stamp(), dropped: 0 }))
  }
}

/** One line of onoff; a chip that goes away meanwhile makes it lost, not the process. */
class HeldLine {
  readonly #number: number
  readonly #gpio: Gpio
  #lost = false

  private constructor(number: number, gpio: Gpio) {
    this.#number = number
    this.#gpio = gpio
    // onoff reads the line from within the event loop, where nobody could catch what it throws.
    const read = gpio.readSync.bind(gpio)
    gpio.readSync = () => this.#attempt(read) ?? Gpio.LOW
  }

  /**
   * Exports the line and waits until udev has handed over its files: onoff would wait in a loop that stops everything else, and says
   * nothing when an exported line cannot be set.
   *
   * @throws Error with the kernel's code when it cannot be had
   */
  static async open(
    number: number,
    direction: 'in' | Level,
    clock: DriverClock,
    signal: AbortSignal,
  ): Promise<HeldLine> {
    const folder = dirname(valueFile(number))
    if (!existsSync(folder)) await writeFile('/sys/class/gpio/export', String(number))
    const files = ['value', 'direction', ...(direction === 'in' ? ['edge'] : [])].map(file => join(folder, file))
    const wait = clock.monotonic() + longestWait
    for (const file of files) {
      while (clock.monotonic() < wait && !signal.aborted && !(await isOurs(file))) await clock.sleep(0.02, signal)
      await access(file, constants.R_OK | constants.W_OK)
    }
    await writeFile(join(folder, 'direction'), direction)
    return new HeldLine(number, direction === 'in' ? new Gpio(number, 'in', 'both') : new Gpio(number, direction))
  }

  get isThere(): boolean {
    return !this.#lost && existsSync(valueFile(this.#number))
  }

  read(): Level | undefined {
    const value = this.#gpio.readSync()
    return this.#lost ? undefined : levelOf(value)
  }

  write(level: Level): void {
    this.#attempt(() => this.#gpio.writeSync(bit(level)))
  }

  watch(hear: (level: Level) => void): void {
    this.#gpio.watch((_, value) => {
      if (!this.#lost) hear(levelOf(value))
    })
  }

  letGo(): void {
    this.#attempt(() => this.#gpio.unexport())
  }

  #attempt<Result>(work: () => Result): Result | undefined {
    try {
      return work()
    } catch {
      this.#lost = true
      return undefined
    }
  }
}

function isOurs(file: string): Promise<boolean> {
  return access(file, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )
}

function bit(level: Level): BinaryValue {
  return level === 'high' ? Gpio.HIGH : Gpio.LOW
}

function levelOf(value: BinaryValue): Level {
  return value === Gpio.HIGH ? 'high' : 'low'
}

function valueFile(number: number): string {
  return `/sys/class/gpio/gpio${number}/value`
}

function notHeld(error: unknown): NotHeld {
  if (!(error instanceof Error)) throw error
  const code = 'code' in error ? error.code : null
  if (code === 'EBUSY') return { fault: 'device-busy', why: error.message }
  const refused = code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
  return { fault: refused ? 'device-refused' : 'device-absent', why: error.message }
}
