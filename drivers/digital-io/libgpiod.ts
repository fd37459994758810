import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { BoundedQueue } from '../bounded-queue.js'
import type { DriverClock, StateReport } from '../driver.js'
import { kernelMonotonic } from '../system-clock.js'
import { chipIsThere, chipNamed } from './chip.js'
import {
  type ChipLines,
  type DigitalIo,
  type InputLevel,
  mustBeOutput,
  type Pull,
  type SwitchEdge,
} from './digital-io.js'
import type { Drive } from './drive.js'
import { HeldOutput } from './held-output.js'
import { keepHolding, type NotHeld } from './hold.js'
import { ChildEnded, KeptChild, ReleaseGuard } from './kept-child.js'
import { wallTimeOf } from './kernel-stamp.js'

const execute = promisify(execFile)

export interface LibgpiodIoOptions extends ChipLines {
  readonly name: string
  /** Name or label of the chip, such as `gpiochip0` or `pinctrl-bcm2711`. */
  readonly chip: string
  /** Of all inputs; as the hardware has it unless given. */
  readonly pull?: Pull
  readonly clock: DriverClock
  /** Folder of gpiodetect, gpioget, gpiomon and gpioset, with a slash at its end; found by PATH unless given. */
  readonly programs?: string
  /** Folder of the chips' devices; /dev unless given. */
  readonly devices?: string
  /** Edges that may wait for the receiver; 4096 unless given. */
  readonly capacity?: number
  /** 0 to 1, for the spread of the back-off. */
  readonly random?: () => number
}

/** How often it is looked whether the chip is still there, seconds: `gpioset` does not notice. */
const lookEvery = 1

/**
 * Lines of a GPIO character device, held by children of libgpiod 2: `gpiomon` stamps edges with the kernel's monotonic clock, `gpioset`
 * drives an output each. Released outputs are driven to their level before they are let go, because what the kernel does with
 * them then is up to the chip: that of a Raspberry Pi keeps the level. Faults: `device-absent` while programs or chip are not
 * there, `device-busy` while somebody else has a line, `device-refused`.
 */
export class LibgpiodIo implements DigitalIo {
  readonly name: string
  readonly #options: LibgpiodIoOptions
  #held = new Map<number, HeldOutput>()

  constructor(options: LibgpiodIoOptions) {
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
    this.#held.get(line)?.set(drive)
  }

  /** Resolves with the reason when the lines cannot be held any longer, or the signal has aborted. */
  async #hold(queue: BoundedQueue<InputLevel | SwitchEdge>, signal: AbortSignal): Promise<NotHeld> {
    const { chip, inputs, outputs, clock, programs = '', devices } = this.#options
    const found = await chipNamed(chip, `${programs}gpiodetect`)
    const over = new AbortController()
    let reason: NotHeld = { fault: 'device-absent', why: 'the watch has ended.' }
    const end = (error?: unknown) => {
      if (error instanceof Error) reason = notHeld(error.message)
      over.abort()
    }
    const onAbort = () => end()
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) end()
    const held = new Map<number, HeldOutput>()
    const children: KeptChild[] = []
    let guard: ReleaseGuard | null = null
    try {
      for (const { line, released } of outputs) {
        const command = (drive: Drive) => ({
          program: `${programs}gpioset`,
          given: outputArguments(found, line, drive),
        })
        held.set(line, new HeldOutput({ level: released, changes: [] }, command, end))
      }
      await Promise.all([...held.values()].map(({ driven }) => driven))
      if (over.signal.aborted) return reason
      if (outputs.length > 0) {
        const released = outputs.map(output => setting(output.line, { level: output.released, changes: [] }))
        guard = new ReleaseGuard([`${programs}gpioset`, '--toggle', '0', '--chip', found, ...released])
      }
      this.#held = held
      if (inputs.length === 0) queue.report('ready', null, `The lines of ${chip} are held.`)
      else {
        const watch = await this.#watchInputs(found, queue)
        children.push(watch)
        watch.ended.catch(end)
      }
      while (!over.signal.aborted) {
        await clock.sleep(lookEvery, over.signal)
        if (!over.signal.aborted && !chipIsThere(found, devices)) end(new ChildEnded('the chip has gone.'))
      }
      return reason
    } catch (error) {
      return notHeld(error instanceof Error ? error.message : String(error))
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#held = new Map()
      over.abort()
      await Promise.all([...children, ...held.values()].map(child => child.stop()))
      await guard?.release()
    }
  }

  /** Nobody else may read a line that is watched, so that its level is asked for just before. */
  async #watchInputs(found: string, queue: BoundedQueue<InputLevel | SwitchEdge>): Promise<KeptChild> {
    const { chip, inputs, pull, clock, programs = '' } = this.#options
    const lines = [...bias(pull), '--chip', found, ...inputs.map(String)]
    const { stdout } = await execute(`${programs}gpioget`, ['--numeric', ...lines])
    const asked = kernelMonotonic()
    const levels = stdout.trim().split(/\s+/)
    const hear = (text: string): void => {
      const [, edge, line, seconds] = /^([12]) ([0-9]+) ([0-9]+[.][0-9]+)$/.exec(text) ?? []
      if (edge !== undefined) {
        const level = edge === '1' ? 'high' : 'low'
        queue.push({ kind: 'edge', line: Number(line), level, ...wallTimeOf(Number(seconds), clock), dropped: 0 })
      } else if (/monitoring/i.test(text)) {
        queue.report('ready', null, `The lines of ${chip} are held.`)
        for (const [index, line] of inputs.entries()) {
          queue.push({
            kind: 'level',
            line,
            level: levels[index] === '1' ? 'high' : 'low',
            ...wallTimeOf(asked, clock),
          })
        }
      }
    }
    const format = ['--banner', '--edges', 'both', '--event-clock', 'monotonic', '--format', '%e %o %S']
    return new KeptChild(`${programs}gpiomon`, [...format, ...lines], hear)
  }
}

function outputArguments(found: string, line: number, drive: Drive): string[] {
  const changes = drive.changes.map(seconds => `${Math.max(1, Math.round(seconds * 1000))}ms`).join(',')
  const toggle = changes === '' ? [] : ['--toggle', changes]
  return ['--banner', ...toggle, '--chip', found, setting(line, drive)]
}

function setting(line: number, { level }: Drive): string {
  return `${line}=${level === 'high' ? 1 : 0}`
}

function bias(pull: Pull = 'as-is'): string[] {
  const names = { 'as-is': null, up: 'pull-up', down: 'pull-down', off: 'disabled' } as const
  const name = names[pull]
  return name === null ? [] : ['--bias', name]
}

function notHeld(why: string): NotHeld {
  if (/busy/i.test(why)) return { fault: 'device-busy', why }
  return { fault: /permission denied|not permitted/i.test(why) ? 'device-refused' : 'device-absent', why }
}
