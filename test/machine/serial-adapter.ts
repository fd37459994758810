import { constants, existsSync, lstatSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { type FileHandle, open, readdir } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'

/** What whoever stands at the far end of the adapter's line writes, arrives at the adapter. */
const farEnd = '/dev/virtio-ports/adapter'
const names = '/dev/serial/by-id'
const usb = '/sys/bus/usb/devices'

/**
 * The serial adapter on the machine's USB bus, with the kernel's driver for FTDI chips, pulled out and plugged in by taking the bus's
 * permission from it: its driver loses it as it loses one whose plug is pulled.
 */
export class SerialAdapter {
  readonly #device: string
  readonly #far: FileHandle
  #path = ''
  #held: FileHandle | null = null

  private constructor(device: string, far: FileHandle) {
    this.#device = device
    this.#far = far
  }

  /** Finds it, and pulls it out. */
  static async find(): Promise<SerialAdapter> {
    const isAdapter = (device: string) => textOf(`${usb}/${device}/product`).includes('SERIAL')
    let found: string | undefined
    while (found === undefined) {
      found = (await readdir(usb)).find(isAdapter)
      await pause(20)
    }
    const adapter = new SerialAdapter(`${usb}/${found}`, await open(farEnd, constants.O_RDWR))
    await adapter.plug()
    adapter.#path = `${names}/${(await readdir(names))[0]}`
    await adapter.unplug()
    return adapter
  }

  /** The name that udev keeps, whatever the number. */
  get path(): string {
    return this.#path
  }

  /** Where the kernel is told whether it may sleep. */
  get power(): string {
    return `${this.#device}/power/control`
  }

  async plug(): Promise<void> {
    writeFileSync(`${this.#device}/authorized`, '1')
    while (!existsSync(names) || (this.#path !== '' && !existsSync(this.#path))) await pause(10)
  }

  async unplug(): Promise<void> {
    writeFileSync(`${this.#device}/authorized`, '0')
    // The kernel deletes what the name points to, and udev the name, later: it would take it from the adapter plugged in meanwhile.
    while (isName(this.#path === '' ? names : this.#path)) await pause(10)
    await this.#held?.close()
    this.#held = null
  }

  /** Unplugs it and plugs it in under the next number: who still has the old one open keeps its number. */
  async rename(): Promise<void> {
    const before = readlinkSync(this.#path)
    const held = await open(this.#path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK)
    await this.unplug()
    await this.plug()
    this.#held = held
    if (readlinkSync(this.#path) === before) throw new Error(`the adapter has come back as ${before} again`)
  }

  async write(bytes: Uint8Array | string): Promise<void> {
    await this.#far.writeFile(bytes)
  }

  async close(): Promise<void> {
    await this.unplug()
    await this.#far.close()
  }
}

function isName(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}
