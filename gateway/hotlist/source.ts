import { isAscii } from 'node:buffer'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { TextDecoder } from 'node:util'
import { PolewatchError } from '../errors.js'
import { DelimitedParser, type Delimiter, detectDelimiter, FixedWidthParser, type RecordParser } from './csv.js'
import { EntryReader, type EntryRules, type NewEntry, type RefusalReason, refusalReasons } from './entries.js'
import { type ColumnIndexes, columnNames, type HotlistMapping, resolveColumns } from './mapping.js'

export interface SourceHandler {
  readonly rules: EntryRules
  accept(entry: NewEntry): void
  refuse(line: number, reason: RefusalReason): void
  /** After each piece of the source, with all bytes so far. */
  read(bytes: number): void
}

export interface SourceSummary {
  readonly sha256: string
  readonly hasState: boolean
  readonly hiddenIds: number
}

const pieceBytes = 1_048_576
const longestHeading = 65_536
const longestMark = 3

/**
 * Reads a list's file from the first byte to the last and gives each line's entry, or why it is refused, in the order of the
 * file. Throws PW_HOTLIST_SOURCE and PW_HOTLIST_MAPPING, and what the handler throws.
 */
export async function readSource(
  source: string | Readable,
  mapping: HotlistMapping,
  delimiter: Delimiter | undefined,
  handler: SourceHandler,
): Promise<SourceSummary> {
  const hash = createHash('sha256')
  const lines =
    mapping.layout === 'delimited' ? new DelimitedSource(mapping, delimiter, handler) : fixed(mapping, handler)
  let encoding = mapping.encoding
  let decoder: TextDecoder | null = null
  let bytes = 0
  for await (const piece of pieces(source)) {
    if (bytes === 0) encoding = markedEncoding(piece) ?? encoding
    hash.update(piece)
    bytes += piece.length
    if (decoder === null && encoding !== 'utf-16le' && isAscii(piece)) {
      // Most lists are nothing else, and this is far faster.
      lines.parser.push(piece.toString('latin1'))
    } else {
      // Byte order marks are left to the parsers: this decoder may begin in the middle of the file.
      decoder ??= new TextDecoder(encoding, { ignoreBOM: true })
      lines.parser.push(decoder.decode(piece, { stream: true }))
    }
    handler.read(bytes)
  }
  lines.parser.push(decoder?.decode() ?? '')
  lines.parser.end()
  return { sha256: hash.digest('hex'), hasState: lines.hasState, hiddenIds: lines.hiddenIds }
}

interface Lines {
  readonly parser: RecordParser
  readonly hasState: boolean
  readonly hiddenIds: number
}

/** The encoding that a byte order mark at the start of a file names: Windows programs save "Unicode" as UTF-16. */
function markedEncoding(start: Buffer): 'utf-8' | 'utf-16le' | null {
  if (start[0] === 0xff && start[1] === 0xfe) return 'utf-16le'
  return start[0] === 0xef && start[1] === 0xbb && start[2] === 0xbf ? 'utf-8' : null
}

/** Pieces of the source; the first one holds a whole byte order mark, if there is one. */
async function* pieces(source: string | Readable): AsyncGenerator<Buffer> {
  const stream = typeof source === 'string' ? createReadStream(source, { highWaterMark: pieceBytes }) : source
  try {
    let start: Buffer | null = Buffer.alloc(0)
    for await (const piece of stream) {
      const bytes = Buffer.isBuffer(piece) ? piece : Buffer.from(piece)
      if (start === null) {
        yield bytes
        continue
      }
      start = Buffer.concat([start, bytes])
      if (start.length < longestMark) continue
      yield start
      start = null
    }
    if (start !== null) yield start
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new PolewatchError('PW_HOTLIST_SOURCE', { why: code === 'ENOENT' ? 'there is no such file' : code }, error)
  }
}

