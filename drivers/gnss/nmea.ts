import type { DriverClock } from '../driver.js'
import { openSerialLine } from '../plate-reader/serial-line.js'
import { LineReceiver } from './line-receiver.js'
import { NmeaParser } from './nmea-parser.js'

export interface NmeaReceiverOptions {
  readonly name: string
  /** Device file, best a stable name below /dev/serial/by-id. */
  readonly path: string
  /** Bits a second; 9600 unless given. */
  readonly baudRate?: number
  readonly clock: DriverClock
  /** As of `LineReceiver`. */
  readonly capacity?: number
  /** As of `LineReceiver`. */
  readonly silentSeconds?: number
  readonly random?: () => number
}

/** A receiver on a serial line of its own, in NMEA 0183, where no gpsd runs. Faults as of `GnssReceiver`. */
export class NmeaReceiver extends LineReceiver {
  constructor({ path, baudRate = 9600, ...rest }: NmeaReceiverOptions) {
    const line = { baudRate, dataBits: 8, parity: 'none', stopBits: 1, flowControl: 'none' } as const
    super({
      ...rest,
      title: `The serial line ${path} at ${baudRate} baud`,
      open: listener => openSerialLine(path, line, listener),
      parser: new NmeaParser(),
    })
  }
}
