import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { LayoutParser, type PlateReaderLayout } from '../../drivers/plate-reader/layout.js'
import { messageOf, PolewatchError } from '../errors.js'
import { baudRateOption, hearLine, layouts, type Parity, parityOption, usualLine } from './reader-line.js'
import { bold, colour, exitStatus, print, printJson, stopSignal } from './terminal.js'

interface DetectOptions {
  readonly port?: string
  readonly tcp?: string
  readonly seconds: number
  readonly baud: number | 'auto'
  readonly parity?: Parity
  readonly json?: boolean
}

interface Fit {
  readonly layout: string
  /** Frames that fit, of all that were begun. */
  readonly goodFrames: number
  readonly frames: number
  /** 0 to 1; null where no frame was found. */
  readonly share: number | null
  readonly discardedBytes: number
}

/** Speeds to try, the usual ones first. */
const speeds = [9600, 115_200, 19_200, 38_400, 57_600, 4800, 2400]
/** With so many frames parsed, no other speed is tried. */
const convincing = 0.5

/** `polewatch plates detect-layout` */
export function defineDetectLayout(command: Command): void {
  command
    .description('Names the layouts that fit what a plate reader sends, with the share of frames that parse.')
    .argument('[FILE]', 'a capture of raw bytes, instead of a line')
    .option('--port <DEVICE>', 'the serial port')
    .option('--tcp <HOST:PORT>', 'a reader that waits for a connection')
    .option('--seconds <NUMBER>', 'how long to listen at each speed', secondsOption, 20)
    .option(
      '--baud <RATE>',
      'speed of the line, or "auto" for the usual ones in turn',
      text => (text === 'auto' ? ('auto' as const) : baudRateOption(text)),
      9600,
    )
    .option('--parity <PARITY>', 'none, even or odd', parityOption)
    .option('--json', 'one JSON line a layout')
    .addHelpText('after', '\nExample:\n  polewatch plates detect-layout --port /dev/ttyUSB0 --baud auto')
    .action((file: string | undefined, options: DetectOptions) => detect(file, options, stopSignal()))
}

/** What was heard at one speed (null for a capture or TCP), and the layouts that fit it, the best first. */
interface Hearing {
  readonly baudRate: number | null
  readonly bytes: number
  readonly found: readonly Fit[]
}

async function detect(file: string | undefined, options: DetectOptions, signal: AbortSignal): Promise<void> {
  const known = await layouts()
  const hearing = (heard: Uint8Array, baudRate: number | null): Hearing => ({
    baudRate,
    bytes: heard.length,
    found: fits(known, heard).filter(({ goodFrames }) => goodFrames > 0),
  })
  if (file !== undefined) {
    tell([hearing(readCapture(file), null)], options)
    return
  }
  if (options.port === undefined && options.tcp === undefined)
    throw new PolewatchError('PW_USAGE', { why: 'give a capture, --port or --tcp' })
  const usual = options.baud === 'auto' ? speeds : [options.baud]
  const tried = options.port === undefined ? [null] : usual
  const hearings: Hearing[] = []
  for (const baudRate of tried) {
    hearings.push(hearing(await hearFor(options, baudRate, signal), baudRate))
    if (signal.aborted || shareOf(hearings.at(-1)) >= convincing) break
  }
  tell(hearings, options)
}

function shareOf(hearing: Hearing | undefined): number {
  return hearing?.found[0]?.share ?? 0
}

async function hearFor(options: DetectOptions, baudRate: number | null, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  const over = AbortSignal.any([signal, AbortSignal.timeout(options.seconds * 1000)])
  const parity = options.parity ?? usualLine.parity
  const settings = { ...usualLine, baudRate: baudRate ?? usualLine.baudRate, parity }
  const at = baudRate === null ? '' : ` at ${baudRate} baud`
  const opened = () => {
    if (options.json === true) return
    print(colour('grey', `Listening${at} for ${options.seconds} s; let the reader read plates now.`))
  }
  await hearLine(options, settings, chunk => chunks.push(chunk), over, opened)
  return Buffer.concat(chunks)
}

/** The best first. */
function fits(known: readonly PlateReaderLayout[], heard: Uint8Array): Fit[] {
  const found = known.map(layout => {
    const parser = new LayoutParser(layout)
    parser.push(heard)
    const { goodFrames } = parser
    const frames = goodFrames + parser.discarded.frames
    const share = frames === 0 ? null : goodFrames / frames
    return { layout: layout.name, goodFrames, frames, share, discardedBytes: parser.discarded.bytes }
  })
  return found.sort(
    (one, other) =>
      (other.share ?? 0) - (one.share ?? 0) ||
      other.goodFrames - one.goodFrames ||
      one.discardedBytes - other.discardedBytes,
  )
}

function tell(hearings: readonly Hearing[], { json }: DetectOptions): void {
  const best = hearings.toSorted((one, other) => shareOf(other) - shareOf(one))[0]
  const { baudRate = null, found = [] } = best ?? {}
  if (json) for (const fit of found) printJson({ ...fit, baudRate })
  else {
    for (const { layout, goodFrames, frames, share } of found) {
      const at = baudRate === null ? '' : ` at ${baudRate} baud`
      print(`${bold(layout)}${at}: ${((share ?? 0) * 100).toFixed(0)} % of frames (${goodFrames} of ${frames})`)
    }
    if (found.length === 0) print(whyNone(hearings.reduce((sum, { bytes }) => sum + bytes, 0)))
  }
  if (found.length === 0) process.exitCode = exitStatus.fault
}

function whyNone(bytes: number): string {
  if (bytes === 0)
    return 'Nothing was heard: is the reader powered, wired (its TX to our RX), and did it read a plate meanwhile?'
  const what =
    bytes === 1 ? '1 byte was heard, but no layout fits it' : `${bytes} bytes were heard, but no layout fits them`
  return `${what}. Try --baud auto or another --parity; "polewatch plates listen" shows the bytes.`
}

function readCapture(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new PolewatchError('PW_USAGE', { why: `${file} cannot be read: ${messageOf(error)}` }, error)
  }
}

function secondsOption(text: string): number {
  const seconds = Number(text)
  if (seconds > 0 && seconds <= 86_400) return seconds
  throw new PolewatchError('PW_USAGE', { why: '--seconds needs a number above 0' })
}
