import type { Command } from 'commander'
import type { ParsedRead } from '../../drivers/plate-reader/fields.js'
import { LayoutParser } from '../../drivers/plate-reader/layout.js'
import { baudRateOption, hearLine, layouts, type Parity, parityOption, usualLine } from './reader-line.js'
import { bold, colour, print, printJson, stopSignal } from './terminal.js'

interface ListenOptions {
  readonly port?: string
  readonly tcp?: string
  readonly layout?: string[]
  readonly baud?: number
  readonly parity?: Parity
  readonly json?: boolean
}

const bytesInARow = 16

/** `polewatch plates listen` */
export function defineListen(command: Command): void {
  command
    .description(
      'Shows the raw bytes of a plate reader beside the reads that they make. Shows plates: for a technician only.',
    )
    .option('--port <DEVICE>', 'the serial port')
    .option('--tcp <HOST:PORT>', 'a reader that waits for a connection')
    .option('--layout <NAME...>', 'layouts to try; all unless given')
    .option('--baud <RATE>', "speed of the line; the first layout's unless given", baudRateOption)
    .option('--parity <PARITY>', 'none, even or odd', parityOption)
    .option('--json', 'bytes and reads as NDJSON')
    .addHelpText('after', '\nExample:\n  polewatch plates listen --port /dev/ttyUSB0 --layout nedap-anpr-raw')
    .action((options: ListenOptions) => listen(options, stopSignal()))
}

async function listen(options: ListenOptions, signal: AbortSignal): Promise<void> {
  const { layout, baud, parity, json } = options
  const tried = await layouts(layout)
  const parsers = tried.map(each => ({ name: each.name, parser: new LayoutParser(each) }))
  const line = layout === undefined ? usualLine : (tried[0]?.line ?? usualLine)
  const settings = { ...line, ...(baud === undefined ? {} : { baudRate: baud }), ...(parity ? { parity } : {}) }
  const hear = (chunk: Uint8Array): void => {
    const time = new Date().toISOString()
    const reads = parsers.flatMap(({ name, parser }) =>
      parser.push(chunk).map(({ read, discarded }) => ({ layout: name, read, discarded })),
    )
    if (json) {
      printJson({ time, hex: Buffer.from(chunk).toString('hex'), text: escaped(chunk), reads })
      return
    }
    print(colour('grey', time))
    for (let at = 0; at < chunk.length; at += bytesInARow) {
      const row = chunk.subarray(at, at + bytesInARow)
      const hex = [...row].map(byte => byte.toString(16).padStart(2, '0')).join(' ')
      print(`${hex.padEnd(bytesInARow * 3)} ${escaped(row)}`)
    }
    for (const { layout: name, read } of reads) print(`  ${bold(read.text)} ${fields(read)} (${name})`)
  }
  const at = options.port === undefined ? '' : ` at ${settings.baudRate} baud, parity ${settings.parity}`
  await hearLine(options, settings, hear, signal, () => {
    if (!json) print(colour('grey', `Listening${at}; Ctrl-C ends. Nothing is sent to the reader.`))
  })
}

/** Printable ASCII as it is, the usual controls by their names in C, all else in hexadecimal. */
function escaped(bytes: Uint8Array): string {
  const named = new Map([
    [9, '\\t'],
    [10, '\\n'],
    [13, '\\r'],
    [92, '\\\\'],
  ])
  return [...bytes]
    .map(byte => {
      const name = named.get(byte)
      if (name !== undefined) return name
      return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
    })
    .join('')
}

function fields(read: ParsedRead): string {
  const known = Object.entries(read).filter(([name, value]) => name !== 'text' && value !== null)
  return known.map(([name, value]) => `${name} ${value}`).join(', ')
}
