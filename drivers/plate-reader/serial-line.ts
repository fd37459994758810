import { existsSync, fstatSync } from 'node:fs'
import type { LineSettings } from './layout.js'
import { type Line, LineError, type LineListener } from './line.js'

/**
 * Opens a serial port of its own for one opening, with an exclusive lock: serialport's queues outlive an unplug, so a port
 * is never opened twice.
 *
 * @throws LineError
 */
export async function openSerialLine(path: string, settings: LineSettings, listener: LineListener): Promise<Line> {
  const { SerialPort } = await import('serialport')
  const { flowControl, ...character } = settings
  const flow = { rtscts: flowControl === 'hardware', xon: flowControl === 'software', xoff: flowControl === 'software' }
  const port = new SerialPort({ path, ...character, ...flow, lock: true, autoOpen: false })
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
    // serialport by itself can miss an unplug: it may then read nothing for ever.
    present: () => existsSync(path) && linked(port.port),
    write(bytes) {
      if (open) port.write(Buffer.from(bytes))
    },
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
