import { existsSync, fstatSync } from 'node:fs'
import type { LineSettings } from './layout.js'

/** An open serial line. */
export interface SerialLine {
  /** Whether the device is still there. serialport by itself can miss that: after an unplug it may read nothing for ever. */
  present(): boolean
  /** Never rejects. */
  close(): Promise<void>
}

export interface LineListener {
  /** The bytes belong to the listener. */
  bytes(chunk: Uint8Array): void
  /** The line is gone; nothing follows. */
  lost(reason: string): void
}

/** Why a line cannot be opened; `fault` as in a state report. */
export class LineError extends Error {
  readonly fault: 'device-absent' | 'device-busy' | 'device-refused'

  constructor(fault: LineError['fault'], message: string) {
    super(message)
    this.name = 'LineError'
    this.fault = fault
  }
}

/**
 * Opens a serial port of its own for one opening, with an exclusive lock: serialport's queues outlive an unplug, so a port
 * is never opened twice.
 *
 * @throws LineError
 */
export async function openSerialLine(
  path: string,
  settings: LineSettings,
  listener: LineListener,
): Promise<SerialLine> {
  const { SerialPort } = await import('serialport')
  const port = new SerialPort({ path, ...settings, lock: true, autoOpen: false })
  await new Promise<void>((resolve, reject) => {
    port.open(error => (error ? reject(lineError(path, error)) : resolve()))
  })
  let open = true
  const lost = (reason: string) => {
    if (open) listener.lost(reason)
    open = false
  }
  port.on('data', (chunk: Buffer) => {
    if (open) listener.bytes(Uint8Array.from(chunk))
  })
  port.on('error', error => lost(error.message))
  port.on('close', (error: Error | null) => lost(error?.message ?? 'closed'))
  return {
    present: () => existsSync(path) && linked(port.port),
    async close() {
      open = false
      if (!port.isOpen) return
      await new Promise<void>(resolve => {
        port.close(() => resolve())
      })
    },
  }
}

/** The kernel deletes the device file of what is unplugged, whether or not another has taken its name. */
function linked(binding: object | undefined): boolean {
  if (binding === undefined || !('fd' in binding) || typeof binding.fd !== 'number') return true
  try {
    return fstatSync(binding.fd).nlink > 0
  } catch {
    return false
  }
}

function lineError(path: string, error: Error): LineError {
  if (/no such (?:file|device)/i.test(error.message)) {
    return new LineError('device-absent', `There is no serial line ${path}.`)
  }
  if (/lock|busy/i.test(error.message)) {
    return new LineError('device-busy', `Another program holds the serial line ${path}.`)
  }
  return new LineError(
    'device-refused',
    `The serial line ${path} cannot be opened: ${error.message.replace(/^Error:? /, '')}.`,
  )
}
