import type { DriverClock } from '../driver.js'
import { callLine } from '../plate-reader/tcp.js'
import { GpsdParser } from './gpsd-parser.js'
import { LineReceiver } from './line-receiver.js'

export interface GpsdReceiverOptions {
  readonly name: string
  readonly clock: DriverClock
  /** `127.0.0.1` unless given. */
  readonly host?: string
  /** 2947 unless given. */
  readonly port?: number
  /** As of `LineReceiver`. */
  readonly capacity?: number
  /** As of `LineReceiver`. */
  readonly silentSeconds?: number
  readonly random?: () => number
}

/** A receiver that gpsd on this machine looks after. Faults as of `GnssReceiver`. */
export class GpsdReceiver extends LineReceiver {
  constructor({ host = '127.0.0.1', port = 2947, ...rest }: GpsdReceiverOptions) {
    super({
      ...rest,
      title: `gpsd at ${host}:${port}`,
      open: callLine(host, port),
      parser: new GpsdParser(),
      greeting: '?WATCH={"enable":true,"json":true};\n',
    })
  }
}
