import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { LayoutParser, type PlateReaderLayout } from '../../drivers/plate-reader/layout.js'
import { PolewatchError } from '../errors.js'
import { baudRateOption, hearLine, layouts, usualLine } from './reader-line.js'
import { messageOf } from './role.js'
import { bold, exitStatus, print, printJson, stopSignal } from './terminal.js'

interface DetectOptions {
  readonly port?: string
  readonly tcp?: string
  readonly seconds: number
  readonly baud: number | 'auto'
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
    .option('--json', 'one JSON line a layout')
    .addHelpText('after', '\nExample:\n  polewatch plates detect-layout --port /dev/ttyUSB0 --baud auto')
    .action((file: string | undefined, options: DetectOptions) => detect(file, options, stopSignal()))
}

async function detect(file: string | undefined, options: DetectOptions, signal: AbortSignal): Promise<void> {
  const known = await layouts()
  if (file !== undefined) {
    tell(fits(known, readCapture(file)), null, options)
    return
  }
  const tried =
    options.port !== undefined && options.baud === 'auto' ? speeds : [options.baud === 'auto' ? 9600 : options.baud]
  for (const [index, baudRate] of tried.entries()) {
    const heard = await hearFor(options, baudRate, signal)
    const found = fits(known, heard)
    const last = index === tried.length - 1 || signal.aborted
    if (!last && (found[0]?.share ?? 0) < convincing) continue
    tell(found, options.port === undefined ? null : baudRate, options)
    return
  }
}

async function hearFor(options: DetectOptions, baudRate: number, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  const over = AbortSignal.any([signal, AbortSignal.timeout(options.seconds * 1000)])
  await hearLine(options, { ...usualLine, baudRate }, chunk => chunks.push(chunk), over)
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

function tell(found: readonly Fit[], baudRate: number | null, { json }: DetectOptions): void {
  const fitting = found.filter(({ goodFrames }) => goodFrames > 0)
  if (json) for (const fit of fitting) printJson({ ...fit, baudRate })
  else {
    for (const { layout, goodFrames, frames, share } of fitting) {
      const at = baudRate === null ? '' : ` at ${baudRate} baud`
      print(`${bold(layout)}${at}: ${((share ?? 0) * 100).toFixed(0)} % of frames (${goodFrames} of ${frames})`)
    }
    if (fitting.length === 0) print('No layout fits what was heard, or nothing was.')
  }
  if (fitting.length === 0) process.exitCode = exitStatus.fault
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
