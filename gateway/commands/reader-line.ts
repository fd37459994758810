import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { devicesFolder } from '../../drivers/device-files.js'
import type { LineSettings, PlateReaderLayout } from '../../drivers/plate-reader/layout.js'
import { LineError, type LineListener } from '../../drivers/plate-reader/line.js'
import { openSerialLine } from '../../drivers/plate-reader/serial-line.js'
import { callLine } from '../../drivers/plate-reader/tcp.js'
import { systemClock } from '../../drivers/system-clock.js'
import { PolewatchError } from '../errors.js'
import { layoutOf } from './devices.js'
import { driverError } from './driver-faults.js'

/** Where a technician listens. */
export interface ListeningPlace {
  readonly port?: string
  readonly tcp?: string
}

export const usualLine: LineSettings = {
  baudRate: 9600,
  dataBits: 8,
  parity: 'none',
  stopBits: 1,
  flowControl: 'none',
}

/** Every layout that comes with the program, or those named. @throws PolewatchError PW_DEVICE_FILE */
export function layouts(names: readonly string[] = []): Promise<PlateReaderLayout[]> {
  const shipped = readdirSync(join(devicesFolder, 'plate-readers')).map(file => file.replace(/\.json$/, ''))
  return Promise.all((names.length > 0 ? names : shipped.sort()).map(layoutOf))
}

/**
 * Hears a line until the signal aborts or the line is gone. Nothing is sent. `opened` is called when there is a line to hear.
 *
 * @throws PolewatchError when the line cannot be opened or has gone
 */
export async function hearLine(
  place: ListeningPlace,
  settings: LineSettings,
  hear: (chunk: Uint8Array) => void,
  signal: AbortSignal,
  opened: () => void,
): Promise<void> {
  const gone = new AbortController()
  const abort = () => gone.abort()
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  const listener = { bytes: hear, lost: abort }
  try {
    const line = await open(place, settings, listener, signal)
    opened()
    while (!gone.signal.aborted && line.present()) await systemClock.sleep(0.5, gone.signal)
    await line.close()
    if (!signal.aborted) throw driverError('device-absent', title(place), 'the line has gone.')
  } catch (error) {
    if (!(error instanceof LineError)) throw error
    if (!signal.aborted) throw driverError(error.fault, title(place), error.message)
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function open(place: ListeningPlace, settings: LineSettings, listener: LineListener, signal: AbortSignal) {
  const { port, tcp } = place
  if ((port === undefined) === (tcp === undefined)) {
    throw new PolewatchError('PW_USAGE', { why: 'give one of --port and --tcp' })
  }
  if (port !== undefined) return openSerialLine(port, settings, listener)
  const [, host, number] = /^\[?([^\s]+?)\]?:([0-9]{1,5})$/.exec(tcp ?? '') ?? []
  if (host === undefined || Number(number) < 1 || Number(number) > 65_535) {
    throw new PolewatchError('PW_USAGE', { why: '--tcp needs HOST:PORT' })
  }
  return callLine(host, Number(number))(listener, signal)
}

function title({ port, tcp }: ListeningPlace): string {
  return port ?? tcp ?? 'the reader'
}

/** Speed in bits a second, as an option's value. @throws PolewatchError PW_USAGE */
export function baudRateOption(text: string): number {
  const rate = Number(text)
  if (Number.isInteger(rate) && rate >= 50 && rate <= 4_000_000) return rate
  throw new PolewatchError('PW_USAGE', { why: '--baud needs a speed in bits a second' })
}

export type Parity = 'none' | 'even' | 'odd'

/** @throws PolewatchError PW_USAGE */
export function parityOption(text: string): Parity {
  if (text === 'none' || text === 'even' || text === 'odd') return text
  throw new PolewatchError('PW_USAGE', { why: '--parity is none, even or odd' })
}
