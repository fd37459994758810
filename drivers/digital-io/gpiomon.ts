import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { BoundedQueue } from '../bounded-queue.js'
import type { DriverClock, StateReport } from '../driver.js'
import { BackOff } from '../retry.js'
import { chipNamed } from './chip.js'
import type { DigitalInputs, SwitchEdge } from './digital-io.js'

export interface GpiomonInputsOptions {
  readonly name: string
  /** Name or label of the chip, such as `gpiochip0` or `pinctrl-bcm2711`. */
  readonly chip: string
  /** Numbers of the lines on the chip. */
  readonly lines: readonly number[]
  readonly clock: DriverClock
  /** The program; `gpiomon` of libgpiod 2 unless given. */
  readonly program?: string
  /** Edges that may wait for the receiver; 4096 unless given. */
  readonly capacity?: number
  /** 0 to 1, for the spread of the back-off. */
  readonly random?: () => number
}

/** A child that has lived for so many seconds has worked, and the back-off starts anew. */
const settledSeconds = 5

/**
 * Lines of a GPIO character device, by `gpiomon` of libgpiod 2, kept as a child: it stamps edges with the kernel's monotonic
 * clock. Faults: `device-absent` while the program or the chip is not there.
 */
export class GpiomonInputs implements DigitalInputs {
  readonly name: string
  readonly #options: GpiomonInputsOptions

  constructor(options: GpiomonInputsOptions) {
    this.name = options.name
    this.#options = options
  }

  async *readings(signal: AbortSignal): AsyncGenerator<SwitchEdge | StateReport, void, void> {
    const queue = new BoundedQueue<SwitchEdge>(this.#options.capacity ?? 4096)
    for await (const item of queue.takeFrom(stop => this.#watch(queue, stop), signal)) {
      yield item.kind === 'state' ? item : { ...item, dropped: queue.takeDropped() }
    }
  }

  async #watch(queue: BoundedQueue<SwitchEdge>, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options
    const backOff = new BackOff({ first: 0.25, longest: 5, ...(random && { random }) })
    while (!signal.aborted) {
      const began = clock.monotonic()
      const found = await chipNamed(this.#options.chip)
      if (signal.aborted) return
      const why = await this.#run(found, queue, signal)
      if (signal.aborted) return
      queue.report('absent', 'device-absent', `The lines of ${this.#options.chip} cannot be watched: ${why}`)
      if (clock.monotonic() - began > settledSeconds) backOff.reset()
      await clock.sleep(backOff.next(), signal)
    }
  }

  /** Resolves with the reason when the child has ended. */
  #run(found: string, queue: BoundedQueue<SwitchEdge>, signal: AbortSignal): Promise<string> {
    const { chip, lines, clock, program = 'gpiomon' } = this.#options
    const format = ['--banner', '--edges', 'both', '--event-clock', 'monotonic', '--format', '%e %o %S']
    const child = spawn(program, [...format, '--chip', found, ...lines.map(String)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let complaint = ''
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = `${complaint}${chunk.toString()}`.slice(-200)
    })
    createInterface({ input: child.stdout }).on('line', text => {
      // The monotonic clock of Node.js starts elsewhere than the kernel's; the edge is stamped with what has passed since.
      const [, edge, line, seconds] = /^([12]) ([0-9]+) ([0-9]+[.][0-9]+)$/.exec(text) ?? []
      if (edge === undefined) {
        if (/monitoring/i.test(text)) queue.report('ready', null, `The lines of ${chip} are watched.`)
        return
      }
      queue.push({
        kind: 'edge',
        line: Number(line),
        level: edge === '1' ? 'high' : 'low',
        monotonic: Number(seconds),
        systemTime: clock.system() - Math.max(0, kernelMonotonic() - Number(seconds)),
        dropped: 0,
      })
    })
    const end = () => child.kill()
    signal.addEventListener('abort', end, { once: true })
    return new Promise(resolve => {
      child.once('error', error => resolve(`${error.message}.`))
      child.once('close', () => resolve(complaint.trim() === '' ? 'the watch has ended.' : complaint.trim()))
    }).then(why => {
      signal.removeEventListener('abort', end)
      return String(why)
    })
  }
}

/** CLOCK_MONOTONIC, seconds, as the kernel stamps edges. */
function kernelMonotonic(): number {
  return Number(process.hrtime.bigint()) / 1e9
}
