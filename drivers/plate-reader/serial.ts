import type { LineSettings } from './layout.js'
import type { Line, LineListener } from './line.js'
import { LinePlateReader, type LinePlateReaderOptions } from './line-reader.js'
import { openSerialLine } from './serial-line.js'

export interface SerialPlateReaderOptions extends Omit<LinePlateReaderOptions, 'title' | 'open'> {
  /** Device file, best a stable name below /dev/serial/by-id. */
  readonly path: string
  /** What differs from the layout's own line settings. */
  readonly line?: Partial<LineSettings>
  readonly openLine?: (path: string, settings: LineSettings, listener: LineListener) => Promise<Line>
}

/** Reads plates from a serial line: RS-232, RS-485 or USB. Faults as of `LinePlateReader`. */
export class SerialPlateReader extends LinePlateReader {
  constructor(options: SerialPlateReaderOptions) {
    const { path, line, openLine = openSerialLine, ...rest } = options
    const settings = { ...options.layout.line, ...line }
    const title = `The serial line ${path} at ${settings.baudRate} baud`
    super({ ...rest, title, open: listener => openLine(path, settings, listener) })
  }
}
