import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** What an emulated board is told while it runs; volts by channel, levels and pulses by pin of port D. */
export interface BoardOrder {
  readonly volts?: Readonly<Record<number, number>>
  readonly levels?: Readonly<Record<number, boolean>>
  /** Pulses a second on pin 4; none for 0. */
  readonly pulses?: number
  /** Raw words of the BMP280. */
  readonly bmp280?: { readonly temperature: number; readonly pressure: number }
  /** Stops the processor, as a crash of the firmware does. */
  readonly halt?: boolean
  /** Bytes put on the line, in hexadecimal, as noise does. */
  readonly noise?: string
}

const program = fileURLToPath(new URL('firmata-emulator.js', import.meta.url))

/** An Arduino Uno with genuine StandardFirmata in a process of its own, at the end of a pseudo-terminal at `path`. */
export class FirmataEmulator {
  readonly #child: ChildProcess
  readonly #exited: Promise<void>

  private constructor(child: ChildProcess, exited: Promise<void>) {
    this.#child = child
    this.#exited = exited
  }

  /** @param firmware `firmata`, or `chatter` for a board that says other things */
  static async plug(path: string, firmware: 'firmata' | 'chatter' = 'firmata'): Promise<FirmataEmulator> {
    const child = spawn(process.execPath, [program, path, firmware], { stdio: ['pipe', 'ignore', 'inherit'] })
    const exited = new Promise<void>(resolve => child.on('close', () => resolve()))
    while (!existsSync(path)) {
      if (child.exitCode !== null) throw new Error('the emulator has ended; is socat installed?')
      await pause(5)
    }
    return new FirmataEmulator(child, exited)
  }

  tell(order: BoardOrder): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`)
  }

  /** Pulls the plug: the path disappears. */
  async unplug(): Promise<void> {
    this.#child.stdin?.end()
    await this.#exited
  }
}
