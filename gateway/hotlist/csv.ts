/** Delimiters that agencies use, in the order in which they win a tie. */
export const delimiters = [',', ';', '\t', ':'] as const
export type Delimiter = (typeof delimiters)[number]

export type BrokenRecord = 'quote-not-closed' | 'text-after-quote' | 'quote-inside-field' | 'line-too-long'

/** Receives records in the order of the file. A line is counted from 1 and is the one where the record begins. */
export interface RecordHandler {
  record(fields: readonly string[], line: number): void
  broken(line: number, reason: BrokenRecord): void
}

/** Takes text in pieces of any size, cut anywhere, and gives records to its handler; `end` gives the last one. */
export interface RecordParser {
  push(text: string): void
  end(): void
}

// Characters; a record longer than this is a file that is no list, or a quote that was never closed.
const longestRecord = 65_536
const byteOrderMark = 0xfeff

/**
 * Delimited text after RFC 4180, strictly: a quote opens only at the start of a field, is doubled inside, and nothing but a
 * delimiter or the line's end follows the closing one; quoted fields may hold line ends. Lines end with LF or CRLF, empty
 * lines are skipped. A broken record is reported by the line where it began, and reading goes on at the line after that,
 * so that a stray quote costs one line and not the rest of the file.
 */
export class DelimitedParser implements RecordParser {
  readonly #delimiter: string
  readonly #handler: RecordHandler
  #rest = ''
  #line = 1
  #skipping = false

  constructor(delimiter: Delimiter, handler: RecordHandler) {
    this.#delimiter = delimiter
    this.#handler = handler
  }

  push(text: string): void {
    this.#consume(this.#rest + text, false)
  }

  end(): void {
    this.#consume(this.#rest, true)
    this.#rest = ''
  }