/** Delimited text, whose delimiter and columns are known only once its first line is. */
class DelimitedSource implements Lines, RecordParser {
  readonly #mapping: Extract<HotlistMapping, { layout: 'delimited' }>
  readonly #delimiter: Delimiter | undefined
  readonly #handler: SourceHandler
  #parser: DelimitedParser | null = null
  #reader: EntryReader | null = null
  #heading = ''
  hasState = true

  constructor(
    mapping: Extract<HotlistMapping, { layout: 'delimited' }>,
    delimiter: Delimiter | undefined,
    handler: SourceHandler,
  ) {
    this.#mapping = mapping
    this.#delimiter = delimiter ?? mapping.delimiter
    this.#handler = handler
  }

  get parser(): RecordParser {
    return this
  }

  get hiddenIds(): number {
    return this.#reader?.hiddenIds ?? 0
  }

  push(text: string): void {
    if (this.#parser !== null) {
      this.#parser.push(text)
      return
    }
    this.#heading += text
    if (this.#heading.trimStart().includes('\n') || this.#heading.length > longestHeading) this.#begin()
  }

  end(): void {
    if (this.#parser === null) this.#begin()
    this.#parser?.end()
  }

  #begin(): void {
    const firstLine = this.#heading.trimStart().split('\n', 1)[0] ?? ''
    this.#parser = new DelimitedParser(this.#delimiter ?? detectDelimiter(firstLine), {
      record: (fields, line) => this.#record(fields, line),
      broken: (line, reason) => {
        if (this.#reader === null) {
          throw new PolewatchError('PW_HOTLIST_MAPPING', { why: `line ${line} is broken: ${refusalReasons[reason]}` })
        }
        this.#handler.refuse(line, reason)
      },
    })
    this.#parser.push(this.#heading)
    this.#heading = ''
  }

  #record(fields: readonly string[], line: number): void {
    if (this.#reader === null) {
      const { indexes, width, heading } = resolveColumns(this.#mapping, fields)
      requireColumns(indexes, this.#handler.rules)
      this.hasState = indexes.state !== undefined || this.#handler.rules.defaults.state !== undefined
      this.#reader = new EntryReader(indexes, width, this.#handler.rules)
      if (heading) return
    }
    give(this.#reader.read(fields, line), line, this.#handler)
  }
}

function fixed(mapping: Extract<HotlistMapping, { layout: 'fixed-width' }>, handler: SourceHandler): Lines {
  const indexes: { -readonly [Column in keyof ColumnIndexes]: ColumnIndexes[Column] } = { plate: 0 }
  const spans = [mapping.columns.plate]
  for (const column of columnNames) {
    const span = mapping.columns[column]
    if (span === undefined || column === 'plate') continue
    indexes[column] = spans.length
    spans.push(span)
  }
  requireColumns(indexes, handler.rules)
  const reader = new EntryReader(indexes, spans.length, handler.rules)
  const parser = new FixedWidthParser(spans, {
    record: (fields, line) => {
      if (line > mapping.skipLines) give(reader.read(fields, line), line, handler)
    },
    broken: (line, reason) => handler.refuse(line, reason),
  })
  const hasState = indexes.state !== undefined || handler.rules.defaults.state !== undefined
  return {
    parser,
    hasState,
    get hiddenIds() {
      return reader.hiddenIds
    },
  }
}

function give(read: ReturnType<EntryReader['read']>, line: number, handler: SourceHandler): void {
  if ('refused' in read) handler.refuse(line, read.refused)
  else handler.accept(read.value)
}

function requireColumns(indexes: ColumnIndexes, rules: EntryRules): void {
  if (indexes.purpose === undefined && rules.defaults.purpose === undefined) {
    throw new PolewatchError('PW_HOTLIST_MAPPING', { why: 'there is no column for the purpose, and no default for it' })
  }
  if (indexes.expires === undefined && rules.defaults.validFor === undefined) {
    throw new PolewatchError('PW_HOTLIST_MAPPING', { why: 'there is no column for the expiry, and no default for it' })
  }
}
