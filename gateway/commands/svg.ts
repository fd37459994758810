/** A piece of SVG whose text is escaped already. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Numbers are written with two decimals; what is null is left out. */
export type Attributes = Readonly<Record<string, string | number | null>>
export type Content = Markup | string

/** An element of SVG 1.1. Strings among the content are text and get escaped. */
export function element(name: string, attributes: Attributes, ...content: readonly Content[]): Markup {
  const inside = content.map(each => (typeof each === 'string' ? escaped(each) : each.text)).join('')
  const head = `${name}${Object.entries(attributes).map(written).join('')}`
  return new Markup(inside === '' ? `<${head}/>` : `<${head}>${inside}</${name}>`)
}

export function group(attributes: Attributes, content: readonly Content[]): Markup {
  return element('g', attributes, ...content)
}

/** A straight line; `attributes` say how it looks. */
export function line(x1: number, y1: number, x2: number, y2: number, attributes: Attributes): Markup {
  return element('line', { x1, y1, x2, y2, ...attributes })
}

/** Text at a base line, sans serif, dark unless the attributes say otherwise. */
export function text(x: number, y: number, words: string, attributes: Attributes = {}): Markup {
  return element('text', { x, y, ...attributes }, words)
}

/** What a browser shows under the pointer. */
export function hint(words: string): Markup {
  return element('title', {}, words)
}

/** A whole file: `width` by `height` are user units. */
export function svgFile(width: number, height: number, attributes: Attributes, content: readonly Content[]): string {
  const root = element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      'xmlns:xlink': 'http://www.w3.org/1999/xlink',
      width,
      height,
      viewBox: `0 0 ${numeral(width)} ${numeral(height)}`,
      ...attributes,
    },
    ...content,
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n${root.text}\n`
}

/** Two decimals at most and never an exponent, `NaN` or a negative nought. */
export function numeral(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`${value} cannot be drawn`)
  const rounded = Math.round(value * 100) / 100
  return (rounded === 0 ? 0 : rounded).toString()
}

function written([name, value]: [string, string | number | null]): string {
  if (value === null) return ''
  return ` ${name}="${typeof value === 'number' ? numeral(value) : escaped(value)}"`
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** Characters that XML 1.0 (section 2.2) does not allow at all become U+FFFD. */
function escaped(words: string): string {
  return words
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replace(/[&<>"]/g, character => entities[character] ?? '')
}