  #consume(text: string, ended: boolean): void {
    const quotes = text.includes('"')
    // Where the next delimiter is; kept, so that no part of the text is searched twice, whatever the lines are like.
    let delimiter = text.indexOf(this.#delimiter)
    let at = 0
    while (at < text.length) {
      at = afterMarks(text, at)
      const feed = text.indexOf('\n', at)
      const next = feed < 0 ? text.length : feed + 1
      if (feed < 0 && !ended) {
        if (text.length - at <= longestRecord) break
        if (!this.#skipping) this.#handler.broken(this.#line, 'line-too-long')
        this.#skipping = true
        at = text.length
        break
      }
      if (this.#skipping) {
        this.#skipping = false
        this.#line++
        at = next
        continue
      }
      const end = withoutReturn(text, at, feed < 0 ? text.length : feed)
      if (!quotes || !text.slice(at, end).includes('"')) {
        if (delimiter >= 0 && delimiter < at) delimiter = text.indexOf(this.#delimiter, at)
        const fields: string[] = []
        let start = at
        for (; delimiter >= 0 && delimiter < end; delimiter = text.indexOf(this.#delimiter, start)) {
          fields.push(text.slice(start, delimiter))
          start = delimiter + 1
        }
        fields.push(text.slice(start, end))
        if (end - at > longestRecord) this.#handler.broken(this.#line, 'line-too-long')
        else if (end > at) this.#handler.record(fields, this.#line)
        this.#line++
        at = next
        continue
      }
      const record = this.#quoted(text, at, ended)
      if (record === 'incomplete') {
        if (!ended && text.length - at <= longestRecord) break
        this.#handler.broken(this.#line, 'quote-not-closed')
      } else if (typeof record === 'string') {
        this.#handler.broken(this.#line, record)
      } else {
        this.#handler.record(record.fields, this.#line)
        this.#line += record.lines
        at = record.next
        continue
      }
      this.#line++
      at = next
    }
    this.#rest = text.slice(at)
  }

  #quoted(
    text: string,
    start: number,
    ended: boolean,
  ): { fields: string[]; next: number; lines: number } | 'incomplete' | BrokenRecord {
    const fields: string[] = []
    let lines = 1
    let at = start
    for (;;) {
      if (text[at] === '"') {
        const field = closeQuote(text, at, ended)
        if (field === null) return 'incomplete'
        fields.push(field.value)
        for (let feed = field.value.indexOf('\n'); feed >= 0; feed = field.value.indexOf('\n', feed + 1)) lines++
        at = field.end
        if (text[at] === this.#delimiter) {
          at++
          continue
        }
        if (at === text.length) return ended ? { fields, next: at, lines } : 'incomplete'
        if (text[at] === '\n') return { fields, next: at + 1, lines }
        if (text[at] !== '\r') return 'text-after-quote'
        if (text[at + 1] === '\n') return { fields, next: at + 2, lines }
        if (at + 1 < text.length) return 'text-after-quote'
        return ended ? { fields, next: at + 1, lines } : 'incomplete'
      }
      const feed = text.indexOf('\n', at)
      if (feed < 0 && !ended) return 'incomplete'
      const lineEnd = feed < 0 ? text.length : feed
      const delimiter = text.indexOf(this.#delimiter, at)
      const last = delimiter < 0 || delimiter > lineEnd
      const value = text.slice(at, last ? withoutReturn(text, at, lineEnd) : delimiter)
      if (value.includes('"')) return 'quote-inside-field'
      fields.push(value)
      if (last) return { fields, next: feed < 0 ? lineEnd : feed + 1, lines }
      at = delimiter + 1
    }
  }
}

/** Where a column lies in a line of fixed-width text: first character counted from 1, and how many characters. */
export interface Span {
  readonly start: number
  readonly length: number
}

/** Fixed-width text: one record a line, each span's text without the padding around it. Empty lines are skipped. */
export class FixedWidthParser implements RecordParser {
  readonly #spans: readonly Span[]
  readonly #handler: RecordHandler
  #rest = ''
  #line = 1
  #skipping = false

  constructor(spans: readonly Span[], handler: RecordHandler) {
    this.#spans = spans
    this.#handler = handler
  }

  push(text: string): void {
    const all = this.#rest + text
    let at = 0
    for (let feed = all.indexOf('\n'); feed >= 0; feed = all.indexOf('\n', at)) {
      this.#take(all.slice(at, withoutReturn(all, at, feed)))
      at = feed + 1
    }
    this.#rest = all.slice(at)
    if (this.#rest.length <= longestRecord) return
    if (!this.#skipping) this.#handler.broken(this.#line, 'line-too-long')
    this.#skipping = true
    this.#rest = ''
  }

  end(): void {
    this.#take(this.#rest)
    this.#rest = ''
  }

  #take(marked: string): void {
    const line = marked.slice(afterMarks(marked, 0))
    if (line.length > longestRecord) this.#handler.broken(this.#line, 'line-too-long')
    else if (!this.#skipping && line.length > 0) this.#handler.record(this.#spans.map(cut(line)), this.#line)
    this.#skipping = false
    this.#line++
  }
}

const cut = (line: string) => (span: Span) => line.slice(span.start - 1, span.start - 1 + span.length).trim()

/** The delimiter that a line most probably uses: the one found most often outside quotes; a comma where there is none. */
export function detectDelimiter(line: string): Delimiter {
  const bare = line.replace(/"(?:[^"]|"")*"/g, '')
  let best: Delimiter = ','
  let most = 0
  for (const delimiter of delimiters) {
    const found = bare.split(delimiter).length - 1
    if (found > most) {
      best = delimiter
      most = found
    }
  }
  return best
}

/** Files that were joined have a byte order mark before the first line of each; it is no part of that line. */
function afterMarks(text: string, start: number): number {
  let at = start
  while (text.charCodeAt(at) === byteOrderMark) at++
  return at
}

function withoutReturn(text: string, start: number, end: number): number {
  return end > start && text[end - 1] === '\r' ? end - 1 : end
}

function closeQuote(text: string, start: number, ended: boolean): { value: string; end: number } | null {
  let value = ''
  let from = start + 1
  for (;;) {
    const quote = text.indexOf('"', from)
    if (quote < 0) return null
    value += text.slice(from, quote)
    if (quote + 1 === text.length && !ended) return null
    if (text[quote + 1] !== '"') return { value, end: quote + 1 }
    value += '"'
    from = quote + 2
  }
}
